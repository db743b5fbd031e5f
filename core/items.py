"""Queries in the store: what experts are to judge, with the state of their screening for identifiers.

The one table of the labeling room that other rooms read: the pipeline scores queries that wait (`core.signals`).
It never holds an answer, and a query that is held back or excluded is never handed out.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from core.records import Query, messages_of
from core.store import METADATA

ITEMS = sa.Table(
    "label_item",
    METADATA,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("messages", sa.Text, nullable=False),
    sa.Column("domain", sa.String(200), nullable=False),
    sa.Column("stakes", sa.String(20), nullable=False),
    sa.Column("stratum", sa.String(200)),
    sa.Column("group_key", sa.Text),
    sa.Column("topic", sa.Text),
    sa.Column("reference", sa.Text),
    sa.Column("phi_state", sa.String(10), nullable=False, index=True),
    sa.Column("data_class", sa.String(20), nullable=False),
    sa.Column("imported_at", sa.String(40), nullable=False),
    sa.CheckConstraint("phi_state IN ('clean', 'held', 'cleared', 'excluded')", name="phi_state"),
)

SHOWN_STATES = ("clean", "cleared")
"""States in which a query may be shown. A held one waits for a person's decision; an excluded one is out for good."""


def may_be_shown() -> sa.ColumnElement[bool]:
    """The condition that a row of `ITEMS` is neither held back nor excluded."""
    return ITEMS.c.phi_state.in_(SHOWN_STATES)


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


def shown_queries(connection: sa.Connection) -> Iterator[Query]:
    """Every query that experts may see, in order of id."""
    for row in connection.execute(sa.select(ITEMS).where(may_be_shown()).order_by(ITEMS.c.id)):
        yield query_of(row)
