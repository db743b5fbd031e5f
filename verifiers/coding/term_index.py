"""Finds which official terms a piece of text says, and how fully. It decides nothing about any code.

Terms are those of billable codes without their seventh-character extension. Each word weighs the logarithm of its
rarity among the terms; sides weigh at least `SIDE_WEIGHT`, since a claim hangs on them.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from core.collecting import without_collection
from verifiers.coding.code_set import CodeSet, load_code_set
from verifiers.coding.words import GENERIC, Said, said, said_officially

SIDE_WEIGHT = 4.0
RARE_WEIGHT = 10.0
"""What a word weighs that only the codes above have."""
GENERIC_WEIGHT = 1.0
"""What `other` and `unspecified` weigh where the text says them; unsaid they cost nothing."""
UNSAID_NEGATION = 0.2
"""Share of its weight that a negated word costs where the text does not mention the thing at all."""
WORDS_READ = 160
"""Words of one piece that are looked up; a piece is a sentence or a line."""
FREE_WORDS = frozenset({"~complication"})
"""Negations that a note leaves unsaid: they cost nothing."""
IMPLIED_WORDS = frozenset({"acute", "primary", "essential"})
"""Words that notes often leave out where they are meant."""
UNSAID_IMPLIED = 0.15
"""Share of its weight that such a word costs unsaid."""

_SIDES = frozenset({"right", "left", "bilateral"})


class Match(NamedTuple):
    """How far a piece of text says a term: what it says weighs `said`, what it leaves out `unsaid`."""

    words: frozenset[str]
    said: float
    unsaid: float

    @property
    def score(self) -> float:
        """What the text says of the term, less what the term adds to the text."""
        return self.said - self.unsaid

    @property
    def cover(self) -> float:
        """Share of the term that the text says."""
        return self.said / (self.said + self.unsaid) if self.said else 0.0


@dataclass(frozen=True)
class TermIndex:
    """Terms by their words. `stem_of[t]` is the code of term t; `postings` lists the terms that hold a word.

    `above` holds the terms of the codes that a code refines, the nearest first: they speak for it, never against.
    """

    terms: tuple[Said, ...]
    stem_of: tuple[str, ...]
    terms_of: Mapping[str, tuple[int, ...]]
    above: Mapping[str, tuple[tuple[str, Said], ...]]
    family_words: Mapping[str, frozenset[str]]
    weights: Mapping[str, float]
    postings: Mapping[str, Int[np.ndarray, " terms_with_word"]]
    burdens: Float[np.ndarray, " terms"]

    def match(self, term: int, words: frozenset[str], *, elsewhere: frozenset[str] = frozenset()) -> Match:
        """How far the words say the term; words said `elsewhere` in the text are not missed."""
        return self.match_said(self.terms[term], words, elsewhere=elsewhere)

    def match_said(self, term: Said, words: frozenset[str], *, elsewhere: frozenset[str] = frozenset()) -> Match:
        """The same of a term that is not numbered."""
        needed, optional = term
        held = (needed | optional) & words
        weigh = self.weights
        unsaid = sum(self._cost(word, words) for word in needed - words - elsewhere)
        return Match(held, sum(weigh.get(word, RARE_WEIGHT) for word in held), unsaid)

    def best(self, stem: str, words: frozenset[str], *, elsewhere: frozenset[str] = frozenset()) -> Match:
        """The best match among the terms of one code."""
        matches = [self.match(term, words, elsewhere=elsewhere) for term in self.terms_of.get(stem, ())]
        return max(matches, key=lambda match: match.score, default=Match(frozenset(), 0.0, 0.0))

    def weight(self, words: Iterable[str]) -> float:
        """What the words weigh together; a word that no term holds weighs nothing."""
        return sum(self.weights.get(word, 0.0) for word in words)

    def nearest(self, words: frozenset[str], *, n: int, least: float = -math.inf) -> list[int]:
        """The n terms of the highest scores, best first, of those that may score `least` or more.

        They are ranked by a bound that no score exceeds: what is negated, implied or in brackets counts in full.
        """
        known = sorted((word for word in words if word in self.postings), key=lambda word: -self.weights[word])
        if not known:
            return []
        lists = [self.postings[word] for word in known[:WORDS_READ]]
        gains = np.repeat(
            [self.weights[word] + (0.0 if word in GENERIC else self.weights[word]) for word in known[:WORDS_READ]],
            [len(listed) for listed in lists],
        )
        scores = np.bincount(np.concatenate(lists), weights=gains, minlength=len(self.burdens)) - self.burdens
        top = np.flatnonzero(scores >= least)
        if len(top) > n:
            top = top[np.argpartition(-scores[top], n - 1)[:n]]
        return [int(term) for term in top[np.argsort(-scores[top], kind="stable")]]

    def _cost(self, word: str, words: frozenset[str]) -> float:
        if word in GENERIC:
            return 0.0
        if word[0] == "~" and word[1:] not in words:
            return 0.0 if word in FREE_WORDS else UNSAID_NEGATION * self.weights.get(word, RARE_WEIGHT)
        if word in IMPLIED_WORDS:
            return UNSAID_IMPLIED * self.weights[word]
        return self.weights.get(word, RARE_WEIGHT) * (1.5 if word[0] == "~" or f"~{word}" in words else 1.0)


@cache
def load_term_index() -> TermIndex:
    """The index of the bundled code set, built once a process in about two seconds.

    Raises:
        MissingExtra: simple-icd-10-cm is not installed.
    """
    codes = load_code_set()
    with without_collection():
        return build_term_index(codes)


def build_term_index(codes: CodeSet) -> TermIndex:
    """The index of every term of every billable code."""
    stems = sorted({codes.stems.get(code, code) for code in codes.billable})
    said_of = cache(said_officially)  # a term is read as its own code's, and as that of every code below
    terms: list[Said] = []
    stem_of: list[str] = []
    terms_of: dict[str, tuple[int, ...]] = {}
    for stem in stems:
        texts = (codes.descriptions[stem], *codes.terms.get(stem, ()))
        kept = dict.fromkeys(term for text in texts if (term := said_of(text)).words)
        terms_of[stem] = tuple(range(len(terms), len(terms) + len(kept)))
        terms += kept
        stem_of += [stem] * len(kept)
    holding: dict[str, list[int]] = {}
    for number, term in enumerate(terms):
        for word in term.words | term.optional:
            holding.setdefault(word, []).append(number)
    weights = {word: _weight(word, len(listed), len(terms)) for word, listed in holding.items()}
    burdens = [sum(_burden(word, weights) for word in term.words) for term in terms]
    return TermIndex(
        terms=tuple(terms),
        stem_of=tuple(stem_of),
        terms_of=terms_of,
        above=_terms_above(codes, stems, said_of),
        family_words=_family_words(codes, stems, said_of),
        weights=weights,
        postings={word: np.asarray(listed, dtype=np.int64) for word, listed in holding.items()},
        burdens=np.asarray(burdens),
    )


@lru_cache(maxsize=4096)
def words_of(text: str) -> frozenset[str]:
    """The words that a piece of a note says, brackets included."""
    plain = said(text)
    return plain.words | plain.optional


def _weight(word: str, n_with_word: int, n_terms: int) -> float:
    if word in GENERIC:
        return GENERIC_WEIGHT
    rarity = math.log(n_terms / n_with_word) + 1.0
    return max(rarity, SIDE_WEIGHT) if word in _SIDES else rarity


def _burden(word: str, weights: Mapping[str, float]) -> float:
    """What the word is taken to cost unsaid, before the text is looked at."""
    if word in GENERIC or word in FREE_WORDS:
        return 0.0
    share = UNSAID_IMPLIED if word in IMPLIED_WORDS else UNSAID_NEGATION if word[0] == "~" else 1.0
    return weights[word] * share


def _terms_above(
    codes: CodeSet, stems: Iterable[str], said_of: Callable[[str], Said]
) -> dict[str, tuple[tuple[str, Said], ...]]:
    read: dict[str, tuple[tuple[str, Said], ...]] = {}

    def terms(code: str) -> tuple[tuple[str, Said], ...]:
        if code not in read:
            texts = (codes.descriptions[code], *codes.terms.get(code, ()))
            read[code] = tuple((code, term) for text in texts if (term := said_of(text)).words)
        return read[code]

    return {
        stem: tuple(
            term for n in range(len(stem) - 1, 2, -1) if stem[:n] in codes.descriptions for term in terms(stem[:n])
        )
        for stem in stems
    }


def _family_words(codes: CodeSet, stems: Iterable[str], said_of: Callable[[str], Said]) -> dict[str, frozenset[str]]:
    """The words of everything that the list says of a code and of the codes that it refines."""
    found: dict[str, frozenset[str]] = {}

    def words(code: str) -> frozenset[str]:
        if code not in found:
            own = [said_of(text) for text in (codes.descriptions[code], *codes.terms.get(code, ()))]
            shorter = next((code[:n] for n in range(len(code) - 1, 2, -1) if code[:n] in codes.descriptions), None)
            above = words(shorter) if shorter else frozenset()
            found[code] = above.union(*(term.words | term.optional for term in own))
        return found[code]

    return {stem: words(stem) for stem in stems}
