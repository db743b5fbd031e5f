"""Units: how a text writes them, what they measure, and what one of them is in another. A table, no opinion."""

import re
from decimal import Decimal
from typing import NamedTuple

SCALES = {
    "k": 10**3, "thousand": 10**3, "m": 10**6, "mm": 10**6, "mn": 10**6, "mln": 10**6, "million": 10**6,
    "b": 10**9, "bn": 10**9, "billion": 10**9, "tn": 10**12, "trillion": 10**12,
}  # fmt: skip
"""What a scale word multiplies by."""


class Unit(NamedTuple):
    """A dimension, and the worth of one unit in the dimension's own; 0 where no fixed factor holds."""

    dimension: str
    factor: Decimal


UNITS: dict[str, Unit] = {
    name: Unit(dimension, Decimal(factor))
    for dimension, table in {
        "mass": {"mcg": "1e-6", "mg": "1e-3", "g": "1", "kg": "1e3", "lb": "453.59237",
                 "oz": "28.349523125", "t": "1e6"},
        "volume": {"ul": "1e-6", "ml": "1e-3", "dl": "0.1", "l": "1", "gal": "3.785411784"},
        "length": {
            "um": "1e-6", "mm": "1e-3", "cm": "0.01", "m": "1", "km": "1000", "in": "0.0254", "ft": "0.3048",
            "yd": "0.9144", "mi": "1609.344",
        },
        "temperature": {"celsius": "0", "fahrenheit": "0"},
        "time": {
            "second": "1", "minute": "60", "hour": "3600", "day": "86400", "week": "604800", "month": "0",
            "quarter": "0", "year": "0",
        },
        "share": {"percent": "1", "points": "0", "bps": "0.01"},
        "currency": {"usd": "0", "eur": "0", "gbp": "0", "jpy": "0", "cent": "0"},
        "substance": {"mmol": "1e-3", "mol": "1", "umol": "1e-6", "meq": "0", "iu": "0", "unit": "0"},
        "pressure": {"mmhg": "0", "kpa": "0"},
        "area": {"sqm": "1", "sqft": "0.09290304", "acre": "4046.8564224", "hectare": "10000"},
    }.items()
    for name, factor in table.items()
}  # fmt: skip
"""Every unit that is read, by its canonical name."""

_SPELLINGS: dict[str, str] = {
    "mcg": "mcg|µg|μg|ug|micrograms?", "mg": "mg|mgs|milligrams?", "g": "g|grams?|gm", "kg": "kg|kgs|kilograms?|kilos?",
    "lb": "lb|lbs", "oz": "oz|ounces?", "t": "tonnes?|metric tons?", "ul": "µl|μl|microlit(?:er|re)s?",
    "ml": "ml|mls|cc|millilit(?:er|re)s?", "dl": "dl", "l": "l|lit(?:er|re)s?", "gal": "gal|gallons?",
    "um": "µm|μm|microns?",
    "mm": "mm|millimet(?:er|re)s?", "cm": "cm|centimet(?:er|re)s?", "m": "m|met(?:er|re)s?",
    "km": "km|kilomet(?:er|re)s?",
    "in": "inch|inches", "ft": "ft|foot|feet", "yd": "yards?|yd", "mi": "miles?",
    "celsius": "°\\s?c|degrees celsius|celsius",
    "fahrenheit": "°\\s?f|degrees fahrenheit|fahrenheit", "second": "s|secs?|seconds?", "minute": "min|mins|minutes?",
    "hour": "h|hr|hrs|hours?", "day": "d|days?", "week": "wk|wks|weeks?", "month": "months?", "quarter": "quarters?",
    "year": "yr|yrs|years?", "percent": "%|percent|per cent|pct", "bps": "bps|bp|basis points?",
    "points": "percentage points?|%-points?|pp|ppts?", "usd": "usd|us dollars|dollars?", "eur": "eur|euros?|€",
    "gbp": "gbp|pounds sterling", "jpy": "jpy|yen", "cent": "cents?|¢", "mmol": "mmol", "mol": "mol",
    "umol": "µmol|μmol|umol",
    "meq": "meq", "iu": "iu|international units", "unit": "units?", "mmhg": "mm ?hg", "kpa": "kpa",
    "sqm": "m²|m2|sq\\.? ?m|square met(?:er|re)s?", "sqft": "sq\\.? ?ft|square (?:feet|foot)", "acre": "acres?",
    "hectare": "ha|hectares?",
}  # fmt: skip
_FIRST_READ = ("points", "mmhg")
"""What would be read as a percent sign or as millimetres otherwise."""

