"""How far experts agree, in one glance: raw agreement, Krippendorff's nominal alpha, Gwet's AC1, and what to beware of.

Never draws: intervals and the other figures are in assurance.agreement_report.
"""

import numpy as np
from jaxtyping import Int

from assurance.agreement_figures import NO_LABEL as NO_LABEL
from assurance.agreement_figures import Kinds, Measure, disagreements, kinds_of_items
from core.records import Record

ENOUGH = 0.667
"""Krippendorff's lowest alpha from which tentative conclusions may be drawn."""

SKEWED_SHARE = 0.75
"""A label with more than this share of all labels makes chance agreement high, and alpha low."""

NOBODY_TWICE = "No item was judged by two experts. Have some items judged twice."
ONE_LABEL = "Every label is the same, so chance alone explains the agreement and {figure} has no value."


class Agreement(Record):
    """Agreement on the items that at least two experts judged.

    `raw` is the chance that two labels of one item, drawn at random, are equal. `alpha` and `ac1` correct it for
    chance: 1 is perfect, 0 is chance. Each is None where it has no value, and `reason` then says why.
    """

    raw: float | None
    alpha: float | None
    n_items: int
    n_labels: int
    reason: str = ""
    ac1: float | None = None
    caution: str = ""
    """Why alpha misleads here, where it does."""


def agreement(labels: Int[np.ndarray, "items experts"], *, n_categories: int | None = None) -> Agreement:
    """Raw agreement, Krippendorff's nominal alpha and Gwet's AC1 over the items with two labels or more.

    Args:
        labels: one row per item, one column per expert; codes >= 0, and -1 where an expert gave no label.
        n_categories: labels that an expert could give; None: those that occur.

    Raises:
        ValueError: labels is not a table of items by experts, or fewer categories are declared than occur.

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
    kinds = kinds_of_items(labels)
    if not kinds.n_items:
        return Agreement(raw=None, alpha=None, n_items=0, n_labels=0, reason=NOBODY_TWICE)
    n_categories = categories(kinds, n_categories)
    raw, alpha = (point(measure, kinds, n_categories) for measure in (Measure.RAW, Measure.ALPHA_NOMINAL))
    ac1 = point(Measure.AC1, kinds, n_categories) if n_categories > 1 else None
    return Agreement(
        raw=raw,
        alpha=alpha,
        ac1=ac1,
        n_items=kinds.n_items,
        n_labels=kinds.n_labels,
        reason=ONE_LABEL.format(figure="alpha") if alpha is None else "",
        caution=skew_caution(kinds, alpha=alpha, raw=raw, ac1=ac1),
    )


def categories(kinds: Kinds, declared: int | None) -> int:
    """The number of labels to choose from: as declared, or as many as occur.

    Raises:
        ValueError: fewer are declared than occur.
    """
    occurring = len(kinds.codes)
    if declared is not None and declared < occurring:
        raise ValueError(f"{occurring} different labels occur, and n_categories says {declared}. Declare all of them.")
    return occurring if declared is None else declared


def point(measure: Measure, kinds: Kinds, n_categories: int) -> float | None:
    """The figure on the items as they are; None where it has no value."""
    weights = kinds.n_of_kind[None].astype(float)
    figure = float(disagreements(measure, kinds, weights, n_categories=n_categories).figure[0])
    return None if np.isnan(figure) else figure


def skew_caution(kinds: Kinds, *, alpha: float | None, raw: float | None, ac1: float | None) -> str:
    """Why alpha is low although experts agree, where one label makes up most of the labels; else nothing.

    >>> labels = np.array([[0, 0]] * 95 + [[0, 1]] * 5)
    >>> found = agreement(labels)
    >>> round(found.raw, 2), round(found.alpha, 2), round(found.ac1, 2)
    (0.95, -0.02, 0.95)
    >>> found.caution[:86]
    'One label makes up 97.5% of all labels, so two experts would agree on 95.1% of items b'
    """
    share = float(kinds.shares.max())
    if alpha is None or raw is None or ac1 is None or alpha >= ENOUGH or raw <= SKEWED_SHARE or share <= SKEWED_SHARE:
        return ""
    by_chance = float(np.sum(kinds.shares**2))
    return (
        f"One label makes up {share:.1%} of all labels, so two experts would agree on {by_chance:.1%} of items by "
        f"chance alone: alpha is {alpha:.2f} although they agree on {raw:.1%}. Read AC1 beside it ({ac1:.2f}), and "
        "have more items judged that are likely to get another label."
    )
