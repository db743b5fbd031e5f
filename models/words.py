"""The words router: which words and pairs of words a query holds, in one sparse dot product. numpy at serving.

    gap = intercept + sum over known terms of TF-IDF value * weight,    score = (1 + gap) / 2, kept in [0, 1]

Unknown words are harmless: a query of unknown words alone gets the intercept. Files: words.json (terms) and
words.safetensors. Never reads an embedding.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Shaped
from safetensors import SafetensorError
from safetensors.numpy import load, save

from core.errors import BundleError, NotEnoughLabels
from models.block_ridge import at_most, fit_blocks
from models.router import Queries
from models.vocabulary import Vocabulary, fit_vocabulary

TERMS_FILE, WEIGHTS_FILE = "words.json", "words.safetensors"

FEWEST_LABELS = 20


@dataclass(frozen=True)
class WordsRouter:
    """A fitted router for one pair."""

    vocabulary: Vocabulary
    weights: Float32[np.ndarray, " v"]
    intercept: float

    @property
    def family(self) -> str:
        """`words`."""
        return "words"

    @property
    def dimension(self) -> None:
        """None: it reads no vectors."""
        return None

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """Share of wins of the strong answer, one a query; always finite."""
        return self.score_texts(queries.texts)

    def score_texts(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """Share of wins of the strong answer, ties half, one a text; always finite.

        >>> router = WordsRouter(Vocabulary(("ratio",), np.ones(1, np.float32)), np.array([0.5], np.float32), 0.25)
        >>> router.score_texts(["ratio?", "never seen"]).tolist()
        [0.875, 0.625]
        """
        gap = np.array([self._gap(text) for text in texts], dtype=np.float64)
        return np.asarray(np.clip((1.0 + gap) / 2.0, 0.0, 1.0))

    def _gap(self, text: str) -> float:
        return self.intercept + sum(
            value * float(self.weights[column]) for column, value in self.vocabulary.vector(text).items()
        )

    def to_files(self) -> dict[str, bytes]:
        """The router as JSON and safetensors; `from_files` gives it back bit for bit."""
        text = json.dumps({"terms": self.vocabulary.terms, "intercept": self.intercept}, ensure_ascii=False)
        return {
            TERMS_FILE: text.encode("utf-8", errors="surrogatepass"),
            WEIGHTS_FILE: save({"idf": self.vocabulary.idf, "weights": self.weights}),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "WordsRouter":
        """The router that `to_files` wrote.

        Raises:
            BundleError: a file is missing or malformed, or terms and weights differ in number.
        """
        try:
            facts = json.loads(files[TERMS_FILE].decode("utf-8", errors="surrogatepass"))
            arrays = load(files[WEIGHTS_FILE])
            vocabulary = Vocabulary(tuple(facts["terms"]), arrays["idf"])
            router = cls(vocabulary, arrays["weights"], float(facts["intercept"]))
        except (KeyError, ValueError, TypeError, SafetensorError) as error:
            raise BundleError(f"The words router cannot be read ({error!r}). Register the bundle anew.") from error
        if not len(vocabulary) == len(vocabulary.idf) == len(router.weights):
            raise BundleError(
                f"The words router has {len(vocabulary)} terms and {len(router.weights)} weights. "
                "Register the bundle anew."
            )
        return router


def fit_words(
    texts: Sequence[str],
    gap: Float[np.ndarray, " n"],
    *,
    groups: Shaped[np.ndarray, " n"] | None = None,
    weights: Float[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> tuple[WordsRouter, Float[np.ndarray, " n"]]:
    """The words router, and its score of each row by the fit without the row's group; NaN for rows not used.

    Args:
        texts: the queries.
        gap: quality of the strong answer minus that of the weak one, in [-1, 1].
        groups: rows of one group are held out together; None: each row alone.
        weights: how much each row counts, > 0; None: all alike.
        seed: draws the rows that decide the strength of the penalty.

    Raises:
        NotEnoughLabels: fewer than `FEWEST_LABELS` rows, or the models never differ.
        DataError: no word occurs in two texts.
    """
    if len(gap) < FEWEST_LABELS or np.ptp(gap) == 0:
        raise NotEnoughLabels(
            f"The words router has {len(gap)} labels with {len(np.unique(gap))} different gaps; it needs at least "
            f"{FEWEST_LABELS} labels and two different gaps. Label more queries."
        )
    groups = np.arange(len(gap)) if groups is None else np.asarray(groups)
    weights = np.ones(len(gap)) if weights is None else np.asarray(weights, dtype=np.float64)
    used = at_most(groups, seed=seed)
    chosen = [texts[i] for i in np.flatnonzero(used).tolist()]
    vocabulary = fit_vocabulary(chosen)
    fit = fit_blocks(
        {"words": vocabulary.vectors(chosen)},
        np.asarray(gap, dtype=np.float64)[used, None],
        groups=groups[used],
        row_weights=weights[used],
        seed=seed,
    )
    router = WordsRouter(vocabulary, fit.weights["words"][:, 0].astype(np.float32), float(fit.intercepts[0]))
    held_out = np.full(len(gap), np.nan)
    held_out[used] = np.clip((1.0 + fit.held_out[:, 0]) / 2.0, 0.0, 1.0)
    return router, held_out
