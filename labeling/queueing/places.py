"""A pair's place in the queue: how many experts are wanted, how many took it, and whether it is open to more.

Every function works inside the caller's write transaction. The counts are kept beside the pairs, so that the next pair
is found by an index however long the queue is.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.items import ITEMS, may_be_shown
from core.records import Stakes
from labeling.tables import ASSIGNMENTS, PAIRS, QUEUE
from web.sessions import timestamp

UNSEEN_STREAMS = ("gold", "qualification")
"""Streams whose pairs are mixed in or set apart, never offered as work."""

LOOKUP_ROWS = 500
"""Ids named in one statement."""


def wanted_experts(pair_id: str, stakes: str, *, high: int, low: float) -> int:
    """How many experts judge a pair: `high` where stakes are high or critical, else `low` on average.

    The fraction of `low` is decided by the pair's id, which is a hash: the same pair always gets the same number. Its
    first digits are left out: the queue is in their order, and pairs judged twice shall be early as often as late.

    >>> [wanted_experts("0" * 8 + f"{n:02x}" + "0" * 54, "low", high=2, low=1.25) for n in (0, 63, 64, 255)]
    [2, 2, 1, 1]
    >>> wanted_experts("ff" + "0" * 62, "high", high=2, low=1.25)
    2
    """
    if Stakes(stakes).is_high:
        return high
    whole = int(low)
    return whole + (int(pair_id[8:16], 16) / 16**8 < low - whole)


def add_pairs(
    connection: sa.Connection,
    pair_ids: Sequence[str],
    *,
    wanted: Mapping[str, int],
    stream: str = "plain",
    priorities: Mapping[str, float] = {},
) -> None:
    """Put new pairs into the queue, open unless their item is held back; one without a priority gets 0."""
    rows = [
        {
            "pair_id": id_,
            "stream": stream,
            "priority": priorities.get(id_, 0.0),
            "wanted": wanted[id_],
            "n_taken": 0,
            "is_open": False,
        }
        for id_ in pair_ids
    ]
    if rows:
        connection.execute(QUEUE.insert(), rows)
        refresh(connection, pair_ids)


def take(connection: sa.Connection, pair_id: str) -> None:
    """Count one more expert on a pair."""
    connection.execute(QUEUE.update().where(QUEUE.c.pair_id == pair_id).values(n_taken=QUEUE.c.n_taken + 1))
    refresh(connection, [pair_id])


def release_expired(connection: sa.Connection, *, now: datetime) -> int:
    """Give the places of lapsed leases to others; the pairs stay on their experts' own pages. Returns their number."""
    lapsed = (
        sa.select(ASSIGNMENTS.c.id, ASSIGNMENTS.c.pair_id, ASSIGNMENTS.c.holds_place)
        .where(ASSIGNMENTS.c.lease_until < timestamp(now), ASSIGNMENTS.c.is_waiting)
        .order_by(ASSIGNMENTS.c.id)
        # PostgreSQL: who comes second leaves them to the first; SQLite queues all writers.
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(lapsed).all()
    for row in rows:
        this = ASSIGNMENTS.c.id == row.id
        connection.execute(ASSIGNMENTS.update().where(this).values(lease_until=None, holds_place=False))
    # In one order, so that two processes never wait for each other's pairs.
    pairs = sorted(row.pair_id for row in rows if row.holds_place)
    for pair_id in pairs:
        connection.execute(QUEUE.update().where(QUEUE.c.pair_id == pair_id).values(n_taken=QUEUE.c.n_taken - 1))
    refresh(connection, pairs)
    return len(rows)


def set_wanted(connection: sa.Connection, *, high: int, low: float, audit: int) -> int:
    """Set how many experts are wanted on every pair that is work; returns the number of pairs that changed."""
    query = (
        sa.select(QUEUE.c.pair_id, QUEUE.c.stream, QUEUE.c.wanted, ITEMS.c.stakes)
        .join(PAIRS, PAIRS.c.id == QUEUE.c.pair_id)
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .where(QUEUE.c.stream.not_in(UNSEEN_STREAMS))
    )
    changed = []
    for row in connection.execute(query):
        n = audit if row.stream == "audit" else wanted_experts(row.pair_id, row.stakes, high=high, low=low)
        if n != row.wanted:
            changed.append({"changed": row.pair_id, "n": n})
    if changed:
        statement = QUEUE.update().where(QUEUE.c.pair_id == sa.bindparam("changed")).values(wanted=sa.bindparam("n"))
        connection.execute(statement, changed)
        refresh(connection, [row["changed"] for row in changed])
    return len(changed)


def refresh(connection: sa.Connection, pair_ids: Iterable[str]) -> None:
    """Set whether pairs are open, after a count, a stream or an item's state changed."""
    shown = sa.exists().where(PAIRS.c.id == QUEUE.c.pair_id, ITEMS.c.id == PAIRS.c.item_id, may_be_shown())
    is_open = sa.and_(QUEUE.c.n_taken < QUEUE.c.wanted, QUEUE.c.stream.not_in(UNSEEN_STREAMS), shown)
    ids = list(pair_ids)
    for start in range(0, len(ids), LOOKUP_ROWS):
        piece = ids[start : start + LOOKUP_ROWS]
        connection.execute(QUEUE.update().where(QUEUE.c.pair_id.in_(piece)).values(is_open=is_open))


def refresh_item(connection: sa.Connection, item_id: str) -> None:
    """Set whether an item's pairs are open, after the item was held back or cleared."""
    rows: sa.ScalarResult[Any] = connection.execute(sa.select(PAIRS.c.id).where(PAIRS.c.item_id == item_id)).scalars()
    refresh(connection, list(rows))
