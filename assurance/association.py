"""Whether a score tells harmful answers from harmless ones at all: AUROC with its interval. Draws from `rng` alone."""

import numpy as np
from jaxtyping import Bool, Float, Shaped

from assurance.bootstrap import Interval, percentile_interval
from assurance.curves import check_rows
from assurance.planning import auroc_of
from core.errors import NotEnoughLabels

N_RESAMPLES = 1000


def auroc_interval(
    scores: Float[np.ndarray, " n"],
    harmful: Bool[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    groups: Shaped[np.ndarray, " n"] | None = None,
    n_resamples: int = N_RESAMPLES,
) -> Interval:
    """Chance that a harmful row scores above a harmless one, with its 95 % bootstrap interval; a coin has 0.5.

    Args:
        scores: the router's score per row.
        harmful: whether the weak answer was wrong and the strong one right.
        rng: draws the resamples.
        groups: label per row; rows of one label are drawn together. None: each row alone.
        n_resamples: how many.

    Raises:
        NotEnoughLabels: a kind is missing, or so rare that resamples often lack it.
        ValueError: columns differ in length or hold what is not a number.

    >>> scores = np.arange(100) / 100
    >>> str(auroc_interval(scores, scores > 0.5, rng=np.random.default_rng(0)))
    '1.000 [1.000, 1.000]'
    """
    check_rows(scores=scores, events=harmful)
    estimate = auroc_of(scores, harmful)
    if estimate is None:
        raise NotEnoughLabels(
            f"{int(np.sum(harmful))} of {len(harmful)} weak answers are harmful, so nothing says how a score ranks "
            "harm. Give rows of both kinds."
        )
    unit = np.arange(len(scores)) if groups is None else np.unique(groups, return_inverse=True)[1]
    by_unit = np.argsort(unit, kind="stable")
    sizes = np.bincount(unit)
    starts = np.cumsum(sizes) - sizes
    drawn = np.full(n_resamples, np.nan)
    for b in range(n_resamples):
        chosen = rng.integers(0, len(sizes), size=len(sizes))
        within = np.arange(sizes[chosen].sum()) - np.repeat(np.cumsum(sizes[chosen]) - sizes[chosen], sizes[chosen])
        rows = by_unit[np.repeat(starts[chosen], sizes[chosen]) + within]
        found = auroc_of(scores[rows], harmful[rows])
        drawn[b] = np.nan if found is None else found
    try:
        return percentile_interval(estimate, drawn)
    except NotEnoughLabels as error:
        raise NotEnoughLabels(
            f"{int(np.sum(harmful))} of {len(harmful)} weak answers are harmful, too few for an interval of how a "
            "score ranks them. Label more rows."
        ) from error
