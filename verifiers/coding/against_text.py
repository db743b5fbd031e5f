"""Lays each code of an answer beside the texts that speak for it: what the answer says it is, and what the query says.

It reads; the checks of description, side and seventh character judge.
"""

from collections.abc import Iterator
from typing import NamedTuple

from verifiers.case import Case
from verifiers.coding.claim import Claim, ClaimedCode, read_claim
from verifiers.coding.code_set import CodeSet, is_dotted_rightly, undotted
from verifiers.coding.pieces import pieces_of


class Reading(NamedTuple):
    """A billable code of the answer, and the pieces of one text that may speak for it."""

    each: ClaimedCode
    code: str
    stem: str
    pieces: tuple[str, ...]
    is_stated: bool
    """Whether the text is the answer's own, beside the code."""


def readings_of(case: Case, codes: CodeSet) -> tuple[Claim, tuple[Reading, ...]]:
    """The claim, and one reading for each text that there is beside each billable code."""
    claim = read_claim(case.answer)
    asked = tuple(piece for message in _asked(case) for piece in pieces_of(message))
    return claim, tuple(_readings(claim, asked, codes))


def _asked(case: Case) -> tuple[str, ...]:
    """What the client wrote; a system's instructions tell nothing of this patient."""
    texts = tuple(message.content for message in case.query.messages if message.role != "system")
    source = case.facts.get("source")
    return (*texts, source) if isinstance(source, str) else texts


def _readings(claim: Claim, asked: tuple[str, ...], codes: CodeSet) -> Iterator[Reading]:
    for each in claim.codes:
        code = undotted(each.code)
        if not is_dotted_rightly(each.code) or code not in codes.billable:
            continue
        stem = codes.stems.get(code, code)
        for pieces, is_stated in ((pieces_of(each.stated), True), (asked, False)):
            if pieces:
                yield Reading(each, code, stem, pieces, is_stated)
