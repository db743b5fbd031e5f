"""Choosing a setting on training rows alone: folds that keep groups whole, and the statistic that judges them."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from core.errors import NotEnoughLabels


def grouped_folds(
    n: int, *, n_folds: int, seed: int, groups: Shaped[np.ndarray, " n"] | None = None
) -> Int[np.ndarray, " n"]:
    """Fold number of each row; rows of one group share a fold, and folds hold nearly equal numbers of groups.

    Args:
        n: number of rows.
        n_folds: number of folds, at least 2.
        seed: shuffles the groups.
        groups: label per row, such as the normalised question text; None: each row alone.

    Raises:
        NotEnoughLabels: there are fewer groups than folds.

    >>> fold = grouped_folds(4, n_folds=2, seed=0, groups=np.array(["a", "a", "b", "b"]))
    >>> bool(fold[0] == fold[1] != fold[2] == fold[3])
    True
    """
    unit_of_row = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_units = int(unit_of_row.max(initial=-1)) + 1
    if n_units < n_folds:
        raise NotEnoughLabels(
            f"There are {n_units} groups of rows for {n_folds} folds. "
            "Collect more labelled queries, or use fewer folds."
        )
    fold_of_unit = np.random.default_rng(seed).permutation(n_units) % n_folds
    return np.asarray(fold_of_unit[unit_of_row])


def ranking_gain(
    scores: Float[np.ndarray, " n"], gap: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"] | None = None
) -> float:
    """How well scores put large gaps first: sum of gap * (rank share - 1/2); 0 is a coin, ties have middle ranks.

    Divided by the sum of gaps it is APGR - 1/2. The division is left out: on one set of rows it orders no two routers
    differently, and it has no value where the models are equally good. A row of weight 2 counts as two equal rows.

    >>> ranking_gain(np.array([0.1, 0.9]), np.array([0.0, 1.0]))  # APGR of 0.75
    0.25
    >>> ranking_gain(np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    0.0
    >>> ranking_gain(np.array([0.1, 0.9]), np.array([1.0, 0.0]), np.array([1.0, 3.0]))  # as of 0.1, 0.9, 0.9, 0.9
    -0.375
    """
    if weights is not None:
        place = np.unique(scores, return_inverse=True)[1]
        together = np.bincount(place, weights=weights)
        middle = (np.cumsum(together) - together / 2.0)[place] / together.sum()
        return float(np.sum(weights * gap * (middle - 0.5)))
    from scipy.stats import rankdata  # only to fit: reading a router would wait a second for it

    rank_share = (rankdata(scores) - 0.5) / len(scores)
    return float(np.sum(gap * (rank_share - 0.5)))
