"""Reads the procedure lines of an answer: code, modifiers, units, date. It knows no code and holds no descriptor.

A line is read where it names a procedure code after a label, or as the first word of the line:
`10001-25 x 1`, `CPT 10002, units: 2`, `- G9999 (2 units) 2026-05-03`. Codes have the shapes of HCPCS: five digits, four
digits and a letter, or a letter and four digits. The latter can be ICD-10-CM codes without a dot, and count as
procedures only on a line that says so: by label, modifier or units.
"""

import re
import unicodedata
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from verifiers.coding.dates import UnreadableDate, read_date

CHARACTERS_READ = 20_000
LINES_READ = 60

_LABEL = re.compile(r"\b(?:cpt|hcpcs|procedures?|proc|service code|billed?|bill|line(?: \d+)?)\b", re.IGNORECASE)
_CODE = re.compile(
    r"(?<![\w.$/-])(?P<code>[A-V]\d{4}|\d{4}[A-Z]|\d{5})(?P<modifiers>(?:[ ]?-[ ]?[A-Z0-9]{2}(?!\d))*)"
    r"(?![\w/]|\.\d|-\d)"
)
_UNITS = re.compile(
    r"\b(?:units?|qty|quantity)[ ]*(?:of service)?[ ]*[:=]?[ ]*(?P<after>\d{1,5})\b|\b(?P<before>\d{1,5})[ ]*units?\b"
    r"|(?:^|[ (])[x\u00d7][ ]?(?P<times>\d{1,5})\b",
    re.IGNORECASE,
)
_MODIFIERS = re.compile(
    r"\b(?:modifiers?|mods?)[ ]*[:=]?[ ]*(?P<listed>[A-Z0-9]{2}(?:[ ]*[,/&][ ]*[A-Z0-9]{2})*)\b", re.IGNORECASE
)
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}/\d{1,2}/\d{4}\b")
_MARKUP = str.maketrans({"*": None, "`": None, "|": " "})
_COUNTED = re.compile(r"[ ]*(?:units?|mg|mcg|ml|iu|usd|dollars|patients|cells|/)\b", re.IGNORECASE)
_FIRST_WORD = re.compile(r"[ ]*(?:[-*\u2022]|\d{1,2}[.)])?[ ]*$")


class ProcedureLine(NamedTuple):
    """One procedure as billed. `units` is 1 where the line says nothing; `day` None where it names none."""

    code: str
    modifiers: tuple[str, ...]
    units: int
    day: date | None


@lru_cache(maxsize=256)
def read_procedures(answer: str) -> tuple[ProcedureLine, ...]:
    r"""The procedure lines, in order.

    >>> [tuple(line)[:3] for line in read_procedures("CPT: 10001-59 x 2\nHCPCS G9999, units: 3\nICD-10-CM: J0120")]
    [('10001', ('59',), 2), ('G9999', (), 3)]
    """
    text = unicodedata.normalize("NFKC", answer[:CHARACTERS_READ]).translate(_MARKUP)
    found: list[ProcedureLine] = []
    under_label = False
    for line in text.split("\n"):
        codes = [match for match in _CODE.finditer(line) if not _DATE.search(match[0])]
        labelled = _LABEL.search(line) is not None
        if re.search(r"\b(?:icd|diagnos[ie]s|dx)\b", line, re.IGNORECASE) and not labelled:
            under_label = False
            continue
        under_label = labelled if not codes or labelled else under_label and bool(line.strip())
        for number, match in enumerate(codes):
            end = codes[number + 1].start() if number + 1 < len(codes) else len(line)
            rest = line[match.end() : end]
            says_so = labelled or under_label or match["modifiers"] or _UNITS.search(rest) or _MODIFIERS.search(rest)
            if not labelled and _COUNTED.match(rest):
                continue
            leads = _FIRST_WORD.fullmatch(line[: match.start()]) is not None
            if says_so or (leads and not re.fullmatch(r"[A-V]\d{4}", match["code"])):
                found.append(_line(match, rest))
    return tuple(found[:LINES_READ])


def _line(match: re.Match[str], rest: str) -> ProcedureLine:
    modifiers = re.findall(r"[A-Z0-9]{2}", match["modifiers"])
    for listed in _MODIFIERS.finditer(rest):
        modifiers += re.findall(r"[A-Z0-9]{2}", listed["listed"].upper())
    units = _UNITS.search(rest)
    number = next((part for part in units.groups() if part), "1") if units else "1"
    dated = _DATE.search(rest)
    try:
        day = read_date(dated[0]) if dated else None
    except UnreadableDate:
        day = None
    return ProcedureLine(match["code"], tuple(dict.fromkeys(modifiers)), int(number), day)
