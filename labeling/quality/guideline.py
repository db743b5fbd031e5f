"""The guideline: the instructions that experts judge by, in numbered versions, and who has read which."""

from dataclasses import dataclass

import sqlalchemy as sa

from labeling.tables import ACKNOWLEDGEMENTS, GUIDELINES


@dataclass(frozen=True)
class Guideline:
    """One version of the guideline: Markdown text, and what changed since the one before."""

    version: int
    text: str
    change: str


def latest(connection: sa.Connection) -> Guideline | None:
    """The version that is in force; None before the first."""
    query = sa.select(GUIDELINES).order_by(GUIDELINES.c.version.desc()).limit(1)
    row = connection.execute(query).first()
    return Guideline(row.version, row.text, row.change) if row else None


def has_acknowledged(connection: sa.Connection, expert: str) -> bool:
    """Whether an expert has acknowledged the latest version; true where there is none."""
    version = sa.select(sa.func.max(GUIDELINES.c.version)).scalar_subquery()
    query = sa.select(sa.func.count()).select_from(ACKNOWLEDGEMENTS)
    known = connection.execute(
        query.where(ACKNOWLEDGEMENTS.c.expert == expert, ACKNOWLEDGEMENTS.c.version == version)
    ).scalar_one()
    return known > 0 or latest(connection) is None
