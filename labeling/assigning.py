"""The queue: which pair an expert judges next, and on which side each answer stands.

A pair is open to an expert when it is not held back, was never offered to them, and fewer than `overlap` others have
judged it or are judging it now. Pairs come in the order of their content hash: random, and the same for everyone, so
overlaps fill up early. An expert has at most one offered pair without a judgement, unless they undid some.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.records import Query, messages_of
from core.store import writing
from labeling.sides import anchor_is_left, is_swapped
from labeling.tables import ANSWERS, ASSIGNMENTS, EXPERTS, ITEMS, JUDGEMENTS, PAIRS, stands
from web.sessions import timestamp

LEASE = timedelta(hours=1)
"""A pair that was offered and not judged within this time is offered to others too."""


@dataclass(frozen=True)
class Task:
    """What the judging screen shows: the query and two answers, without a word on who wrote them."""

    assignment_id: str
    revision: int
    query: Query
    left: str
    right: str


@dataclass(frozen=True)
class Progress:
    """An expert's work: pairs judged, and pairs judged or still open to them."""

    judged: int
    total: int


def next_task(engine: sa.Engine, expert: str, *, overlap: int = 1, now: datetime) -> Task | None:
    """The pair that this expert judges now; the same one until it is judged. None when nothing is left."""
    with engine.connect() as connection:
        assignment_id = _waiting(connection, expert)
    if assignment_id is None:
        with writing(engine) as connection:
            # Asked again under the write lock: two tabs opened at once must not take two pairs.
            _lock_expert(connection, expert)
            assignment_id = _waiting(connection, expert) or _offer(connection, expert, overlap=overlap, now=now)
    if assignment_id is None:
        return None
    with engine.connect() as connection:
        return _task(connection, assignment_id)


def progress_of(connection: sa.Connection, expert: str, *, overlap: int = 1, now: datetime) -> Progress:
    """How far this expert is."""
    count = sa.func.count()
    judged = connection.execute(
        sa.select(count).select_from(JUDGEMENTS).where(JUDGEMENTS.c.expert == expert, stands())
    ).scalar_one()
    waiting = connection.execute(sa.select(count).select_from(_without_judgement(expert).subquery())).scalar_one()
    untouched = connection.execute(
        sa.select(count).select_from(_open_pairs(expert, overlap=overlap, now=now).subquery())
    ).scalar_one()
    return Progress(judged=judged, total=judged + waiting + untouched)


def last_judged(connection: sa.Connection, expert: str) -> str | None:
    """Id of the expert's latest judgement that stands: the one that undo takes back."""
    query = (
        sa.select(JUDGEMENTS.c.id)
        .where(JUDGEMENTS.c.expert == expert, stands())
        .order_by(JUDGEMENTS.c.at.desc(), JUDGEMENTS.c.id)
        .limit(1)
    )
    return connection.execute(query).scalar()


def query_of(item: sa.Row[Any]) -> Query:
    """The query that a row of `ITEMS` holds."""
    return Query(
        id=item.id,
        messages=messages_of(json.loads(item.messages)),
        domain=item.domain,
        stakes=item.stakes,
        stratum=item.stratum,
        group=item.group_key,
        topic=item.topic,
        reference=item.reference,
    )


def _waiting(connection: sa.Connection, expert: str) -> str | None:
    query = _without_judgement(expert).order_by(ASSIGNMENTS.c.offered_at.desc(), ASSIGNMENTS.c.id).limit(1)
    found: str | None = connection.execute(query).scalar()
    return found


def _without_judgement(expert: str) -> sa.Select[Any]:
    judged = sa.exists().where(JUDGEMENTS.c.assignment_id == ASSIGNMENTS.c.id, stands())
    return (
        sa.select(ASSIGNMENTS.c.id)
        .join(PAIRS, PAIRS.c.id == ASSIGNMENTS.c.pair_id)
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .where(ASSIGNMENTS.c.expert == expert, ITEMS.c.phi_state != "held", ~judged)
    )


