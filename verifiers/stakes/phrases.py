"""Words and phrases of a text, found without a regular expression: in time that grows with the text alone."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[^\W_]+\*?")

_START_LETTERS = 3
"""Letters that stand before every `*`, at least."""


class Words:
    """The words of a text in order, without regard to case, punctuation or the blanks between them."""

    def __init__(self, text: str) -> None:
        self.words = tuple(_WORD.findall(text.casefold()))
        self._places: dict[str, list[int]] = {}
        for place, word in enumerate(self.words):
            self._places.setdefault(word, []).append(place)

    def has_any(self, phrases: Sequence[str]) -> bool:
        """Whether one of the phrases stands in the text; a word that ends in `*` stands for all that begin so.

        >>> text = Words("They denied the prior-authorization request.")
        >>> text.has_any(["prior authorization"]), text.has_any(["deny", "authoriz"]), text.has_any(["authoriz*"])
        (True, False, True)
        """
        return any(True for _ in self._places_of(phrases))

    def has_near(self, phrases: Sequence[str], others: Sequence[str], *, within: int) -> bool:
        """Whether one of the phrases and one of the others stand at most so many words apart, in any order.

        >>> Words("The answer is due on Friday").has_near(["due"], ["answer", "motion"], within=3)
        True
        """
        here, there = sorted(self._places_of(phrases)), sorted(self._places_of(others))
        for place in here:
            first = bisect_left(there, place - within)
            if first < len(there) and there[first] <= place + within:
                return True
        return False

    def count(self, words: frozenset[str]) -> int:
        """How many words of the text are among these.

        >>> Words("the cat and the dog").count(frozenset({"the", "and"}))
        3
        """
        return sum(len(self._places.get(word, ())) for word in words)

    def _places_of(self, phrases: Sequence[str]) -> Iterator[int]:
        """Where the phrases begin; each word of the text is looked up once, however many phrases there are."""
        index = _index_of(tuple(phrases))
        for word, places in self._places.items():
            rests = index.by_word.get(word, ())
            begun = index.by_start.get(word[:_START_LETTERS], ())
            for rest in (*rests, *(rest for start, rest in begun if word.startswith(start))):
                for place in places:
                    if all(self._is_at(part, place + step) for step, part in enumerate(rest, start=1)):
                        yield place

    def _is_at(self, part: str, place: int) -> bool:
        if place >= len(self.words):
            return False
        word = self.words[place]
        return word.startswith(part.rstrip("*")) if part.endswith("*") else bool(word == part)


@lru_cache(maxsize=8192)
def parts_of(phrase: str) -> tuple[str, ...]:
    """The words of a phrase as `Words` compares them.

    Raises:
        ValueError: it has none, or a `*` after less than three letters.

    >>> parts_of("10-K fil*")
    ('10', 'k', 'fil*')
    """
    parts = tuple(_PART.findall(phrase.casefold()))
    if not parts:
        raise ValueError(f"the phrase '{phrase}' has no word; write at least one")
    if any(part.endswith("*") and len(part) <= _START_LETTERS for part in parts):
        raise ValueError(f"the phrase '{phrase}' has a * after less than three letters; write more of the word")
    return parts


class _Index(NamedTuple):
    """Phrases by the word with which they begin, or by its first letters where it ends in `*`; with their other words.

    Values of `by_start` hold the letters before the `*` too.
    """

    by_word: dict[str, list[tuple[str, ...]]]
    by_start: dict[str, list[tuple[str, tuple[str, ...]]]]


@lru_cache(maxsize=4096)
def _index_of(phrases: tuple[str, ...]) -> _Index:
    index = _Index({}, {})
    for phrase in phrases:
        first, *rest = parts_of(phrase)
        if first.endswith("*"):
            start = first[:-1]
            index.by_start.setdefault(start[:_START_LETTERS], []).append((start, tuple(rest)))
        else:
            index.by_word.setdefault(first, []).append(tuple(rest))
    return index
