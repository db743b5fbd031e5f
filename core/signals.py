"""What routers and verifiers say about queries that wait for labels: the pipeline writes, the labeling queue reads.

A later signal for the same query takes the place of the earlier one. Nothing here is shown to experts.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from core.records import Name, Record, Share
from core.store import METADATA, writing

SIGNALS = sa.Table(
    "query_signal",
    METADATA,
    sa.Column("query_id", sa.String(200), primary_key=True),
    sa.Column("bundle", sa.String(400), nullable=False),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("threshold", sa.Float, nullable=False),
    sa.Column("disagreement", sa.Float),
    sa.Column("verifier_conflict", sa.Float),
    sa.Column("novelty", sa.Float),
    sa.Column("at", sa.String(40), nullable=False),
)


class Signal(Record):
    """What is known about one query before anyone judged it.

    `probability` that the strong model is needed, and the bundle's `threshold`. `disagreement` between routers,
    `verifier_conflict` (the verifier and the router say opposite things) and `novelty` (distance to the labelled
    queries) are shares in [0, 1]; None: not measured.
    """

    query_id: Name
    bundle: str
    probability: Share
    threshold: Share
    disagreement: Share | None = None
    verifier_conflict: Share | None = None
    novelty: Share | None = None


def write_signals(engine: sa.Engine, signals: Iterable[Signal], *, now: datetime) -> int:
    """Keep the signals, each in the place of an earlier one of its query; returns their number."""
    at = now.astimezone(UTC).isoformat(timespec="milliseconds")
    rows = [{**signal.model_dump(), "at": at} for signal in {signal.query_id: signal for signal in signals}.values()]
    if rows:
        with writing(engine) as connection:
            replaced = SIGNALS.delete().where(SIGNALS.c.query_id == sa.bindparam("replaced"))
            connection.execute(replaced, [{"replaced": row["query_id"]} for row in rows])
            connection.execute(SIGNALS.insert(), rows)
    return len(rows)


def read_signals(connection: sa.Connection) -> Mapping[str, Signal]:
    """The latest signal of every query, by query id."""
    columns = [SIGNALS.c[name] for name in Signal.model_fields]
    return {row.query_id: Signal(**row._mapping) for row in connection.execute(sa.select(*columns))}
