"""A similarity router behind a matrix factorization: which examples are near decides who scores. numpy alone.

| the query is | score |
|---|---|
| near what the factorization was trained on | the factorization's |
| far from that, near an example added since | the similarity router's estimate |
| far from every example | the larger of both, moved to 1 as `models.similarity` says |

Near means within the kernel's `far_distance`. So an unusual query is never sent to the weak model because one of the
two scores happens to be low, and labels that arrive after training count at once where training knew nothing.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from core.errors import BundleError
from models.matrix_factorization import PairScorer
from models.router import Queries
from models.similarity import SimilarityRouter
from models.similarity_kernel import beyond
from models.similarity_search import NeighbourIndex


@dataclass(frozen=True)
class FallbackRouter:
    """A collapsed factorization, and examples of which the first `n_trained` are those it was trained on.

    Raises:
        BundleError: `n_trained` is not between 1 and the number of examples, or the two read vectors of other lengths.
    """

    primary: PairScorer
    similarity: SimilarityRouter
    n_trained: int

    def __post_init__(self) -> None:
        n, lengths = len(self.similarity.win_share), (len(self.primary.vector), self.similarity.dimension)
        if not 1 <= self.n_trained <= n or lengths[0] != lengths[1]:
            raise BundleError(
                f"The fallback counts {self.n_trained} trained examples of {n}, and reads vectors of {lengths[0]} and "
                f"{lengths[1]} numbers. Give it the examples on which the factorization was trained, in front."
            )

    @property
    def family(self) -> str:
        """`mf_similarity`."""
        return "mf_similarity"

    @property
    def dimension(self) -> int:
        """Length of the vectors that it reads."""
        return self.similarity.dimension

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """P(strong's answer is the better one) per query; NaN where an embedding is not finite."""
        return self.score_embeddings(queries.embeddings)

    def score_embeddings(self, embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """The table above, per row of ready embeddings."""
        estimate = self.similarity.estimate(embeddings)
        with np.errstate(over="ignore", invalid="ignore"):
            trained = self.primary.score(embeddings)
        larger = np.maximum(trained, estimate.share)
        moved = larger + (1.0 - larger) * beyond(estimate.distance, self.similarity.kernel)
        score = np.where(self.knows(embeddings), trained, np.where(estimate.is_outside, moved, estimate.share))
        return np.where(np.isfinite(estimate.score), score, np.nan)

    def knows(self, embeddings: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, " n"]:
        """Whether each row is near what the factorization was trained on."""
        far = self.similarity.kernel.far_distance
        return np.asarray(self._trained_on.neighbour_distance(embeddings) <= far)

    def with_examples(
        self,
        embeddings: Float[np.ndarray, "m d"],
        gap: Float[np.ndarray, " m"],
        *,
        weights: Float[np.ndarray, " m"] | None = None,
    ) -> "FallbackRouter":
        """The router with more examples behind; the factorization stays as it is.

        Raises:
            DataError, NotEnoughLabels: as `SimilarityRouter.with_examples`.
        """
        return replace(self, similarity=self.similarity.with_examples(embeddings, gap, weights=weights))

    @cached_property
    def _trained_on(self) -> SimilarityRouter:
        whole, n = self.similarity, self.n_trained
        if n == len(whole.win_share):
            return whole
        part = SimilarityRouter(whole.examples[:n], whole.win_share[:n], whole.weights[:n], whole.kernel)
        index, sketch = whole.index, whole.index.sketch
        trimmed = sketch and replace(sketch, coordinates=sketch.coordinates[:n])
        vars(part)["index"] = NeighbourIndex(index.vectors[:n], trimmed)  # where cached_property keeps it
        return part
