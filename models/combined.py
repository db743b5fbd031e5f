"""The combined router: what a text means, which words it holds and how it looks, in one linear score. numpy at serving.

    gap = intercept + meaning . embedding + words . TF-IDF + looks . features,    score = (1 + gap) / 2, kept in [0, 1]

The score estimates the strong answer's share of wins, ties half. Files: combined.json (the terms and how it was fitted)
and combined.safetensors. Never reads a topic, and never fits: that is `models.combined_fit`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from safetensors import SafetensorError
from safetensors.numpy import load, save

from core.errors import BundleError
from models.looks import Looks
from models.router import Queries
from models.text_features import FEATURES
from models.vocabulary import Vocabulary

FACTS_FILE, WEIGHTS_FILE = "combined.json", "combined.safetensors"


@dataclass(frozen=True)
class CombinedRouter:
    """A fitted router for one pair; `facts` says how it was fitted and decides nothing."""

    vocabulary: Vocabulary
    looks: Looks
    meaning_weights: Float32[np.ndarray, " d"]
    word_weights: Float32[np.ndarray, " v"]
    look_weights: Float32[np.ndarray, " l"]
    intercept: float
    facts: Mapping[str, Any]

    @property
    def family(self) -> str:
        """`combined`."""
        return "combined"

    @property
    def dimension(self) -> int:
        """Length of the embeddings that it reads."""
        return len(self.meaning_weights)

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """Share of wins of the strong answer, one a query; an embedding that is not finite gives NaN."""
        return self.score_texts(queries.texts, np.asarray(queries.embeddings, dtype=np.float32))

    def score_texts(self, texts: Sequence[str], embeddings: Float32[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Share of wins of the strong answer, one a text; an embedding that is not finite gives NaN.

        Raises:
            BundleError: the embeddings have another length than those it was fitted on.
        """
        if embeddings.shape != (len(texts), self.dimension):
            raise BundleError(
                f"The combined router reads {len(texts)} embeddings of length {self.dimension}, not an array of shape "
                f"{embeddings.shape}. Use the encoder that the bundle names."
            )
        gap = self.intercept + embeddings @ self.meaning_weights + self.looks.vectors(texts) @ self.look_weights
        gap = gap + self.vocabulary.vectors(texts) @ self.word_weights
        return np.asarray(np.clip((1.0 + gap.astype(np.float64)) / 2.0, 0.0, 1.0))

    def to_files(self) -> dict[str, bytes]:
        """The router as JSON and safetensors; `from_files` gives it back bit for bit."""
        facts = {
            "features": list(FEATURES),
            "intercept": self.intercept,
            "facts": dict(self.facts),
            "terms": self.vocabulary.terms,
        }
        arrays = {
            "idf": self.vocabulary.idf,
            "looks_center": self.looks.center,
            "looks_spread": self.looks.spread,
            "looks_directions": self.looks.directions,
            "looks_phases": self.looks.phases,
            "meaning_weights": self.meaning_weights,
            "word_weights": self.word_weights,
            "look_weights": self.look_weights,
        }
        text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return {
            FACTS_FILE: text.encode("utf-8", errors="surrogatepass"),
            WEIGHTS_FILE: save({name: np.ascontiguousarray(array) for name, array in arrays.items()}),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "CombinedRouter":
        """The router that `to_files` wrote.

        Raises:
            BundleError: a file is missing or malformed, or the features were others when the router was fitted.
        """
        try:
            facts = json.loads(files[FACTS_FILE].decode("utf-8", errors="surrogatepass"))
            arrays = load(files[WEIGHTS_FILE])
            names = ("looks_center", "looks_spread", "looks_directions", "looks_phases")
            router = cls(
                Vocabulary(tuple(facts["terms"]), arrays["idf"]),
                Looks(*(arrays[name] for name in names)),
                meaning_weights=arrays["meaning_weights"],
                word_weights=arrays["word_weights"],
                look_weights=arrays["look_weights"],
                intercept=float(facts["intercept"]),
                facts=facts["facts"],
            )
            features = tuple(facts["features"])
        except (KeyError, ValueError, TypeError, SafetensorError) as error:
            raise BundleError(f"The combined router cannot be read ({error!r}). Register the bundle anew.") from error
        n_looks = len(router.looks.center) + len(router.looks.phases)
        if (
            features != FEATURES
            or len(router.word_weights) != len(router.vocabulary)
            or len(router.vocabulary.idf) != len(router.vocabulary)
            or len(router.look_weights) != n_looks
        ):
            raise BundleError(
                f"The combined router was fitted on {len(features)} features and {len(router.word_weights)} terms; "
                f"this version computes {len(FEATURES)} features and reads {len(router.vocabulary)} terms. "
                "Fit it anew with this version."
            )
        return router
