"""The ledger: an append-only, hash-chained record of who did what. It is the record of promotions.

Each event's hash covers its content and the hash before it, so an edited, removed or inserted event breaks the chain
from there on. Details hold names, numbers and hashes, never texts of queries or answers.

    hash = SHA-256(prev_hash || canonical JSON of seq, at, actor, action, subject, details)
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from core.errors import LedgerError
from core.ledger_check import GENESIS, Anchor, BrokenLedger, Checked, canonical_json, check, event_hash, with_details
from core.moments import timestamp
from core.store import METADATA, create_tables, writing

ROWS_A_FETCH = 1000
"""Events read from the store at a time, so that a long ledger is never whole in memory."""

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


@dataclass(frozen=True)
class Verified:
    """What was checked, and the newest event; None when there is none."""

    checked: Checked
    last: Event | None


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
        return list(self.stream(action=action, subject=subject))

    def stream(self, *, action: str | None = None, subject: str | None = None) -> Iterator[Event]:
        """Events in order, read a thousand at a time."""
        query = sa.select(EVENTS).order_by(EVENTS.c.seq)
        if action is not None:
            query = query.where(EVENTS.c.action == action)
        if subject is not None:
            query = query.where(EVENTS.c.subject == subject)
        with self._engine.connect().execution_options(yield_per=ROWS_A_FETCH) as connection:
            for row in connection.execute(query):
                yield Event(**with_details(dict(row._mapping)))

    def verify(self, anchors: Iterable[Anchor] = ()) -> int:
        """Number of events, after every hash and every link was computed anew and every anchor was compared.

        Raises:
            LedgerError: names the first event that does not hold.
        """
        return self.check(anchors).checked.n_events

    def check(self, anchors: Iterable[Anchor] = ()) -> Verified:
        """What `verify` found: how many events and anchors hold, and the newest event.

        Raises:
            LedgerError: names the first event or anchor that does not hold.
        """
        last: dict[str, object] | None = None

        def rows() -> Generator[dict[str, object]]:
            nonlocal last
            with self._engine.connect().execution_options(yield_per=ROWS_A_FETCH) as connection:
                for row in connection.execute(sa.select(EVENTS).order_by(EVENTS.c.seq)):
                    last = with_details(dict(row._mapping))
                    yield last

        with closing(rows()) as events:
            try:
                checked = check(events, anchors)
            except BrokenLedger as error:
                raise LedgerError(
                    f"{error} Restore the store from a backup taken before that event, and find out who wrote to it."
                ) from error
        return Verified(checked, Event(**last) if last else None)  # type: ignore[arg-type]


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
    at = timestamp(now or datetime.now(UTC))
    event = Event(seq, at, actor, action, subject, dict(details), prev_hash, "")
    event = replace(event, hash=event_hash(prev_hash, asdict(event)))
    connection.execute(EVENTS.insert().values(**{**event.__dict__, "details": canonical_json(event.details)}))
    return event
