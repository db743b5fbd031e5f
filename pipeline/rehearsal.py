"""What a run would train on and what that would cost: the second half of `preceptor run --dry-run`. Trains nothing.

Rows are read and divided as the run would. Time of a matrix factorization comes from the speed below, measured on one
core; that of a network from a pass timed on this machine.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from core.outcomes import read_outcomes
from core.records import Record
from core.settings import RunSettings
from models.targets import effective_n, targets_of
from pipeline.encoder_fitting import rehearsed_with_encoder
from pipeline.fitting import STACK_FOLDS, How, recipe_of
from pipeline.labels import Labels, knowing
from pipeline.results import Rows
from pipeline.stages import divided
from pipeline.table import table_of
from pipeline.training import labels_of

if TYPE_CHECKING:
    from models.training.estimate import Estimate

PAIR_PASSES_PER_S = 250_000
"""Pairs of models in one evaluation of loss and gradient, by `python -m benchmarks.routers`."""

PASSES = 100
"""Evaluations until the optimiser of a matrix factorization stops, with room."""

DIMENSION = 384
"""Length of a vector of the default encoder; others differ by little."""


class Rehearsal(Record):
    """What a run would find and do."""

    rows_by_domain: Mapping[str, int]
    rows_by_part: Mapping[str, int]
    effective_labels: float
    """Kish's effective size of the training part: less than its rows where some weigh much more than others."""
    trainings: Mapping[str, Mapping[str, Any]]
    """Per training its figures, `base` and `adapted` of each family; `trainings` says how often a stack repeats it."""


def rehearse(settings: RunSettings) -> Rehearsal:
    """The rehearsal of a YAML.

    Raises:
        DataError: rows cannot be read, or know no model of the pair.
        NotEnoughLabels: a training would have no rows.
    """
    table = table_of(read_outcomes(settings.data.all_files))
    n_certify = len(read_outcomes(settings.data.certify_files))
    component, parts = divided(settings, table, n_certify=n_certify)
    rows = Rows(table, parts, component, np.zeros((len(table), 0), dtype=np.float32))
    labels = labels_of(rows)
    weights = labels.weights[rows.part("train")]
    router = settings.router
    is_stack = router.family == "stacked"
    return Rehearsal(
        rows_by_domain=_counts(table.domains),
        rows_by_part=_counts(parts),
        effective_labels=effective_n(weights) if len(weights) else 0.0,
        trainings={
            f"{family}, {which}": {**figures, "trainings": 1 + STACK_FOLDS * (is_stack and which == "adapted")}
            for family in (router.members if is_stack else (router.family,))
            for which, figures in _trainings(settings, family, labels, rows).items()
        },
    )


def rehearsal_text(rehearsal: Rehearsal) -> str:
    """The rehearsal as lines."""
    lines = [
        f"rows by domain  {_listed(rehearsal.rows_by_domain)}",
        f"rows by part    {_listed(rehearsal.rows_by_part)}",
    ]
    lines.append(f"labels to adapt on, in effect  {rehearsal.effective_labels:,.0f}")
    for name, figures in rehearsal.trainings.items():
        lines.append(f"\n{name}")
        lines += [f"  {line}" for line in figures["lines"]]
        if figures["trainings"] > 1:
            n = figures["trainings"]
            lines.append(f"  trained       {n} times: without each of {n - 1} folds, and on all rows")
    return "\n".join(lines)


def _trainings(settings: RunSettings, family: str, labels: Labels, rows: Rows) -> dict[str, dict[str, Any]]:
    how = How(settings, settings.folder, lambda what, done, total: None)
    base, target = labels.rows(rows.part("base")), labels.rows(rows.part("train"))
    if settings.router.bundle is not None:
        lines = [f"taken from    {settings.router.bundle}; not trained"]
        return {"adapted": {"rows": 0, "lines": lines}}
    if family in {"mf", "mf_similarity"}:
        return {"base": _mf_base(settings, base), "adapted": _mf_adapted(settings, target)}
    if family == "mf_encoder":
        found = rehearsed_with_encoder(target, settings)
        return {"base": _mf_base(settings, base), "adapted": {**found.to_json(), "lines": found.lines()}}
    if family in {"bert", "causal_lm"}:
        return {
            "base": _network(settings, family, knowing(base, how.base_pair), how.base_pair),
            "adapted": _network(settings, family, target, how.pair),
        }
    return {
        which: {"rows": len(part), "lines": [f"rows          {len(part):,}; no gradient, seconds"]}
        for which, part in (("base", base), ("adapted", target))
    }


def _mf_base(settings: RunSettings, rows: Labels) -> dict[str, Any]:
    known = np.isfinite(rows.quality)
    n_models, per_row = int(known.any(axis=0).sum()), known.sum(axis=1)
    rank = min(settings.router.rank, n_models - 1)
    n_pairs, n_parameters = int(np.sum(per_row * (per_row - 1) // 2)), rank * DIMENSION + n_models * (rank + 1)
    n_fits = 1 if settings.router.l2 else 16  # five strengths in three folds, and the last
    seconds = n_fits * n_pairs * PASSES / PAIR_PASSES_PER_S
    return {
        "rows": len(rows),
        "models": n_models,
        "pairs": n_pairs,
        "trained_parameters": n_parameters,
        "seconds": seconds,
        "lines": [
            f"rows          {len(rows):,}, {n_models} models, {n_pairs:,} pairs of answers",
            f"parameters    {n_parameters:,}",
            f"memory        {len(rows) * DIMENSION * 4 * 3 / 1e9:.2f} GB",
            f"time          at most {seconds:,.0f} s on one core, {n_fits} fits",
        ],
    }


def _mf_adapted(settings: RunSettings, rows: Labels) -> dict[str, Any]:
    recipe, rank = settings.adaptation, settings.router.rank
    n_parameters = recipe.lora_rank * (DIMENSION + rank) + recipe.lora_rank * (rank + 1) + rank
    return {
        "rows": len(rows),
        "trained_parameters": n_parameters,
        "steps": recipe.max_epochs,
        "lines": [
            f"rows          {len(rows):,}",
            f"parameters    at most {n_parameters:,} of LoRA",
            f"steps         {recipe.max_epochs}, all rows in each; seconds",
        ],
    }


def _network(settings: RunSettings, family: Any, rows: Labels, pair: tuple[str, str]) -> dict[str, Any]:  # noqa: ANN401
    from models.networks.spec import describe
    from models.text_rehearsal import rehearse as rehearse_network
    from models.text_training import TextLabels, TextTraining

    recipe = recipe_of(settings)
    targets = targets_of(*rows.qualities(*pair))
    labels = TextLabels(rows.texts, targets.classes, rows.weights, targets.gap, rows.groups)
    training = TextTraining(recipe, settings.folder, dev_share=settings.training.dev_share)
    found: Estimate = rehearse_network(describe(family, settings.network.base, recipe=recipe), labels, training)
    return {**found.to_json(), "lines": found.lines()}


def _counts(values: tuple[str, ...]) -> dict[str, int]:
    return {value: values.count(value) for value in dict.fromkeys(values)}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
