"""Whether a text speaks for a code, or plainly for another one. The comparison behind `icd10cm.description`.

The text's words are laid beside the official terms of the code and of every other code. A code is contradicted when
another term says all that the code's says of the text and more, or claims less that the text does not say.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from verifiers.coding.aspects import Aspects, aspects_of
from verifiers.coding.term_index import Match, TermIndex, words_of

SUPPORTED = 0.8
"""Share of a term that a piece must say for the code to count as stated there."""
WHOLLY = 0.95
"""Share of a rival term that the piece must say."""
MARGIN = 0.9
"""By how much a rival must say more; what a word weighs is in `term_index`."""
UNRELATED = 0.2
"""A text that says less than this share of a code's terms, and of those above it, is about something else."""
NEAR = 2.0
"""A piece that scores this close to the best one speaks of the code as well."""
RIVALS = 32
PIECES_COMPARED = 6


class Contradiction(NamedTuple):
    """Why the text does not speak for the code: a reason, and the rival code (without dot) where there is one."""

    reason: str
    rival: str | None


def contradiction(
    index: TermIndex, stem: str, pieces: Sequence[str], *, claimed: Collection[str]
) -> Contradiction | None:
    """What in the pieces contradicts the code; None where nothing does or they say nothing that the list knows.

    `stem` is a billable code without its seventh-character extension; `claimed` are all stems of the answer, which
    are no rivals of each other.
    """
    said = [words for piece in pieces if index.weight(words := words_of(piece)) > 0]
    if not said or stem not in index.terms_of:
        return None
    everywhere = frozenset().union(*said)
    matches = [(index.best(stem, words, elsewhere=everywhere), words) for words in said]
    own, where = max(matches, key=lambda pair: (pair[0].score, pair[0].cover))
    if own.cover >= SUPPORTED:
        rival = _rival(index, own, where, barred=claimed, demand=MARGIN)
        return Contradiction("another_code_fits_better", rival) if rival else None
    family = index.family_words[stem]
    matches.sort(key=lambda pair: -index.weight(family & pair[1]))
    for match, words in matches[:PIECES_COMPARED]:
        rival = _rival(index, match, words, barred=claimed, demand=MARGIN)
        if rival:
            return Contradiction("another_code_fits_better", rival)
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


def _rival(
    index: TermIndex, own: Match, words: frozenset[str], *, barred: Collection[str], demand: float
) -> str | None:
    """The code that the words plainly say instead, if there is one."""
    total = index.weight(words)
    for term in index.nearest(words, n=RIVALS):
        stem = index.stem_of[term]
        match = index.match(term, words)
        if stem in barred or match.score < own.score + demand or match.cover < WHOLLY:
            continue
        if own.words <= match.words or (own.cover < SUPPORTED and match.said >= 0.5 * total):
            return stem
    return None
