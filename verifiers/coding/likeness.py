"""Whether a text speaks for a code, or plainly for another one. The comparison behind `icd10cm.description`.

The text's words are laid beside the official terms of the code and of every other code. A code is contradicted when
another term says all that the code's says of the text and more, or claims less that the text does not say.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from verifiers.coding.aspects import Aspects, aspects_of
from verifiers.coding.term_index import Match, TermIndex, words_of
from verifiers.coding.words import GENERIC

SUPPORTED = 0.8
"""Share of a term that a piece must say for the code to count as stated there."""
WHOLLY = 0.95
"""Share of a rival term that the piece must say."""
MARGIN = 0.9
"""By how much a rival must say more; what a word weighs is in `term_index`."""
PARTLY = 0.6
WIDE_MARGIN = 8.0
"""By how much a rival must say more of which the piece says a part."""
ALIKE = 0.6
"""Share of what the code says of the piece that a rival must say too, so that both are about the same condition."""
NEAR = 2.0
"""A piece that scores this close to the best one speaks of the code as well."""
LIKE_LETTERS = 5
"""First letters in which a word of the text and one of the list agree where they may be of one root."""
ENOUGH_SAID = 12.0
"""What the words of a text must weigh, about two of a condition's, before it is about something else."""
_TELLS_NOTHING = GENERIC | frozenset(
    re.findall(
        r"\w+",
        """right left bilateral type disease disorder medical note clinical please provide give following below question
        answer bill billing claim review correct best single list return only chart documentation document documented
        record recorded summary report reported today new care health condition clinic seen history home plan stable
        what when year old male female man woman day week month presenting present stated state follow up""",
    )
)
RIVALS = 32
PIECES_COMPARED = 6


class Contradiction(NamedTuple):
    """Why the text does not speak for the code: a reason, and the rival code (without dot) where there is one."""

    reason: str
    rival: str | None


def contradiction(
    index: TermIndex, stem: str, pieces: Sequence[str], *, claimed: Collection[str], is_stated: bool = False
) -> Contradiction | None:
    """What in the pieces contradicts the code; None where nothing does or they say nothing that the list knows.

    `stem` is a billable code without its seventh-character extension; `claimed` are all stems of the answer, which
    are no rivals of each other. What an answer states beside a code may be a remark that names no condition: with
    `is_stated` it contradicts only by a rival.
    """
    said = [words for piece in pieces if index.weight(words := words_of(piece)) > 0]
    if not said or stem not in index.terms_of:
        return None
    everywhere = frozenset().union(*said)
    matches = [(index.best(stem, words, elsewhere=everywhere), words) for words in said]
    own, where = max(matches, key=lambda pair: (pair[0].score, pair[0].cover))
    others = frozenset(claimed) - {stem}
    rivals = _Rivals(index, frozenset(claimed), frozenset(other[:3] for other in others) - {stem[:3]}, others)
    if own.cover >= SUPPORTED:
        return _by(rivals.fitting_better(own, own, "", where))
    family = index.family_words[stem]
    if not is_stated and _is_of_something_else(index, family, everywhere):
        return Contradiction("text_speaks_of_something_else", None)
    matches.sort(key=lambda pair: -index.weight(family & pair[1]))
    for match, words in matches[:PIECES_COMPARED]:
        kin, spoken = _above(index, stem, words)
        rival = rivals.fitting_better(match, spoken or match, kin, words)
        if rival:
            return _by(rival)
    return None


def speaking_for(index: TermIndex, stem: str, pieces: Sequence[str], *, aspect: str) -> tuple[Aspects, ...]:
    """What the text says of an aspect where it speaks of the code: the best piece, else the whole text.

    A piece that states the code and the aspect decides alone, so that another injury's side is not taken for its.
    Empty where the text does not speak of the aspect.
    """
    own = [(index.best(stem, words_of(piece)), piece) for piece in pieces]
    told = [(match, piece) for match, piece in own if aspect in aspects_of(piece)]
    if not told:
        return ()
    best = max(match.score for match, _ in own)
    near = [piece for match, piece in told if match.words and match.score >= best - NEAR] or [
        piece for _, piece in told
    ]
    said = [aspects_of(piece) for piece in near]
    if aspect == "side" and any(len(each[aspect]) > 1 for each in said):
        said = [_side_of(index, stem, piece) for piece in near]
    return (_joined(said, aspect),)


