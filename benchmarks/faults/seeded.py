"""A fault planted into a right answer: the checks must catch it, and let the untouched answer through."""

from typing import NamedTuple

from verifiers.case import Case


class Seeded(NamedTuple):
    """One planted fault; `fault` names its kind, as in `swapped_digit`, and `pack` whose checks must catch it."""

    fault: str
    pack: str
    clean: Case
    faulty: Case
