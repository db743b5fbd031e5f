r"""Where the sentences of a paragraph end, so that an expert can mark the faulty one.

Pure. Cuts are made between characters and nothing is changed: the pieces joined are the paragraph. A decimal, a code
such as B42.81, an abbreviation or a bracket that is still open ends no sentence.
"""

import re
from collections.abc import Iterator

_ABBREVIATIONS = """
dr mr mrs ms prof st jr sr vs etc approx ca cf e.g i.e al fig eq sec para ch p pp vol ed eds dept pt pts hx
dx tx rx sx wt ht incl excl esp resp inc ltd co corp dated jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k
a.m p.m viz s.a z.b u.a bzw d.h
"""
ABBREVIATIONS = frozenset(re.split(r"\s+", _ABBREVIATIONS.strip()))
"""Words, without their last full stop and in lower case, whose full stop ends no sentence."""

BEFORE_NUMBERS = frozenset({"no", "nos", "art"})
"""Words that are abbreviations only where a number follows."""

LONGEST_WORD = 40
"""Characters before a full stop in which an abbreviation is looked for."""

_END = re.compile(
    r"""
    [.!?\u2026]+ [*_"'\u201d\u2019)\]]* [ \t]* \n \s*   # a full stop at the end of a line
    | [.!?\u2026]+ [*_"'\u201d\u2019)\]]* [ \t]+        # a full stop before a space
    | [ \t]* \n \s*                                    # a line's end, unless the next line goes on in lower case
    | [\u3002\uff01\uff1f]+ \s*                         # full stops that take no space
    """,
    re.VERBOSE,
)
_LAST_WORD = re.compile(r"[\w.]*$")
_NUMBER_ALONE = re.compile(r"\s*[*_]*\(?\d{1,3}$")


def split_sentences(paragraph: str) -> tuple[str, ...]:
    """The sentences of a paragraph, each with the space behind it; joined they are the paragraph.

    >>> split_sentences("Code B42.81 fits. Dr. Lee (see Fig. 2) agrees! It is 3.5 mg.")
    ('Code B42.81 fits. ', 'Dr. Lee (see Fig. 2) agrees! ', 'It is 3.5 mg.')
    >>> split_sentences("**Never. Ever.** Not e.g. today.")
    ('**Never. Ever.** ', 'Not e.g. today.')
    """
    pieces: list[str] = []
    start = 0
    for end in _ends(paragraph):
        piece = paragraph[start:end]
        if piece.strip() and not _is_open(piece, paragraph[end:]):
            pieces.append(piece)
            start = end
    rest = paragraph[start:]
    if rest.strip() or not pieces:
        return (*pieces, rest) if rest else tuple(pieces)
    return (*pieces[:-1], pieces[-1] + rest)


def _ends(paragraph: str) -> Iterator[int]:
    for found in _END.finditer(paragraph):
        if found.end() == len(paragraph):
            continue
        goes_on = paragraph[found.end()].islower()
        if paragraph[found.start()] != "." or found.group().startswith("..") or "\n" in found.group():
            if not (goes_on and found.group().isspace()):
                yield found.end()
            continue
        # Only what is near is read, however long the paragraph: this is done for each of its full stops.
        stop = found.start()
        line_start = paragraph.rfind("\n", 0, stop) + 1
        word = _LAST_WORD.search(paragraph, max(line_start, stop - LONGEST_WORD), stop)
        last = word.group().strip(".").lower() if word else ""
        is_short = last in ABBREVIATIONS or (last in BEFORE_NUMBERS and paragraph[found.end()].isdigit())
        is_initial = len(last) == 1 and last.isalpha()
        is_number = _NUMBER_ALONE.match(paragraph, line_start, stop) is not None
        if not is_short and not is_initial and not is_number and not goes_on:
            yield found.end()


def _is_open(piece: str, rest: str) -> bool:
    """Whether the piece opens a bracket, a code or a stress that a later piece closes."""
    pairs = (("(", ")"), ("[", "]"))
    if any(piece.count(opens) > piece.count(closes) and closes in rest for opens, closes in pairs):
        return True
    return any(piece.count(sign) % 2 == 1 and sign in rest for sign in ("`", "**", "~~")) or (
        piece.replace("**", "").count("*") % 2 == 1 and "*" in rest.replace("**", "")
    )
