"""Dates with more than a year, and ages over 89, in the forms that notes use. Knows no calendar."""

import re
from collections.abc import Iterator

from labeling.phi.findings import Finding
from labeling.phi.number_starts import matches_at, number_starts

_FULL = (
    "january|february|march|april|june|july|august|september|october|november|december"
    "|janvier|février|fevrier|mars|avril|juin|juillet|août|aout|septembre|octobre|novembre|décembre|decembre"
    "|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
    "|januar|jänner|februar|märz|maerz|mai|juni|juli|oktober|dezember"
)
_MONTH = rf"(?:(?i:{_FULL})\b|May\b|MAY\b|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Okt|Dez)\b\.?)"
_SHOUTED = (
    r"(?:JAN|FEB|MAR|APR|JUN|JUL|AUG|SEPT?|OCT|NOV|DEC|may|(?i:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec))\b\.?"
)
_DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th|er)?"
_YEAR = r"(?:(?:18|19|20)\d\d|['’]\d\d)"
_JOIN = r"(?:\.?[\s-]+(?:of\s+|de\s+)?|/|\.)"
_YEAR_AFTER = rf"(?:\s*[,.]?(?:\s+del?\s+|\s+|-|/)?{_YEAR})(?!\d)"

_NUMERIC = re.compile(
    r"(?<![\d./-])(?:(?P<y>(?:18|19|20)\d\d)(?P<s>[/.-])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<t>[/.-])\s?(?P<b>\d{1,2})(?P=t)\s?(?:\d{4}|\d{2}))(?=T\d|[^\d/-]|$)(?!\.\d)"
)
_MONTH_YEAR = re.compile(r"(?<![\d./-])(?:0?[1-9]|1[0-2])[/-](?:19|20)\d\d(?![\d/-])")
_COMPACT = re.compile(r"(?<![\w.-])(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?![\w-]|\.\d)")
_WORDED = re.compile(
    rf"(?<![\w.])(?:{_DAY}{_JOIN}{_MONTH}{_YEAR_AFTER}?"
    rf"|{_MONTH}\s*{_DAY}\b(?![\d.%]|\s*(?:mg|mcg|ml|mL|um|µm|mm|cm|weeks?|months?|years?|days?)\b){_YEAR_AFTER}?"
    rf"|{_MONTH},?\s+(?:of\s+|de\s+|del\s+)?{_YEAR}(?!\d)"
    rf"|{_DAY}{_JOIN}{_SHOUTED}{_YEAR_AFTER}|{_SHOUTED}\s*{_DAY}{_YEAR_AFTER}"
    rf"|{_SHOUTED},?\s+{_YEAR}(?!\d))"
)
_A_MONTH = re.compile(
    r"[\W\d](?:jan|jän|feb|fév|fev|mar|mär|mae|apr|avr|abr|mai|may|jun|jul|jui|aug|aoû|aou|ago|sep|oct|okt"
    r"|nov|dec|déc|dez|dic|ene)"
)
_DAY_AND_MONTH = re.compile(
    r"\b(?:on|admitted|discharged|seen|dated|dos|d/c['’]?d|adm|doa|visit|surgery|procedure|died|expired)"
    r"(?:\s*(?:on|is|was|[:=]))*\s*(?P<date>(?:0?[1-9]|1[0-2])/(?:3[01]|[12]\d|0?[1-9]))"
    r"(?![\d/%.]|\s*(?:systolic|murmur|strength|of\b|motor))",
    re.IGNORECASE,
)
_BIRTH = re.compile(
    r"(?:\bd\.?o\.?b\.?|\bdate\s+of\s+birth|\bbirth\s?(?:date|day)|\bborn|\bgeb\.?|\bgeboren|\bnée?(?:\s+le)?"
    r"|\bnacid[oa])"
    r"(?:\s*(?:is|on|am|el|le|[:#=|(-]))*\s*$",
    re.IGNORECASE,
)
_BIRTH_DIGITS = re.compile(r"\b(?:DOB|date\s+of\s+birth)\s*[:#=]?\s*(?P<date>\d{6}|\d{8})\b", re.IGNORECASE)

_TENS = "ninety|one[\\s-]hundred|a\\s+hundred"
_UNITS = "one|two|three|four|five|six|seven|eight|nine"
_OLD = r"(?:9\d|1[0-2]\d)"
_AGE = re.compile(
    rf"(?<![\w.,/+-])(?P<age>{_OLD}|(?:{_TENS})(?:[\s-]+(?:and\s+)?(?:{_UNITS}))?)\s*-?\s*"
    r"(?:(?:years?|yrs?)\.?(?:[\s-]*olds?|\s+of\s+age)|y\.?\s?/?\.?\s?o\b\.?|y/?o?[mf]\b|(?<=\d)[MF]\b(?!\.))"
    rf"|\b(?:aged?|age\s+(?:is|of)|age:)\s*(?P<age2>{_OLD})(?![\d/%+-]|[.,]\d|\s*(?:or|and)\s+(?:older|over"
    rf"|above|up|\d)"
    r"|\s+(?:to\s+\d|days?|weeks?|months?|hours?|minutes?))",
    re.IGNORECASE,
)


def find_dates(text: str, detector: str) -> Iterator[Finding]:
    """Dates of any kind; those after a word for birth are `date_of_birth`. A year alone is no finding.

    >>> [(f.kind, f.start, f.end) for f in find_dates("DOB 4/7/1961, admitted March 3rd, 2024; since 2019", "x")]
    [('date_of_birth', 4, 12), ('date', 23, 38)]
    """
    for start, end in _spans(text):
        if _BIRTH.search(text, max(0, start - 40), start):
            yield Finding.of("date_of_birth", start, end, detector=detector, score=0.95, is_labelled=True)
        else:
            yield Finding.of("date", start, end, detector=detector, score=0.8)
    for match in _BIRTH_DIGITS.finditer(text):
        yield Finding.of("date_of_birth", *match.span("date"), detector=detector, score=0.95, is_labelled=True)


def find_ages(text: str, detector: str) -> Iterator[Finding]:
    """Ages from 90 to 129 that belong to somebody; "90+" and "90 or older" are the form that may stay.

    >>> [(f.start, f.end) for f in find_ages("A 92-year-old man, age 34, daughter aged 91; patients 90 or older", "x")]
    [(2, 4), (41, 43)]
    """
    for match in _AGE.finditer(text):
        group = "age" if match["age"] else "age2"
        yield Finding.of("age_over_89", *match.span(group), detector=detector, score=0.9, is_labelled=True)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    starts = number_starts(text)
    for match in matches_at(_NUMERIC, text, starts):
        month, day = (match["m"], match["d"]) if match["y"] else (match["a"], match["b"])
        low, high = sorted((int(month), int(day)))
        if 1 <= low <= 12 and high <= 31:
            yield match.span()
    for pattern in (_MONTH_YEAR, _COMPACT):
        for match in matches_at(pattern, text, starts):
            yield match.span()
    if _A_MONTH.search(" " + text.lower()):
        for match in _WORDED.finditer(text):
            yield match.span()
    if "/" in text:
        for match in _DAY_AND_MONTH.finditer(text):
            yield match.span("date")
