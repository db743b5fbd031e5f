"""Answers that need a person: what the recheck could not settle, kept until experts have them in their queue.

The one table outside the labeling room that holds texts of requests and answers, and only where the settings say so
(`gateway.keep_unresolved`, `preceptor verify --queue`). The texts leave it once the labeling room took the row over;
what the checks had said stays, for comparison with what the expert says, and is never shown to one who has not judged.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

import sqlalchemy as sa
from pydantic import Field

from core.moments import timestamp
from core.records import Name, Query, Record, messages_of
from core.store import METADATA, writing

UNRESOLVED = sa.Table(
    "unresolved_answer",
    METADATA,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("origin", sa.String(20), nullable=False),
    # Null once the labeling room has the texts.
    sa.Column("messages", sa.Text),
    sa.Column("domain", sa.String(200), nullable=False),
    sa.Column("stakes", sa.String(20), nullable=False),
    sa.Column("stratum", sa.String(200)),
    sa.Column("weak", sa.String(200), nullable=False),
    sa.Column("strong", sa.String(200), nullable=False),
    sa.Column("weak_answer", sa.Text),
    sa.Column("strong_answer", sa.Text),
    sa.Column("verdict", sa.String(20), nullable=False),
    sa.Column("checks", sa.Text, nullable=False),
    # The pair that experts judge; null while it waits to be taken over.
    sa.Column("pair_id", sa.String(64), index=True),
    sa.Column("at", sa.String(40), nullable=False),
    sa.CheckConstraint("origin IN ('gateway', 'verify')", name="origin"),
)

Origin = Literal["gateway", "verify"]
"""Who kept an answer: the gateway, of its traffic; or `preceptor verify`, of a file."""

LOOKUP_ROWS = 500
"""Ids named in one statement."""


class CheckSaid(Record):
    """What one check had said of the weak answer: names alone."""

    check: Annotated[str, Field(max_length=64)]
    outcome: Annotated[str, Field(max_length=20)]
    reason: Annotated[str, Field(max_length=64)]


class MachineVerdict(Record):
    """What the recheck had said of the weak answer; `not_checked` where no check saw it."""

    verdict: Annotated[str, Field(max_length=20)]
    checks: tuple[CheckSaid, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing was found against the answer."""
        return self.verdict == "pass"


class Unresolved(Record):
    """One request that a person must look at, by its decision's id, with the answers that there are."""

    id: Name
    query: Query
    weak: Name
    strong: Name
    weak_answer: str | None
    strong_answer: str | None
    said: MachineVerdict

    @property
    def is_pair(self) -> bool:
        """Whether there are two answers to compare."""
        return bool((self.weak_answer or "").strip() and (self.strong_answer or "").strip())


def keep_unresolved(engine: sa.Engine, rows: Iterable[Unresolved], *, origin: Origin, now: datetime) -> int:
    """Keep what needs a person, with its texts; an id that is kept already is passed over. Returns the number kept.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the store does not take it.
    """
    by_id = {row.id: row for row in rows}
    with writing(engine) as connection:
        known = _known(connection, list(by_id))
        values = [_values(row, origin, now) for row in by_id.values() if row.id not in known]
        if values:
            connection.execute(UNRESOLVED.insert(), values)
    return len(values)


def waiting_unresolved(connection: sa.Connection) -> list[Unresolved]:
    """What waits to be taken over by the labeling room, the oldest first."""
    query = sa.select(UNRESOLVED).where(UNRESOLVED.c.pair_id.is_(None), UNRESOLVED.c.messages.is_not(None))
    return [
        Unresolved(
            id=row.id,
            query=Query(
                id=row.id,
                messages=messages_of(json.loads(row.messages)),
                domain=row.domain,
                stakes=row.stakes,
                stratum=row.stratum,
            ),
            weak=row.weak,
            strong=row.strong,
            weak_answer=row.weak_answer,
            strong_answer=row.strong_answer,
            said=_said(row),
        )
        for row in connection.execute(query.order_by(UNRESOLVED.c.at, UNRESOLVED.c.id))
    ]


def hand_over(connection: sa.Connection, pairs: Mapping[str, str]) -> None:
    """Note which pair each row became, by the row's id, and drop its texts: the labeling room holds them now."""
    if pairs:
        statement = (
            UNRESOLVED.update()
            .where(UNRESOLVED.c.id == sa.bindparam("row"))
            .values(pair_id=sa.bindparam("pair"), messages=None, weak_answer=None, strong_answer=None)
        )
        connection.execute(statement, [{"row": row, "pair": pair} for row, pair in pairs.items()])


def machine_verdicts(connection: sa.Connection, pair_ids: Iterable[str]) -> dict[str, MachineVerdict]:
    """What the recheck had said, by pair; of a pair that came up twice, the first time. Other pairs are left out."""
    found: dict[str, MachineVerdict] = {}
    ids = sorted(set(pair_ids))
    for start in range(0, len(ids), LOOKUP_ROWS):
        query = sa.select(UNRESOLVED).where(UNRESOLVED.c.pair_id.in_(ids[start : start + LOOKUP_ROWS]))
        for row in connection.execute(query.order_by(UNRESOLVED.c.at, UNRESOLVED.c.id)):
            found.setdefault(row.pair_id, _said(row))
    return found


def _known(connection: sa.Connection, ids: list[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(ids), LOOKUP_ROWS):
        query = sa.select(UNRESOLVED.c.id).where(UNRESOLVED.c.id.in_(ids[start : start + LOOKUP_ROWS]))
        known.update(connection.execute(query).scalars())
    return known


def _values(row: Unresolved, origin: Origin, now: datetime) -> dict[str, object]:
    query = row.query
    return {
        "id": row.id,
        "origin": origin,
        "messages": json.dumps([message.model_dump() for message in query.messages]),
        "domain": query.domain,
        "stakes": str(query.stakes),
        "stratum": query.stratum,
        "weak": row.weak,
        "strong": row.strong,
        "weak_answer": row.weak_answer,
        "strong_answer": row.strong_answer,
        "verdict": row.said.verdict,
        "checks": json.dumps([one.model_dump() for one in row.said.checks]),
        "pair_id": None,
        "at": timestamp(now),
    }


def _said(row: sa.Row[tuple[object, ...]]) -> MachineVerdict:
    return MachineVerdict(verdict=row.verdict, checks=tuple(CheckSaid(**one) for one in json.loads(row.checks)))
