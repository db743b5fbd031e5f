"""Labels that say more than one noisy outcome a row: the prior of its topic, and the mix of several predictions.

A row's outcome is one coin; what its topic's other rows did, and what other models made of it, tell of the same
question. Predictions of these from the text enter beside the prediction of the gap itself, with weights that held-out
rows choose. Nothing here is needed to score: the topic of a new query is never asked for. Arrays only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from models.floors import TOPIC_PRIOR_ROWS
from models.selection import grouped_folds

PENALTIES = (30.0, 100.0, 300.0, 1_000.0, 3_000.0, np.inf)
"""Ridge strengths, in rows, that are tried for every column but the first; infinity keeps the first alone."""

FOLDS = 5


@dataclass(frozen=True)
class Mix:
    """Weights of the columns, in their own units, and the intercept."""

    weights: Float[np.ndarray, " c"]
    intercept: float
    penalty: float

    def apply(self, columns: Float[np.ndarray, "n c"]) -> Float[np.ndarray, " n"]:
        """The mixed prediction."""
        return np.asarray(columns @ self.weights + self.intercept)


def topic_gap(
    topics: Sequence[str | None],
    gap: Float[np.ndarray, " n"],
    *,
    groups: Shaped[np.ndarray, " n"],
    row_weights: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Per row, the mean gap of its topic's rows of other groups, and of `TOPIC_PRIOR_ROWS` rows of the overall mean.

    >>> topic_gap(["a", "a", "b"], np.array([1.0, 0.0, 0.0]), groups=np.arange(3), row_weights=np.ones(3)).round(3)
    array([0.303, 0.394, 0.333])
    """
    topic = np.unique([str(name) for name in topics], return_inverse=True)[1].ravel()
    pairs = np.stack([topic, np.unique(groups, return_inverse=True)[1].ravel()])
    own = np.unique(pairs, axis=1, return_inverse=True)[1].ravel()
    value = gap * row_weights
    others_sum = np.bincount(topic, value)[topic] - np.bincount(own, value)[own]
    others_weight = np.bincount(topic, row_weights)[topic] - np.bincount(own, row_weights)[own]
    overall = float(np.average(gap, weights=row_weights))
    return np.asarray((others_sum + TOPIC_PRIOR_ROWS * overall) / (others_weight + TOPIC_PRIOR_ROWS))


def mix(
    columns: Float[np.ndarray, "n c"],
    gap: Float[np.ndarray, " n"],
    *,
    groups: Shaped[np.ndarray, " n"],
    row_weights: Float[np.ndarray, " n"],
    seed: int = 0,
) -> Mix:
    """Ridge regression of the gap on held-out columns; the first is free, the others are shrunk toward no weight.

    The strength is that of `PENALTIES` with the least held-out squared error; equal errors go to the stronger.

    Raises:
        NotEnoughLabels: there are fewer groups than folds.
    """
    fold = grouped_folds(len(gap), n_folds=FOLDS, seed=seed, groups=groups)

    def error(penalty: float) -> float:
        total = 0.0
        for k in range(FOLDS):
            seen, held_out = fold != k, fold == k
            fitted = _ridge(columns[seen], gap[seen], row_weights[seen], penalty)
            total += float(row_weights[held_out] @ np.square(gap[held_out] - fitted.apply(columns[held_out])))
        return total

    return _ridge(columns, gap, row_weights, min(sorted(PENALTIES, reverse=True), key=error))


def _ridge(
    columns: Float[np.ndarray, "n c"],
    gap: Float[np.ndarray, " n"],
    row_weights: Float[np.ndarray, " n"],
    penalty: float,
) -> Mix:
    weight = row_weights / row_weights.mean()
    center, spread = np.average(columns, axis=0, weights=weight), columns.std(axis=0) + 1e-12
    used = np.ones(columns.shape[1], dtype=bool) if np.isfinite(penalty) else np.arange(columns.shape[1]) == 0
    X = ((columns - center) / spread)[:, used]
    strengths = np.where(np.arange(X.shape[1]) == 0, 1e-6, penalty if np.isfinite(penalty) else 0.0)
    mean = float(np.average(gap, weights=weight))
    solution = np.linalg.solve((X.T * weight) @ X + np.diag(strengths), (X.T * weight) @ (gap - mean))
    weights = np.zeros(columns.shape[1])
    weights[used] = solution / spread[used]
    return Mix(weights, mean - float(center @ weights), penalty)
