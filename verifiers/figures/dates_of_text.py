"""The calendar dates of a text, in the forms that letters, charts and contracts use. It reads; it judges nothing."""

import re
from datetime import date
from typing import NamedTuple

from verifiers.figures.amounts import READ_CHARACTERS

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
"""English month names and their short forms."""

READ_DATES = 100

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DATE = re.compile(
    rf"(?<![\w/.-])(?=[\djfmasondJFMASOND])(?:(?P<iso>\d{{4}})[-/](?P<iso_month>\d{{1,2}})[-/](?P<iso_day>\d{{1,2}})"
    rf"|(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+day)?\s+(?:of\s+)?(?P<month>{_MONTH})\.?(?:,?\s+(?P<year>\d{{4}}))?"
    rf"|(?P<month2>{_MONTH})\.?\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s+(?P<year2>\d{{4}}))?"
    rf"|(?P<month3>{_MONTH})\.?,?\s+(?:of\s+)?(?P<year3>(?:19|20)\d{{2}})"
    rf"|(?P<first>\d{{1,2}})(?P<mark>[/.-])(?P<second>\d{{1,2}})(?P=mark)(?P<year4>\d{{4}}|\d{{2}}))(?![\w/]|[.-]\d)",
    re.I,
)


class TextDate(NamedTuple):
    """One date of a text. `day` or `year` is 0 where the text leaves it out; `is_impossible`, as in 31 June.

    `other` is the second reading of a date such as 03/04/2026, month first being the first.
    """

    year: int
    month: int
    day: int
    start: int
    end: int
    is_impossible: bool = False
    other: date | None = None

    @property
    def whole(self) -> date | None:
        """The calendar day, where the text names all of it."""
        return date(self.year, self.month, self.day) if self.year and self.day and not self.is_impossible else None


def dates_of(text: str, *, read: int = READ_CHARACTERS) -> list[TextDate]:
    """The dates of the first `read` characters, at most 100, in order.

    >>> [(d.year, d.month, d.day) for d in dates_of("2 March 2026, March 31, 2026-04-01, May 2027 and 4/30/2026")]
    [(2026, 3, 2), (0, 3, 31), (2026, 4, 1), (2027, 5, 0), (2026, 4, 30)]
    """
    found: list[TextDate] = []
    for match in _DATE.finditer(text, 0, read):
        dated = _dated(match)
        if dated is not None:
            found.append(dated)
        if len(found) == READ_DATES:
            break
    return found


def _dated(match: re.Match[str]) -> TextDate | None:
    span = match.span()
    if match["iso"]:
        return _checked(int(match["iso"]), int(match["iso_month"]), int(match["iso_day"]), span)
    if match["month"]:
        return _checked(int(match["year"] or 0), MONTHS[match["month"].lower()], int(match["day"]), span)
    if match["month2"]:
        return _checked(int(match["year2"] or 0), MONTHS[match["month2"].lower()], int(match["day2"]), span)
    if match["month3"]:
        return TextDate(int(match["year3"]), MONTHS[match["month3"].lower()], 0, *span)
    year = int(match["year4"])
    first, second = int(match["first"]), int(match["second"])
    if match["mark"] == "." or (first > 12 >= second):
        first, second = second, first
        return _checked(_century(year), first, second, span) if first <= 12 else None
    if first > 12:
        return None
    dated = _checked(_century(year), first, second, span)
    swapped = _checked(_century(year), second, first, span) if second <= 12 else None
    return dated._replace(other=swapped.whole) if swapped is not None else dated


def _century(year: int) -> int:
    return year if year > 99 else (2000 + year if year < 50 else 1900 + year)


def _checked(year: int, month: int, day: int, span: tuple[int, int]) -> TextDate:
    try:
        date(year or 2024, month, day)
    except ValueError:
        return TextDate(year, month, day, *span, is_impossible=True)
    return TextDate(year, month, day, *span)