_LONGEST = "|".join(_SPELLINGS[name] for name in dict.fromkeys((*_FIRST_READ, *_SPELLINGS)))
_ATOM = rf"(?:{_LONGEST})(?![A-Za-z²])"
_FIRST = re.compile(rf"(?:\s{{0,2}}|-)(?P<atom>{_ATOM})", re.I)
_NEXT = re.compile(rf"\s?(?:/\s?|\s(?:per|a|an|each)\s)(?P<atom>{_ATOM})", re.I)
_INCH = re.compile(r"\s?(?:in\b(?=\s*[.,;)]|\s*$)|\"|″)")
_MEANINGS = tuple((re.compile(spelled, re.I), name) for name, spelled in _SPELLINGS.items())
_KNOWN: dict[str, str] = {}
_NO_UNIT = frozenset("|0123456789$()[].,;:=+<>")
"""With what no unit begins: most numbers of a table are followed by these."""


def unit_at(text: str, start: int) -> tuple[str, int]:
    """The canonical unit that follows a number, as `mg/kg/day`, and where it ends; '' and `start` where none does.

    >>> unit_at("15 mg per kg daily", 2), unit_at("$40/hour", 3), unit_at("15 patients", 2)
    (('mg/kg', 12), ('/hour', 8), ('', 2))
    """
    if (
        text[start : start + 1] not in {" ", "-", "/", "\u00a0"}
        and not text[start : start + 1].isalpha()
        and (text[start : start + 1] not in {"%", "°", "µ", "μ", "€", "¢", '"', "″"})
    ):
        return "", start
    if text[start : start + 3].lstrip()[:1] in _NO_UNIT:
        return "", start
    first = _FIRST.match(text, start)
    if first is None:
        inch = _INCH.match(text, start)
        if inch is not None:
            return "in", inch.end()
        parts, end = [""], start
    else:
        parts, end = [_canonical(first["atom"])], first.end()
    while len(parts) < 4 and (following := _NEXT.match(text, end)):
        parts.append(_canonical(following["atom"]))
        end = following.end()
    return ("/".join(parts), end) if parts != [""] else ("", start)


def dimension_of(unit: str) -> str:
    """What a simple unit measures; '' where the unit is unknown or composed."""
    return UNITS[unit].dimension if unit in UNITS else ""


def convert(value: Decimal, unit: str, other: str) -> Decimal | None:
    """The value in another unit, or None where no fixed factor leads there.

    >>> convert(Decimal(212), "fahrenheit", "celsius"), convert(Decimal(2), "ft", "in")
    (Decimal('100'), Decimal('24'))
    """
    if unit == other:
        return value
    if {unit, other} == {"celsius", "fahrenheit"}:
        return (value - 32) * 5 / 9 if unit == "fahrenheit" else value * 9 / 5 + 32
    if {unit, other} == {"month", "year"}:
        return value * 12 if unit == "year" else value / 12
    here, there = UNITS.get(unit), UNITS.get(other)
    if here is None or there is None or here.dimension != there.dimension or not here.factor or not there.factor:
        return None
    return value * here.factor / there.factor


def _canonical(atom: str) -> str:
    key = atom.lower().replace("\u00a0", " ")
    if key not in _KNOWN:
        _KNOWN[key] = next(name for spelled, name in _MEANINGS if spelled.fullmatch(key))
    return _KNOWN[key]
