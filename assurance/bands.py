"""Cost-quality curves with 95 % bands: how far chance could move each point. One set of resamples serves every figure.

The band is pointwise: at each share of strong calls it holds the curve of 95 of 100 studies of this size, not all
points of one curve at once. It exists where APGR and CPT do not, since it needs no gap between the models. Never draws
without an `rng`; where a figure has no value it says why, and gives none.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped

from assurance.bootstrap import N_RESAMPLES, TAIL, Interval, percentile_interval, row_weights
from assurance.curves import (
    SMALLEST_GAP,
    CostQualityCurve,
    apgr,
    check_rows,
    cost_quality_curve,
    cpt,
    first_crossings,
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


def study_curve(
    scores: Float[np.ndarray, " n"],
    quality: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    groups: Shaped[np.ndarray, " n"] | None = None,
    targets: Sequence[float] = CPT_TARGETS,
) -> CurveStudy:
    """Band, APGR and CPT of one router from the same resamples; a figure without a value is None, with its reason.

    Args:
        scores: the router's score per row; higher means that the strong model is needed more.
        quality: quality per row of the weak and of the strong model's answer.
        rng: draws the resamples.
        n_resamples: how many.
        groups: label per row; rows of one label are drawn together.
        targets: shares of the gap to price, each in (0, 1].

    Raises:
        NotEnoughLabels: there is no row.
        ValueError: columns differ in length or hold what is not a number.

    >>> study = study_curve(np.array([0.2, 0.9]), (np.ones(2), np.ones(2)), rng=np.random.default_rng(0))
    >>> study.apgr is None, study.band.low[50]
    (True, 1.0)
    """
    weak, strong = quality
    check_rows(scores=scores, weak_quality=weak, strong_quality=strong)
    curve = cost_quality_curve(scores, weak, strong)
    n_units = len(scores) if groups is None else len(np.unique(groups))
    if n_units < 2:
        return _undefined(len(scores), None, targets, "one row, or one group of rows, has no interval")
    gap, ranking = strong - weak, tie_groups(scores)
    at_grid: list[np.ndarray] = []
    areas: list[np.ndarray] = []
    crossings: dict[float, list[np.ndarray]] = {target: [] for target in targets}
    for weights in row_weights(len(scores), rng=rng, n_resamples=n_resamples, groups=groups):
        share, gained = _resampled(weights, gap, ranking)
        start = weights @ weak / weights.sum(axis=1)
        at_grid.append(_on_grid(share, gained) + start[:, None])
        recovered = gained / np.where(gained[:, -1:] > SMALLEST_GAP, gained[:, -1:], np.nan)
        first = 0.5 * share[:, 0] * recovered[:, 0]
        areas.append(first + 0.5 * np.sum(np.diff(share, axis=1) * (recovered[:, 1:] + recovered[:, :-1]), axis=1))
        for target in targets:
            crossings[target].append(first_crossings(share, recovered, target))
    band = _band(curve, np.concatenate(at_grid))
    if curve.strong_quality - curve.weak_quality <= SMALLEST_GAP:
        return _undefined(
            len(scores),
            band,
            targets,
            f"the strong model (mean quality {curve.strong_quality:.3f}) is not better than the weak one "
            f"({curve.weak_quality:.3f}) on these rows, so there is no gap to recover",
        )
    try:
        return CurveStudy(
            n=len(scores),
            band=band,
            apgr=percentile_interval(apgr(curve), np.concatenate(areas)),
            cpt={t: percentile_interval(cpt(curve, t), np.concatenate(drawn)) for t, drawn in crossings.items()},
        )
    except NotEnoughLabels:
        return _undefined(
            len(scores), band, targets, "the gap between the models is too small for so few rows to have an interval"
        )


def _undefined(n: int, band: CurveBand | None, targets: Sequence[float], why: str) -> CurveStudy:
    return CurveStudy(n=n, band=band, apgr=None, cpt=dict.fromkeys(targets), why=why)


def _resampled(
    weights: Int[np.ndarray, "b n"], gap: Float[np.ndarray, " n"], ranking: tuple[np.ndarray, np.ndarray]
) -> tuple[Float[np.ndarray, "b m"], Float[np.ndarray, "b m"]]:
    """Share of strong calls and mean quality gained over the weak model at the end of each tie, per resample."""
    order, ends = ranking
    ordered = weights[:, order]
    calls = np.cumsum(ordered, axis=1)[:, ends]
    gained = np.cumsum(ordered * gap[order], axis=1)[:, ends]
    return calls / calls[:, -1:], gained / calls[:, -1:]


def _on_grid(share: Float[np.ndarray, "b m"], gained: Float[np.ndarray, "b m"]) -> Float[np.ndarray, "b g"]:
    """Each curve, which starts at (0, 0), at `SHARES`."""
    zero = np.zeros(1)
    return np.stack(
        [
            np.interp(SHARES, np.concatenate([zero, x]), np.concatenate([zero, y]))
            for x, y in zip(share, gained, strict=True)
        ]
    )


def _band(curve: CostQualityCurve, drawn: Float[np.ndarray, "b g"]) -> CurveBand:
    low, high = np.quantile(drawn, [TAIL, 1.0 - TAIL], axis=0)
    at = np.interp(SHARES, curve.share_strong, curve.quality)
    rounded = (tuple(values.round(6).tolist()) for values in (at, low, high))
    return CurveBand(**dict(zip(("quality", "low", "high"), rounded, strict=True)))
