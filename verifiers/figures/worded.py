"""Numbers that a text writes in words: `twenty-five`, `a dozen`, `half`. It reads; it judges nothing."""

import re
from decimal import Decimal

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES = {word: Decimal(n) for n, word in enumerate(_UNITS.split())}
_VALUES |= {word: Decimal(10 * n) for n, word in enumerate(_TENS.split(), start=2)}
_LARGE = {"hundred": Decimal(100), "thousand": Decimal(1000), "million": Decimal(10**6)}
_SINGLE = {"dozen": "12", "half": "0.5", "halves": "0.5", "third": "3", "quarter": "0.25", "twice": "2", "double": "2"}
_WORD = re.compile(
    rf"(?<![a-z])(?:{'|'.join(sorted({*_VALUES, *_LARGE, *_SINGLE, 'and'}, key=len, reverse=True))})(?![a-z])"
)


def worded_numbers(text: str) -> set[Decimal]:
    """The values of the numbers in words.

    >>> sorted(int(value) for value in worded_numbers("Twenty-five boxes, two hundred and six pens, a dozen eggs"))
    [12, 25, 206]
    """
    found: set[Decimal] = set()
    run: list[str] = []
    end = 0
    for match in _WORD.finditer(text.lower()):  # other words lie between these, and part them
        word = match[0]
        is_number = word in _VALUES or word in _LARGE
        if run and (match.start() - end > 1 or not (is_number or word == "and")):
            found.add(_value(run))
            run = []
        if is_number or (run and word == "and"):
            run.append(word)
        if word in _SINGLE:
            found.add(Decimal(_SINGLE[word]))
        end = match.end()
    if run:
        found.add(_value(run))
    return found


def _value(words: list[str]) -> Decimal:
    total, current = Decimal(0), Decimal(0)
    for word in words:
        if word in _LARGE:
            current = (current or Decimal(1)) * _LARGE[word]
            if word != "hundred":
                total, current = total + current, Decimal(0)
        elif word in _VALUES:
            current += _VALUES[word]
    return total + current
