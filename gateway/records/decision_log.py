"""The record of what the gateway decided, in the store: appended, read back, never changed. Holds no text.

Synchronous; `gateway.records.decision_writer` gathers what waits into one transaction for the event loop.
Rows go to the driver as they are: SQLAlchemy's own insert costs ten times the processor's time for each of them.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import sqlalchemy as sa
from pydantic import TypeAdapter

from core.call_record import CallRecord
from core.check_record import CheckRecord
from core.errors import PreceptorError
from core.records import Decision
from core.store import create_tables, writing
from gateway.tables import DECISIONS

Row = tuple[object, ...]
"""A decision as the store's driver takes it, in the order of the table's columns."""

STATEMENT_TIMEOUT_MS = 4000
"""How long PostgreSQL may take over a transaction's statement, waiting for another's lock included."""


class RefusedDecision(PreceptorError):
    """The store holds another decision under the same id."""


class DecisionLog:
    """Appends decisions to the store and reads them back."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._is_postgres = engine.dialect.name == "postgresql"
        create_tables(engine)

    def record(self, decision: Decision) -> None:
        """Append one decision; one that is there already stays as it is.

        Raises:
            RefusedDecision: another decision has its id.
            sqlalchemy.exc.SQLAlchemyError: the store does not take it.
        """
        self.record_many([decision])

    def record_many(self, decisions: Iterable[Decision]) -> None:
        """Append decisions in one transaction, all of them or none; those that are there already stay as they are.

        Raises:
            RefusedDecision: another decision has the id of one of them.
            sqlalchemy.exc.SQLAlchemyError: the store does not take them.
        """
        self.append([self.row_of(decision) for decision in decisions])

    def row_of(self, decision: Decision) -> Row:
        """The decision as a row of this store."""
        utc = decision.at.astimezone(UTC)
        # SQLite has no type for a moment; this is how SQLAlchemy reads one.
        at = utc if self._is_postgres else utc.replace(tzinfo=None).isoformat(" ", "microseconds")
        values = decision.__dict__
        return tuple(
            at if name == "at" else _as_json(name, values[name]) if name in _JSON else values[name] for name in _COLUMNS
        )

    def append(self, rows: Sequence[Row], *, survives_power_cut: bool = True) -> None:
        """Append rows (`row_of`) in one transaction; `record_many` says what it promises and raises.

        Args:
            rows: of any number.
            survives_power_cut: wait for the disk (`core.store.writing`).
        """
        if not rows:
            return
        with writing(self._engine, survives_power_cut=survives_power_cut) as connection:
            n_taken = self._insert(connection, rows)
            if n_taken < len(rows):
                self._refuse_others(connection, rows)

    def find(self, identifier: str) -> Decision | None:
        """The decision of that id, or None."""
        with self._engine.connect() as connection:
            return _found(connection, identifier)

    def recent(self, n: int, *, before: datetime | None = None) -> tuple[Decision, ...]:
        """The last `n` decisions, the latest first; with `before`, those made before that moment."""
        latest = sa.select(DECISIONS).order_by(DECISIONS.c.at.desc(), DECISIONS.c.id).limit(n)
        if before is not None:
            latest = latest.where(DECISIONS.c.at < before.astimezone(UTC))
        with self._engine.connect() as connection:
            return tuple(_decision_of(row) for row in connection.execute(latest).mappings())

    def sync(self) -> None:
        """Bring to the disk what was appended without waiting for it; PostgreSQL does so by itself."""
        database = self._engine.url.database
        if self._is_postgres or not database or database == ":memory:":
            return
        try:
            descriptor = os.open(Path(f"{database}-wal"), os.O_RDONLY)
        except FileNotFoundError:  # written back to the database, and so on the disk
            return
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _insert(self, connection: sa.Connection, rows: Sequence[Row]) -> int:
        """How many of the rows were not there."""
        if not self._is_postgres:
            return connection.exec_driver_sql(_insert_of(1, "?"), list(rows)).rowcount
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
        # One statement for all: the driver would send them one by one, and wait for each.
        return connection.exec_driver_sql(_insert_of(len(rows), "%s"), tuple(chain.from_iterable(rows))).rowcount

    def _refuse_others(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Raise where a row is not what the store holds under its id."""
        for row in rows:
            identifier = str(row[_COLUMNS.index("id")])
            there = _found(connection, identifier)
            if there is None or self.row_of(there) != row:
                raise RefusedDecision(
                    f"The store holds another decision under the id {identifier}. "
                    "A decision is never changed: record this one under an id of its own."
                )


_COLUMNS = tuple(column.name for column in DECISIONS.columns)

_JSON: dict[str, TypeAdapter[object]] = {
    "reasons": TypeAdapter(tuple[str, ...]),
    "checks": TypeAdapter(tuple[CheckRecord, ...]),
    "rules": TypeAdapter(tuple[str, ...]),
    "calls": TypeAdapter(tuple[CallRecord, ...]),
}
"""How the columns that hold JSON are written."""


def _as_json(name: str, values: Sequence[object]) -> str:
    return _JSON[name].dump_json(values).decode() if values else "[]"  # most are empty


def _insert_of(n_rows: int, mark: str) -> str:
    values = ", ".join([f"({', '.join([mark] * len(_COLUMNS))})"] * n_rows)
    return f"INSERT INTO {DECISIONS.name} ({', '.join(_COLUMNS)}) VALUES {values} ON CONFLICT (id) DO NOTHING"


def _found(connection: sa.Connection, identifier: str) -> Decision | None:
    row = connection.execute(sa.select(DECISIONS).where(DECISIONS.c.id == identifier)).mappings().first()
    return None if row is None else _decision_of(row)


def _decision_of(row: sa.RowMapping) -> Decision:
    at = row["at"] if row["at"].tzinfo else row["at"].replace(tzinfo=UTC)  # SQLite forgets the zone
    return Decision.model_validate({**row, "at": at})
