"""Amounts of money in a text, for rules about amounts above a limit. Where a mark is ambiguous, the larger reading.

It converts no currency: an amount counts as its number, whatever the currency.
"""

import re
from collections.abc import Iterator

_CURRENCY = (
    r"(?:[$\u20ac\u00a3\u00a5\u20b9]|\b(?:us|u\.s\.|ca|a) ?\$"
    r"|\b(?:usd|eur|gbp|chf|cad|aud|nzd|jpy|cny|inr|sek|nok|dkk|sgd|hkd)\b"
    r"|\b(?:dollars?|euros?|pounds?|francs?|yen|rupees?|bucks)\b)"
)
_SCALE = r"(?:k|m|mm|mn|mio|mln|bn|b|t|thousand|million|billion|trillion|lakh|crore)s?\b"
_NUMBER = r"\d{1,3}(?:[,.'\u00a0 ]\d{3}){1,5}(?:[.,]\d{1,2})?(?!\d)|\d{1,15}(?:[.,]\d{1,6})?"
_FIGURE = re.compile(
    rf"(?P<before>{_CURRENCY} {{0,2}})?(?<![\w.,])(?P<number>{_NUMBER})(?: ?-? ?(?P<scale>{_SCALE}))?"
    rf"(?P<after> {{0,2}}(?:of |in )?{_CURRENCY})?",
    re.IGNORECASE,
)
_GLUED = re.compile(rf"(?:us|usd|eur|gbp|chf|cad|aud)(?P<number>{_NUMBER})(?P<scale>{_SCALE})?", re.IGNORECASE)
_WORDED = re.compile(
    r"\b(?P<number>(?:half a|a|an|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty"
    r"|thirty|forty|fifty|sixty|seventy|eighty|ninety|several|a few|a couple of)(?:[ -](?:five|hundred))?)"
    r"[ -](?P<scale>thousand|million|billion|trillion)\b",
    re.IGNORECASE,
)
_TIMES = {
    **dict.fromkeys(("k", "thousand"), 1e3),
    **dict.fromkeys(("m", "mm", "mn", "mio", "mln", "million"), 1e6),
    **dict.fromkeys(("b", "bn", "billion"), 1e9),
    **dict.fromkeys(("t", "trillion"), 1e12),
    "lakh": 1e5,
    "crore": 1e7,
}
_LARGE = frozenset(("million", "millions", "billion", "billions", "trillion", "mio", "mln", "bn", "lakh", "crore"))
"""Scales that make an amount of a number without a currency."""

_TEENS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = {
    **{word: float(number) for number, word in enumerate(_TEENS, start=1)},
    **{word: 10.0 * number for number, word in enumerate(_TENS, start=2)},
    **{"a": 1.0, "an": 1.0, "half a": 0.5, "fifteen": 15.0, "a couple of": 2.0, "several": 3.0, "a few": 3.0},
}


def amounts_of(text: str) -> Iterator[float]:
    """The amounts in order: numbers with a currency beside them, and numbers in millions and more.

    >>> list(amounts_of("Wire $1.2 million, EUR 100.000 and 250k dollars on 3 days."))
    [1200000.0, 100000.0, 250000.0]
    >>> list(amounts_of("a loan of half a million; 12,500.50 USD"))
    [12500.5, 500000.0]
    """
    for match in _FIGURE.finditer(text):
        scale = _times(match["scale"])
        if match["before"] or match["after"] or (match["scale"] or "").lower() in _LARGE:
            yield number_of(match["number"]) * scale
    for match in _GLUED.finditer(text):
        yield number_of(match["number"]) * _times(match["scale"])
    for match in _WORDED.finditer(text):
        number, is_hundred, _ = match["number"].lower().replace("-", " ").partition(" hundred")
        yield _worded(number) * (100 if is_hundred else 1) * _times(match["scale"])


def number_of(digits: str) -> float:
    """The number, with marks of thousands or of decimals as people write them.

    >>> [number_of(digits) for digits in ("1,250.50", "1.250,50", "100.000", "12,5", "1 000 000")]
    [1250.5, 1250.5, 100000.0, 12.5, 1000000.0]
    """
    bare = re.sub(r"['\s]", "", digits)
    head, mark, tail = _last_mark(bare)
    if not mark or (len(tail) == 3 and head.strip("0")):
        return float(re.sub(r"[.,]", "", bare))
    return float(re.sub(r"[.,]", "", head) + "." + tail)


def _last_mark(digits: str) -> tuple[str, str, str]:
    place = max(digits.rfind("."), digits.rfind(","))
    return (digits, "", "") if place < 0 else (digits[:place], digits[place], digits[place + 1 :])


def _times(scale: str | None) -> float:
    word = (scale or "").lower()
    return _TIMES.get(word, _TIMES.get(word.removesuffix("s"), 1.0)) if word else 1.0


def _worded(number: str) -> float:
    if number in _NUMBERS:
        return _NUMBERS[number]
    return sum(_NUMBERS.get(word, 0.0) for word in number.split())
