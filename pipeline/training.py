"""The stages train and calibrate: base router, adaptation, floors, and what turns scores into probabilities."""

import numpy as np
from safetensors.numpy import load_file, save_file

from assurance.calibration import fit_calibrator
from assurance.thresholds import threshold_for_share
from core.settings import RunSettings
from models import adaptation
from models.factorization_fit import choose_l2, fit
from models.floors import FLOORS
from models.matrix_factorization import MatrixFactorization
from pipeline.engine import Work
from pipeline.results import Rows, load_rows, read_json, write_json

ROUTERS = ("adapted", "base")
"""The two routers of a run; the first is the one in question."""


def train(settings: RunSettings, work: Work) -> None:
    """Fit the base router on the other domains, adapt it on the target's training rows, fit the floors on the same."""
    rows = load_rows(work)
    pair = settings.pair.weak.name, settings.pair.strong.name
    base_rows, train_rows = rows.part("base"), rows.part("train")
    gap = rows.gap(*pair)
    base = _fit_base(settings, rows, base_rows)
    recipe = settings.adaptation
    adapter = adaptation.adapt(
        base,
        rows.embeddings[train_rows],
        gap[train_rows],
        pair=pair,
        groups=rows.component[train_rows],
        recipe=adaptation.Recipe(
            rank=recipe.lora_rank,
            alpha=recipe.lora_alpha,
            learning_rate=recipe.learning_rate,
            max_epochs=recipe.max_epochs,
            weight_decay=recipe.weight_decay,
        ),
        on_step=lambda done, total: work.progress("trainings with LoRA", done, total),
    )
    routers = {"adapted": adaptation.merge(base, adapter), "base": base}
    scores = {
        name: router.score_embeddings(rows.embeddings, weak=pair[0], strong=pair[1]) for name, router in routers.items()
    }
    texts, topics = rows.table.texts, rows.table.topics
    chosen = np.flatnonzero(train_rows)
    for name, floor in FLOORS.items():
        scorer = floor([texts[i] for i in chosen], [topics[i] for i in chosen], gap[chosen], seed=settings.split.seed)
        scores[name] = scorer(texts, topics)
    save_file({name: column.astype(np.float64) for name, column in scores.items()}, work.out / "scores.safetensors")
    save_file(base.to_arrays(), work.out / "base.safetensors")
    write_json(work.out / "models.json", list(base.model_names))
    adaptation.save_adapter(adapter, work.out / "adapter")


def calibrate(settings: RunSettings, work: Work) -> None:
    """Fit each router's calibrator on rows it was not trained on, and set its threshold for the budget."""
    rows = load_rows(work)
    chosen = rows.part("calibrate")
    needed = rows.gap(settings.pair.weak.name, settings.pair.strong.name)[chosen] > 0
    scores = load_file(work.inputs["train"] / "scores.safetensors")
    calibration = {}
    for name in ROUTERS:
        calibrator = fit_calibrator(scores[name][chosen], needed)
        probabilities = calibrator.apply(scores[name][chosen])
        calibration[name] = {
            "calibrator": calibrator.model_dump(mode="json"),
            "threshold": threshold_for_share(probabilities, settings.threshold.share_strong),
        }
    write_json(work.out / "calibration.json", calibration)


def trained_base(work: Work) -> MatrixFactorization:
    """The base router that `train` wrote."""
    folder = work.inputs["train"]
    return MatrixFactorization.from_arrays(
        tuple(read_json(folder / "models.json")), load_file(folder / "base.safetensors")
    )


def _fit_base(settings: RunSettings, rows: Rows, chosen: np.ndarray) -> MatrixFactorization:
    """The base router on every model of the other domains' rows; the pair's models get their stand-ins' places."""
    quality, models = rows.table.quality[chosen], rows.table.models
    known = [j for j in range(len(models)) if not np.isnan(quality[:, j]).all()]
    quality, names = quality[:, known], [models[j] for j in known]
    embeddings, groups = rows.embeddings[chosen], rows.component[chosen]
    rank = settings.router.rank
    l2 = settings.router.l2 or choose_l2(embeddings, quality, names, rank=rank, groups=groups)
    base = fit(embeddings, quality, names, rank=rank, l2=l2)
    stand_ins = {settings.pair.weak.name: settings.data.base_weak, settings.pair.strong.name: settings.data.base_strong}
    return base.with_stand_ins({name: played_by for name, played_by in stand_ins.items() if played_by is not None})
