"""What a new guideline changes: its lines beside those of the version before, and the judgements made under older ones.

Reads the store and changes nothing.
"""

import difflib
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from labeling.tables import ASSIGNMENTS, GUIDELINES, JUDGEMENTS, counts

CONTEXT_LINES = 2
"""Unchanged lines that are shown before and after a change."""


@dataclass(frozen=True)
class Line:
    """A line of a comparison; `gap` stands for unchanged lines that are left out."""

    kind: Literal["same", "added", "removed", "gap"]
    text: str = ""


@dataclass(frozen=True)
class Outdated:
    """Judgements of a stratum that count and were made under an older version; None: before there was any."""

    stratum: str
    version: int | None
    n_judgements: int
    n_pairs: int


def changed_lines(before: str, after: str) -> list[Line]:
    r"""The lines that differ between two texts, with a little of what stands around them; empty when none does.

    >>> [(line.kind, line.text) for line in changed_lines("Code all.\nBe brief.", "Code all.\nBe exact.")]
    [('same', 'Code all.'), ('removed', 'Be brief.'), ('added', 'Be exact.')]
    """
    found: list[Line] = []
    kinds: dict[str, Literal["same", "added", "removed"]] = {" ": "same", "+": "added", "-": "removed"}
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT_LINES)
    for number, line in enumerate(lines):
        if number < 2:
            continue  # the names of the two files
        if line.startswith("@@"):
            if found:
                found.append(Line("gap"))
            continue
        found.append(Line(kinds[line[0]], line[1:]))
    return found


def outdated(connection: sa.Connection) -> list[Outdated]:
    """Where judgements that count were made under an older guideline, by stratum, then by version; newest is left out.

    Each may deserve a second look: the change may have made another verdict right.
    """
    newest = connection.execute(sa.select(sa.func.max(GUIDELINES.c.version))).scalar()
    if newest is None:
        return []
    version = JUDGEMENTS.c.guideline_version
    query = (
        sa.select(
            ASSIGNMENTS.c.stratum,
            version,
            sa.func.count().label("n_judgements"),
            sa.func.count(sa.distinct(JUDGEMENTS.c.pair_id)).label("n_pairs"),
        )
        .join(ASSIGNMENTS, ASSIGNMENTS.c.id == JUDGEMENTS.c.assignment_id)
        .where(counts(), sa.or_(version.is_(None), version < newest))
        .group_by(ASSIGNMENTS.c.stratum, version)
    )
    rows = [
        Outdated(row.stratum, row.guideline_version, row.n_judgements, row.n_pairs) for row in connection.execute(query)
    ]
    return sorted(rows, key=lambda row: (row.stratum, row.version or 0))


def outdated_pairs(connection: sa.Connection, *, limit: int = 500) -> dict[str, list[str]]:
    """The pairs of such judgements by stratum, at most `limit` of all, in order of id."""
    newest = sa.select(sa.func.max(GUIDELINES.c.version)).scalar_subquery()
    version = JUDGEMENTS.c.guideline_version
    query = (
        sa.select(ASSIGNMENTS.c.stratum, JUDGEMENTS.c.pair_id)
        .join(ASSIGNMENTS, ASSIGNMENTS.c.id == JUDGEMENTS.c.assignment_id)
        .where(counts(), sa.or_(sa.and_(version.is_(None), newest.is_not(None)), version < newest))
        .distinct()
        .order_by(ASSIGNMENTS.c.stratum, JUDGEMENTS.c.pair_id)
        .limit(limit)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.stratum].append(row.pair_id)
    return dict(found)
