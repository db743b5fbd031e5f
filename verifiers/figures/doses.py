"""figures.dose: a dose follows from mg/kg and weight, from its division over the day, and stays under a stated maximum.

It knows no drug: rates, weights, frequencies, concentrations and maxima are those that answer and source state.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import product
from typing import NamedTuple

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS, Amount, agree
from verifiers.figures.finding import Finding, conclude, number
from verifiers.figures.grounds import grounds_of
from verifiers.figures.reading import answer_amounts
from verifiers.figures.units import convert, dimension_of

_WORDS = {
    "once": 1,
    "one": 1,
    "twice": 2,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "ten": 10,
    "daily": 1,
}
_COUNT = rf"(?P<n>\d{{1,2}}|{'|'.join(_WORDS)})"
_FREQUENCY = (
    re.compile(rf"\b{_COUNT}(?:\s+times?|x)?\s+(?:a|per|each|every)?\s*(?:day|daily|24 hours)\b", re.I),
    re.compile(rf"\b{_COUNT}\s+(?:equal(?:ly)?\s+)?(?:divided\s+)?doses\b", re.I),
    re.compile(rf"\bdivided\s+(?:in|into|by|over)\s+{_COUNT}\b", re.I),
    re.compile(r"\b(?:(?P<bid>bid|b\.i\.d\.)|(?P<tid>tid|t\.i\.d\.)|(?P<qid>qid|q\.i\.d\.))(?!\w)", re.I),
)
_EVERY = re.compile(r"\b(?:every|q)\s?(?P<hours>\d{1,2})\s?-?\s?(?:hours?|hrs?|h)\b", re.I)
_MAXIMUM = re.compile(
    r"\b(?:max(?:imum|\.)?|not (?:to )?exceed(?:ing)?|do not exceed|up to|no more than|at most|ceiling|cap(?:ped)?)\b"
    r"[^.;\n]{0,40}?$",
    re.I,
)
_STRENGTH = re.compile(r"\b(?:tablets?|capsules?|pills?|vials?|ampoules?|strength|available|supplied|stock)\b", re.I)
_ROUNDED = re.compile(r"\b(?:round\w*|about|approximately|nearest)\b|~|≈", re.I)
_PER_VOLUME = re.compile(r"\s*(?:/|per|in|in each)\s*$", re.I)


class Doses:
    """Fails when a stated dose does not follow from the rate and the weight, or exceeds a stated maximum."""

    id = "figures.dose"
    price = Price.FREE

    def __init__(self, *, required: bool = False) -> None:
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when every dose of the answer follows, or there is nothing to compute it from."""
        text = case.answer[:READ_CHARACTERS]
        if not any(mass in text for mass in ("mg", "mcg", "µg", "mL", "ml", " g", "gram", "units")):
            return conclude(self.id, [], n_checked=0, nothing="no_doses", required=self._required, text=case.answer)
        grounds = grounds_of(case)[:READ_CHARACTERS]
        stated = _amounts(text)
        known = _amounts(grounds)
        facts = _facts(text, grounds, stated, known)
        findings: list[Finding] = []
        n_checked = 0
        if facts is not None:
            for amount in _doses(text, stated, known):
                n_checked += 1
                findings += _judged(amount, facts, text)
        for amount in _over_maximum(text, grounds, stated, known):
            n_checked += 1
            findings.append(Finding("dose_over_maximum", is_hard=True, evidence={"stated": number(amount.value)}))
        return conclude(
            self.id, findings, n_checked=n_checked, nothing="no_doses", required=self._required, text=case.answer
        )


class _Facts(NamedTuple):
    """What a dose is computed from. `rates` are per kilogram, in milligrams or millilitres; weights in kilograms."""

    rates: tuple[tuple[Decimal, str], ...]
    weights: tuple[Decimal, ...]
    counts: tuple[int, ...]
    maxima: tuple[Decimal, ...]
    concentrations: tuple[Decimal, ...]


def _amounts(text: str) -> list[Amount]:
    return list(answer_amounts(text))


def _facts(text: str, grounds: str, stated: Sequence[Amount], known: Sequence[Amount]) -> _Facts | None:
    """The one rate and one weight that both texts give; None where there is none, or where they differ."""
    rates = {rate for amount in (*known, *stated) if (rate := _rate(amount)) is not None}
    weights = {weight for amount in known if (weight := _weight(amount)) is not None} or {
        weight for amount in stated if (weight := _weight(amount)) is not None
    }
    if not rates or not weights or len(rates) > 2 or len(weights) > 2:
        return None
    counts = {1} | set(_counts(text)) | set(_counts(grounds))
    maxima = {value for body, amounts in ((text, stated), (grounds, known)) for value in _maxima(body, amounts)}
    concentrations = set(_concentrations(grounds, known)) | set(_concentrations(text, stated))
    return _Facts(tuple(rates), tuple(weights), tuple(counts), tuple(maxima), tuple(concentrations))


def _rate(amount: Amount) -> tuple[Decimal, str] | None:
    parts = amount.unit.split("/")
    if len(parts) < 2 or parts[1] != "kg":
        return None
    if (milligrams := convert(amount.value, parts[0], "mg")) is not None:
        return milligrams, "mg"
    millilitres = convert(amount.value, parts[0], "ml")
    return (millilitres, "ml") if millilitres is not None else (amount.value, parts[0])


def _weight(amount: Amount) -> Decimal | None:
    return convert(amount.value, amount.unit, "kg") if amount.unit in {"kg", "lb"} and amount.value > 0 else None


