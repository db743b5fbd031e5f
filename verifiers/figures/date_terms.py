"""Terms such as `30 days from 2 March 2026`: how they are written, and the day that they lead to. Judges nothing."""

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "twelve": 12, "fourteen": 14, "fifteen": 15, "twenty": 20, "twenty-one": 21, "thirty": 30, "forty-five": 45,
    "sixty": 60, "ninety": 90,
}  # fmt: skip
DURATION = (
    rf"(?:(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\s+\()?"
    rf"(?P<n>\d{{1,4}}|{'|'.join(sorted(_WORDS, key=len, reverse=True))})\)?[\s-]+"
    r"(?P<kind>calendar |business |working |court )?(?P<unit>day|week|month|year)s?\b"
)
"""A term: `30 days`, `thirty (30) days`, `two weeks`, `10 business days`."""

_DURATION = re.compile(rf"(?<![\w.,-]){DURATION}", re.I)
READ_TERMS = 40


class Term(NamedTuple):
    """A number of days, weeks, months or years; `is_business` where weekends do not count."""

    n: int
    unit: str
    is_business: bool
    start: int
    end: int


def terms_of(text: str, *, read: int) -> list[Term]:
    """The terms of the text's first `read` characters, at most 40.

    >>> [(t.n, t.unit) for t in terms_of("thirty (30) days, or two weeks", read=100)]
    [(30, 'day'), (2, 'week')]
    """
    found: list[Term] = []
    for match in _DURATION.finditer(text, 0, read):
        found.append(term_of(match))
        if len(found) == READ_TERMS:
            break
    return found


def term_of(match: re.Match[str]) -> Term:
    """The term of a match of `DURATION`."""
    n = _WORDS.get(match["n"].lower()) or int(match["n"])
    is_business = (match["kind"] or "").strip().lower() in {"business", "working", "court"}
    return Term(n, match["unit"].lower(), is_business, *match.span())


def reached(start: date, term: Term, *, forward: bool) -> Iterator[date]:
    """The days that the term may lead to from `start`: for months and years also the day before, as leases end.

    >>> [str(day) for day in reached(date(2026, 3, 2), Term(30, "day", False, 0, 0), forward=True)]
    ['2026-04-01']
    """
    sign = 1 if forward else -1
    try:
        if term.unit in {"day", "week"}:
            n_days = term.n * (7 if term.unit == "week" else 1)
            if term.is_business and n_days <= 400:
                yield _business(start, n_days, sign)
            else:
                yield start + sign * timedelta(days=n_days)
            return
        moved = _months(start, sign * term.n * (12 if term.unit == "year" else 1))
        yield moved
        yield moved - sign * timedelta(days=1)
    except (OverflowError, ValueError):
        return


def _months(start: date, n: int) -> date:
    index = start.year * 12 + start.month - 1 + n
    year, month = divmod(index, 12)
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))


def _business(start: date, n: int, sign: int) -> date:
    day = start
    while n:
        day += timedelta(days=sign)
        n -= day.weekday() < 5
    return day
