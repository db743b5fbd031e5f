"""Fits a router of any family: a base on the other domains' rows, then adapted on the target's. Reads arrays alone.

| family | the base | adapted to the target |
|---|---|---|
| mf | many-model factorization of the other domains' rows | LoRA on its projections |
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from core.settings import RunSettings
from models import adaptation
from models.factorization_fit import choose_l2, fit
from models.mf_router import MfRouter
from models.router import Queries, Router


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

    @property
    def pair(self) -> tuple[str, str]:
        """Names of the weak and of the strong model."""
        return self.settings.pair.weak.name, self.settings.pair.strong.name


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


_FITS: Mapping[str, _Fit] = {"mf": _Fit(_mf_base, _mf_adapt)}
