"""The ledger: an append-only, hash-chained record of who did what. It is the record of promotions.

Each event's hash covers its content and the hash before it, so an edited, removed or inserted event breaks the chain
from there on. Details hold names, numbers and hashes, never texts of queries or answers.

    hash = SHA-256(prev_hash || canonical JSON of seq, at, actor, action, subject, details)
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from core.errors import LedgerError
from core.fingerprint import canonical_json, of_text
from core.store import METADATA, create_tables, writing

GENESIS = "0" * 64
"""The hash before the first event."""

Detail = str | int | bool | None

EVENTS = sa.Table(
    "ledger_event",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("action", sa.String(100), nullable=False, index=True),
    sa.Column("subject", sa.String(400), nullable=False, index=True),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("prev_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
)

# UPDATE and DELETE are refused by the database itself; the hash chain shows what a superuser did all the same.
for _action in ("UPDATE", "DELETE"):
    sa.event.listen(
        EVENTS,
        "after_create",
        sa.DDL(
            f"CREATE TRIGGER ledger_event_no_{_action.lower()} BEFORE {_action} ON ledger_event "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        ).execute_if(dialect="sqlite"),
    )
sa.event.listen(
    EVENTS,
    "after_create",
    sa.DDL(
        "CREATE FUNCTION ledger_event_refuse() RETURNS trigger AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END; $$ LANGUAGE plpgsql"
    ).execute_if(dialect="postgresql"),
)
sa.event.listen(
    EVENTS,
    "after_create",
    sa.DDL(
        "CREATE TRIGGER ledger_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_event_refuse()"
    ).execute_if(dialect="postgresql"),
)


@dataclass(frozen=True)
class Event:
    """One entry: who (`actor`) did what (`action`) to what (`subject`), and the hashes that chain it."""

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    details: Mapping[str, Detail]
    prev_hash: str
    hash: str


class Ledger:
    """The ledger in one store."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        create_tables(engine)

    def append(
        self, actor: str, action: str, subject: str, details: Mapping[str, Detail], *, now: datetime | None = None
    ) -> Event:
        """Append one event in a transaction of its own and return it with its hashes.

        Raises:
            LedgerError: a detail is not a text, an integer, a truth value or None.
        """
        with writing(self._engine) as connection:
            return append_in(connection, actor, action, subject, details, now=now)

    def events(self, *, action: str | None = None, subject: str | None = None) -> list[Event]:
        """Events in order, optionally of one action or one subject."""
        query = sa.select(EVENTS).order_by(EVENTS.c.seq)
        if action is not None:
            query = query.where(EVENTS.c.action == action)
        if subject is not None:
            query = query.where(EVENTS.c.subject == subject)
        with self._engine.connect() as connection:
            return [_event(row) for row in connection.execute(query)]

    def verify(self) -> int:
        """Number of events, after every hash and every link was computed anew.

        Raises:
            LedgerError: names the first event that does not hold.
        """
        events = self.events()
        for fault in _faults(events):
            raise LedgerError(
                f"The ledger is broken at event {fault}. "
                "Restore the store from a backup taken before that event, and find out who wrote to it."
            )
        return len(events)


def append_in(
    connection: sa.Connection,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, Detail],
    *,
    now: datetime | None = None,
) -> Event:
    """Append one event inside the caller's write transaction (`core.store.writing`): state and event together.

    Raises:
        LedgerError: a detail is not a text, an integer, a truth value or None.
    """
    for key, value in details.items():
        if not isinstance(value, str | int | bool | None):
            raise LedgerError(
                f"Ledger detail '{key}' is a {type(value).__name__}; a ledger holds texts, integers and truth values. "
                "Write numbers with a fraction as text."
            )
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236712)"))
    last = connection.execute(sa.select(EVENTS.c.seq, EVENTS.c.hash).order_by(EVENTS.c.seq.desc()).limit(1)).first()
    seq, prev_hash = (last.seq + 1, last.hash) if last else (1, GENESIS)
    at = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
    content = _content(seq, at, actor, action, subject, details)
    event = Event(seq, at, actor, action, subject, dict(details), prev_hash, of_text(prev_hash + content))
    connection.execute(EVENTS.insert().values(**{**event.__dict__, "details": canonical_json(event.details)}))
    return event


def _content(seq: int, at: str, actor: str, action: str, subject: str, details: Mapping[str, Detail]) -> str:
    return canonical_json(
        {"seq": seq, "at": at, "actor": actor, "action": action, "subject": subject, "details": dict(details)}
    )


def _event(row: sa.Row[tuple[object, ...]]) -> Event:
    values = dict(row._mapping)
    try:
        details = json.loads(values["details"])
    except ValueError:
        details = {"unreadable": values["details"]}  # it cannot match its hash, so verify names it
    return Event(**{**values, "details": details})


def _faults(events: list[Event]) -> Iterator[str]:
    expected_seq, expected_prev = 1, GENESIS
    for event in events:
        if event.seq != expected_seq:
            yield f"{event.seq}: event {expected_seq} is missing"
        if event.prev_hash != expected_prev:
            yield f"{event.seq}: it does not follow the event before it"
        content = _content(event.seq, event.at, event.actor, event.action, event.subject, event.details)
        if event.hash != of_text(event.prev_hash + content):
            yield f"{event.seq}: its content does not match its hash"
        expected_seq, expected_prev = event.seq + 1, event.hash
