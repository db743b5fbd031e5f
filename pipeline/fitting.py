"""Fits a router of any family: a base on the other domains' rows, then adapted on the target's. Reads arrays alone.

| family | the base | adapted to the target |
|---|---|---|
| mf | many-model factorization of the other domains' rows | LoRA on its projections |
| similarity | the other domains' rows as examples | the target's rows as examples, with their own kernel |
| mf_similarity | as mf | as mf; the target's rows as examples answer where the factorization learned nothing |
| words | fitted on the other domains' rows | fitted on the target's rows |
| combined | the same | the same, with the other domains' rows at less weight where held-out error says so |
| bert, causal_lm | fine-tuned on the other domains' rows | fine-tuned further: the base merged, a new update on top |
| stacked | the members' bases, weighed on rows that fitted none | the adapted members, weighed on scores out of fold |
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float

from core.settings import RunSettings
from models import combined_fit, similarity_fit
from models.combined import CombinedRouter
from models.combined_adapt import LabelledRows, fit_adapted
from models.encoder_router import EncoderRouter
from models.mf_router import MfRouter
from models.router import Router
from models.selection import grouped_folds
from models.similarity import SimilarityRouter
from models.similarity_fallback import FallbackRouter
from models.stacked_router import StackedRouter
from models.stacking import Stack, fit_stack
from models.targets import targets_of
from models.training.recipe import TrainingRecipe
from models.words import WordsRouter, fit_words
from pipeline.encoder_fitting import with_encoder
from pipeline.labels import Labels, knowing
from pipeline.mf_fitting import adapt_mf, fit_mf_base

if TYPE_CHECKING:
    from models.minilm_classifier import MinilmClassifier
    from models.networks.spec import NetworkSpec
    from models.text_router import TextRouter
    from models.training.progress import StepReport


STACK_FOLDS = 4
"""Folds in which members are scored on target rows that did not adapt them."""


@dataclass(frozen=True)
class How:
    """What a fit is told beside its rows."""

    settings: RunSettings
    folder: Path
    """Where a long training keeps what it needs to be resumed."""
    progress: Callable[[str, int, int], None]
    curve: Callable[[str, int, Mapping[str, float]], None] = lambda name, step, values: None
    """Told of a training's figures at a step, by the training's name."""
    elsewhere: Labels | None = None
    """Rows of other domains, for a family that lets them in beside the target's."""

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

    def named(self, name: str) -> "How":
        """The same for one of several trainings: its folder and its curves are its own."""

        def curve(training: str, step: int, values: Mapping[str, float]) -> None:
            self.curve(f"{name}/{training}", step, values)

        return replace(self, folder=self.folder / name, curve=curve)


def reads_vectors(settings: RunSettings) -> bool:
    """Whether the settings' router reads the queries' vectors, or one of its members does."""
    router = settings.router
    families = router.members if router.family == "stacked" else (router.family,)
    return any(family not in {"words", "bert", "causal_lm"} for family in families)


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
    return fit_mf_base(rows, how.settings)


def _mf_adapt(base: MfRouter, rows: Labels, how: How) -> MfRouter:
    return adapt_mf(base, rows, how.settings, how.progress)


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


def _fallback_adapt(base: MfRouter, rows: Labels, how: How) -> FallbackRouter:
    """The base is a factorization alone: of the other domains' examples none is near the target's queries."""
    neighbours = _similarity(rows, how, how.pair)
    return FallbackRouter(_mf_adapt(base, rows, how).pair, neighbours, n_trained=len(rows))


def _encoder_adapt(base: MfRouter, rows: Labels, how: How) -> EncoderRouter:
    return with_encoder(base, rows, how.settings, progress=how.progress, curve=how.curve)


def _text_base(family: Literal["bert", "causal_lm"]) -> Callable[[Labels, How], "TextRouter"]:
    def fit_text(rows: Labels, how: How) -> "TextRouter":
        from models.networks.spec import describe

        spec = describe(family, how.settings.network.base, recipe=recipe_of(how.settings))
        return _fine_tuned(spec, knowing(rows, how.base_pair), how, how.base_pair)

    return fit_text


def _text_adapt(base: "TextRouter | MinilmClassifier", rows: Labels, how: How) -> "TextRouter":
    return _fine_tuned(base, rows, how, how.pair)


def _fine_tuned(
    start: "NetworkSpec | TextRouter | MinilmClassifier", rows: Labels, how: How, pair: tuple[str, str]
) -> "TextRouter":
    from models.networks.spec import NetworkSpec
    from models.text_training import TextLabels, TextTraining, fine_tune

    s = how.settings
    name = "base" if isinstance(start, NetworkSpec) else "adapted"
    targets = targets_of(*rows.qualities(*pair))

    def on_step(report: "StepReport") -> None:
        how.progress(f"steps of the {name} router", report.step, report.n_steps)
        values = {"loss": report.loss, "learning_rate": report.learning_rate, "tokens_per_s": report.tokens_per_s}
        if report.dev is not None:
            values |= {"dev_ranking_gain": report.dev.ranking, "dev_loss": report.dev.loss}
        how.curve(name, report.step, values)

    labels = TextLabels(rows.texts, targets.classes, rows.weights, targets.gap, rows.groups)
    training = TextTraining(
        recipe_of(s),
        how.folder / name,
        keep=s.network.keep,
        dev_share=s.training.dev_share,
        processes=s.training.processes,
    )
    return fine_tune(start, labels, training, on_step=on_step).router


