"""Fits the matrix factorization: a base of all models, a model that nobody knew joined by its labels, LoRA on top.

| the pair's model | in the base | once the target's rows are read |
|---|---|---|
| answered rows of other domains | its own vector | LoRA |
| did not, and data.base_weak or data.base_strong names a stand-in | the stand-in's vector | LoRA |
| did not, and nobody stands in | the mean of the known models | joins by its labels, then LoRA |
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from core.errors import NotEnoughLabels, SettingsError
from core.settings import RunSettings
from models import adaptation
from models.factorization_fit import choose_l2, fit
from models.factorization_join import JoinLabels, join
from models.matrix_factorization import MatrixFactorization
from models.mf_router import MfRouter
from pipeline.labels import Labels


def fit_mf_base(rows: Labels, settings: RunSettings) -> MfRouter:
    """Every model of the rows is learned; the pair's other models take the places of the table above.

    Raises:
        NotEnoughLabels: the rows know fewer than two models.
        SettingsError: a stand-in is none of the models that they know.
    """
    known = [j for j in range(len(rows.models)) if not np.isnan(rows.quality[:, j]).all()]
    quality, names = rows.quality[:, known], [rows.models[j] for j in known]
    if len(names) < 2:
        raise NotEnoughLabels(
            f"The rows of other domains know {', '.join(names) or 'no model'}, and a factorization compares models. "
            "Add outcomes of two models there; any two will do."
        )
    for setting, name in (("base_weak", settings.data.base_weak), ("base_strong", settings.data.base_strong)):
        if name is not None and name not in names:
            raise SettingsError(
                f"data.{setting} is '{name}', and the rows of other domains know {', '.join(names)}. Name one of these."
            )
    rank = settings.router.rank
    l2 = settings.router.l2 or choose_l2(rows.embeddings, quality, names, rank=rank, groups=rows.groups)
    base = fit(rows.embeddings, quality, names, rank=rank, l2=l2, weights=rows.weights)
    pair = settings.pair.weak.name, settings.pair.strong.name
    stand_ins = dict(zip(pair, (settings.data.base_weak, settings.data.base_strong), strict=True))
    base = base.with_stand_ins({name: played_by for name, played_by in stand_ins.items() if played_by is not None})
    newcomers = tuple(name for name in pair if name not in base.model_names)
    return MfRouter(_at_the_mean(base, newcomers), *pair, newcomers=newcomers)


def adapt_mf(
    base: MfRouter, rows: Labels, settings: RunSettings, progress: Callable[[str, int, int], None]
) -> MfRouter:
    """Newcomers join, then LoRA learns the target.

    Raises:
        NotEnoughLabels: too few rows know a newcomer and a known model too, and no stand-in is named.
    """
    pair = base.weak, base.strong
    wider = joined(base, rows)
    recipe = settings.adaptation
    adapter = adaptation.adapt(
        wider,
        rows.embeddings,
        rows.gap(*pair),
        pair=pair,
        groups=rows.groups,
        weights=rows.weights,
        recipe=adaptation.Recipe(
            rank=recipe.lora_rank,
            alpha=recipe.lora_alpha,
            learning_rate=recipe.learning_rate,
            max_epochs=recipe.max_epochs,
            weight_decay=recipe.weight_decay,
            n_threads=settings.threads,
        ),
        on_step=lambda done, total: progress("trainings with LoRA", done, total),
    )
    return MfRouter(wider, *pair, adapter)


def joined(base: MfRouter, rows: Labels) -> MatrixFactorization:
    """The base with its newcomers' vectors and biases fitted to the target's rows, every other weight as it was.

    Raises:
        NotEnoughLabels: too few rows know a newcomer and a known model too.
    """
    if not base.newcomers:
        return base.base
    n_known = len(base.base.model_names) - len(base.newcomers)
    router = replace(
        base.base,
        model_names=base.base.model_names[:n_known],
        model_vectors=base.base.model_vectors[:n_known],
        model_biases=base.base.model_biases[:n_known],
    )
    column = {name: rows.quality[:, j] for j, name in enumerate(rows.models)}
    unknown = np.full(len(rows), np.nan)
    for name in base.newcomers:
        labels = JoinLabels(
            rows.embeddings,
            column[name],
            np.stack([column.get(known, unknown) for known in router.model_names], axis=1),
            weights=rows.weights,
            groups=rows.groups,
        )
        try:
            router = join(router, name, labels).router
        except NotEnoughLabels as error:
            raise NotEnoughLabels(
                f"The rows of other domains do not know '{name}', and too few of the target's rows compare it with "
                f"{', '.join(router.model_names)} ({error}) Set data.base_weak and data.base_strong to the models that "
                "stand in for the pair."
            ) from error
    return router


def _at_the_mean(base: MatrixFactorization, names: tuple[str, ...]) -> MatrixFactorization:
    """The base with more models, each as good as the known ones are on average."""
    n = len(names)
    return replace(
        base,
        model_names=(*base.model_names, *names),
        model_vectors=np.vstack([base.model_vectors, np.tile(base.model_vectors.mean(axis=0), (n, 1))]),
        model_biases=np.append(base.model_biases, np.full(n, base.model_biases.mean())),
    )
