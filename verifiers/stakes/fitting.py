"""Fits the small classifier of stakes, and sets its threshold so that recall is shown on rows left out.

Recall first: the threshold is the largest of a grid, tried from 0 upward, at which the recall of high stakes on the
rows left out is at least what is asked for, each trial an exact binomial test and the first failure the last. So the
recall is at least that with probability 1 - delta, whatever the classifier (fixed-sequence testing; Angelopoulos et
al., 2021, for a recall in place of a risk).
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from core.errors import DataError, NotEnoughLabels
from core.reading import Row
from core.records import Stakes
from verifiers.stakes.classifier import BUCKETS, StakesClassifier, features_of
from verifiers.stakes.phrases import Words
from verifiers.stakes.readings import readings_of
from verifiers.stakes.vectors import recall_lower

SHARE_LEFT_OUT = 0.4
"""Rows that choose the threshold and fit nothing."""

GRID = 1000
"""Thresholds tried between 0 and 1."""


class LabelledText(NamedTuple):
    """A request's text, and whether it is of high stakes."""

    text: str
    is_high: bool


class FittedStakes(NamedTuple):
    """The classifier, and what the rows left out showed of it."""

    classifier: StakesClassifier
    n_fit: int
    n_high: int
    n_seen: int
    share_raised: float
    """Of the rows that are not high, those that it raises all the same."""


def read_labelled(rows: Sequence[Row]) -> list[LabelledText]:
    """The text and tier of each row: `query` (or `text`), and `stakes`.

    Raises:
        DataError: rows lack a text or a tier; every such row is listed.
    """
    found: list[LabelledText] = []
    faults: list[str] = []
    for place, values in rows:
        text, tier = values.get("query", values.get("text")), values.get("stakes")
        if not isinstance(text, str) or not text.strip():
            faults.append(f"{place}: 'query' is missing or not a text")
        elif tier not in set(Stakes):
            faults.append(f"{place}: 'stakes' is none of {', '.join(Stakes)}")
        else:
            found.append(LabelledText(text, Stakes(tier).is_high))
    if faults:
        raise DataError(faults, "Mend these rows, then run the command again.")
    return found


def fit_stakes(rows: Sequence[LabelledText], *, recall: float, delta: float, rng: np.random.Generator) -> FittedStakes:
    """Fit on most rows, set the threshold on those left out.

    Raises:
        NotEnoughLabels: rows of one kind are missing, or too few are left out to show the recall.
    """
    known = list({row.text: row for row in rows}.values())
    order = rng.permutation(len(known))
    n_out = round(SHARE_LEFT_OUT * len(known))
    out, inside = [known[i] for i in order[:n_out]], [known[i] for i in order[n_out:]]
    if len({row.is_high for row in inside}) < 2:
        raise NotEnoughLabels("The rows are all of high stakes, or none is. Add rows of the other kind.")
    classifier = _fit(inside)
    probability = np.array([_probability(classifier, row.text) for row in out])
    is_high = np.array([row.is_high for row in out], dtype=bool)
    threshold = threshold_of(probability, is_high, recall=recall, delta=delta)
    if threshold is None:
        need = int(np.ceil(np.log(delta) / np.log(recall)))
        raise NotEnoughLabels(
            f"{int(is_high.sum())} rows of high stakes were left out, and no threshold shows a recall of {recall:.0%} "
            f"on them; that takes at least {need}, all found. Add rows of high stakes, or ask for less recall."
        )
    seen = int(np.sum(is_high & (probability >= threshold)))
    lower = recall_lower(seen, int(is_high.sum()), delta=delta)
    chosen = classifier.model_copy(
        update={"high_if_p_at_least": threshold, "n_rows": len(known), "recall_lower": round(lower, 6)}
    )
    raised = float(np.mean(probability[~is_high] >= threshold)) if (~is_high).any() else 0.0
    return FittedStakes(chosen, len(inside), int(is_high.sum()), seen, raised)


def threshold_of(
    probability: Float[np.ndarray, " n"], is_high: Bool[np.ndarray, " n"], *, recall: float, delta: float
) -> float | None:
    """The largest threshold of the grid whose recall is shown to be at least `recall`; None where none is.

    >>> threshold_of(np.array([0.9] * 59 + [0.2]), np.array([True] * 59 + [False]), recall=0.95, delta=0.05)
    0.9
    """
    grid = np.arange(1, GRID + 1) / GRID
    seen = (probability[is_high][:, None] >= grid).sum(axis=0)
    shown = seen >= _fewest_seen(int(is_high.sum()), recall=recall, delta=delta)
    n_kept = GRID if shown.all() else int(np.argmin(shown))
    return float(grid[n_kept - 1]) if n_kept else None


@cache
def _fewest_seen(n_high: int, *, recall: float, delta: float) -> int:
    """How many of so many rows must be found to show the recall; one more than there are where none suffices."""
    return next((k for k in range(n_high + 1) if recall_lower(k, n_high, delta=delta) >= recall), n_high + 1)


def _fit(rows: Sequence[LabelledText]) -> StakesClassifier:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    features = [features_of(Words(readings_of(row.text).texts[0])) for row in rows]
    starts = np.cumsum([0, *(len(one) for one in features)])
    buckets = np.array([bucket for one in features for bucket in one], dtype=np.int64)
    values = np.array([value for one in features for value in one.values()])
    matrix = csr_matrix((values, buckets, starts), shape=(len(rows), BUCKETS))
    model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000)
    model.fit(matrix, [row.is_high for row in rows])
    weights = {int(i): round(float(model.coef_[0, i]), 4) for i in np.flatnonzero(np.abs(model.coef_[0]) >= 5e-5)}
    return StakesClassifier(bias=round(float(model.intercept_[0]), 4), weights=weights, high_if_p_at_least=1.0)


def _probability(classifier: StakesClassifier, text: str) -> float:
    """As a decision takes it: the highest over the text's readings."""
    return max(classifier.probability(Words(reading)) for reading in readings_of(text).texts)