def _words_base(rows: Labels, how: How) -> WordsRouter:
    return _words(knowing(rows, how.base_pair), how.base_pair)


def _words_adapt(base: WordsRouter, rows: Labels, how: How) -> WordsRouter:
    return _words(rows, how.pair)


def _words(rows: Labels, pair: tuple[str, str]) -> WordsRouter:
    return fit_words(rows.texts, rows.gap(*pair), groups=rows.groups, weights=rows.weights)[0]


def _combined_base(rows: Labels, how: How) -> CombinedRouter:
    return _combined(knowing(rows, how.base_pair), how.base_pair)


def _combined_adapt(base: CombinedRouter, rows: Labels, how: How) -> CombinedRouter:
    """Rows of other domains enter where held-out error says so, and only if they know the very pair."""
    if how.elsewhere is None or how.base_pair != how.pair:
        return _combined(rows, how.pair)
    target = LabelledRows(rows.texts, rows.embeddings, _combined_labels(rows, how.pair))
    known = knowing(how.elsewhere, how.pair)
    others = LabelledRows(known.texts, known.embeddings, _combined_labels(known, how.pair))
    return fit_adapted(target, others).fit.router


def _combined(rows: Labels, pair: tuple[str, str]) -> CombinedRouter:
    return combined_fit.fit_combined(rows.texts, rows.embeddings, _combined_labels(rows, pair)).router


def _combined_labels(rows: Labels, pair: tuple[str, str]) -> combined_fit.Labels:
    """Other models' qualities help to tell hard questions, where every row knows them."""
    others = [j for j, name in enumerate(rows.models) if name not in pair and np.isfinite(rows.quality[:, j]).all()]
    return combined_fit.Labels(
        rows.gap(*pair),
        topics=rows.topics if any(topic is not None for topic in rows.topics) else None,
        other_qualities=rows.quality[:, others] if others else None,
        groups=rows.groups,
        weights=rows.weights,
    )


def _stacked_base(rows: Labels, how: How) -> StackedRouter:
    """Members are fitted on five of six groups and weighed on the sixth: the base is fitted once, not once a fold."""
    rows = knowing(rows, how.base_pair)
    is_held_out = grouped_folds(len(rows), n_folds=6, seed=0, groups=rows.groups) == 0
    seen = rows.rows(~is_held_out)
    members = tuple(fit_base(family, seen, how.named(family)) for family in how.settings.router.members)
    held_out = rows.rows(is_held_out)
    return StackedRouter(members, _stack(held_out, _columns(members, held_out), members, how.base_pair))


def _stacked_adapt(base: StackedRouter, rows: Labels, how: How) -> StackedRouter:
    fold = grouped_folds(len(rows), n_folds=STACK_FOLDS, seed=0, groups=rows.groups)
    columns = np.zeros((len(rows), len(base.members)))
    for k in range(STACK_FOLDS):
        part = replace(how.named(f"fold-{k}"), curve=lambda name, step, values: None)
        members = _adapted(base.members, rows.rows(fold != k), part)
        columns[fold == k] = _columns(members, rows.rows(fold == k))
        how.progress("folds of the stack", k + 1, STACK_FOLDS)
    members = _adapted(base.members, rows, how)
    return StackedRouter(members, _stack(rows, columns, members, how.pair))


def _adapted(members: Sequence[Router], rows: Labels, how: How) -> tuple[Router, ...]:
    families = how.settings.router.members  # a base may be of another family than what is made of it
    return tuple(
        adapt(family, member, rows, how.named(family)) for family, member in zip(families, members, strict=True)
    )


def _columns(members: Sequence[Router], rows: Labels) -> Float[np.ndarray, "n m"]:
    return np.stack([member.score(rows.queries) for member in members], axis=1)


def _stack(rows: Labels, columns: Float[np.ndarray, "n m"], members: Sequence[Router], pair: tuple[str, str]) -> Stack:
    return fit_stack(columns, rows.gap(*pair), member_names=[one.family for one in members], weights=rows.weights)


def recipe_of(settings: RunSettings) -> TrainingRecipe:
    """The settings' section `training`, as the engine takes it."""
    values = settings.training.model_dump(exclude={"dev_share", "processes"})
    return TrainingRecipe(**values, n_threads=settings.threads)


_FITS: Mapping[str, _Fit] = {
    "mf": _Fit(_mf_base, _mf_adapt),
    "similarity": _Fit(_similarity_base, _similarity_adapt),
    "mf_similarity": _Fit(_mf_base, _fallback_adapt),
    "mf_encoder": _Fit(_mf_base, _encoder_adapt),
    "words": _Fit(_words_base, _words_adapt),
    "combined": _Fit(_combined_base, _combined_adapt),
    "bert": _Fit(_text_base("bert"), _text_adapt),
    "causal_lm": _Fit(_text_base("causal_lm"), _text_adapt),
    "stacked": _Fit(_stacked_base, _stacked_adapt),
}
