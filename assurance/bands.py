"""Cost-quality curves with 95 % bands: how far chance could move each point. One set of resamples serves every figure.

The band is pointwise: at each share of strong calls it holds the curve of 95 of 100 studies of this size, not all
points of one curve at once. It exists where APGR and CPT do not, since it needs no gap between the models. Never draws
without an `rng`; where a figure has no value it says why, and gives none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from assurance.bootstrap import N_RESAMPLES, TAIL, Interval, percentile_interval, row_weights
from assurance.curves import (
    ROUNDING,
    SMALLEST_GAP,
    CostQualityCurve,
    apgr,
    check_rows,
    cost_quality_curve,
    cpt,
    tie_groups,
)
from core.errors import NotEnoughLabels
from core.records import Record

SHARES = np.round(np.linspace(0.0, 1.0, 101), 2)
"""The shares of strong calls at which a band is given: every hundredth."""

CPT_TARGETS = (0.2, 0.5, 0.8, 0.9, 0.95)
"""Shares of the quality gap whose price in strong calls is reported."""


class CurveBand(Record):
    """A curve at every hundredth of strong calls, between its 95 % limits."""

    quality: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class CurveStudy(Record):
    """What a router's order is worth on some rows.

    `band` is None where there is one row (or one group), which no resample can vary. `apgr` and the values of `cpt`, by
    target, are None where there is no gap to recover, or one that resamples lose; `why` then says so.
    """

    n: int
    band: CurveBand | None
    apgr: Interval | None
    cpt: Mapping[float, Interval | None]
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """Studies of routers on the same rows; `better_than` is APGR of the first less that of each other, paired."""

    studies: dict[str, CurveStudy]
    better_than: dict[str, Interval | None]


def study_curves(
    scores: Mapping[str, Float[np.ndarray, " n"]],
    quality: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> Comparison:
    """Band, APGR and CPT of every router, and how much the first beats each other one, all from the same resamples.

    Args:
        scores: per router, its score per row; higher means that the strong model is needed more.
        quality: quality per row of the weak and of the strong model's answer.
        rng: draws the resamples.
        n_resamples: how many.
        groups: label per row; rows of one label are drawn together.

    Raises:
        NotEnoughLabels: there is no row.
        ValueError: columns differ in length or hold what is not a number.

    >>> both = {"one": np.array([0.2, 0.9]), "other": np.array([0.9, 0.2])}
    >>> found = study_curves(both, (np.ones(2), np.ones(2)), rng=np.random.default_rng(0))
    >>> found.studies["one"].apgr is None, found.studies["one"].band.low[50], found.better_than
    (True, 1.0, {'other': None})
    """
    weak, strong = quality
    for column in scores.values():
        check_rows(scores=column, weak_quality=weak, strong_quality=strong)
    n_units = len(weak) if groups is None else len(np.unique(groups))
    if n_units < 2:
        why = "one row, or one group of rows, has no interval"
        return Comparison({name: _undefined(len(weak), None, why) for name in scores}, _nobody(scores))
    gap = strong - weak
    rankings = {name: tie_groups(column) for name, column in scores.items()}
    drawn: dict[str, list[_Drawn]] = {name: [] for name in scores}
    for weights in row_weights(len(weak), rng=rng, n_resamples=n_resamples, groups=groups):
        start = weights @ weak / weights.sum(axis=1)
        for name, ranking in rankings.items():
            drawn[name].append(_resampled(weights.astype(np.int32), gap, ranking, start=start))
    studies, areas = {}, {}
    for name, pieces in drawn.items():
        areas[name] = np.concatenate([piece.areas for piece in pieces])
        studies[name] = _study(cost_quality_curve(scores[name], weak, strong), len(weak), pieces, areas[name])
    first, *others = scores
    return Comparison(studies, {name: _gain(studies, areas, first, name) for name in others})


@dataclass(frozen=True)
class _Drawn:
    """Of b resamples: the curve at `SHARES`, the area under PGR, and the share at which each target is first met."""

    at_grid: Float[np.ndarray, "b g"]
    areas: Float[np.ndarray, " b"]
    crossings: Float[np.ndarray, "t b"]


def _resampled(
    weights: Int[np.ndarray, "b n"],
    gap: Float[np.ndarray, " n"],
    ranking: tuple[np.ndarray, np.ndarray],
    *,
    start: Float[np.ndarray, " b"],
) -> _Drawn:
    """Figures of the resampled curves from two cumulative sums: of calls, and of quality gained by them."""
    order, ends = ranking
    ordered = np.take(weights, order, axis=1)
    gained = ordered * gap[order]
    np.cumsum(gained, axis=1, out=gained)
    calls = np.cumsum(ordered, axis=1, dtype=np.int32)
    if len(ends) < len(order):
        gained, calls = gained[:, ends], calls[:, ends]
        ordered = np.diff(calls, axis=1, prepend=0)
    n = calls[:, -1].astype(float)
    total = np.where(gained[:, -1] > SMALLEST_GAP * n, gained[:, -1], np.nan)
    before = np.concatenate([np.zeros((len(n), 1)), gained[:, :-1]], axis=1)
    areas = 0.5 * (np.einsum("bm,bm->b", ordered, gained) + np.einsum("bm,bm->b", ordered, before)) / n / total
    crossings = np.stack([_crossing(calls, gained, total, target) / n for target in CPT_TARGETS])
    return _Drawn(_on_grid(calls, gained, n) + start[:, None], areas, crossings)


def _crossing(
    calls: Int[np.ndarray, "b m"], gained: Float[np.ndarray, "b m"], total: Float[np.ndarray, " b"], target: float
) -> Float[np.ndarray, " b"]:
    """Calls at which the target is first met, linear between points, as `assurance.curves.first_crossings` has it."""
    j = np.argmax(gained >= ((target - ROUNDING) * total)[:, None], axis=1)
    rows, before = np.arange(len(j)), np.maximum(j - 1, 0)
    calls_before = np.where(j > 0, calls[rows, before], 0)
    gained_before = np.where(j > 0, gained[rows, before], 0.0)
    rise = np.where(np.isnan(total), np.nan, gained[rows, j] - gained_before)
    inside = np.minimum(1.0, (target * total - gained_before) / rise)
    return np.asarray(calls_before + inside * (calls[rows, j] - calls_before))


def _on_grid(
    calls: Int[np.ndarray, "b m"], gained: Float[np.ndarray, "b m"], n: Float[np.ndarray, " b"]
) -> Float[np.ndarray, "b g"]:
    """Mean quality gained at `SHARES` on each curve, which starts at (0, 0)."""
    found = np.empty((len(n), len(SHARES)))
    for i, wanted in enumerate(n[:, None] * SHARES):
        j = np.minimum(np.searchsorted(calls[i], wanted), calls.shape[1] - 1)
        low, low_gained = np.where(j > 0, calls[i, j - 1], 0), np.where(j > 0, gained[i, j - 1], 0.0)
        width = calls[i, j] - low
        inside = np.divide(wanted - low, width, out=np.ones(len(wanted)), where=width > 0)
        found[i] = low_gained + np.minimum(inside, 1.0) * (gained[i, j] - low_gained)
    return np.asarray(found / n[:, None])


def _study(curve: CostQualityCurve, n: int, pieces: Sequence[_Drawn], areas: Float[np.ndarray, " b"]) -> CurveStudy:
    band = _band(curve, np.concatenate([piece.at_grid for piece in pieces]))
    if curve.strong_quality - curve.weak_quality <= SMALLEST_GAP:
        return _undefined(
            n,
            band,
            f"the strong model (mean quality {curve.strong_quality:.3f}) is not better than the weak one "
            f"({curve.weak_quality:.3f}) on these rows, so there is no gap to recover",
        )
    crossings = np.concatenate([piece.crossings for piece in pieces], axis=1)
    try:
        return CurveStudy(
            n=n,
            band=band,
            apgr=percentile_interval(apgr(curve), areas),
            cpt={
                target: percentile_interval(cpt(curve, target), row)
                for target, row in zip(CPT_TARGETS, crossings, strict=True)
            },
        )
    except NotEnoughLabels:
        return _undefined(n, band, "the gap between the models is too small for so few rows to have an interval")


def _gain(
    studies: Mapping[str, CurveStudy], areas: Mapping[str, Float[np.ndarray, " b"]], first: str, other: str
) -> Interval | None:
    one, two = studies[first].apgr, studies[other].apgr
    return percentile_interval(one.estimate - two.estimate, areas[first] - areas[other]) if one and two else None


def _nobody(scores: Mapping[str, Float[np.ndarray, " n"]]) -> dict[str, Interval | None]:
    return dict.fromkeys(list(scores)[1:])


def _undefined(n: int, band: CurveBand | None, why: str) -> CurveStudy:
    return CurveStudy(n=n, band=band, apgr=None, cpt=dict.fromkeys(CPT_TARGETS), why=why)


def _band(curve: CostQualityCurve, drawn: Float[np.ndarray, "b g"]) -> CurveBand:
    low, high = np.quantile(drawn, [TAIL, 1.0 - TAIL], axis=0)
    at = np.interp(SHARES, curve.share_strong, curve.quality)
    rounded = (tuple(values.round(6).tolist()) for values in (at, low, high))
    return CurveBand(**dict(zip(("quality", "low", "high"), rounded, strict=True)))
