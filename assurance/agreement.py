"""How far experts agree: raw agreement, and Krippendorff's alpha for nominal labels.

Source: Krippendorff (2011), *Computing Krippendorff's Alpha-Reliability*, section C (nominal data, any number of
observers, missing labels).
"""

import numpy as np
from jaxtyping import Int

from core.records import Record

NO_LABEL = -1
"""The code of an item that an expert did not judge."""


class Agreement(Record):
    """Agreement on the items that at least two experts judged.

    `raw` is the chance that two labels of one item, drawn at random, are equal. `alpha` corrects it for chance: 1 is
    perfect, 0 is chance. Either is None where it has no value, and `reason` then says why.
    """

    raw: float | None
    alpha: float | None
    n_items: int
    n_labels: int
    reason: str = ""


def agreement(labels: Int[np.ndarray, "items experts"]) -> Agreement:
    """Raw agreement and Krippendorff's nominal alpha over the items with two labels or more.

    Args:
        labels: one row per item, one column per expert; codes >= 0, and -1 where an expert gave no label.

    Raises:
        ValueError: labels is not a table of items by experts.

    Krippendorff's example, 12 items and 4 observers, has alpha 0.743:

    >>> observers = [
    ...     [1, 2, 3, 3, 2, 1, 4, 1, 2, -1, -1, -1],
    ...     [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, -1, 3],
    ...     [-1, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, -1],
    ...     [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, -1],
    ... ]
    >>> found = agreement(np.array(observers).T)
    >>> round(found.alpha, 3), found.n_items, found.n_labels
    (0.743, 11, 40)
    """
    if labels.ndim != 2:
        raise ValueError(f"The labels have {labels.ndim} axes; pass a table of items by experts, -1 for no label.")
    codes = np.unique(labels[labels != NO_LABEL])
    counts_IC = np.stack([np.sum(labels == code, axis=1) for code in codes], axis=1) if len(codes) else np.zeros((0, 0))
    per_item = counts_IC.sum(axis=1)
    counts_IC, per_item = counts_IC[per_item >= 2], per_item[per_item >= 2]
    n_items, n_labels = len(per_item), int(per_item.sum())
    if not n_items:
        reason = "No item was judged by two experts. Have some items judged twice."
        return Agreement(raw=None, alpha=None, n_items=0, n_labels=0, reason=reason)
    agreeing = np.sum(counts_IC * (counts_IC - 1), axis=1)
    raw = float(np.mean(agreeing / (per_item * (per_item - 1))))
    observed = 1.0 - np.sum(agreeing / (per_item - 1)) / n_labels
    totals = counts_IC.sum(axis=0)
    expected = 1.0 - np.sum(totals * (totals - 1)) / (n_labels * (n_labels - 1))
    if expected <= 0:
        reason = "Every label is the same, so chance alone explains the agreement and alpha has no value."
        return Agreement(raw=raw, alpha=None, n_items=n_items, n_labels=n_labels, reason=reason)
    return Agreement(raw=raw, alpha=float(1.0 - observed / expected), n_items=n_items, n_labels=n_labels)
