"""The stages train and calibrate: base router, adaptation, floors, and what turns scores into probabilities."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from safetensors.numpy import load_file, save_file

from assurance.calibration import fit_calibrator, with_strata
from assurance.thresholds import share_at
from assurance.venn_abers import venn_abers
from core.calibration_settings import CalibrationSettings
from core.calibrator import Calibrator
from core.settings import RunSettings
from models.families import Reading, files_of, router_from
from models.file_tree import files_in, put_files
from models.floors import FLOORS
from models.router import Router
from models.stacked_router import StackedRouter
from models.targets import row_weights
from pipeline.budget import threshold_for_budget
from pipeline.engine import Work
from pipeline.fitting import How, adapt, fit_base
from pipeline.gates import FIXED_GATES, gates_fingerprint
from pipeline.labels import Labels
from pipeline.results import Rows, load_rows, read_json, write_json
from pipeline.taking import sha256_of_taken, take_router
from pipeline.tracking import TrackedRun

ROUTERS = ("adapted", "base")
"""The two routers of a run; the first is the one in question."""


def train(settings: RunSettings, tracked: TrackedRun | None, work: Work) -> None:
    """Fit the base router on the other domains, adapt it on the target's training rows, fit the floors on the same."""

    def curve(name: str, step: int, values: Mapping[str, float]) -> None:
        if tracked is not None:
            tracked.log_metrics({f"train/{name}/{key}": value for key, value in values.items()}, step=step)

    rows = load_rows(work)
    labels = labels_of(rows)
    pair = settings.pair.weak.name, settings.pair.strong.name
    target = labels.rows(rows.part("train"))
    elsewhere = labels.rows(rows.part("base"))
    how = How(settings, folder=work.scratch, progress=work.progress, curve=curve, elsewhere=elsewhere)
    base = fit_base(settings.router.family, elsewhere, how)
    taken, novel_pair = (None, None) if settings.router.bundle is None else take_router(settings, work, rows)
    adapted = taken or adapt(settings.router.family, base, target, how)
    scores = {}
    for name, router in {"base": base, "adapted": adapted}.items():
        scores[name] = _scored(router, labels)
        _save_router(router, work.out / name)
    n_cut = _n_truncated(adapted)
    if isinstance(adapted, StackedRouter):  # whether the stack earns its members' cost is measured with the rest
        scores |= {f"{member.family} alone": _scored(member, labels) for member in adapted.members}
    topics = rows.table.topics
    chosen = np.flatnonzero(rows.part("train"))
    for name, floor in FLOORS.items():
        scorer = floor(target.texts, [topics[i] for i in chosen], target.gap(*pair), seed=settings.split.seed)
        scores[name] = scorer(labels.texts, topics)
    save_file({name: column.astype(np.float64) for name, column in scores.items()}, work.out / "scores.safetensors")
    weighed = row_weights(rows.table.weight[chosen], rows.table.inclusion_probability[chosen])
    summary = {
        "labels": 0 if taken else len(chosen),
        "labels_effective": weighed.n_effective,
        "weights_capped": weighed.n_clipped,
        "texts": len(labels),
        "texts_cut": n_cut,
        "taken_from": sha256_of_taken(settings),
        "novel_pair": None if novel_pair is None else novel_pair.model_dump(mode="json"),
    }
    write_json(work.out / "summary.json", summary)
    gates = gates_fingerprint(settings.gates)
    write_json(work.out / FIXED_GATES, {"settings": settings.gates.model_dump(mode="json"), "sha256": gates})
    if tracked is not None:
        tracked.set_tags({"preceptor.gates_sha256": gates})


def calibrate(settings: RunSettings, work: Work) -> None:
    """Fit each router's calibrator on rows it was not trained on, and set its threshold for the budget."""
    rows = load_rows(work)
    chosen = rows.part("calibrate")
    if settings.router.bundle is not None:
        chosen |= rows.part("train")  # nothing was trained on them
    needed = rows.gap(settings.pair.weak.name, settings.pair.strong.name)[chosen] > 0
    strata = [rows.table.strata[i] for i in np.flatnonzero(chosen)]
    scores = load_file(work.inputs["train"] / "scores.safetensors")
    calibration = {}
    for name in ROUTERS:
        calibrator = calibrator_for(settings.calibration, scores[name][chosen], needed, strata)
        probabilities = calibrator.apply(scores[name][chosen], strata)
        calibration[name] = {
            "calibrator": calibrator.model_dump(mode="json"),
            "threshold": (threshold := _threshold(settings, rows, np.flatnonzero(chosen), probabilities)),
            "share_strong": share_at(probabilities, threshold),
        }
    write_json(work.out / "calibration.json", calibration)


def calibrator_for(
    asked: CalibrationSettings, scores: Float[np.ndarray, " n"], needed: Bool[np.ndarray, " n"], strata: Sequence[str]
) -> Calibrator:
    """The calibrator that settings ask for, with its intervals, from rows that trained nothing."""
    calibrator = fit_calibrator(scores, needed, method=asked.method)
    if asked.per_stratum:
        calibrator = with_strata(calibrator, scores, needed, strata)
    return calibrator.model_copy(update={"intervals": venn_abers(scores, needed), "widest": asked.widest_interval})


def _threshold(
    settings: RunSettings, rows: Rows, chosen: Int[np.ndarray, " k"], probabilities: Float[np.ndarray, " k"]
) -> float:
    """The threshold that keeps the budget which settings name, on the calibration rows."""
    table = rows.table.rows(chosen)
    weak, strong = (table.column(model.name) for model in (settings.pair.weak, settings.pair.strong))
    costs = table.cost_usd[:, weak], table.cost_usd[:, strong]
    quality = table.pair_quality(settings.pair.weak.name, settings.pair.strong.name)
    return threshold_for_budget(settings.threshold, probabilities, cost_usd=costs, quality=quality)


def labels_of(rows: Rows) -> Labels:
    """The rows of a run as a fit reads them, weighed by what the files say of their weight and sampling."""
    table = rows.table
    weights = row_weights(table.weight, table.inclusion_probability).values
    return Labels(table.texts, rows.embeddings, table.quality, table.models, table.topics, weights, rows.component)


def trained_router(settings: RunSettings, work: Work, name: str) -> Router:
    """One of the `ROUTERS` that `train` wrote."""
    folder = work.inputs["train"] / name
    family = read_json(work.inputs["train"] / f"{name}.json")["family"]
    return router_from(
        family, files_in(folder), Reading(settings.pair.weak.name, settings.pair.strong.name, settings.threads)
    )


def _scored(router: Router, labels: Labels) -> Float[np.ndarray, " n"]:
    """The scores of all rows; what cannot be scored goes to the strong model."""
    raw = router.score(labels.queries)
    return np.where(np.isfinite(raw), raw, 1.0)


def _n_truncated(router: Router) -> int:
    """How many texts a router that reads texts by tokens has cut so far; of a stack's members, the most."""
    members = router.members if isinstance(router, StackedRouter) else (router,)
    return max(int(getattr(member, "n_truncated", 0)) for member in members)


def _save_router(router: Router, folder: Path) -> None:
    put_files(files_of(router), folder)
    write_json(folder.with_suffix(".json"), {"family": router.family})
