"""The numbers of a text: value, the worth of the last shown digit, and the unit. It reads; it judges nothing.

Numbers that are part of a code, an ordinal, a date or an identifier are left out.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from verifiers.figures.units import SCALES, unit_at

MOST_DIGITS = 30
"""A longer run of digits is no number that a check reads."""

READ_CHARACTERS, READ_AMOUNTS = 8_000, 400
"""How much of a text is read, and how many numbers of it; what lies beyond is not checked."""


class Amount(NamedTuple):
    """One number of a text.

    `value` has its scale word applied, `shown` has not; `step` is the worth of the last shown digit of `value`.
    `scale` is 1, 1000, 1000000 ... as the scale word says, `unit` the canonical unit (`mg`, `percent`, `usd`, `mg/kg`).
    """

    value: Decimal
    shown: Decimal
    step: Decimal
    scale: int
    unit: str
    start: int
    end: int


NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
"""A number as English texts write it; a minus sign is read apart."""

_AMOUNT = re.compile(
    rf"(?=[-\u2212\u2013$€£¥.\dUEG])(?<![A-Za-z0-9_.,#])(?<![A-Za-z]-)(?P<minus>[-\u2212\u2013](?=[$€£¥.\d]))?"
    rf"(?:(?P<currency>US\$|USD ?|EUR ?|GBP ?|[$€£¥])(?P<inner>\s?[-\u2212](?=\d)|\s)?)?(?P<number>{NUMBER})(?![.,]?\d)"
)
_STEPS = tuple(Decimal(1).scaleb(-n) for n in range(MOST_DIGITS + 1))
"""Worth of the last digit, by how many stand after the point."""

_SAME, _ONE, _FAR = Decimal("1e-9"), Decimal(1), Decimal(10) ** 20

_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b", re.I)
_SCALE = re.compile(
    r"(?:\s?-?\s?(thousand|million|billion|trillion|mn|bn|mln|tn)\b)|(?:(k|K|m|M|b|B|MM)(?![\w/]))", re.I
)
_SCALE_BEGINS = frozenset("-tkmbTKMB")
"""With what a scale begins, beside a space: most numbers are followed by something else."""
_CURRENCIES = {"$": "usd", "US$": "usd", "USD": "usd", "€": "eur", "EUR": "eur", "£": "gbp", "GBP": "gbp", "¥": "jpy"}


def amounts_of(
    text: str, *, without: Sequence[tuple[int, int]] = (), read: int = READ_CHARACTERS, most: int = READ_AMOUNTS
) -> list[Amount]:
    """The numbers of the first `read` characters, at most `most`, in order.

    `without` are spans (of dates, say) whose digits are no numbers.

    >>> [(str(a.value), a.unit) for a in amounts_of("Give 1.5 mg/kg, at most $1,200 or 4.2% of $3 million.")]
    [('1.5', 'mg/kg'), ('1200', 'usd'), ('4.2', 'percent'), ('3000000', 'usd')]
    >>> amounts_of("Code E11.65, the 3rd of B12.")
    []
    """
    found: list[Amount] = []
    skip = iter(sorted(without))
    hole = next(skip, None)
    for match in _AMOUNT.finditer(text, 0, read):
        start = match.start("number")
        while hole is not None and hole[1] <= start:
            hole = next(skip, None)
        if hole is not None and hole[0] <= start:
            continue
        amount = _amount(text, match)
        if amount is not None:
            found.append(amount)
            if len(found) == most:
                break
    return found


def agree(expected: Decimal, shown: Decimal, step: Decimal) -> bool:
    """Whether a shown number is `expected` rounded to its digits, up, down or to the nearest.

    A number that its digits can show exactly must be shown exactly.

    >>> agree(Decimal(2) / 3, Decimal("0.66"), Decimal("0.01")), agree(Decimal(20), Decimal(21), Decimal(1))
    (True, False)
    """
    gap = abs(expected - shown)
    size = abs(expected)
    if gap <= _SAME * max(size, _ONE):
        return True
    if gap >= step:
        return False
    return size < step * _FAR and abs(expected % step) > step * _SAME


def _amount(text: str, match: re.Match[str]) -> Amount | None:
    digits = match["number"].replace(",", "")
    if len(digits) > MOST_DIGITS:
        return None
    shown = Decimal(digits)
    if (match["minus"] is not None) or (match["inner"] or "").strip():
        shown = -shown
    end = match.end()
    step = _STEPS[len(digits.partition(".")[2])]
    scale = 1
    following = text[end : end + 1]
    if (following in _SCALE_BEGINS or following.isspace()) and (word := _SCALE.match(text, end)):
        letter = word[2]
        if letter is None or match["currency"] is not None or letter in {"k", "K"}:
            scale, end = SCALES[(word[1] or word[2]).lower()], word.end()
    if text[end : end + 1].isalpha() and _ORDINAL.match(text, end):
        return None
    unit, unit_end = unit_at(text, end)
    if unit_end == end and end < len(text) and (text[end].isalpha() or text[end] == "_"):
        return None
    if unit_end == end and text[end : end + 2] in {"-a", "-A"}:
        return None
    currency = _CURRENCIES.get((match["currency"] or "").strip(), "")
    if currency:
        unit = f"{currency}{unit[unit.index('/') :]}" if unit.startswith("/") else currency
        unit_end = max(unit_end, end) if unit != currency else end
    return Amount(shown * scale, shown, step * scale, scale, unit.lstrip("/"), match.start(), unit_end)