def _open_pairs(expert: str, *, overlap: int, now: datetime) -> sa.Select[Any]:
    offered = sa.exists().where(ASSIGNMENTS.c.pair_id == PAIRS.c.id, ASSIGNMENTS.c.expert == expert)
    other = ASSIGNMENTS.alias("other")
    judged = sa.exists().where(JUDGEMENTS.c.assignment_id == other.c.id, stands())
    taken = (
        sa.select(sa.func.count())
        .select_from(other)
        .where(other.c.pair_id == PAIRS.c.id, sa.or_(other.c.offered_at > timestamp(now - LEASE), judged))
        .scalar_subquery()
    )
    return (
        sa.select(PAIRS.c.id, ITEMS.c.id.label("item_id"))
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .where(ITEMS.c.phi_state != "held", ~offered, taken < overlap)
    )


def _lock_expert(connection: sa.Connection, expert: str) -> None:
    connection.execute(sa.select(EXPERTS.c.name).where(EXPERTS.c.name == expert).with_for_update())


def _offer(connection: sa.Connection, expert: str, *, overlap: int, now: datetime) -> str | None:
    found = connection.execute(_open_pairs(expert, overlap=overlap, now=now).order_by(PAIRS.c.id).limit(1)).first()
    if found is None:
        return None
    pair = connection.execute(sa.select(PAIRS).where(PAIRS.c.id == found.id)).one()
    stratum = query_of(connection.execute(sa.select(ITEMS).where(ITEMS.c.id == found.item_id)).one()).stratum_name
    models = _models(connection, pair)
    anchor = pair.strong or min(models.values())
    seed = connection.execute(sa.select(EXPERTS.c.side_seed).where(EXPERTS.c.name == expert)).scalar_one()
    turn = connection.execute(
        sa.select(sa.func.count())
        .select_from(ASSIGNMENTS)
        .where(ASSIGNMENTS.c.expert == expert, ASSIGNMENTS.c.stratum == stratum)
    ).scalar_one()
    assignment_id = secrets.token_hex(12)
    swapped = is_swapped(
        anchor_left=anchor_is_left(seed, stratum, turn), anchor_is_first=models[pair.first_answer_id] == anchor
    )
    connection.execute(
        ASSIGNMENTS.insert().values(
            id=assignment_id,
            expert=expert,
            pair_id=pair.id,
            stratum=stratum,
            turn=turn,
            side_seed=seed,
            swapped=swapped,
            offered_at=timestamp(now),
        )
    )
    return assignment_id


def _models(connection: sa.Connection, pair: sa.Row[Any]) -> dict[str, str]:
    ids = (pair.first_answer_id, pair.second_answer_id)
    rows = connection.execute(sa.select(ANSWERS.c.id, ANSWERS.c.model).where(ANSWERS.c.id.in_(ids)))
    return {row.id: row.model for row in rows}


def _task(connection: sa.Connection, assignment_id: str) -> Task:
    first, second = ANSWERS.alias("first"), ANSWERS.alias("second")
    shown = connection.execute(
        sa.select(ASSIGNMENTS.c.swapped, first.c.text.label("first"), second.c.text.label("second"), PAIRS.c.item_id)
        .join(PAIRS, PAIRS.c.id == ASSIGNMENTS.c.pair_id)
        .join(first, first.c.id == PAIRS.c.first_answer_id)
        .join(second, second.c.id == PAIRS.c.second_answer_id)
        .where(ASSIGNMENTS.c.id == assignment_id)
    ).one()
    item = connection.execute(sa.select(ITEMS).where(ITEMS.c.id == shown.item_id)).one()
    revision = connection.execute(
        sa.select(sa.func.count()).select_from(JUDGEMENTS).where(JUDGEMENTS.c.assignment_id == assignment_id)
    ).scalar_one()
    left, right = (shown.second, shown.first) if shown.swapped else (shown.first, shown.second)
    return Task(assignment_id=assignment_id, revision=revision, query=query_of(item), left=left, right=right)
