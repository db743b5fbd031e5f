"""Fits a router of any family: a base on the other domains' rows, then adapted on the target's. Reads arrays alone.

| family | the base | adapted to the target |
|---|---|---|
| mf | many-model factorization of the other domains' rows | LoRA on its projections |
| similarity | the other domains' rows as examples | the target's rows as examples, with their own kernel |
| bert, causal_lm | fine-tuned on the other domains' rows | fine-tuned further: the base merged, a new update on top |
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from core.errors import NotEnoughLabels
from core.settings import RunSettings
from models import adaptation, similarity_fit
from models.factorization_fit import choose_l2, fit
from models.mf_router import MfRouter
from models.router import Queries, Router
from models.similarity import SimilarityRouter
from models.targets import targets_of
from models.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    from models.networks.spec import NetworkSpec
    from models.text_router import TextRouter
    from models.training.progress import StepReport


@dataclass(frozen=True)
class Labels:
    """Rows that a router learns from. n queries, d embedding, M models."""

    texts: Sequence[str]
    embeddings: Float[np.ndarray, "n d"]
    quality: Float[np.ndarray, "n M"]
    models: tuple[str, ...]
    weights: Float[np.ndarray, " n"]
    groups: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, chosen: Bool[np.ndarray, " n"] | Int[np.ndarray, " k"]) -> "Labels":
        """The chosen rows, in order, their weights at mean 1 again."""
        index = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        texts = [self.texts[int(i)] for i in index]
        weights = self.weights[index] / self.weights[index].mean()
        return Labels(texts, self.embeddings[index], self.quality[index], self.models, weights, self.groups[index])

    def qualities(self, weak: str, strong: str) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Quality of the weak and of the strong model per row; NaN where not known."""
        return self.quality[:, self.models.index(weak)], self.quality[:, self.models.index(strong)]

    def gap(self, weak: str, strong: str) -> Float[np.ndarray, " n"]:
        """Quality of the strong answer minus that of the weak one; NaN where one is not known."""
        weak_quality, strong_quality = self.qualities(weak, strong)
        return np.asarray(strong_quality - weak_quality)

    @property
    def queries(self) -> Queries:
        """The rows as a router scores them, their vectors at hand."""
        return Queries(self.texts, lambda texts: self.embeddings)


@dataclass(frozen=True)
class How:
    """What a fit is told beside its rows."""

    settings: RunSettings
    folder: Path
    """Where a long training keeps what it needs to be resumed."""
    progress: Callable[[str, int, int], None]
    curve: Callable[[str, int, Mapping[str, float]], None] = lambda name, step, values: None
    """Told of a training's figures at a step, by the training's name."""

    @property
    def pair(self) -> tuple[str, str]:
        """Names of the weak and of the strong model."""
        return self.settings.pair.weak.name, self.settings.pair.strong.name

    @property
    def base_pair(self) -> tuple[str, str]:
        """Who plays weak and strong in the other domains' rows."""
        data = self.settings.data
        weak, strong = self.pair
        return data.base_weak or weak, data.base_strong or strong


def reads_vectors(settings: RunSettings) -> bool:
    """Whether the settings' router reads the queries' vectors, or one of its members does."""
    router = settings.router
    families = router.members if router.family == "combined" else (router.family,)
    return any(family in {"mf", "similarity"} for family in families)


def fit_base(family: str, rows: Labels, how: How) -> Router:
    """The router of the other domains, for the pair or for the models that stand in for it."""
    return _FITS[family].base(rows, how)


def adapt(family: str, base: Router, rows: Labels, how: How) -> Router:
    """The base, adapted on the target's rows, which all know both models of the pair."""
    return _FITS[family].adapt(base, rows, how)


@dataclass(frozen=True)
class _Fit:
    base: Callable[[Labels, How], Router]
    adapt: Callable[..., Router]


def _mf_base(rows: Labels, how: How) -> MfRouter:
    """Every model of the rows is learned; the pair's models get their stand-ins' places."""
    s = how.settings
    known = [j for j in range(len(rows.models)) if not np.isnan(rows.quality[:, j]).all()]
    quality, names = rows.quality[:, known], [rows.models[j] for j in known]
    rank = s.router.rank
    l2 = s.router.l2 or choose_l2(rows.embeddings, quality, names, rank=rank, groups=rows.groups)
    base = fit(rows.embeddings, quality, names, rank=rank, l2=l2, weights=rows.weights)
    stand_ins = {s.pair.weak.name: s.data.base_weak, s.pair.strong.name: s.data.base_strong}
    base = base.with_stand_ins({name: played_by for name, played_by in stand_ins.items() if played_by is not None})
    return MfRouter(base, *how.pair)


