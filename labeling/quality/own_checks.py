"""What an expert may be told of the checks in their own work: in whole fives and a day late.

So no single pair gives itself away: a figure moves only when five more checks are in, and never on the day of judging,
when a judgement may still be changed. Changes nothing.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.moments import timestamp
from labeling.quality.gold import Rate, judged_hidden, rate, right
from labeling.tables import JUDGEMENTS, counts, stands

SHOWN_IN = 5
"""A figure covers the first 5, 10, 15, ... checks, never the last few."""


def own_known(connection: sa.Connection, expert: str, *, now: datetime) -> Rate | None:
    """How many hidden pairs this expert judged as is known to be right; None until there are five."""
    query = judged_hidden(sa.select(sa.case((right(), 1), else_=0)))
    return _told(connection, query.where(_told_of(expert, now)))


def own_repeats(connection: sa.Connection, expert: str, *, now: datetime) -> Rate | None:
    """How many pairs that came back this expert gave the same verdict again; None until there are five."""
    first = (
        sa.select(JUDGEMENTS.c.pair_id, JUDGEMENTS.c.verdict)
        .where(counts(), JUDGEMENTS.c.expert == expert)
        .subquery("first_time")
    )
    query = (
        sa.select(sa.case((JUDGEMENTS.c.verdict == first.c.verdict, 1), else_=0))
        .join(first, first.c.pair_id == JUDGEMENTS.c.pair_id)
        .where(stands(), JUDGEMENTS.c.purpose == "repeat", _told_of(expert, now))
    )
    return _told(connection, query)


def _told_of(expert: str, now: datetime) -> sa.ColumnElement[bool]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return sa.and_(JUDGEMENTS.c.expert == expert, JUDGEMENTS.c.at < timestamp(midnight))


def _told(connection: sa.Connection, query: sa.Select[Any]) -> Rate | None:
    each = list(connection.execute(query.order_by(JUDGEMENTS.c.at, JUDGEMENTS.c.id)).scalars())
    told = each[: len(each) // SHOWN_IN * SHOWN_IN]
    return rate(sum(told), len(told)) if told else None
