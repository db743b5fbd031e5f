"""Matches of patterns that begin with a number, tried only where one begins: scanning every character costs more."""

import re
from collections.abc import Iterator, Sequence

_NUMBER, _SIGN = re.compile(r"\d+"), re.compile(r"[+(]")


def number_starts(text: str, *, with_signs: bool = False) -> list[int]:
    """Where runs of digits begin, and with signs where a plus or an opening bracket stands.

    >>> number_starts("call (555) 210"), number_starts("call (555) 210", with_signs=True)
    ([6, 11], [5, 6, 11])
    """
    starts = [match.start() for match in _NUMBER.finditer(text)]
    return sorted([*starts, *(match.start() for match in _SIGN.finditer(text))]) if with_signs else starts


def matches_at(pattern: re.Pattern[str], text: str, starts: Sequence[int]) -> Iterator[re.Match[str]]:
    """Matches that begin at one of the starts, in order, none inside the one before.

    >>> [match[0] for match in matches_at(re.compile("[0-9]+-[0-9]+"), "12-34, 5-6", [0, 3, 7, 9])]
    ['12-34', '5-6']
    """
    at = 0
    for start in starts:
        if start >= at and (match := pattern.match(text, start)):
            at = match.end()
            yield match
