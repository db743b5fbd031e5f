"""Loads CMS's public files of procedures: HCPCS, NCCI procedure-to-procedure edits, medically unlikely edits.

The files come from the site's own download (https://www.cms.gov, quarterly), since the codes of level I are the
American Medical Association's; none is part of this package. Every file is comma- or tab-separated text, with or
without headings.
"""

import csv
import re
from collections.abc import Iterator, Sized
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

from core.errors import SettingsError
from verifiers.coding.dates import UnreadableDate, read_date

_CODE = re.compile(r"[A-Z]\d{4}|\d{4}[A-Z]|\d{5}")
_OPEN_END = date.max


class PairEdit(NamedTuple):
    """Two codes not to be billed together from `first_day` on, up to and including `last_day`.

    `modifier_indicator`: 0 never together, 1 together with a modifier that says why, 9 no longer an edit.
    """

    first_day: date
    last_day: date
    modifier_indicator: int


class UnitLimit(NamedTuple):
    """The most units of a code; `adjudication`: 1 per line, 2 and 3 per date of service."""

    most_units: int
    adjudication: int


@cache
def load_hcpcs(path: str) -> frozenset[str]:
    """The codes of an HCPCS file: the first field of each row, or of CMS's fixed-width records.

    Raises:
        SettingsError: the file cannot be read, or holds no code.
    """
    codes = set()
    for row in _rows(path):
        match = _CODE.match(row[0].strip().strip('"'))
        if match:
            codes.add(match[0])
    _refuse_empty(codes, path, "HCPCS codes")
    return frozenset(codes)


@cache
def load_pair_edits(path: str) -> dict[tuple[str, str], tuple[PairEdit, ...]]:
    """NCCI edits by (column 1, column 2).

    Fields: column 1, column 2, in existence before 1996, effective date, deletion date (`*` for none), modifier
    indicator; what follows is not read.

    Raises:
        SettingsError: the file cannot be read, or holds no edit.
    """
    edits: dict[tuple[str, str], list[PairEdit]] = {}
    for number, row in enumerate(_rows(path), start=1):
        if len(row) < 6 or not (_CODE.fullmatch(row[0]) and _CODE.fullmatch(row[1])):
            continue
        try:
            last_day = read_date(row[4]) if re.search(r"\d", row[4]) else _OPEN_END
            edit = PairEdit(read_date(row[3]), last_day, int(row[5][:1]))
        except (UnreadableDate, ValueError) as error:
            raise SettingsError(
                f"Line {number} of {path} holds no NCCI edit: effective and deletion date are written 20260101, the "
                "modifier indicator 0, 1 or 9. Name CMS's file of procedure-to-procedure edits, saved as text."
            ) from error
        edits.setdefault((row[0], row[1]), []).append(edit)
    _refuse_empty(edits, path, "NCCI edits")
    return {pair: tuple(found) for pair, found in edits.items()}


@cache
def load_unit_limits(path: str) -> dict[str, UnitLimit]:
    """Medically unlikely edits by code. Fields: code, most units, adjudication indicator (its first digit counts).

    Raises:
        SettingsError: the file cannot be read, or holds no limit.
    """
    limits: dict[str, UnitLimit] = {}
    for number, row in enumerate(_rows(path), start=1):
        if len(row) < 3 or not _CODE.fullmatch(row[0]):
            continue
        indicator = re.match(r"\s*([123])", row[2])
        if not row[1].isdigit() or indicator is None:
            raise SettingsError(
                f"Line {number} of {path} holds no limit of units: code, number of units, indicator 1, 2 or 3. "
                "Name CMS's file of medically unlikely edits, saved as text."
            )
        limits[row[0]] = UnitLimit(int(row[1]), int(indicator[1]))
    _refuse_empty(limits, path, "limits of units")
    return limits


def _rows(path: str) -> Iterator[list[str]]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file {path} cannot be read ({error}). Name CMS's file, saved as text.") from error
    delimiter = "\t" if text.count("\t") > text.count(",") else ","
    for row in csv.reader(text.splitlines(), delimiter=delimiter):
        if row:
            yield [field.strip() for field in row]


def _refuse_empty(found: Sized, path: str, what: str) -> None:
    if not found:
        raise SettingsError(f"{path} holds no {what}. Name CMS's file, saved as comma- or tab-separated text.")