def _side_of(index: TermIndex, stem: str, piece: str) -> Aspects:
    """The side in the clause that says most of the code otherwise: of `left knee pain, right hip replaced`, one."""
    clauses = [clause for clause in re.split(r",|\band\b|\bwith\b", piece) if "side" in aspects_of(clause)]
    if len(clauses) < 2:
        return aspects_of(piece)
    sides = frozenset({"right", "left", "bilateral"})
    said = [index.weight(index.best(stem, words_of(clause)).words - sides) for clause in clauses]
    if max(said) == 0:
        return aspects_of(piece)
    chosen = [clause for clause, weight in zip(clauses, said, strict=True) if weight == max(said)]
    return _joined([aspects_of(clause) for clause in chosen], "side")


def _joined(said: Sequence[Aspects], aspect: str) -> Aspects:
    return {aspect: frozenset().union(*(each[aspect] for each in said))}


def _by(rival: str | None) -> Contradiction | None:
    return None if rival is None else Contradiction("another_code_fits_better", rival)


def _above(index: TermIndex, stem: str, words: frozenset[str]) -> tuple[str, Match | None]:
    """The code above and its term that the words say wholly, if there is one; of several the fullest."""
    matches = [(code, index.match_said(term, words)) for code, term in index.above[stem]]
    whole = [(code, match) for code, match in matches if match.cover >= WHOLLY]
    return max(whole, key=lambda pair: pair[1].score, default=("", None))


def _is_of_something_else(index: TermIndex, family: frozenset[str], said: frozenset[str]) -> bool:
    """Whether the text says enough of some condition, and no word of it begins like one of the list around the code."""
    telling = said - _TELLS_NOTHING
    if index.weight(telling) < ENOUGH_SAID:
        return False
    around = {word.lstrip("~")[:LIKE_LETTERS] for word in family - _TELLS_NOTHING}
    return not any(word.lstrip("~")[:LIKE_LETTERS] in around for word in telling)


class _Rivals(NamedTuple):
    """The codes that may fit better than a stem; those claimed beside it, and their like, may not."""

    terms: TermIndex
    barred: frozenset[str]
    barred_categories: frozenset[str]
    others: frozenset[str]

    def fitting_better(self, own: Match, with_kin: Match, kin: str, words: frozenset[str]) -> str | None:
        """The code that the words plainly say instead, if there is one.

        `with_kin` is what the words say of the code above, `kin`: outside of its codes a rival must beat that.
        """
        total = self.terms.weight(words)
        explained = self._explained(words)
        for term in self.terms.nearest(words, n=RIVALS, least=own.score + MARGIN):
            stem = self.terms.stem_of[term]
            if stem in self.barred or stem[:3] in self.barred_categories:
                continue
            match = self.terms.match(term, words)
            held = own if kin and stem.startswith(kin) else max(own, with_kin, key=lambda match: match.score)
            more = match.words - held.words - GENERIC
            if match.words - GENERIC <= explained or (more and more <= explained):
                continue
            if self._fits_better(match, held, total):
                return stem
        return None

    def _explained(self, words: frozenset[str]) -> frozenset[str]:
        """What the words say of the other claimed codes that they state: no rival is made of that alone."""
        matches = [self.terms.best(stem, words) for stem in self.others]
        return frozenset().union(*(match.words for match in matches if match.cover >= SUPPORTED))

    def _fits_better(self, match: Match, held: Match, total: float) -> bool:
        gap = match.score - held.score
        if gap < MARGIN:
            return False
        shared = self.terms.weight(held.words & match.words)
        alike = 0 < shared >= ALIKE * self.terms.weight(held.words)
        if match.cover < WHOLLY:
            return match.cover >= PARTLY and alike and gap >= WIDE_MARGIN
        if match.words - GENERIC < held.words - GENERIC:
            return False
        return alike or (held.cover < SUPPORTED and match.said >= 0.5 * total)
