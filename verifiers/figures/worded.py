"""Numbers that a text writes in words: `twenty-five`, `a dozen`, `half`. It reads; it judges nothing."""

import re
from decimal import Decimal

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES = {word: Decimal(n) for n, word in enumerate(_UNITS.split())}
_VALUES |= {word: Decimal(10 * n) for n, word in enumerate(_TENS.split(), start=2)}
_OTHERS = {
    "dozen": 12,
    "half": "0.5",
    "halves": "0.5",
    "third": "3",
    "quarter": "0.25",
    "twice": 2,
    "double": 2,
    "triple": 3,
}
_LARGE = {"hundred": 100, "thousand": 1000, "million": 10**6}
_WORD = "|".join(sorted((*_VALUES, *_LARGE), key=len, reverse=True))
_NUMBER = re.compile(rf"\b(?:{_WORD})(?:[\s-]+(?:and\s+)?(?:{_WORD}))*\b", re.I)
_SINGLE = re.compile(r"\b(" + "|".join(_OTHERS) + r")\b", re.I)


def worded_numbers(text: str) -> set[Decimal]:
    """The values of the numbers in words.

    >>> sorted(int(value) for value in worded_numbers("Twenty-five boxes, two hundred and six pens, a dozen eggs"))
    [12, 25, 206]
    """
    found = {_value(match[0]) for match in _NUMBER.finditer(text)}
    return found | {Decimal(_OTHERS[match[1].lower()]) for match in _SINGLE.finditer(text)}


def _value(words: str) -> Decimal:
    total, current = Decimal(0), Decimal(0)
    for word in re.split(r"[\s-]+", words.lower()):
        if word in _LARGE:
            current = (current or Decimal(1)) * _LARGE[word]
            if _LARGE[word] > 100:
                total, current = total + current, Decimal(0)
        elif word in _VALUES:
            current += _VALUES[word]
    return total + current
