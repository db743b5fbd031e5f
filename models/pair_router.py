"""The pair router: what question and answer mean, which words they hold and how the answer looks, in one linear score.

    lean = intercept + vectors . [question, answer, question * answer] + question's words . TF-IDF
           + answer's words . TF-IDF + looks . features,                      score = (1 + lean) / 2, kept in [0, 1]

The score estimates the probability that the answer is not acceptable. It reads pair texts (`models.pair_text`) and, of
each, the vector of the question beside that of the answer. numpy at serving. Files: pair.json and pair.safetensors.
Never fits: that is `models.pair_fit`.
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
from models.answer_looks import FEATURES, answer_looks
from models.encoders import Encoder
from models.looks import Looks
from models.pair_text import parted
from models.router import Queries
from models.vocabulary import Vocabulary

FACTS_FILE, WEIGHTS_FILE = "pair.json", "pair.safetensors"

_LOOKS = ("center", "spread", "directions", "phases")


@dataclass(frozen=True)
class PairRouter:
    """A fitted router of pair texts; `facts` says how it was fitted and decides nothing."""

    question_words: Vocabulary
    answer_words: Vocabulary
    looks: Looks
    weights: Mapping[str, Float32[np.ndarray, " f"]]
    """By block: `meaning` (three vectors' lengths), `question_words`, `answer_words`, `looks`."""
    intercept: float
    facts: Mapping[str, Any]

    @property
    def family(self) -> str:
        """`pair`."""
        return "pair"

    @property
    def dimension(self) -> int:
        """Length of a question's and an answer's vector together."""
        return 2 * len(self.weights["meaning"]) // 3

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """P(the answer is not acceptable), one a pair text; a vector that is not finite gives NaN.

        Raises:
            BundleError: the vectors have another length than those it was fitted on.
        """
        vectors = np.asarray(queries.embeddings, dtype=np.float32)
        if vectors.shape != (len(queries), self.dimension):
            raise BundleError(
                f"The pair router reads {len(queries)} vectors of length {self.dimension}, question beside answer, not "
                f"an array of shape {vectors.shape}. Use the encoder that the bundle names."
            )
        blocks = blocks_of(
            [parted(text) for text in queries.texts], vectors, (self.question_words, self.answer_words), self.looks
        )
        lean = self.intercept + sum(blocks[name] @ self.weights[name] for name in self.weights)
        return np.asarray(np.clip((1.0 + lean.astype(np.float64)) / 2.0, 0.0, 1.0))

    def to_files(self) -> dict[str, bytes]:
        """The router as JSON and safetensors; `from_files` gives it back bit for bit."""
        facts = {
            "features": list(FEATURES),
            "intercept": self.intercept,
            "facts": dict(self.facts),
            "question_terms": self.question_words.terms,
            "answer_terms": self.answer_words.terms,
        }
        arrays = {f"looks.{name}": getattr(self.looks, name) for name in _LOOKS}
        arrays |= {f"weights.{name}": values for name, values in self.weights.items()}
        arrays |= {"question_idf": self.question_words.idf, "answer_idf": self.answer_words.idf}
        text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return {
            FACTS_FILE: text.encode("utf-8", errors="surrogatepass"),
            WEIGHTS_FILE: save({name: np.ascontiguousarray(array) for name, array in arrays.items()}),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "PairRouter":
        """The router that `to_files` wrote.

        Raises:
            BundleError: a file is missing or malformed, or the features were others when the router was fitted.
        """
        try:
            facts = json.loads(files[FACTS_FILE].decode("utf-8", errors="surrogatepass"))
            arrays = load(files[WEIGHTS_FILE])
            router = cls(
                Vocabulary(tuple(facts["question_terms"]), arrays["question_idf"]),
                Vocabulary(tuple(facts["answer_terms"]), arrays["answer_idf"]),
                Looks(*(arrays[f"looks.{name}"] for name in _LOOKS)),
                {name: arrays[f"weights.{name}"] for name in ("meaning", "question_words", "answer_words", "looks")},
                intercept=float(facts["intercept"]),
                facts=facts["facts"],
            )
            features = tuple(facts["features"])
        except (KeyError, ValueError, TypeError, SafetensorError) as error:
            raise BundleError(f"The pair router cannot be read ({error!r}). Register the bundle anew.") from error
        weights, looks = router.weights, router.looks
        if (
            features != FEATURES
            or len(weights["question_words"]) != len(router.question_words)
            or len(weights["answer_words"]) != len(router.answer_words)
            or len(weights["looks"]) != len(looks.center) + len(looks.phases)
            or len(weights["meaning"]) % 3
        ):
            raise BundleError(
                f"The pair router was fitted on {len(features)} features; this version computes {len(FEATURES)}, or "
                "its weights and terms differ in number. Fit it anew with this version."
            )
        return router


def pair_vectors(encoder: Encoder, texts: Sequence[str]) -> Float32[np.ndarray, "n 2d"]:
    """Of each pair text the question's vector beside the answer's."""
    pairs = [parted(text) for text in texts]
    vectors = encoder.encode([question for question, _ in pairs] + [answer for _, answer in pairs])
    return np.hstack([vectors[: len(pairs)], vectors[len(pairs) :]])


def blocks_of(
    pairs: Sequence[tuple[str, str]],
    vectors: Float32[np.ndarray, "n 2d"],
    words: tuple[Vocabulary, Vocabulary],
    looks: Looks,
) -> dict[str, Any]:
    """The features of (question, answer) pairs by block, as they are fitted and scored."""
    half = vectors.shape[1] // 2
    question, answer = vectors[:, :half], vectors[:, half:]
    return {
        "meaning": np.hstack([question, answer, question * answer * np.float32(np.sqrt(half))]),
        "question_words": words[0].vectors([asked for asked, _ in pairs]),
        "answer_words": words[1].vectors([said for _, said in pairs]),
        "looks": looks.of_features(answer_looks(pairs)),
    }
