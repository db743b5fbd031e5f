"""The pair router: what question and answer mean, which words they hold and how the answer looks.

    lean   = intercept + vectors . [question, answer, question * answer] + question's words . TF-IDF
             + answer's words . TF-IDF + looks . features
    score  = (linear + boosted) / 2,    linear = (1 + lean) / 2, kept in [0, 1],    boosted: trees over the features

The score estimates the probability that the answer is not acceptable. It reads pair texts (`models.pair_text`) and, of
each, the vectors of question and answer and how close the options lie to both (`pair_vectors`). numpy at serving.
Files: pair.json and pair.safetensors. Never fits: that is `models.pair_fit`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32
from safetensors import SafetensorError
from safetensors.numpy import load, save

from core.errors import BundleError
from models.answer_conclusion import conclusion_of
from models.answer_looks import FEATURES, answer_looks
from models.boosted_looks import BoostedLooks
from models.encoders import Encoder
from models.looks import Looks
from models.pair_text import parted
from models.router import Queries
from models.vocabulary import Vocabulary

FACTS_FILE, WEIGHTS_FILE = "pair.json", "pair.safetensors"

CLOSENESS = (
    *("chosen_to_question", "chosen_to_answer", "closest_to_question", "closest_to_answer"),
    *("lead_in_question", "lead_in_answer", "others_to_question", "others_to_answer", "question_to_answer"),
)
"""Cosines: of the chosen option, of the closest other one, the chosen's lead over that, the others' mean."""

TABLE = (*FEATURES, *CLOSENESS)
"""The features of an answer, in order."""

_LOOKS = ("center", "spread", "directions", "phases")


@dataclass(frozen=True)
class PairRouter:
    """A fitted router of pair texts; `facts` says how it was fitted and decides nothing."""

    question_words: Vocabulary
    answer_words: Vocabulary
    looks: Looks
    boosted: BoostedLooks
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
        """Length of what `pair_vectors` gives of a pair."""
        return 2 * len(self.weights["meaning"]) // 3 + len(CLOSENESS)

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """P(the answer is not acceptable), one a pair text; a vector that is not finite gives NaN.

        Raises:
            BundleError: the vectors have another length than those it was fitted on.
        """
        vectors = np.asarray(queries.embeddings, dtype=np.float32)
        if vectors.shape != (len(queries), self.dimension):
            raise BundleError(
                f"The pair router reads {len(queries)} vectors of length {self.dimension}, as `pair_vectors` gives "
                f"them, not an array of shape {vectors.shape}. Use the encoder that the bundle names."
            )
        pairs = [parted(text) for text in queries.texts]
        table = table_of(pairs, vectors)
        blocks = blocks_of(pairs, vectors, table, words=(self.question_words, self.answer_words), looks=self.looks)
        lean = self.intercept + sum(blocks[name] @ self.weights[name] for name in self.weights)
        return mean_of(lean, self.boosted.score(table))

    def to_files(self) -> dict[str, bytes]:
        """The router as JSON and safetensors; `from_files` gives it back bit for bit."""
        facts = {
            "features": list(TABLE),
            "intercept": self.intercept,
            "facts": dict(self.facts),
            "question_terms": self.question_words.terms,
            "answer_terms": self.answer_words.terms,
        }
        arrays = {f"looks.{name}": getattr(self.looks, name) for name in _LOOKS}
        arrays |= {f"weights.{name}": values for name, values in self.weights.items()}
        arrays |= {f"boosted.{name}": array for name, array in self.boosted.to_arrays().items()}
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
                BoostedLooks.from_arrays(_named(arrays, "boosted."), n_features=len(TABLE)),
                {name: arrays[f"weights.{name}"] for name in ("meaning", "question_words", "answer_words", "looks")},
                intercept=float(facts["intercept"]),
                facts=facts["facts"],
            )
            features = tuple(facts["features"])
        except (KeyError, ValueError, TypeError, SafetensorError) as error:
            raise BundleError(f"The pair router cannot be read ({error!r}). Register the bundle anew.") from error
        weights, looks = router.weights, router.looks
        if (
            features != TABLE
            or len(looks.center) != len(TABLE)
            or len(weights["question_words"]) != len(router.question_words)
            or len(weights["answer_words"]) != len(router.answer_words)
            or len(weights["looks"]) != len(looks.center) + len(looks.phases)
            or len(weights["meaning"]) % 3
        ):
            raise BundleError(
                f"The pair router was fitted on {len(features)} features; this version computes {len(TABLE)}, or "
                "its weights and terms differ in number. Fit it anew with this version."
            )
        return router


def pair_vectors(encoder: Encoder, texts: Sequence[str]) -> Float32[np.ndarray, "n 2d+9"]:
    """Of each pair text the question's vector, the answer's, and the cosines named in `CLOSENESS`.

    An answer that names no option, or a question without options, has cosines of 0 where an option is spoken of.
    """
    pairs = [parted(text) for text in texts]
    found = [conclusion_of(*pair) for pair in pairs]
    options = [[*one.options.values()] for one in found]
    # Apart, since texts that are encoded at once are padded to the longest: an answer is ten times an option.
    questions, answers = (encoder.encode([pair[j] for pair in pairs]) for j in (0, 1))
    every = [text for own in options for text in own]
    encoded = encoder.encode(every) if every else questions[:0]
    closeness = np.zeros((len(pairs), len(CLOSENESS)), dtype=np.float32)
    at = 0
    for i, one in enumerate(found):
        own, at = encoded[at : at + len(options[i])], at + len(options[i])
        is_chosen = np.array([letter == one.chosen for letter in one.options], dtype=bool)
        closeness[i] = _closeness(questions[i], answers[i], own, is_chosen)
    return np.hstack([questions, answers, closeness])


def _closeness(
    question: Float32[np.ndarray, " d"],
    answer: Float32[np.ndarray, " d"],
    options: Float32[np.ndarray, "o d"],
    is_chosen: Bool[np.ndarray, " o"],
) -> list[float]:
    cosines = np.stack([options @ question, options @ answer], axis=1) if len(options) else np.zeros((0, 2))
    chosen = cosines[is_chosen][0] if is_chosen.any() else np.zeros(2)
    others = cosines[~is_chosen] if (~is_chosen).any() else np.zeros((1, 2))
    closest = others.max(axis=0)
    return [*chosen, *closest, *(chosen - closest), *others.mean(axis=0), float(question @ answer)]


def table_of(pairs: Sequence[tuple[str, str]], vectors: Float32[np.ndarray, "n 2d+9"]) -> Float32[np.ndarray, "n f"]:
    """The features of (question, answer) pairs: how the answer looks, and how close the options lie."""
    return np.hstack([answer_looks(pairs), vectors[:, -len(CLOSENESS) :]])


def blocks_of(
    pairs: Sequence[tuple[str, str]],
    vectors: Float32[np.ndarray, "n 2d+9"],
    table: Float32[np.ndarray, "n f"],
    *,
    words: tuple[Vocabulary, Vocabulary],
    looks: Looks,
) -> dict[str, Any]:
    """The features of the pairs by block, as the linear part is fitted and scored."""
    half = (vectors.shape[1] - len(CLOSENESS)) // 2
    question, answer = vectors[:, :half], vectors[:, half : 2 * half]
    return {
        "meaning": np.hstack([question, answer, question * answer * np.float32(np.sqrt(half))]),
        "question_words": words[0].vectors([asked for asked, _ in pairs]),
        "answer_words": words[1].vectors([said for _, said in pairs]),
        "looks": looks.of_features(table),
    }


def mean_of(lean: Float[np.ndarray, " n"], boosted: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The score from both parts.

    >>> mean_of(np.array([0.0, 3.0]), np.array([0.25, 1.0])).tolist()
    [0.375, 1.0]
    """
    return np.asarray((np.clip((1.0 + lean.astype(np.float64)) / 2.0, 0.0, 1.0) + boosted) / 2.0)


def _named(arrays: Mapping[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
