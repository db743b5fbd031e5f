"""Cuts a note into the pieces in which a diagnosis stands: lines, sentences, labelled parts. Reads a bounded length."""

import re

CHARACTERS_READ = 20_000
PIECES_READ = 120

_CUT = re.compile(r"[\n\r;:|\u2022]+|(?<=[A-Za-z0-9)\]])[.?!]+(?=\s|$)|\s[-\u2013\u2014]+\s|\t+")
_DENIED = re.compile(
    r"\s*(?:[-*\d.)]+\s*)?(?:no\b(?! healing)|denie[sd]\b|den(?:y|ying)\b|negative for|ruled out|rule out|r/o\b"
    r"|without\b"
    r"|not (?:consistent|suggestive|to be)|it is not\b|family history|allergies|rather than|instead of|unlike)",
    re.IGNORECASE,
)
_OFFERED = re.compile(
    r"\b(?:candidates?|candidate codes|choose (?:one )?(?:from|of|among)|options|possible codes|example)\b[^\n]*?:",
    re.I,
)
_CODE = re.compile(r"(?<![\w.])[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?(?!\w)")


def pieces_of(text: str) -> tuple[str, ...]:
    """The pieces that state something, in order; what a note denies and the codes that a query offers are left out.

    >>> pieces_of("Denies chest pain. Assessment: acute appendicitis; asthma")
    ('Assessment', 'acute appendicitis', 'asthma')
    """
    kept = (piece.strip(" \t*_#>,-") for piece in _CUT.split(without_offers(text[:CHARACTERS_READ])))
    return tuple(piece for piece in kept if piece and not _DENIED.match(piece))[:PIECES_READ]


def without_offers(text: str) -> str:
    """The text without the list of codes that follows a heading such as `Candidate codes:`.

    >>> without_offers("Fear of women. Candidate codes: F40.290 Androphobia")
    'Fear of women. '
    """
    heading = _OFFERED.search(text)
    if heading is None or _CODE.search(text, heading.end()) is None:
        return text
    rest = text[heading.end() :].split("\n")
    after = max((number for number, line in enumerate(rest) if _CODE.search(line)), default=-1)
    return text[: heading.start()] + "\n".join(rest[after + 1 :])
