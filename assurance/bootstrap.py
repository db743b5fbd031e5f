"""Bootstrap intervals for APGR and CPT: rows (or groups of rows) drawn with replacement, percentile limits.

Sorted once; a resample is a vector of row counts, and its curve two cumulative sums. Never draws without an `rng`.

A resample in which the strong model is not better has no gap to recover. It is not dropped, which would flatter: it is
counted against both limits. Where such resamples could reach a limit there is no honest interval, and none is given.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from assurance.curves import (
    SMALLEST_GAP,
    apgr,
    check_rows,
    cost_quality_curve,
    cpt,
    first_crossings,
    tie_groups,
)
from core.errors import NotEnoughLabels
from core.records import Record

LEVEL = 0.95
"""Confidence level of every interval here."""

TAIL = 0.025
"""What a 95 % interval leaves out on either side; written out, since (1 - 0.95) / 2 is not 0.025 in binary."""

N_RESAMPLES = 2000
"""Enough that a limit of a 95 % interval moves by a few hundredths of its width from seed to seed."""

CPT_TARGETS = {"cpt50": 0.5, "cpt80": 0.8}
"""The call-performance thresholds that are reported, as shares of the gap."""

_CELLS_AT_ONCE = 1 << 20


class Interval(Record):
    """An estimate with its confidence limits; `n_resamples` is 0 where the limits are exact."""

    estimate: float
    low: float
    high: float
    level: float = LEVEL
    n_resamples: int = 0

    def __str__(self) -> str:
        """`0.700 [0.650, 0.750]`, the form of every table."""
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


def metrics_with_intervals(
    scores: Float[np.ndarray, " n"],
    weak_quality: Float[np.ndarray, " n"],
    strong_quality: Float[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> dict[str, Interval]:
    """APGR, CPT(50 %) and CPT(80 %) with 95 % intervals, under the keys apgr, cpt50, cpt80.

    In every resample whose gap is positive both CPT exist, since PGR is 1 at the right end.

    Args:
        scores: the router's score per row.
        weak_quality: quality of the weak model's answer per row.
        strong_quality: quality of the strong model's answer per row.
        rng: draws the resamples.
        n_resamples: how many.
        groups: label per row; rows of one label (one patient, one contract) are drawn together. None: each row alone.

    Raises:
        NotEnoughLabels: the strong model is not better on these rows, or so slightly that resamples disagree; or there
            are fewer than two groups.
        ValueError: columns differ in length or hold what is not a number.
    """
    check_rows(scores=scores, weak_quality=weak_quality, strong_quality=strong_quality)
    curve = cost_quality_curve(scores, weak_quality, strong_quality)
    estimates = {"apgr": apgr(curve)} | {name: cpt(curve, target) for name, target in CPT_TARGETS.items()}
    gap = strong_quality - weak_quality
    ranking = tie_groups(scores)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in estimates}
    for weights in row_weights(len(scores), rng=rng, n_resamples=n_resamples, groups=groups):
        share, recovered = _resampled_curves(weights, gap, ranking)
        drawn["apgr"].append(_areas(share, recovered))
        for name, target in CPT_TARGETS.items():
            drawn[name].append(first_crossings(share, recovered, target))
    return {name: percentile_interval(estimates[name], np.concatenate(drawn[name])) for name in estimates}


def apgr_interval(
    scores: Float[np.ndarray, " n"],
    weak_quality: Float[np.ndarray, " n"],
    strong_quality: Float[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> Interval:
    """APGR with its 95 % interval; arguments and refusals as in `metrics_with_intervals`.

    >>> rng = np.random.default_rng(0)
    >>> needed = (rng.random(500) < 0.5).astype(float)
    >>> interval = apgr_interval(needed + rng.normal(size=500), 1.0 - needed, np.ones(500), rng=rng)
    >>> interval.low < 0.63 < interval.high  # 0.63: the expectation in this world
    True
    """
    check_rows(scores=scores, weak_quality=weak_quality, strong_quality=strong_quality)
    estimate = apgr(cost_quality_curve(scores, weak_quality, strong_quality))
    gap = strong_quality - weak_quality
    ranking = tie_groups(scores)
    areas = [
        _areas(*_resampled_curves(weights, gap, ranking))
        for weights in row_weights(len(scores), rng=rng, n_resamples=n_resamples, groups=groups)
    ]
    return percentile_interval(estimate, np.concatenate(areas))


def paired_apgr_difference(
    scores_a: Float[np.ndarray, " n"],
    scores_b: Float[np.ndarray, " n"],
    quality_gap: Float[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> Interval:
    """APGR of scores `a` minus APGR of scores `b` on the same rows, with its 95 % interval.

    Both are measured on the same resamples, so what the rows have in common cancels: the interval is narrower than two
    intervals side by side suggest. Above zero means that `a` is better.

    Args:
        scores_a: one router's score per row.
        scores_b: the other router's score per row.
        quality_gap: quality of the strong model's answer minus that of the weak model's, per row.
        rng: draws the resamples.
        n_resamples: how many.
        groups: label per row; rows of one label are drawn together.

    Raises:
        NotEnoughLabels: as in `metrics_with_intervals`.
        ValueError: columns differ in length or hold what is not a number.

    >>> gap = np.array([1.0, 0.0, 1.0, 0.0] * 50)
    >>> paired_apgr_difference(gap, -gap, gap, rng=np.random.default_rng(0)).estimate
    0.5
    """
    check_rows(scores_a=scores_a, scores_b=scores_b, quality_gap=quality_gap)
    zero = np.zeros(len(quality_gap))
    estimate = apgr(cost_quality_curve(scores_a, zero, quality_gap)) - apgr(
        cost_quality_curve(scores_b, zero, quality_gap)
    )
    rankings = tie_groups(scores_a), tie_groups(scores_b)
    differences = []
    for weights in row_weights(len(scores_a), rng=rng, n_resamples=n_resamples, groups=groups):
        area_a, area_b = (_areas(*_resampled_curves(weights, quality_gap, ranking)) for ranking in rankings)
        differences.append(area_a - area_b)
    return percentile_interval(estimate, np.concatenate(differences))


def resampled_apgr(
    scores: Float[np.ndarray, "s n"],
    quality_gap: Float[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, "s b"]:
    """APGR of several score columns in the same resamples, for statistics of several at once; NaN where it has none.

    Args:
        scores: one row a router, one column a query.
        quality_gap: quality of the strong model's answer minus that of the weak model's, per query.
        rng: draws the resamples.
        n_resamples: b, how many.
        groups: label per query; queries of one label are drawn together.

    Raises:
        NotEnoughLabels: there are fewer than two groups.
        ValueError: columns differ in length or hold what is not a number.
    """
    for column in scores:
        check_rows(scores=column, quality_gap=quality_gap)
    rankings = [tie_groups(column) for column in scores]
    areas = [
        np.stack([_areas(*_resampled_curves(weights, quality_gap, ranking)) for ranking in rankings])
        for weights in row_weights(len(quality_gap), rng=rng, n_resamples=n_resamples, groups=groups)
    ]
    return np.concatenate(areas, axis=1)


def percentile_interval(estimate: float, drawn: Float[np.ndarray, " b"]) -> Interval:
    """Percentile limits in which an undefined resample counts as below the lower and above the upper limit."""
    undefined = np.isnan(drawn)
    if undefined.mean() >= TAIL:
        raise NotEnoughLabels(
            f"In {undefined.mean():.1%} of the resamples the strong model is not better than the weak one: the gap is "
            "too small for these rows, and a 95 % interval does not exist. Measure on more rows."
        )
    low = np.quantile(np.where(undefined, -np.inf, drawn), TAIL, method="inverted_cdf")
    high = np.quantile(np.where(undefined, np.inf, drawn), 1.0 - TAIL, method="inverted_cdf")
    return Interval(estimate=estimate, low=float(low), high=float(high), n_resamples=len(drawn))


def row_weights(
    n: int, *, rng: np.random.Generator, n_resamples: int, groups: Shaped[np.ndarray, " n"] | None = None
) -> Iterator[Int[np.ndarray, "b n"]]:
    """How often each row occurs in each resample, some resamples at a time."""
    unit_of_row = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(unit_of_row) != n:
        raise ValueError(f"There are {len(unit_of_row)} groups for {n} rows. Pass one group label per row.")
    n_units = int(unit_of_row.max()) + 1
    if n_units < 2:
        what = "row" if groups is None else "group of rows"
        raise NotEnoughLabels(f"There is one {what}; an interval needs at least two. Measure on more rows.")
    at_once = max(1, _CELLS_AT_ONCE // n)
    for start in range(0, n_resamples, at_once):
        b = min(at_once, n_resamples - start)
        drawn = rng.integers(0, n_units, size=(b, n_units))
        drawn += np.arange(b)[:, None] * n_units
        counts = np.bincount(drawn.ravel(), minlength=b * n_units).reshape(b, n_units)
        yield counts if groups is None else counts[:, unit_of_row]


def _resampled_curves(
    weights: Int[np.ndarray, "b n"],
    gap: Float[np.ndarray, " n"],
    ranking: tuple[np.ndarray, np.ndarray],
) -> tuple[Float[np.ndarray, "b m"], Float[np.ndarray, "b m"]]:
    """Share of strong calls and PGR at the end of each tie group, per resample; PGR is NaN where there is no gap."""
    order, ends = ranking
    ordered = weights[:, order]
    calls: Any = np.cumsum(ordered, axis=1)
    gained: Any = np.cumsum(ordered * gap[order], axis=1)
    if len(ends) < len(order):
        calls, gained = calls[:, ends], gained[:, ends]
    n, total = calls[:, -1:], gained[:, -1:]
    total = np.where(total > SMALLEST_GAP * n, total, np.nan)
    return calls / n, gained / total


def _areas(share: Float[np.ndarray, "b m"], recovered: Float[np.ndarray, "b m"]) -> Float[np.ndarray, " b"]:
    """Area under each PGR curve that starts at (0, 0): trapezoids."""
    first = 0.5 * share[:, 0] * recovered[:, 0]
    widths = np.diff(share, axis=1)
    return np.asarray(first + 0.5 * np.einsum("bm,bm->b", widths, recovered[:, 1:] + recovered[:, :-1]))
