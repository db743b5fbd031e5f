"""figures.unit: units and scales of an answer. Conversions in the text hold, and a number of the source keeps its unit.

`5 g` where the source says `5 mg`, `$4.2 billion` where it says `$4.2 million`, `70 kg (145 lb)`: each is found.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS, Amount, agree
from verifiers.figures.equations import equations_of
from verifiers.figures.finding import Finding, conclude, number
from verifiers.figures.grounds import grounds_of
from verifiers.figures.reading import answer_amounts, source_amounts
from verifiers.figures.units import convert, dimension_of

_CONVERTS = re.compile(
    r"\s*(?:\(|=|≈|is|equals|or|,?\s*i\.e\.,?|,?\s*which is|which equals|converts to|,?\s*that is"
    r"|,?\s*equivalent to)\s*"
    r"(?:about |approximately |roughly |around |~|≈|equal to |equivalent to )*",
    re.I,
)
_LOOSELY = re.compile(r"about|approximately|roughly|around|~|≈", re.I)
_HEADER_SCALE = re.compile(
    r"\bin (?P<scale>thousand|million|billion)s?\b|(?P<zeros>000)s?\)|\$\s?(?P<letter>[mM])\b", re.I
)
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_CONFUSABLE = {"mass", "volume", "substance"}
"""Dimensions that stand for each other in a slip, as milligrams for millilitres."""


class Units:
    """Fails on a wrong conversion, and where a number of the source stands with another unit or scale than there."""

    id = "figures.unit"
    price = Price.FREE

    def __init__(self, *, required: bool = False) -> None:
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when units and scales hold."""
        text = case.answer[:READ_CHARACTERS]
        amounts = answer_amounts(text)
        with_unit = [amount for amount in amounts if amount.unit or amount.scale != 1]
        findings = list(_conversions(text, amounts))
        if with_unit:
            findings += _against(grounds_of(case), text, with_unit)
        return conclude(
            self.id, findings, n_checked=len(with_unit), nothing="no_units", required=self._required, text=case.answer
        )


def header_scales(text: str) -> set[int]:
    """What a heading such as `(in thousands)` says all numbers are to be multiplied by; empty where none does.

    >>> header_scales("Net sales (in millions)")
    {1000000}
    """
    found = set()
    for match in _HEADER_SCALE.finditer(text):
        found.add(_SCALES[match["scale"].lower()] if match["scale"] else 10**3 if match["zeros"] else 10**6)
    return found


def _conversions(text: str, amounts: Sequence[Amount]) -> Iterator[Finding]:
    for index, (first, second) in enumerate(pairwise(amounts)):
        if not first.unit or first.unit == second.unit or not _CONVERTS.fullmatch(text, first.end, second.start):
            continue
        if text[max(0, first.start - 3) : first.start].rstrip()[-1:] in {"*", "/", "×", "x", "+", "-"}:
            continue
        between = text[first.end : second.start]
        if index and "(" not in between and not re.search(r"[.;\n]", text[amounts[index - 1].end : first.start]):
            continue
        if "kg" in {first.unit, second.unit} and {"mg", "mcg"} & {first.unit, second.unit}:
            continue
        expected = convert(first.value, first.unit, second.unit)
        if expected is None or ("(" in between and text[second.end : second.end + 1] not in {")", ",", ";", " "}):
            continue
        inexact = bool(_LOOSELY.search(text, max(0, first.start - 15), second.start))
        slack = max(second.step, abs(expected) * (Decimal("0.05") if inexact else Decimal("0.01")))
        if not agree(expected, second.value, second.step) and abs(expected - second.value) > slack:
            evidence = {"expected": number(expected), "stated": number(second.value)}
            yield Finding("wrong_conversion", is_hard=True, evidence=evidence)


def _against(grounds: str, text: str, amounts: Sequence[Amount]) -> Iterator[Finding]:
    known = source_amounts(grounds)
    by_number: dict[Decimal, list[Amount]] = {}
    for other in known:
        by_number.setdefault(abs(other.shown), []).append(other)
    headers = header_scales(grounds)
    computed: set[Decimal] | None = None
    for amount in amounts:
        same = by_number.get(abs(amount.shown), [])
        if not same:
            continue
        finding = _unit_differs(amount, same, known) or _scale_differs(amount, same, headers)
        if finding is None:
            continue
        if computed is None:
            computed = {abs(e.stated) for e in equations_of(text) if e.holds}
        if abs(amount.value) not in computed and abs(amount.shown) not in computed:
            yield finding


def _unit_differs(amount: Amount, same: Sequence[Amount], known: Sequence[Amount]) -> Finding | None:
    """A finding where the source has the number only with units that the answer's may have been mistaken for."""
    if not amount.unit or any(other.unit == amount.unit for other in same):
        return None
    if any(other.unit == "" and not _mistaken("", amount.unit) for other in same):
        return None
    if not any(_mistaken(other.unit, amount.unit) for other in same):
        return None
    for other in known:
        converted = convert(other.value, other.unit, amount.unit) if other.unit else None
        if converted is not None and agree(converted, amount.value, amount.step):
            return None
    return Finding("unit_differs_from_source", is_hard=True, evidence=_shown(amount))


def _scale_differs(amount: Amount, same: Sequence[Amount], headers: set[int]) -> Finding | None:
    """A finding where the source has the number only at other scales, by its word or by the heading of a table."""
    if any(other.scale == amount.scale and other.scale != 1 for other in same):
        return None
    if amount.unit and amount.unit not in {"usd", "eur", "gbp", "jpy"}:
        return None
    scales = {other.scale for other in same}
    if amount.scale != 1:
        wrong = 1 not in scales or (len(headers) == 1 and amount.scale not in headers and scales == {1})
    else:
        wrong = 1 not in scales and bool(amount.unit)
    return Finding("scale_differs_from_source", is_hard=True, evidence=_shown(amount)) if wrong else None


def _mistaken(source: str, answer: str) -> bool:
    """Whether the answer's unit may be a slip for the source's: same or confusable dimension, part by part."""
    if not source:
        return False
    here, there = source.split("/"), answer.split("/")
    first, second = dimension_of(here[0]), dimension_of(there[0])
    if source == answer or not first or not second:
        return False
    if len(here) != len(there) and not (first in _CONFUSABLE and "kg" in {*here[1:], *there[1:]}):
        return False
    return first == second or {first, second} <= _CONFUSABLE


def _shown(amount: Amount) -> Mapping[str, float | int | str]:
    return {"stated": number(amount.shown), "unit": amount.unit or "none", "scale": amount.scale}
