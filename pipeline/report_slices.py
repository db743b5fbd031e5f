"""The figures of a report per stratum: what thresholds do, what routers are worth, whether probabilities hold.

Pure functions of the test rows' columns. A figure that the rows cannot show is None; nothing is guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from assurance.bands import Comparison, study_curves
from assurance.bootstrap import TAIL, Interval, row_weights
from assurance.bounds import binomial_interval
from assurance.curves import cost_quality_curve
from assurance.knee import knee
from assurance.reliability import check_calibration
from pipeline.report_records import Slice

COMPARED = 2
"""Routers whose curves are drawn per stratum: the one in question, and its base."""


@dataclass(frozen=True)
class HeldOut:
    """Columns of the n test rows.

    Attributes:
        scores: per router, its score per row; the one in question first.
        probabilities: that the strong model is needed, by the router in question.
        weak: quality of the weak model's answer.
        strong: quality of the strong model's answer.
        weak_usd: cost of the weak model's answer in USD; NaN where not known.
        strong_usd: cost of the strong model's answer.
        strata: stratum per row.
        groups: rows of one group are not independent.
        limits: Venn-Abers limits of each probability, where the calibrator knows them.
    """

    scores: Mapping[str, Float[np.ndarray, " n"]]
    probabilities: Float[np.ndarray, " n"]
    weak: Float[np.ndarray, " n"]
    strong: Float[np.ndarray, " n"]
    weak_usd: Float[np.ndarray, " n"]
    strong_usd: Float[np.ndarray, " n"]
    strata: Sequence[str]
    groups: Int[np.ndarray, " n"]
    limits: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]] | None = None

    def at(self, index: Int[np.ndarray, " k"]) -> "HeldOut":
        """The chosen rows."""
        return HeldOut(
            {name: column[index] for name, column in self.scores.items()},
            self.probabilities[index],
            self.weak[index],
            self.strong[index],
            self.weak_usd[index],
            self.strong_usd[index],
            tuple(self.strata[i] for i in index),
            self.groups[index],
            None if self.limits is None else (self.limits[0][index], self.limits[1][index]),
        )


def goes_to_strong(tested: HeldOut, thresholds: Mapping[str, float | None]) -> Bool[np.ndarray, " n"]:
    """Where each row goes: to the strong model iff its probability reaches its stratum's threshold.

    Args:
        tested: the rows.
        thresholds: by stratum, and under "default" for every other; None sends all to the strong model.
    """
    default = thresholds["default"]
    limits = (thresholds.get(stratum, default) for stratum in tested.strata)
    return tested.probabilities >= np.array([0.0 if limit is None else limit for limit in limits])


def slices_of(
    tested: HeldOut, thresholds: Mapping[str, float | None], *, n_resamples: int, min_rows: int, seed: int = 0
) -> tuple[Slice, tuple[Slice, ...]]:
    """All rows together, with every router; and each stratum, largest first, with its base alone.

    Args:
        tested: the test rows, at least one.
        thresholds: as in `goes_to_strong`.
        n_resamples: bootstrap resamples behind each interval.
        min_rows: strata with fewer rows get no curve and no calibration.
        seed: seed of every resampling.
    """
    values = {thresholds.get(stratum, thresholds["default"]) for stratum in set(tested.strata)}
    to_strong = goes_to_strong(tested, thresholds)
    overall = _slice("", tested, to_strong, n_resamples=n_resamples, seed=seed)
    overall = overall.model_copy(update={"threshold": next(iter(values)) if len(values) == 1 else None})
    strata = np.array(tested.strata)
    found = []
    for stratum in sorted(set(tested.strata), key=lambda name: (-int(np.sum(strata == name)), name)):
        index = np.flatnonzero(strata == stratum)
        rows = tested.at(index)
        names = list(tested.scores)[: COMPARED if len(index) >= min_rows else 0]
        rows = HeldOut(**{**vars(rows), "scores": {name: rows.scores[name] for name in names}})
        one = _slice(stratum, rows, to_strong[index], n_resamples=n_resamples, seed=seed)
        found.append(one.model_copy(update={"threshold": thresholds.get(stratum, thresholds["default"])}))
    return overall, tuple(found)


def _slice(stratum: str, rows: HeldOut, to_strong: Bool[np.ndarray, " n"], *, n_resamples: int, seed: int) -> Slice:
    n, quality = len(rows.weak), (rows.weak, rows.strong)
    routed = np.where(to_strong, rows.strong, rows.weak)
    means = _means(np.stack([rows.weak, rows.strong, routed]), rows.groups, n_resamples=n_resamples, seed=seed)
    found = Comparison({}, {})
    if rows.scores:
        rng = np.random.default_rng(seed)
        found = study_curves(rows.scores, quality, rng=rng, n_resamples=n_resamples, groups=rows.groups)
    first = next(iter(rows.scores), None)
    share = float(to_strong.mean())
    return Slice(
        stratum=stratum,
        n=n,
        weak_quality=means[0],
        strong_quality=means[1],
        threshold=None,
        share_strong=binomial_interval(int(to_strong.sum()), n),
        quality=means[2],
        random_quality=float((1 - share) * rows.weak.mean() + share * rows.strong.mean()),
        knee=None if first is None else _knee(rows.scores[first], *quality),
        routers=found.studies,
        better_than=found.better_than,
        calibration=None
        if first is None
        else check_calibration(
            rows.probabilities, rows.strong > rows.weak, rng=np.random.default_rng(seed), limits=rows.limits
        ),
    )


def _means(
    columns: Float[np.ndarray, "k n"], groups: Int[np.ndarray, " n"], *, n_resamples: int, seed: int
) -> list[Interval]:
    """Mean of each column: exact limits where rows are independent and right or wrong, else bootstrap over groups.

    One group alone shows nothing beyond itself: its limits are those of every quality, 0 and 1.
    """
    n = columns.shape[1]
    if np.isin(columns, (0.0, 1.0)).all() and len(np.unique(groups)) == n:
        return [binomial_interval(int(column.sum()), n) for column in columns]
    if len(np.unique(groups)) < 2:
        return [Interval(estimate=float(column.mean()), low=0.0, high=1.0) for column in columns]
    unit = np.unique(groups, return_inverse=True)[1]
    sums_KU = np.stack([np.bincount(unit, weights=column) for column in columns])
    sizes_U = np.bincount(unit).astype(float)
    rng = np.random.default_rng(seed)
    drawn_KB = np.concatenate(
        [sums_KU @ w.T / (w @ sizes_U) for w in row_weights(len(sizes_U), rng=rng, n_resamples=n_resamples)], axis=1
    )
    limits = np.quantile(drawn_KB, [TAIL, 1 - TAIL], axis=1)
    return [
        Interval(estimate=float(column.mean()), low=float(low), high=float(high), n_resamples=n_resamples)
        for column, low, high in zip(columns, *limits, strict=True)
    ]


def _knee(
    scores: Float[np.ndarray, " n"], weak: Float[np.ndarray, " n"], strong: Float[np.ndarray, " n"]
) -> tuple[float, float] | None:
    found = knee(cost_quality_curve(scores, weak, strong))
    return None if found is None else (found.share_strong, found.quality)
