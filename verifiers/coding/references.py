"""Reads which codes a note of the tabular list names: `(J70.2-J70.4)`, `(E13.-)`, `(E08.39, C00-D49)`."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_GROUP = re.compile(r"\(([^()]*)\)")
_PIECE = re.compile(
    r"(?P<first>[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]+)?)\.?-?(?:\s*-\s*(?P<last>[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]+)?)\.?-?)?\s*"
)


class Span(NamedTuple):
    """All codes from `first` to `last`, both with everything that refines them; without dots."""

    first: str
    last: str

    def holds(self, code: str) -> bool:
        """Whether the code, without its dot, lies in the span.

        >>> Span("J702", "J704").holds("J703"), Span("E13", "E13").holds("E1322"), Span("C00", "D49").holds("E11")
        (True, True, False)
        """
        return self.first <= code and (code <= self.last or code.startswith(self.last))


def spans_of(notes: Iterable[str]) -> tuple[Span, ...]:
    """The spans that the notes name in parentheses; one qualified in words (`with 5th character 9`) is left out.

    >>> spans_of(["dementia (F01.-, F02.-)", "drug-induced (J70.2-J70.4)", "late (C00-C96 with 5th character 9)"])
    (Span(first='F01', last='F01'), Span(first='F02', last='F02'), Span(first='J702', last='J704'))
    """
    found: dict[Span, None] = {}
    for note in notes:
        for group in _GROUP.findall(note):
            for piece in group.split(","):
                match = _PIECE.fullmatch(piece.strip())
                if match is not None:
                    first, last = match["first"], match["last"] or match["first"]
                    found[Span(first.replace(".", ""), last.replace(".", ""))] = None
    return tuple(found)
