"""Evaluation: what a router's scores are worth on rows it has not seen, beside the floors on the same rows."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from assurance.bands import CurveStudy, study_curves
from assurance.bootstrap import Interval
from core.errors import NotEnoughLabels
from core.records import Record
from models.floors import FLOORS
from models.selection import grouped_folds
from pipeline.novel_pair import NovelPair

FOLDS = 5
"""Folds in which the fitted floors are scored when no training rows are at hand: each row by a fit on the others."""


class Figures(Record):
    """What one router is worth, each figure with its 95 % interval."""

    apgr: Interval
    cpt50: Interval
    cpt80: Interval


class Evaluation(Record):
    """Routers measured on the same rows.

    `better_than` holds, per router other than the first, the APGR of the first minus its own, paired on the same rows.
    `n_trained_rows` is how many of the rows the router was trained or calibrated on; None where nobody can say.
    """

    n: int
    weak: str
    strong: str
    weak_quality: float
    strong_quality: float
    routers: Mapping[str, Figures]
    better_than: Mapping[str, Interval]
    n_trained_rows: int | None = None
    novel_pair: NovelPair | None = None
    """Where the rows are of another pair than the bundle's: whether it may be taken up for that one."""


def evaluate_routers(
    scores: Mapping[str, Float[np.ndarray, " n"]],
    quality: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    *,
    pair: tuple[str, str],
    groups: Int[np.ndarray, " n"],
    n_resamples: int,
    seed: int = 0,
) -> Evaluation:
    """Figures of every router, and how much the first beats each other one, on the same rows.

    Args:
        scores: per router, its score per row; the first router is the one in question.
        quality: quality per row of the weak and of the strong model.
        pair: names of the weak and the strong model.
        groups: rows of one group are resampled together.
        n_resamples: bootstrap resamples.
        seed: seed of the resampling.

    Raises:
        NotEnoughLabels: there are no rows, or the strong model is no better than the weak one on them.
    """
    if not len(quality[0]):
        raise NotEnoughLabels(
            f"No row has outcomes of both '{pair[0]}' and '{pair[1]}'. "
            "Name a pair that the data hold with --weak and --strong."
        )
    found = study_curves(scores, quality, rng=np.random.default_rng(seed), n_resamples=n_resamples, groups=groups)
    return evaluation_of(found.studies, found.better_than, quality, pair=pair)


def evaluation_of(
    studies: Mapping[str, CurveStudy],
    better_than: Mapping[str, Interval | None],
    quality: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    *,
    pair: tuple[str, str],
) -> Evaluation:
    """The evaluation that studies on the same rows amount to.

    Raises:
        NotEnoughLabels: a figure has no value.
    """
    figures = {}
    for name, study in studies.items():
        half, most = study.cpt[0.5], study.cpt[0.8]
        if study.apgr is None or half is None or most is None:
            raise NotEnoughLabels(
                f"The routers cannot be compared: {study.why}. "
                "Measure on more rows, or check which model is named weak and which strong."
            )
        figures[name] = Figures(apgr=study.apgr, cpt50=half, cpt80=most)
    return Evaluation(
        n=len(quality[0]),
        weak=pair[0],
        strong=pair[1],
        weak_quality=float(quality[0].mean()),
        strong_quality=float(quality[1].mean()),
        routers=figures,
        better_than={name: gain for name, gain in better_than.items() if gain is not None},
    )


def crossfitted_floors(
    texts: Sequence[str],
    topics: Sequence[str | None],
    gap: Float[np.ndarray, " n"],
    component: Int[np.ndarray, " n"],
    *,
    seed: int = 0,
) -> dict[str, Float[np.ndarray, " n"]]:
    """Scores of every floor on these rows, each row by a fit on rows of other folds.

    Args:
        texts: the queries.
        topics: topic per row, None where there is none.
        gap: quality of the strong model's answer minus that of the weak model's.
        component: rows of one component share a fold.
        seed: seed of the folds and of the random floor.
    """
    n_folds = min(FOLDS, len(np.unique(component)))
    fold = grouped_folds(len(texts), n_folds=n_folds, seed=seed, groups=component)
    scores = {name: np.zeros(len(texts)) for name in FLOORS}
    for k in np.unique(fold):
        inside, outside = np.flatnonzero(fold == k).tolist(), np.flatnonzero(fold != k).tolist()
        for name, column in scores.items():
            floor = FLOORS[name]([texts[i] for i in outside], [topics[i] for i in outside], gap[outside], seed=seed)
            column[inside] = floor([texts[i] for i in inside], [topics[i] for i in inside])
    return scores
