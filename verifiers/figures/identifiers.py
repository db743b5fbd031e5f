"""figures.identifier: NPI, IBAN, LEI, CUSIP and ISIN with a wrong check digit. It looks nothing up in a register.

Sources: NPI check digit, Luhn over 80840 and the number (CMS); ISO 13616 (IBAN), ISO 17442 (LEI), ISO 6166 (ISIN),
and the CUSIP standard, the last four as python-stdnum computes them.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from core.errors import MissingExtra
from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS
from verifiers.figures.finding import Finding, conclude
from verifiers.figures.grounds import grounds_of

_LABELLED = re.compile(
    r"\b(?P<kind>NPI|IBAN|LEI|CUSIP|ISIN|[Nn]ational [Pp]rovider [Ii]dentifier|[Ll]egal [Ee]ntity [Ii]dentifier)\b"
    r"(?:\s*(?:no\.?|number|#|code|is|was|of|:|=|\(|\)|\u2013|-))*(?:\s+[a-z]+){0,5}(?:\s*[:=(])?\s*\**"
    r"(?P<value>[A-Z0-9][A-Z0-9 \-]{6,42}[A-Z0-9])(?![A-Za-z0-9])",
)
_SHAPES = {
    "iban": re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])"),
    "lei": re.compile(r"(?<![A-Za-z0-9])(?=[A-Z0-9]*[A-Z])[A-Z0-9]{18}\d{2}(?![A-Za-z0-9])"),
    "isin": re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[A-Z0-9]{9}\d(?![A-Za-z0-9])"),
}
_LONG_NAMES = {"national provider identifier": "npi", "legal entity identifier": "lei"}
_LENGTHS = {"npi": 10, "lei": 20, "cusip": 9, "isin": 12}
READ_IDENTIFIERS = 50


class Identifier(NamedTuple):
    """One identifier of a text, without spaces and in capitals."""

    kind: str
    value: str


class Identifiers:
    """Fails on a wrong check digit or length; one that the source lacks, where it has others, is not decided."""

    id = "figures.identifier"
    price = Price.FREE

    def __init__(self, *, required: bool = False) -> None:
        self._required = required
        self._is_valid = _validators()

    def judge(self, case: Case) -> CheckResult:
        """Pass when every identifier checks out."""
        found = identifiers_of(case.answer[:READ_CHARACTERS])
        known = identifiers_of(grounds_of(case)) if found else []
        findings = []
        for identifier in found:
            if not self._is_valid[identifier.kind](identifier.value):
                findings.append(Finding(f"wrong_{identifier.kind}", is_hard=True, evidence={"kind": identifier.kind}))
            elif identifier not in known and any(other.kind == identifier.kind for other in known):
                evidence = {"kind": identifier.kind}
                findings.append(Finding("identifier_not_in_source", is_hard=False, evidence=evidence))
        return conclude(
            self.id, findings, n_checked=len(found), nothing="no_identifiers", required=self._required, text=case.answer
        )


def identifiers_of(text: str) -> list[Identifier]:
    """The identifiers of a text, by their label or by their shape, at most 50.

    >>> identifiers_of("NPI: 1234567893. Pay to GB82 WEST 1234 5698 7654 32.")
    [Identifier(kind='npi', value='1234567893'), Identifier(kind='iban', value='GB82WEST12345698765432')]
    """
    found = dict.fromkeys(_labelled(text))
    known = {identifier.value for identifier in found}
    for kind, shape in _SHAPES.items():
        for match in shape.finditer(text):
            value = re.sub(r"[ -]", "", match[0]).upper()
            if _looks_like(kind, value) and not any(value in other or other in value for other in known):
                found[Identifier(kind, value)] = None
                known.add(value)
    return list(found)[:READ_IDENTIFIERS]


def _labelled(text: str) -> Iterator[Identifier]:
    for match in _LABELLED.finditer(text):
        kind = _LONG_NAMES.get(match["kind"].lower(), match["kind"].lower())
        value = _first_words(kind, match["value"])
        if value is not None:
            yield Identifier(kind, value)


def _first_words(kind: str, text: str) -> str | None:
    """The words that make up the identifier: as many as its length asks for, or, of an IBAN, as look like one."""
    words = re.split(r"[ -]+", text)
    taken = ""
    for index, word in enumerate(words):
        if index and (not any(c.isdigit() for c in word) and len(word) != 4):
            break
        if not re.fullmatch(r"[A-Z0-9]+", word):
            break
        taken += word
        if len(taken) >= _LENGTHS.get(kind, 34):
            break
    if sum(character.isdigit() for character in taken) < 3 or len(taken) < 7:
        return None
    return taken


def _looks_like(kind: str, value: str) -> bool:
    """Whether a bare shape is meant as the identifier: an IBAN has its country's length, give or take none."""
    if kind == "iban":
        return 15 <= len(value) <= 34
    return sum(character.isdigit() for character in value) >= (3 if kind == "isin" else 4)


def _validators() -> dict[str, Callable[[str], bool]]:
    try:
        from stdnum import cusip, iban, isin, lei, luhn
    except ImportError as error:
        raise MissingExtra("python-stdnum", "finance", "Checking identifiers") from error
    return {
        "npi": lambda value: len(value) == 10 and value.isdigit() and bool(luhn.is_valid(f"80840{value}")),
        "iban": lambda value: bool(iban.is_valid(value, check_country=False)),
        "lei": lambda value: bool(lei.is_valid(value)),
        "cusip": lambda value: bool(cusip.is_valid(value)),
        "isin": lambda value: bool(isin.is_valid(value)),
    }
