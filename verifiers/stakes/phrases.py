"""Words and phrases of a text, found without a regular expression: in time that grows with the text alone."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[^\W_]+\*?")


class Words:
    """The words of a text in order, without regard to case, punctuation or the blanks between them."""

    def __init__(self, text: str) -> None:
        self.words = tuple(_WORD.findall(text.casefold()))
        self._places: dict[str, list[int]] = {}
        for place, word in enumerate(self.words):
            self._places.setdefault(word, []).append(place)
        self._vocabulary = sorted(self._places)

    def has_any(self, phrases: Sequence[str]) -> bool:
        """Whether one of the phrases stands in the text; a word that ends in `*` stands for all that begin so.

        >>> text = Words("They denied the prior-authorization request.")
        >>> text.has_any(["prior authorization"]), text.has_any(["deny", "authoriz"]), text.has_any(["authoriz*"])
        (True, False, True)
        """
        return any(True for phrase in phrases for _ in self._places_of(phrase))

    def has_near(self, phrases: Sequence[str], others: Sequence[str], *, within: int) -> bool:
        """Whether one of the phrases and one of the others stand at most so many words apart, in any order.

        >>> Words("The answer is due on Friday").has_near(["due"], ["answer", "motion"], within=3)
        True
        """
        here = sorted(place for phrase in phrases for place in self._places_of(phrase))
        there = sorted(place for phrase in others for place in self._places_of(phrase))
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

    def _places_of(self, phrase: str) -> Iterator[int]:
        first, *rest = parts_of(phrase)
        for place in (place for word in self._matching(first) for place in self._places[word]):
            if all(self._is_at(part, place + step) for step, part in enumerate(rest, start=1)):
                yield place

    def _is_at(self, part: str, place: int) -> bool:
        if place >= len(self.words):
            return False
        word = self.words[place]
        return word.startswith(part.rstrip("*")) if part.endswith("*") else bool(word == part)

    def _matching(self, part: str) -> Iterator[str]:
        if not part.endswith("*"):
            if part in self._places:
                yield part
            return
        start = part[:-1]
        for word in self._vocabulary[bisect_left(self._vocabulary, start) :]:
            if not word.startswith(start):
                return
            yield word


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
    if any(part.endswith("*") and len(part) < 4 for part in parts):
        raise ValueError(f"the phrase '{phrase}' has a * after less than three letters; write more of the word")
    return parts
