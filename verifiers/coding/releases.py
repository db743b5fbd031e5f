"""Releases of ICD-10-CM by the dates of service that they govern, from CMS's public order files and addenda.

A release takes effect on 1 October or 1 April and holds until the next; dates for which no release is at hand are
outside. Nothing is fetched: the files are those of https://www.cms.gov/medicare/coding-billing/icd-10-codes.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

from core.errors import SettingsError
from verifiers.coding.code_set import BUNDLED_FROM, load_code_set, undotted
from verifiers.coding.dates import UnreadableDate, read_date

_ORDER_LINE = re.compile(r"\d{5} +(?P<code>[A-Z][0-9A-Z]{2,6}) +(?P<billable>[01])(?: .*)?")
_ADDENDA_LINE = re.compile(
    r"(?P<change>Add|Delete|Revise from|Revise to):?\s+\d{5} +(?P<code>[A-Z][0-9A-Z]{2,6}) +(?P<billable>[01])(?: .*)?",
    re.I,
)


class Release(NamedTuple):
    """One release: the codes in force from `first_day` up to, not including, `next_day`; without dots."""

    first_day: date
    next_day: date
    codes: frozenset[str]
    billable: frozenset[str]


class Releases(NamedTuple):
    """All releases at hand, in order."""

    listed: tuple[Release, ...]

    def on(self, day: date) -> Release | None:
        """The release in force on that day; None where none at hand was."""
        place = bisect_right([release.first_day for release in self.listed], day) - 1
        return self.listed[place] if place >= 0 and day < self.listed[place].next_day else None


def load_releases(order_files: Mapping[str, str]) -> Releases:
    """The bundled release, and those of the files; a file of the same first day takes the bundled one's place.

    Args:
        order_files: first day of each release, as ISO writes it, and the path of its order file, or of addenda to
            the release before.

    Raises:
        SettingsError: a day is none on which a release begins, or a file cannot be read as what it should be.
        MissingExtra: simple-icd-10-cm is not installed.
    """
    return _load_once(tuple(sorted((str(day), str(path)) for day, path in order_files.items())))


def read_order_file(
    path: Path, *, before: tuple[frozenset[str], frozenset[str]] | None
) -> tuple[frozenset[str], frozenset[str]]:
    """All codes and the billable ones of an order file, or of addenda applied to the release `before`.

    Raises:
        SettingsError: the file is missing, holds another kind of line, or is addenda without a release before.
    """
    try:
        lines = [line.rstrip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The order file {path} cannot be read ({error}). Name the file of CMS's archive."
        ) from error
    if lines and _ADDENDA_LINE.fullmatch(lines[0]):
        return _amended(path, lines, before)
    codes: set[str] = set()
    billable: set[str] = set()
    for number, line in enumerate(lines, start=1):
        match = _ORDER_LINE.fullmatch(line)
        if match is None:
            raise SettingsError(
                f"Line {number} of {path} is no line of an order file (number, code, 0 or 1, descriptions). "
                "Name icd10cm_order_YYYY.txt of CMS's archive."
            )
        codes.add(match["code"])
        if match["billable"] == "1":
            billable.add(match["code"])
    if not codes:
        raise SettingsError(f"The order file {path} is empty. Name icd10cm_order_YYYY.txt of CMS's archive.")
    return frozenset(codes), frozenset(billable)


@cache
def _load_once(order_files: tuple[tuple[str, str], ...]) -> Releases:
    bundled = load_code_set()
    tables = {BUNDLED_FROM: (bundled.codes, bundled.billable)}
    for first_day, path in sorted((_first_day(day), Path(path)) for day, path in order_files):
        before = max((day for day in tables if day < first_day), default=None)
        tables[first_day] = read_order_file(path, before=tables[before] if before else None)
    return Releases(
        tuple(Release(day, _next_first_day(day), codes, billable) for day, (codes, billable) in sorted(tables.items()))
    )


def _amended(
    path: Path, lines: list[str], before: tuple[frozenset[str], frozenset[str]] | None
) -> tuple[frozenset[str], frozenset[str]]:
    if before is None:
        raise SettingsError(
            f"{path} holds addenda, but no release before them is at hand. Name the order file that they amend as well."
        )
    codes, billable = set(before[0]), set(before[1])
    for number, line in enumerate(lines, start=1):
        match = _ADDENDA_LINE.fullmatch(line)
        if match is None:
            raise SettingsError(f"Line {number} of {path} is no line of addenda. Name the file of CMS's archive.")
        code, change = undotted(match["code"]), match["change"].lower()
        if change in ("delete", "revise from"):
            codes.discard(code)
            billable.discard(code)
        else:
            codes.add(code)
            if match["billable"] == "1":
                billable.add(code)
            else:
                billable.discard(code)
    return frozenset(codes), frozenset(billable)


def _first_day(day: str) -> date:
    try:
        first_day = read_date(day)
    except UnreadableDate as error:
        raise SettingsError(f"'{day}' is no date on which a release begins. Write it as 2025-10-01.") from error
    if (first_day.month, first_day.day) not in ((4, 1), (10, 1)):
        raise SettingsError(f"No release begins on {first_day}. Releases begin on 1 April and on 1 October.")
    return first_day


def _next_first_day(first_day: date) -> date:
    return date(first_day.year, 10, 1) if first_day.month == 4 else date(first_day.year + 1, 4, 1)
