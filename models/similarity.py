"""Similarity router: the labelled queries that resemble a query vote on it. numpy alone; never reads text.

The estimate is a weighted Bradley-Terry model of the two models of the pair, fitted anew for every query. For one pair
its maximum has a closed form, the weighted share of wins: sum_i w_i (y_i log p + (1 - y_i) log(1 - p)) is largest where
p = sum_i w_i y_i / sum_i w_i, with y_i = (1 + quality of strong - quality of weak) / 2, so a tie is half a win.

| weighting | weight of example i for query q |
|---|---|
| local (default) | exp((cos_i - 1) / bandwidth) among the `n_neighbours` nearest, 0 beyond |
| paper | 10 * 10^(cos_i / max_j cos_j) over all examples: RouteLLM's code (Ong et al., 2024, section 4.2) |

Either is multiplied by the example's own weight. `local` mixes in the overall share, as `prior_count` more examples.
How far a query is from its `DISTANCE_NEIGHBOURS` nearest examples says whether it lies outside what was labelled; there
the score moves to 1, so that the strong model answers:

    beyond = (distance - far_distance) / (far_distance - usual_distance), within [0, 1]
    score  = estimate + (1 - estimate) * beyond

Fitting the kernel is in `models.similarity_fit`; the search for neighbours in `models.similarity_search`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped

from core.errors import BundleError, DataError, NotEnoughLabels
from core.fingerprint import of_array, of_json
from models.router import Queries
from models.similarity_kernel import DISTANCE_NEIGHBOURS, Kernel, beyond
from models.similarity_search import NeighbourIndex, Neighbours

__all__ = ["Estimate", "Kernel", "SimilarityRouter"]

_LENGTH_TOLERANCE = 2e-3
"""What rounding to float16 does to a length, and more."""


@dataclass(frozen=True)
class Estimate:
    """What the examples say of n queries; NaN in `score` where the embedding is not finite."""

    score: Float[np.ndarray, " n"]
    """`share`, moved to 1 outside."""
    share: Float[np.ndarray, " n"]
    """Share of wins of the strong model, whatever the distance."""
    distance: Float[np.ndarray, " n"]
    """1 - mean cosine of the nearest examples."""
    is_outside: Bool[np.ndarray, " n"]
    """The query is farther than `far_distance`, or its embedding is not finite."""


@dataclass(frozen=True)
class SimilarityRouter:
    """Labelled examples of one pair of models, and the kernel by which they vote."""

    examples: Float[np.ndarray, "N d"]
    """Unit vectors, float32 or float16; float16 halves the file."""
    win_share: Float32[np.ndarray, " N"]
    """(1 + quality of the strong answer - quality of the weak one) / 2."""
    weights: Float32[np.ndarray, " N"]
    kernel: Kernel

    @classmethod
    def of(
        cls,
        embeddings: Float[np.ndarray, "N d"],
        gap: Float[np.ndarray, " N"],
        *,
        kernel: Kernel,
        weights: Float[np.ndarray, " N"] | None = None,
        dtype: type[np.float32] | type[np.float16] = np.float32,
    ) -> "SimilarityRouter":
        """A router of these examples; `similarity_fit.fit` chooses the kernel as well.

        Args:
            embeddings: brought to length 1; zero vectors stay and resemble nothing.
            gap: quality of the strong answer minus that of the weak one, in [-1, 1].
            kernel: how examples vote.
            weights: how much each example counts; None: all alike.
            dtype: how the examples are kept.

        Raises:
            DataError: lengths disagree, an embedding is not finite, a gap is outside [-1, 1], a weight not above 0.
            NotEnoughLabels: there is no example.
        """
        vectors, shares, counts = _checked(embeddings, gap, weights)
        return cls(vectors.astype(dtype), shares, counts, kernel)

    @property
    def family(self) -> str:
        """`similarity`."""
        return "similarity"

    @property
    def dimension(self) -> int:
        """Length of the vectors that it reads."""
        return int(self.examples.shape[1])

    @property
    def sha256(self) -> str:
        """Hash of examples and kernel: two routers with one hash give the same scores."""
        arrays = {name: of_array(array) for name, array in self.to_arrays().items()}
        return of_json({"kernel": self.kernel.model_dump(mode="json"), "arrays": arrays})

    @cached_property
    def index(self) -> NeighbourIndex:
        """The examples, ready to be searched; made on first use."""
        return NeighbourIndex.of(np.asarray(self.examples, dtype=np.float32))

    @cached_property
    def overall_share(self) -> float:
        """Weighted share of wins of the strong model over all examples."""
        return float(np.average(self.win_share.astype(np.float64), weights=self.weights))

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """P(strong's answer is the better one) per query; NaN where an embedding is not finite."""
        return self.score_embeddings(queries.embeddings)

    def score_embeddings(self, embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """P(strong's answer is the better one) per row of ready embeddings."""
        return self.estimate(embeddings).score

    def neighbour_distance(self, embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """1 - mean cosine of the nearest examples, per row; 0 for a copy of an example that is there often enough."""
        return _distance(self.index.nearest(_unit(embeddings)[0], DISTANCE_NEIGHBOURS))

    def estimate(self, embeddings: Float[np.ndarray, "n d"]) -> Estimate:
        """Score, distance and whether a query lies outside what was labelled.

        Args:
            embeddings: of any length; they are brought to length 1.

        >>> kernel = Kernel(n_neighbours=1, bandwidth=1.0, prior_count=1.0, usual_distance=0.2, far_distance=0.6)
        >>> router = SimilarityRouter.of(np.eye(2), np.array([1.0, -1.0]), kernel=kernel)
        >>> router.estimate(np.array([[2.0, 0.0]])).score.tolist()  # one win and one copy of the overall share, 1/2
        [0.75]
        """
        queries, is_finite = _unit(embeddings)
        local = self.kernel.weighting == "local"
        k = max(DISTANCE_NEIGHBOURS, self.kernel.n_neighbours) if local else DISTANCE_NEIGHBOURS
        found = self.index.nearest(queries, k)
        distance = _distance(found)
        if local:
            voters = found.rows[:, : self.kernel.n_neighbours]
            cosines = found.cosines[:, : self.kernel.n_neighbours].astype(np.float64)
            votes = self.weights[voters] * np.exp((np.minimum(cosines, 1.0) - 1.0) / self.kernel.bandwidth)
            share = self._mixed(votes, (votes * self.win_share[voters]).sum(axis=1))
        else:
            share = self._by_all(queries)
        score = np.where(is_finite, share + (1.0 - share) * beyond(distance, self.kernel), np.nan)
        return Estimate(score, share, distance, (distance > self.kernel.far_distance) | ~is_finite)

    def with_examples(
        self,
        embeddings: Float[np.ndarray, "m d"],
        gap: Float[np.ndarray, " m"],
        *,
        weights: Float[np.ndarray, " m"] | None = None,
    ) -> "SimilarityRouter":
        """The router with more examples under the same kernel; nothing is fitted again, this one stays as it is.

        Raises:
            DataError, NotEnoughLabels: as `of`, or the embeddings are of another length.
        """
        vectors, shares, counts = _checked(embeddings, gap, weights)
        if vectors.shape[1] != self.dimension:
            raise DataError(
                [f"embeddings of {vectors.shape[1]} numbers, and the router's have {self.dimension}"],
                "Encode the new examples with the encoder that the router was fitted with.",
            )
        kept = vectors.astype(self.examples.dtype)
        more = SimilarityRouter(
            np.concatenate([self.examples, kept]),
            np.concatenate([self.win_share, shares]),
            np.concatenate([self.weights, counts]),
            self.kernel,
        )
        vars(more)["index"] = self.index.with_vectors(kept.astype(np.float32))  # where cached_property keeps it
        return more

    def to_arrays(self) -> dict[str, Shaped[np.ndarray, "..."]]:
        """Every example by name, as safetensors takes them; the kernel travels beside, in JSON."""
        return {"examples": self.examples, "win_share": self.win_share, "weights": self.weights}

    @classmethod
    def from_arrays(cls, kernel: Kernel, arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> "SimilarityRouter":
        """The router that `to_arrays` took apart.

        Raises:
            BundleError: an array is missing, of an unknown name, type or shape, or holds what no example may hold.
        """
        expected = {"examples", "win_share", "weights"}
        if set(arrays) != expected:
            raise BundleError(
                f"The router's examples are not those of this format: {sorted(set(arrays) ^ expected)}. "
                "Train or fetch the bundle again."
            )
        examples, n = arrays["examples"], len(arrays["win_share"])
        types = {name: array.dtype.name for name, array in arrays.items()}
        fits = (
            types["examples"] in {"float32", "float16"}
            and types["win_share"] == types["weights"] == "float32"
            and examples.ndim == 2
            and len(examples) == n > 0
            and arrays["win_share"].shape == arrays["weights"].shape == (n,)
        )
        if not fits:
            shapes = {name: (*array.shape, types[name]) for name, array in arrays.items()}
            raise BundleError(f"The router's examples do not fit together: {shapes}. Train or fetch the bundle again.")
        lengths = np.linalg.norm(examples.astype(np.float32), axis=1)
        if not np.all((lengths == 0) | (np.abs(lengths - 1.0) < _LENGTH_TOLERANCE)):
            raise BundleError("The router's examples are not of length 1. Train or fetch the bundle again.")
        try:
            _checked(examples, 2.0 * arrays["win_share"] - 1.0, arrays["weights"])
        except DataError as error:
            raise BundleError(
                f"The router's examples do not vote: {'; '.join(error.faults)}. Train or fetch the bundle again."
            ) from error
        return cls(examples, arrays["win_share"], arrays["weights"], kernel)

    def _mixed(self, votes: Float[np.ndarray, "n k"], wins: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        prior, total = self.kernel.prior_count, votes.sum(axis=1)
        known = np.where(prior + total > 0, prior + total, 1.0)
        return np.where(prior + total > 0, (prior * self.overall_share + wins) / known, self.overall_share)

    def _by_all(self, queries: Float32[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        shares = np.empty(len(queries))
        for i, query in enumerate(queries):
            cosines = self.index.vectors @ query
            largest = float(cosines.max())
            exponent = cosines / largest if largest > 0 else np.zeros_like(cosines)
            votes = self.weights * np.power(np.float32(10.0), 1.0 + np.maximum(exponent, -30.0))
            shares[i] = float(votes @ self.win_share) / float(votes.sum())
        return shares


def _distance(found: Neighbours) -> Float[np.ndarray, " n"]:
    return np.asarray(1.0 - found.cosines[:, :DISTANCE_NEIGHBOURS].mean(axis=1, dtype=np.float64))


def _unit(embeddings: Float[np.ndarray, "n d"]) -> tuple[Float32[np.ndarray, "n d"], Bool[np.ndarray, " n"]]:
    """Rows of length 1, zero where a row is zero or not finite; and which rows are finite."""
    rows = np.asarray(embeddings, dtype=np.float32)
    is_finite: Bool[np.ndarray, " n"] = np.all(np.isfinite(rows), axis=1)
    if not is_finite.all():
        rows = np.where(is_finite[:, None], rows, np.float32(0.0))
    norms = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64)).astype(np.float32)
    return rows / np.where(norms > 0, norms, np.float32(1.0))[:, None], is_finite


def _checked(
    embeddings: Float[np.ndarray, "N d"], gap: Float[np.ndarray, " N"], weights: Float[np.ndarray, " N"] | None
) -> tuple[Float32[np.ndarray, "N d"], Float32[np.ndarray, " N"], Float32[np.ndarray, " N"]]:
    counts = np.ones(len(gap)) if weights is None else np.asarray(weights)
    faults = []
    if not len(embeddings) == len(gap) == len(counts):
        faults.append(f"{len(embeddings)} embeddings, {len(gap)} gaps and {len(counts)} weights; one of each per row")
    if not np.all(np.isfinite(embeddings)):
        faults.append("an embedding holds NaN or an infinity")
    if not np.all(np.abs(gap) <= 1):  # NaN too
        faults.append("a gap lies outside [-1, 1]")
    if not (np.all(np.isfinite(counts)) and np.min(counts, initial=1.0) > 0):
        faults.append("weights need one finite number above 0 per row")
    if faults:
        raise DataError(faults, "Mend the arrays that were passed to the similarity router.")
    if not len(gap):
        raise NotEnoughLabels("The similarity router has no example to compare with. Label pairs, then fit it.")
    vectors, _ = _unit(embeddings)
    return vectors, ((1.0 + np.asarray(gap, dtype=np.float64)) / 2.0).astype(np.float32), counts.astype(np.float32)
