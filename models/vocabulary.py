"""Words and pairs of neighbouring words as sparse TF-IDF vectors: a fixed vocabulary, numpy and scipy, no pickle.

    value(term, text) = (1 + log count) * (1 + log((1 + n) / (1 + texts with the term))), rows of length 1

This is scikit-learn's TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), kept as data. Terms that were not in the
fitting texts are left out and harm nothing; a text of unknown words alone is the zero vector. Never learns from labels.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from core.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_WORD = re.compile(r"\w\w+")

FEWEST_TEXTS = 2
"""A term of one text alone can say nothing about another, and most terms are such."""


@dataclass(frozen=True)
class Vocabulary:
    """Terms with their inverse document frequency; the column of a term is its place."""

    terms: tuple[str, ...]
    idf: Float32[np.ndarray, " v"]
    _column: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the terms."""
        object.__setattr__(self, "_column", {term: column for column, term in enumerate(self.terms)})

    def __len__(self) -> int:
        return len(self.terms)

    def vectors(self, texts: Sequence[str]) -> "csr_array":
        """One row a text, of length 1, or of length 0 where no term is known; shape (n, terms), float32."""
        from scipy.sparse import csr_array  # routers without words need none of it

        starts, columns, values = [0], list[int](), list[float]()
        for text in texts:
            row = self.vector(text)
            columns += row.keys()
            values += row.values()
            starts.append(len(columns))
        parts = (np.array(values, np.float32), np.array(columns, np.int32), np.array(starts, np.int32))
        return csr_array(parts, shape=(len(texts), len(self.terms)))

    def vector(self, text: str) -> dict[int, float]:
        """Column and value of each known term of one text.

        >>> Vocabulary(("code", "a1 code"), np.array([1.0, 1.0], np.float32)).vector("unknown code")
        {0: 1.0}
        """
        column = self._column
        row = {
            column[term]: (1.0 + math.log(count)) * float(self.idf[column[term]])
            for term, count in Counter(terms_of(text)).items()
            if term in column
        }
        length = math.sqrt(sum(value * value for value in row.values()))
        return {place: value / length for place, value in row.items()}


def terms_of(text: str) -> list[str]:
    """The words of two letters or more, in lower case, then the pairs of neighbours.

    >>> terms_of("A net loss, 2019")
    ['net', 'loss', '2019', 'net loss', 'loss 2019']
    """
    words = _WORD.findall(text.lower())
    return words + [f"{left} {right}" for left, right in pairwise(words)]


def fit_vocabulary(texts: Sequence[str], *, fewest_texts: int = FEWEST_TEXTS) -> Vocabulary:
    """The terms that occur in at least `fewest_texts` of the texts, in alphabetical order.

    Raises:
        DataError: no term does.

    >>> fit_vocabulary(["net loss", "net gain"]).terms
    ('net',)
    """
    n_texts = Counter(term for text in texts for term in set(terms_of(text)))
    terms = tuple(sorted(term for term, count in n_texts.items() if count >= fewest_texts))
    if not terms:
        raise DataError(
            [f"no word occurs in {fewest_texts} of the {len(texts)} texts"],
            "Give more texts, or leave the words router out.",
        )
    counts = np.array([n_texts[term] for term in terms], dtype=np.float64)
    return Vocabulary(terms, (1.0 + np.log((1.0 + len(texts)) / (1.0 + counts))).astype(np.float32))