def _mf_adapt(base: MfRouter, rows: Labels, how: How) -> MfRouter:
    recipe = how.settings.adaptation
    adapter = adaptation.adapt(
        base.base,
        rows.embeddings,
        rows.gap(*how.pair),
        pair=how.pair,
        weights=rows.weights,
        groups=rows.groups,
        recipe=adaptation.Recipe(
            rank=recipe.lora_rank,
            alpha=recipe.lora_alpha,
            learning_rate=recipe.learning_rate,
            max_epochs=recipe.max_epochs,
            weight_decay=recipe.weight_decay,
        ),
        on_step=lambda done, total: how.progress("trainings with LoRA", done, total),
    )
    return MfRouter(base.base, *how.pair, adapter)


def _similarity_base(rows: Labels, how: How) -> SimilarityRouter:
    return _similarity(knowing(rows, how.base_pair), how, how.base_pair)


def _similarity_adapt(base: SimilarityRouter, rows: Labels, how: How) -> SimilarityRouter:
    return _similarity(rows, how, how.pair)


def _similarity(rows: Labels, how: How, pair: tuple[str, str]) -> SimilarityRouter:
    return similarity_fit.fit(
        rows.embeddings,
        rows.gap(*pair),
        weighting=how.settings.router.similarity,
        weights=rows.weights,
        groups=rows.groups,
    )


def _text_base(family: Literal["bert", "causal_lm"]) -> Callable[[Labels, How], "TextRouter"]:
    def fit_text(rows: Labels, how: How) -> "TextRouter":
        from models.networks.spec import describe

        spec = describe(family, how.settings.network.base, recipe=recipe_of(how.settings))
        return _fine_tuned(spec, knowing(rows, how.base_pair), how, how.base_pair)

    return fit_text


def _text_adapt(base: "TextRouter", rows: Labels, how: How) -> "TextRouter":
    return _fine_tuned(base, rows, how, how.pair)


def _fine_tuned(start: "NetworkSpec | TextRouter", rows: Labels, how: How, pair: tuple[str, str]) -> "TextRouter":
    from models.text_router import TextRouter
    from models.text_training import TextLabels, TextTraining, fine_tune

    s = how.settings
    name = "adapted" if isinstance(start, TextRouter) else "base"
    targets = targets_of(*rows.qualities(*pair))

    def on_step(report: "StepReport") -> None:
        how.progress(f"steps of the {name} router", report.step, report.n_steps)
        values = {"loss": report.loss, "learning_rate": report.learning_rate, "tokens_per_s": report.tokens_per_s}
        if report.dev is not None:
            values |= {"dev_ranking_gain": report.dev.ranking, "dev_loss": report.dev.loss}
        how.curve(name, report.step, values)

    labels = TextLabels(rows.texts, targets.classes, rows.weights, targets.gap, rows.groups)
    training = TextTraining(recipe_of(s), how.folder / name, keep=s.network.keep, dev_share=s.training.dev_share)
    return fine_tune(start, labels, training, on_step=on_step).router


def recipe_of(settings: RunSettings) -> TrainingRecipe:
    """The settings' section `training`, as the engine takes it."""
    values = settings.training.model_dump(exclude={"dev_share", "processes"})
    return TrainingRecipe(**values, n_threads=settings.threads)


def knowing(rows: Labels, pair: tuple[str, str]) -> Labels:
    """The rows that know both models.

    Raises:
        NotEnoughLabels: there is none.
    """
    unknown = [name for name in pair if name not in rows.models]
    known = np.zeros(len(rows), dtype=bool) if unknown else np.isfinite(rows.gap(*pair))
    if not known.any():
        raise NotEnoughLabels(
            f"None of the {len(rows)} rows of other domains knows both '{pair[0]}' and '{pair[1]}': nothing to adapt. "
            "Set data.base_weak and data.base_strong to two models that they know, or choose family mf."
        )
    return rows.rows(known)


_FITS: Mapping[str, _Fit] = {
    "mf": _Fit(_mf_base, _mf_adapt),
    "similarity": _Fit(_similarity_base, _similarity_adapt),
    "bert": _Fit(_text_base("bert"), _text_adapt),
    "causal_lm": _Fit(_text_base("causal_lm"), _text_adapt),
}
