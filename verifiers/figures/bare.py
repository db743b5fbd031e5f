"""Whether an answer is one number over a table: then its question says what the number must be. It judges nothing."""

from collections.abc import Sequence

from verifiers.figures.amounts import Amount
from verifiers.figures.sentences import sentences_of
from verifiers.figures.tables import tables_of

MOST_CHARACTERS = 200
"""The longest bare answer."""


def is_bare(text: str, stated: Sequence[Amount]) -> bool:
    """Whether the answer is one number, years aside, in one sentence.

    >>> from verifiers.figures.amounts import amounts_of
    >>> is_bare("It was $4.2 million in 2019.", amounts_of("It was $4.2 million in 2019."))
    True
    """
    numbers = [a for a in stated if a.unit or a.step != 1 or not 1900 <= a.value <= 2100]
    return len(numbers) == 1 and len(text.strip()) <= MOST_CHARACTERS and len(sentences_of(text.strip())) == 1


def has_table(source: str) -> bool:
    """Whether the source has a table with numbers in it."""
    return any(any(amount is not None for amount in row.amounts) for table in tables_of(source) for row in table.rows)
