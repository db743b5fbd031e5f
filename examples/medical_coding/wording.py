"""How alike two pieces of coding language are, by their words and letters alone."""

import math
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from examples.medical_coding.code_set import normalised

_EMPTY_WORDS = frozenset(
    "and by classified due elsewhere for in not of or other specified the to unspecified with without".split()  # noqa: SIM905
)

_CHOICES = (
    ("mild", "moderate", "severe", "profound"),
    ("right", "left", "bilateral"),
    ("initial", "subsequent", "sequela"),
    ("closed", "open"),
    ("routine", "delayed", "nonunion", "malunion"),
    ("with", "without"),
    ("acute", "chronic"),
    ("abuse", "dependence"),
    ("upper", "lower"),
    ("anterior", "posterior"),
    ("male", "female"),
)
"""Words of which a diagnosis means one and not another."""


class RareWords:
    """Cosine similarity of word counts, rare words of the code set weighing more (TF-IDF)."""

    def __init__(self, texts: Iterable[str]) -> None:
        documents = [set(normalised(text).split()) for text in texts]
        seen = Counter(word for document in documents for word in document)
        self._weights = {word: math.log(len(documents) / count) + 1.0 for word, count in seen.items()}
        self._unseen = math.log(max(1, len(documents))) + 1.0

    def similarity(self, a: str, b: str) -> float:
        """1.0 for the same words, 0.0 for none in common.

        >>> RareWords(["acute otitis", "acute sinusitis"]).similarity("otitis, acute", "acute otitis")
        1.0
        """
        one, other = self._vector(a), self._vector(b)
        return min(1.0, sum(weight * other.get(word, 0.0) for word, weight in one.items()))

    def shared(self, a: str, b: str) -> tuple[str, ...]:
        """The telling words that both hold, in the order of `a`."""
        words = set(normalised(b).split()) - _EMPTY_WORDS
        return tuple(dict.fromkeys(word for word in normalised(a).split() if word in words))

    def _vector(self, text: str) -> dict[str, float]:
        counts = Counter(normalised(text).split())
        raw = {word: (1 + math.log(n)) * self._weights.get(word, self._unseen) for word, n in counts.items()}
        length = math.sqrt(sum(weight**2 for weight in raw.values())) or 1.0
        return {word: weight / length for word, weight in raw.items()}


def letters_in_common(a: str, b: str) -> float:
    """Share of letter triples that two texts have in common (Dice), so that inflections still match.

    >>> letters_in_common("fractures", "fracture") > letters_in_common("fractures", "rupture")
    True
    """
    one, other = _triples(a), _triples(b)
    return 2 * len(one & other) / max(1, len(one) + len(other))


def share_not_said(description: str, diagnosis: str) -> float:
    """Share of the description's telling words that the diagnosis does not say: how much it would add.

    >>> share_not_said("Cannabis abuse, in remission", "Cannabis abuse")
    0.5
    """
    said = _stems(diagnosis)
    telling = [word for word in normalised(description).split() if word not in _EMPTY_WORDS]
    return sum(word[:5] not in said for word in telling) / max(1, len(telling))


def share_covered(diagnosis: str, entries: Iterable[str]) -> float:
    """Share of the diagnosis's telling words that some entry says.

    >>> share_covered("Fear of women", ["Gynephobia", "Fear of men"])
    0.5
    """
    said = frozenset().union(*(_stems(entry) for entry in entries))
    telling = [word for word in normalised(diagnosis).split() if word not in _EMPTY_WORDS]
    return sum(word[:5] in said for word in telling) / max(1, len(telling))


def contradictions(a: str, b: str) -> int:
    """How many choices the two texts make differently: one says right, the other left.

    >>> contradictions("Acute pain, left knee", "Chronic pain, right knee")
    2
    """
    one, other = set(normalised(a).split()), set(normalised(b).split())
    count = 0
    for choice in _CHOICES:
        chosen, others = one.intersection(choice), other.intersection(choice)
        count += bool(chosen and others and not chosen & others)
    return count


@lru_cache(maxsize=100_000)
def _triples(text: str) -> frozenset[str]:
    words = [f" {word} " for word in normalised(text).split()]
    return frozenset(word[i : i + 3] for word in words for i in range(len(word) - 2))


@lru_cache(maxsize=100_000)
def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:5] for word in normalised(text).split())
