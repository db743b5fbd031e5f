"""Pairs whose two answers say the same: no expert is needed to know that neither is better.

Two answers say the same when they are equal but for case and white space. Nothing looser: a sign or a dot can be the
whole difference between two codes. What such a pair tells a router (the strong model was not needed) is written as
rows of its own, so that the active stream may leave these pairs out without loss.
"""

import json
from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from core.access import Act, Actor, require
from core.items import ITEMS, may_be_shown
from core.ledger import append_in
from core.store import writing
from labeling.queueing.waiting import waiting
from labeling.tables import ANSWERS, PAIRS

READ_CHARS = 400
"""Longer answers are compared as they are, character by character, in the database."""


def say_the_same(one: str, other: str) -> bool:
    """Whether two answers are equal but for case and white space.

    >>> say_the_same("Code: I10 ", "code: i10"), say_the_same("-5", "5"), say_the_same("B42.81", "B42.8")
    (True, False, False)
    """
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def same_answer_items(connection: sa.Connection) -> frozenset[str]:
    """Ids of the items of which every pair has two answers that say the same."""
    first, second = ANSWERS.alias("first"), ANSWERS.alias("second")
    is_short = sa.and_(sa.func.length(first.c.text) <= READ_CHARS, sa.func.length(second.c.text) <= READ_CHARS)
    query = (
        sa.select(
            PAIRS.c.item_id,
            sa.case((is_short, first.c.text), else_=""),
            sa.case((is_short, second.c.text), else_=""),
            sa.case((first.c.text == second.c.text, 1), else_=0),
            is_short,
        )
        .join(first, first.c.id == PAIRS.c.first_answer_id)
        .join(second, second.c.id == PAIRS.c.second_answer_id)
    )
    same: set[str] = set()
    different: set[str] = set()
    for item_id, one, other, is_equal, was_read in connection.execute(query):
        (same if is_equal or (was_read and say_the_same(one, other)) else different).add(item_id)
    return frozenset(same - different)


def write_ties(engine: sa.Engine, *, actor: Actor, now: datetime) -> list[str]:
    """A line of JSON for each waiting item whose answers say the same: a tie, in the form that training reads.

    Items of the audit and what is tied to them are left out, and so are items that an expert took. The ledger keeps who
    asked and how many there were.

    Raises:
        AccessDenied: the actor may not export.
    """
    require(Act.EXPORT, actor)
    with engine.connect() as connection:
        free = set(waiting(connection).item_ids) & same_answer_items(connection)
        lines = list(_lines(connection, free))
    with writing(engine) as connection:
        append_in(connection, actor.name, "queue.ties", "same answers", {"rows": len(lines)}, now=now)
    return lines


def _lines(connection: sa.Connection, item_ids: set[str]) -> Iterator[str]:
    query = (
        sa.select(ITEMS, PAIRS.c.weak, PAIRS.c.strong)
        .join(PAIRS, PAIRS.c.item_id == ITEMS.c.id)
        .where(PAIRS.c.weak.is_not(None), may_be_shown())
        .order_by(ITEMS.c.id, PAIRS.c.id)
    )
    for row in connection.execute(query):
        if row.id in item_ids:
            told = {"id": row.id, "query": json.loads(row.messages), "domain": row.domain, "stakes": row.stakes}
            known = {"stratum": row.stratum, "group": row.group_key, "topic": row.topic}
            told |= {name: value for name, value in known.items() if value is not None}
            told |= {"model_a": row.weak, "model_b": row.strong, "winner": "tie"}
            yield json.dumps(told, ensure_ascii=False, sort_keys=True)
