"""Boosted trees over a table of features: what one feature says only beside another. numpy alone, fitted and served.

    score = sigmoid(prior + sum over trees of value[tree, leaf]),    leaf = the answers to a tree's three questions

Every tree asks the same three questions (feature >= threshold) of all rows, so it is an array of eight values. Trees
are added by Newton steps on the logistic loss (Friedman, 2001; level-wise symmetric trees as in Prokhorenkova et al.,
2018, *CatBoost*). How many are kept is decided by grouped held-out loss; on rows that teach nothing, none is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from core.calibrator import logit, sigmoid
from models.selection import grouped_folds

DEPTH = 3
MOST_TREES = 200
RATE = 0.05
"""Share of a Newton step that a tree takes."""
RIDGE = 5.0
"""Rows' worth of curvature that shrink every leaf."""
N_BINS = 32
"""Thresholds of a feature lie between this many parts of equal size."""
N_FOLDS = 5

_LEAVES = 2**DEPTH


@dataclass(frozen=True)
class BoostedLooks:
    """t trees over f features; none is a constant."""

    features: Int[np.ndarray, "t 3"]
    thresholds: Float32[np.ndarray, "t 3"]
    values: Float32[np.ndarray, "t 8"]
    prior: float

    def score(self, table: Float32[np.ndarray, "n f"]) -> Float[np.ndarray, " n"]:
        """One probability a row.

        >>> tree = BoostedLooks(
        ...     np.array([[0, 0, 0]]), np.full((1, 3), 2.0, np.float32), np.arange(8, dtype=np.float32)[None], 0.0
        ... )
        >>> tree.score(np.array([[1.0], [3.0]], np.float32)).round(3).tolist()
        [0.5, 0.999]
        """
        answers = table[:, self.features] >= self.thresholds
        leaf = answers @ (2 ** np.arange(DEPTH))
        return sigmoid(self.prior + self.values[np.arange(len(self.values)), leaf].sum(axis=1, dtype=np.float64))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The trees as arrays; `from_arrays` gives them back bit for bit."""
        prior = np.array([self.prior])
        return {
            "features": self.features.astype(np.int32),
            "thresholds": self.thresholds,
            "values": self.values,
            "prior": prior,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, n_features: int) -> "BoostedLooks":
        """The trees that `to_arrays` took apart.

        Raises:
            ValueError: the arrays do not belong together, or a tree asks of a feature that is not there.
        """
        features, thresholds, values = arrays["features"], arrays["thresholds"], arrays["values"]
        n = len(features)
        if features.shape != (n, DEPTH) or thresholds.shape != (n, DEPTH) or values.shape != (n, _LEAVES):
            raise ValueError(f"arrays of {features.shape}, {thresholds.shape} and {values.shape} are no trees")
        if n and not 0 <= features.min() <= features.max() < n_features:
            raise ValueError(f"a tree asks of a feature beyond the {n_features} there are")
        if not np.isfinite(values).all():
            raise ValueError("a tree holds a value that is not finite")
        return cls(features, thresholds, values, float(arrays["prior"][0]))


def fit_boosted(
    table: Float32[np.ndarray, "n f"],
    event: Float[np.ndarray, " n"],
    *,
    groups: Shaped[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    seed: int = 0,
) -> tuple[BoostedLooks, Float[np.ndarray, " n"]]:
    """The trees, and each row's score by the trees of the folds without its group.

    Args:
        table: features, finite.
        event: probability of the event, in [0, 1]; not all equal.
        groups: rows of one group are held out together.
        weights: how much each row counts, > 0, mean about 1.
        seed: deals the folds.
    """
    n_groups = len(np.unique(groups))
    n_folds = min(N_FOLDS, n_groups)
    fold = grouped_folds(len(event), n_folds=n_folds, seed=seed, groups=groups) if n_folds > 1 else None
    raw = np.zeros((len(event), MOST_TREES + 1))
    for k in range(n_folds if fold is not None else 0):
        seen = fold != k
        grown = _grow(table[seen], event[seen], weights[seen], n_trees=MOST_TREES)
        raw[~seen] = _paths(grown, table[~seen])
    losses = np.average(np.logaddexp(0.0, raw) - event[:, None] * raw, axis=0, weights=weights)
    best = int(np.argmin(losses)) if fold is not None else 0
    return _grow(table, event, weights, n_trees=best), sigmoid(raw[:, best])


def _grow(
    table: Float32[np.ndarray, "n f"], event: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], *, n_trees: int
) -> BoostedLooks:
    n, n_features = table.shape
    shares = np.linspace(0, 1, N_BINS + 1)[1:-1]
    edges = np.quantile(table, shares, axis=0, method="higher").astype(np.float32).T
    codes = np.stack([np.searchsorted(edges[j], table[:, j], side="right") for j in range(n_features)], axis=1)
    cells = codes + np.arange(n_features) * N_BINS
    prior = float(logit(np.array([np.average(event, weights=weights)]))[0])
    total = np.full(n, prior)
    features, thresholds = np.zeros((n_trees, DEPTH), dtype=np.int32), np.zeros((n_trees, DEPTH), dtype=np.float32)
    values = np.zeros((n_trees, _LEAVES), dtype=np.float32)
    for t in range(n_trees):
        p = sigmoid(total)
        slope, curvature = weights * (p - event), weights * p * (1.0 - p)
        leaf = np.zeros(n, dtype=np.int64)
        for level in range(DEPTH):
            feature, at = _split(cells, leaf, (slope, curvature), n_leaves=2**level, n_features=n_features)
            features[t, level], thresholds[t, level] = feature, edges[feature, at]
            leaf += 2**level * (codes[:, feature] > at)
        slopes, curvatures = (np.bincount(leaf, column, minlength=_LEAVES) for column in (slope, curvature))
        values[t] = -RATE * slopes / (curvatures + RIDGE)
        total += values[t][leaf]
    return BoostedLooks(features, thresholds, values, prior)


def _split(
    cells: Int[np.ndarray, "n f"],
    leaf: Int[np.ndarray, " n"],
    columns: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    *,
    n_leaves: int,
    n_features: int,
) -> tuple[int, int]:
    """The feature and the bin after which all leaves are parted with the largest gain."""
    size = n_features * N_BINS
    flat = (cells + (leaf * size)[:, None]).ravel()
    gain = np.zeros((n_features, N_BINS - 1))
    left, right = [], []
    for column in columns:
        counted = np.bincount(flat, weights=np.repeat(column, n_features), minlength=n_leaves * size)
        summed = counted.reshape(n_leaves, n_features, N_BINS).cumsum(axis=2)
        left.append(summed[:, :, :-1])
        right.append(summed[:, :, -1:] - summed[:, :, :-1])
    for slope, curvature in (left, right):
        gain += (slope**2 / (curvature + RIDGE)).sum(axis=0)
    feature, at = np.unravel_index(int(np.argmax(gain)), gain.shape)
    return int(feature), int(at)


def _paths(grown: BoostedLooks, table: Float32[np.ndarray, "n f"]) -> Float[np.ndarray, "n t"]:
    """The sum after 0, 1, 2 ... trees."""
    leaf = (table[:, grown.features] >= grown.thresholds) @ (2 ** np.arange(DEPTH))
    steps = grown.values[np.arange(len(grown.values)), leaf].astype(np.float64)
    return np.asarray(grown.prior + np.hstack([np.zeros((len(table), 1)), np.cumsum(steps, axis=1)]))