def _counts(text: str) -> Iterator[int]:
    for pattern in _FREQUENCY:
        for match in pattern.finditer(text):
            groups = match.groupdict()
            if "n" in groups:
                yield _WORDS.get(groups["n"].lower()) or max(1, int(groups["n"]))
            else:
                yield 2 if groups["bid"] else 3 if groups["tid"] else 4
    for match in _EVERY.finditer(text):
        hours = int(match["hours"])
        if 0 < hours <= 24 and 24 % hours == 0:
            yield 24 // hours


def _maxima(text: str, amounts: Sequence[Amount]) -> Iterator[Decimal]:
    for amount in amounts:
        value = convert(amount.value, amount.unit.split("/")[0], "mg") if amount.unit else None
        if (
            value is not None
            and "/kg" not in amount.unit
            and _MAXIMUM.search(text, max(0, amount.start - 70), amount.start)
        ):
            yield value


def _concentrations(text: str, amounts: Sequence[Amount]) -> Iterator[Decimal]:
    """Milligrams in one millilitre, from `50 mg/mL` and `125 mg/5 mL`."""
    for amount, following in zip(amounts, (*amounts[1:], None), strict=False):
        parts = amount.unit.split("/")
        if len(parts) == 2 and dimension_of(parts[0]) == "mass" and dimension_of(parts[1]) == "volume":
            milligrams, millilitres = convert(amount.value, parts[0], "mg"), convert(Decimal(1), parts[1], "ml")
            if milligrams and millilitres:
                yield milligrams / millilitres
        elif following is not None and dimension_of(amount.unit) == "mass" and dimension_of(following.unit) == "volume":
            milligrams, millilitres = (
                convert(amount.value, amount.unit, "mg"),
                convert(following.value, following.unit, "ml"),
            )
            if milligrams and millilitres and _PER_VOLUME.fullmatch(text, amount.end, following.start):
                yield milligrams / millilitres


def _doses(text: str, stated: Sequence[Amount], known: Sequence[Amount]) -> Iterator[Amount]:
    """Masses and volumes of the answer that are no weight, no maximum, no strength and do not stand in the source."""
    given = {(value, "mg") for amount in known if (value := convert(amount.value, amount.unit, "mg")) is not None}
    given |= {(value, "ml") for amount in known if (value := convert(amount.value, amount.unit, "ml")) is not None}
    for amount in stated:
        head = amount.unit.split("/")
        if len(head) > 2 or (len(head) == 2 and head[1] not in {"day", "hour"}) or head[0] in {"kg", "lb", "oz"}:
            continue
        if dimension_of(head[0]) not in {"mass", "volume"}:
            continue
        name = "mg" if dimension_of(head[0]) == "mass" else "ml"
        if (convert(amount.value, head[0], name), name) in given:
            continue
        if _MAXIMUM.search(text, max(0, amount.start - 70), amount.start) or _STRENGTH.match(
            text[amount.end : amount.end + 12].strip()
        ):
            continue
        if re.match(r"\s*(?:/|per|in)\s*\d*\s*ml", text[amount.end : amount.end + 12], re.I):
            continue
        if re.search(r"(?:/|per|in)\s*$", text[max(0, amount.start - 5) : amount.start], re.I):
            continue
        yield amount


def _judged(amount: Amount, facts: _Facts, text: str) -> Iterator[Finding]:
    head = amount.unit.split("/")[0]
    name = "mg" if dimension_of(head) == "mass" else "ml"
    step = abs(convert(amount.step, head, name) or amount.step)
    value = convert(amount.value, head, name)
    options = list(_options(facts, name))
    if value is None or not options:
        return
    low, high = min(options), max(options)
    is_range = len(facts.rates) == 2 and low <= value <= high
    if is_range or any(agree(option, value, step) or abs(option - value) <= step / 2 for option in options):
        return
    around = text[max(0, amount.start - 60) : amount.end + 60]
    if _ROUNDED.search(around) and any(abs(option - value) <= option / 20 for option in options):
        return
    expected = min(options, key=lambda option: abs(option - value))
    yield Finding("wrong_dose", is_hard=True, evidence={"nearest": number(expected), "stated": number(value)})


def _options(facts: _Facts, name: str) -> Iterator[Decimal]:
    """Every dose that may be meant: rate x weight, over or times the day's count, or the maximum; as a volume too."""
    for (rate, unit), weight in product(facts.rates, facts.weights):
        for times, over in product(facts.counts, facts.counts):
            dose = rate * weight * times / over
            for option in (dose, *facts.maxima, *(top / over for top in facts.maxima)):
                if unit == name:
                    yield option
                elif unit == "mg" and name == "ml":
                    yield from (option / concentration for concentration in facts.concentrations if concentration)


def _over_maximum(text: str, grounds: str, stated: Sequence[Amount], known: Sequence[Amount]) -> Iterator[Amount]:
    """Stated daily amounts that exceed the one stated maximum."""
    maxima = set(_maxima(grounds, known)) | set(_maxima(text, stated))
    if len(maxima) != 1:
        return
    top = next(iter(maxima))
    for amount in _doses(text, stated, known):
        value = convert(amount.value, amount.unit.split("/")[0], "mg")
        if value is not None and value > top and not _compares(text, amount):
            yield amount


def _compares(text: str, amount: Amount) -> bool:
    """Whether the answer itself says that the amount is too much, as in `600 mg exceeds the maximum`."""
    around = text[amount.end : amount.end + 80]
    return bool(re.search(r"exceed|above|over|more than|so|cap|but|limit|greater|instead|reduce", around, re.I))
