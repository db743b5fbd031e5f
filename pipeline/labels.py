"""Rows that a router learns from, as columns: what every family's fit reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from core.errors import NotEnoughLabels
from models.router import Queries


@dataclass(frozen=True)
class Labels:
    """Rows that a router learns from. n queries, d embedding, M models."""

    texts: Sequence[str]
    embeddings: Float[np.ndarray, "n d"]
    quality: Float[np.ndarray, "n M"]
    models: tuple[str, ...]
    topics: tuple[str | None, ...]
    """Known when fitting alone; no router reads them of a query."""
    weights: Float[np.ndarray, " n"]
    groups: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, chosen: Bool[np.ndarray, " n"] | Int[np.ndarray, " k"]) -> "Labels":
        """The chosen rows, in order, their weights at mean 1 again."""
        index = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        texts = [self.texts[int(i)] for i in index]
        return Labels(
            texts,
            self.embeddings[index],
            self.quality[index],
            self.models,
            tuple(self.topics[int(i)] for i in index),
            self.weights[index] / self.weights[index].mean(),
            self.groups[index],
        )

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
