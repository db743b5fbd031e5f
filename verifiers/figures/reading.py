"""The dates and the numbers of a text, read once for the checks that follow one another. It judges nothing.

The checks of one answer read the same two texts; the last eight are held in memory, never written anywhere.
"""

from functools import lru_cache

from verifiers.figures.amounts import READ_AMOUNTS, READ_CHARACTERS, Amount, amounts_of
from verifiers.figures.dates_of_text import TextDate, dates_of
from verifiers.figures.grounds import READ_SOURCE

READ_SOURCE_AMOUNTS = 3_000
"""Numbers of a source that are read."""


def answer_dates(text: str) -> tuple[TextDate, ...]:
    """The dates of the part of an answer that is read."""
    return _dates(text, READ_CHARACTERS)


def answer_amounts(text: str) -> tuple[Amount, ...]:
    """The numbers of that part, dates left out.

    >>> [str(amount.value) for amount in answer_amounts("On 2 March 2026 it paid $40.")]
    ['40']
    """
    return _amounts(text, READ_CHARACTERS, READ_AMOUNTS)


def source_dates(text: str) -> tuple[TextDate, ...]:
    """The dates of the part of a source that is read."""
    return _dates(text, READ_SOURCE)


def source_amounts(text: str) -> tuple[Amount, ...]:
    """The numbers of that part, dates left out."""
    return _amounts(text, READ_SOURCE, READ_SOURCE_AMOUNTS)


@lru_cache(maxsize=8)
def _dates(text: str, read: int) -> tuple[TextDate, ...]:
    return tuple(dates_of(text, read=read))


@lru_cache(maxsize=8)
def _amounts(text: str, read: int, most: int) -> tuple[Amount, ...]:
    holes = [(dated.start, dated.end) for dated in _dates(text, read)]
    return tuple(amounts_of(text, without=holes, read=read, most=most))
