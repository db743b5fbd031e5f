"""Matrix-factorization router: every model has a vector, every query a projection. numpy alone; never reads text.

    delta(m, q) = classifier . (v_m * (W (e_q - center) * scale + c)) + b_m
    P(a over b) = sigmoid(delta(a) - delta(b))

This is RouteLLM's form (Ong et al., 2024, section 4.2) with the intercepts that its code leaves out.
Sizes: n queries, d embedding, k rank, M models. Fitting is in `models.factorization_fit`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped

from core.calibrator import sigmoid
from core.errors import BundleError
from core.fingerprint import of_json


@dataclass(frozen=True)
class MatrixFactorization:
    """A fitted router over any number of models.

    `center` and `scale` (one number) condition the embedding; they belong to the base and never change in adaptation.
    """

    model_names: tuple[str, ...]
    model_vectors: Float[np.ndarray, "M k"]
    model_biases: Float[np.ndarray, " M"]
    text_projection: Float[np.ndarray, "k d"]
    text_bias: Float[np.ndarray, " k"]
    classifier: Float[np.ndarray, " k"]
    center: Float[np.ndarray, " d"]
    scale: float

    @property
    def family(self) -> str:
        """`matrix_factorization`."""
        return "matrix_factorization"

    @property
    def rank(self) -> int:
        """Length of a model's vector."""
        return len(self.classifier)

    @property
    def dimension(self) -> int:
        """Length of the embeddings that it reads."""
        return len(self.center)

    @property
    def sha256(self) -> str:
        """Hash of names and weights: two routers with one hash give the same scores."""
        arrays = {name: np.ascontiguousarray(array).tobytes().hex() for name, array in self.to_arrays().items()}
        return of_json({"model_names": list(self.model_names), "arrays": arrays})

    def score_embeddings(
        self, embeddings: Float[np.ndarray, "n d"], *, weak: str, strong: str
    ) -> Float[np.ndarray, " n"]:
        """P(strong's answer is the better one) per query.

        Raises:
            BundleError: a name is unknown to this router; the message lists the names that work.
        """
        return self.collapse(weak, strong).score(embeddings)

    def collapse(self, weak: str, strong: str) -> "PairScorer":
        """The router for one pair: one vector and an intercept, so that a query costs one dot product.

        Raises:
            BundleError: a name is unknown to this router; the message lists the names that work.
        """
        w, s = self.index_of(weak), self.index_of(strong)
        direction = self.classifier * (self.model_vectors[s] - self.model_vectors[w])
        vector = self.scale * (direction @ self.text_projection)
        intercept = direction @ self.text_bias + self.model_biases[s] - self.model_biases[w] - vector @ self.center
        return PairScorer(np.ascontiguousarray(vector, dtype=np.float32), float(intercept))

    def index_of(self, model: str) -> int:
        """Row of a model in `model_vectors`.

        Raises:
            BundleError: the name is unknown to this router; the message lists the names that work.
        """
        if model not in self.model_names:
            raise BundleError(
                f"The router does not know a model named '{model}'. "
                f"It knows {', '.join(sorted(self.model_names))}; name one of these, "
                "or let a new model stand in for one of them (`with_stand_ins`) and adapt."
            )
        return self.model_names.index(model)

    def with_stand_ins(self, stand_ins: Mapping[str, str]) -> "MatrixFactorization":
        """The same router with more models: each new name gets the vector and bias of the known one it stands in for.

        A base router meets a domain whose models it has never seen: its own weak/strong direction is the best guess
        until labels adapt it.

        Args:
            stand_ins: new name -> known name. A new name that is known already keeps its own vector.

        Raises:
            BundleError: a known name is unknown after all.
        """
        new = [name for name in stand_ins if name not in self.model_names]
        rows = [self.index_of(stand_ins[name]) for name in new]
        return replace(
            self,
            model_names=(*self.model_names, *new),
            model_vectors=np.vstack([self.model_vectors, self.model_vectors[rows]]),
            model_biases=np.concatenate([self.model_biases, self.model_biases[rows]]),
        )

    def to_arrays(self) -> dict[str, Shaped[np.ndarray, "..."]]:
        """Every weight by name, as safetensors takes them; the names of the models travel beside, in JSON."""
        return {
            "model_vectors": self.model_vectors,
            "model_biases": self.model_biases,
            "text_projection": self.text_projection,
            "text_bias": self.text_bias,
            "classifier": self.classifier,
            "center": self.center,
            "scale": np.array([self.scale]),
        }

    @classmethod
    def from_arrays(
        cls, model_names: tuple[str, ...], arrays: Mapping[str, Shaped[np.ndarray, "..."]]
    ) -> "MatrixFactorization":
        """The router that `to_arrays` took apart.

        Raises:
            BundleError: an array is missing, of an unknown name, of a shape that fits no other, or not finite.
        """
        expected = {"model_vectors", "model_biases", "text_projection", "text_bias", "classifier", "center", "scale"}
        if set(arrays) != expected:
            odd = sorted(set(arrays) ^ expected)
            raise BundleError(
                f"The router's weights are not those of this format: {odd}. Train or fetch the bundle again."
            )
        k, d, n_models = arrays["classifier"].size, arrays["center"].size, len(model_names)
        shapes = {
            "model_vectors": (n_models, k),
            "model_biases": (n_models,),
            "text_projection": (k, d),
            "text_bias": (k,),
            "classifier": (k,),
            "center": (d,),
            "scale": (1,),
        }
        for name, shape in shapes.items():
            if arrays[name].shape != shape or not np.all(np.isfinite(arrays[name])):
                raise BundleError(
                    f"The router's '{name}' is of shape {arrays[name].shape} or not finite; {shape} was expected. "
                    "Train or fetch the bundle again."
                )
        weights = {name: np.asarray(arrays[name], dtype=np.float64) for name in expected - {"scale"}}
        return cls(model_names=tuple(model_names), scale=float(arrays["scale"][0]), **weights)


@dataclass(frozen=True)
class PairScorer:
    """A router collapsed onto one pair: sigmoid(vector . embedding + intercept)."""

    vector: Float[np.ndarray, " d"]
    intercept: float

    def score(self, embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """P(strong's answer is the better one) per row; one matrix-vector product.

        >>> PairScorer(np.array([1.0, 0.0]), 0.0).score(np.zeros((1, 2))).tolist()
        [0.5]
        """
        return sigmoid(np.asarray(embeddings, dtype=np.float32) @ self.vector + np.float32(self.intercept))

    def score_one(self, embedding: Float[np.ndarray, " d"]) -> float:
        """P(strong's answer is the better one) of one embedding: one dot product, no array built.

        >>> PairScorer(np.array([1.0, 0.0]), 0.0).score_one(np.array([0.0, 9.0]))
        0.5
        """
        return 0.5 + 0.5 * math.tanh(0.5 * (float(self.vector.dot(embedding)) + self.intercept))
