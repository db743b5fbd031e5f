"""A matrix factorization as a router: one pair of models, a base, perhaps a LoRA update. numpy alone."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from core.calibrator import sigmoid
from models.adaptation import LoraAdapter, merge
from models.matrix_factorization import MatrixFactorization, PairScorer
from models.router import Queries


@dataclass(frozen=True)
class MfRouter:
    """Scores queries for the pair (weak, strong) with the base, the adapter merged in.

    Raises:
        BundleError: where it is first used: a model is unknown to the base, or the adapter belongs to another base.
    """

    base: MatrixFactorization
    weak: str
    strong: str
    adapter: LoraAdapter | None = None
    newcomers: tuple[str, ...] = ()
    """Models of which the base knows nothing yet, last among its models; not kept in files."""

    @property
    def family(self) -> str:
        """`mf`."""
        return "mf"

    @property
    def dimension(self) -> int:
        """Length of the vectors that it reads."""
        return self.base.dimension

    @cached_property
    def merged(self) -> MatrixFactorization:
        """The base with the adapter merged in."""
        return self.base if self.adapter is None else merge(self.base, self.adapter)

    @cached_property
    def pair(self) -> PairScorer:
        """One vector and an intercept."""
        return self.merged.collapse(self.weak, self.strong)

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """P(strong's answer is the better one) per query; NaN where the logit is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            logits = np.asarray(queries.embeddings, dtype=np.float32) @ self.pair.vector
        logits = logits.astype(np.float64) + self.pair.intercept
        return np.where(np.isfinite(logits), sigmoid(logits), np.nan)
