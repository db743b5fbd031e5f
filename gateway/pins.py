"""Which conversations stay with the strong model, so that its prompt cache is used and its tone does not change.

In memory and in the store's table `gateway_pin`, which all workers share. Holds hashes and times alone. A pin is
written behind the answer, never before it; one that cannot be read is an error, on which the strong model is asked.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from core.store import writing
from gateway.contained import in_thread
from gateway.tables import PINS

LOG = logging.getLogger("preceptor.gateway")

MOST_IN_MEMORY = 100_000
"""Pins that a process holds; the oldest ones leave first, and are read from the store again."""

PRUNE_S = 600.0
"""Seconds between two clearings of the store from pins that have ended."""

_RENEWED_AFTER = 0.1
"""Share of its time after which a pin that is set again is written again."""

_BATCH = 500


class Pins:
    """Pins of one process, shared through the store where there is one.

    Args:
        engine: the store; None: this process alone.
        pin_s: seconds for which a conversation stays with the strong model after each turn that went there; 0: never.
        clock: the time now, with its zone.
        timeout_s: seconds that the store may take to say whether a conversation is pinned.
    """

    def __init__(
        self,
        engine: sa.Engine | None,
        pin_s: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        timeout_s: float = 2.0,
    ) -> None:
        self._engine, self._clock, self._timeout_s = engine, clock, timeout_s
        self._kept_for = timedelta(seconds=pin_s)
        self._until: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[str, datetime] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._pruned_at: datetime | None = None

    async def is_pinned(self, conversation_sha256: str, *, is_first_turn: bool = False) -> bool:
        """Whether the strong model answers this conversation.

        A first turn is never pinned, and the store is not asked about it: many conversations may begin alike.

        Raises:
            TimeoutError: the store is late.
            SQLAlchemyError: it cannot say.
        """
        if is_first_turn or not self._kept_for:
            return False
        until = self._until.get(conversation_sha256)
        if until is not None and self._clock() < until:
            return True
        if self._engine is None:
            return False
        stored = await in_thread(partial(self._read, self._engine, conversation_sha256), timeout_s=self._timeout_s)
        if stored is None or self._clock() >= stored:
            return False
        self._keep(conversation_sha256, stored)
        return True

    async def pin(self, conversation_sha256: str) -> None:
        """Keep the conversation with the strong model from now on; returns at once, and the store hears of it later."""
        if not self._kept_for:
            return
        now = self._clock()
        until = now + self._kept_for
        self._keep(conversation_sha256, until)
        if self._engine is None:
            return
        written = self._written.get(conversation_sha256)
        if written is None or until - written > self._kept_for * _RENEWED_AFTER:
            with self._lock:
                self._written[conversation_sha256] = until
                _shorten(self._written)
                if self._writer is None:
                    self._writer = threading.Thread(target=self._write_all, args=(self._engine,), daemon=True)
                    self._writer.start()
            self._waiting.put((conversation_sha256, until))

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, and end the thread that writes."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            self._waiting.put(None)
            writer.join(timeout_s)

    def _keep(self, conversation_sha256: str, until: datetime) -> None:
        with self._lock:
            self._until.pop(conversation_sha256, None)  # so that the latest stands last
            self._until[conversation_sha256] = until
            _shorten(self._until)

    def _read(self, engine: sa.Engine, conversation_sha256: str) -> datetime | None:
        asked = sa.select(PINS.c.until).where(PINS.c.conversation_sha256 == conversation_sha256)
        with engine.connect() as connection:
            until: datetime | None = connection.execute(asked).scalar()
        return until.replace(tzinfo=UTC) if until is not None and until.tzinfo is None else until

    def _write_all(self, engine: sa.Engine) -> None:
        is_open = True
        while is_open:
            taken = [self._waiting.get()]
            while len(taken) < _BATCH and not self._waiting.empty():
                taken.append(self._waiting.get())
            is_open = None not in taken
            pins = dict(one for one in taken if one is not None)
            if not pins:
                continue
            try:
                self._write(engine, pins)
            except Exception as error:  # noqa: BLE001 - this process still knows them
                LOG.error("%d pinned conversations did not reach the store (%s).", len(pins), type(error).__name__)
                with self._lock:
                    for sha256 in pins:
                        self._written.pop(sha256, None)

    def _write(self, engine: sa.Engine, pins: Mapping[str, datetime]) -> None:
        now = self._clock()
        rows: list[dict[str, Any]] = [
            {"conversation_sha256": sha256, "until": until.astimezone(UTC)} for sha256, until in sorted(pins.items())
        ]
        is_due = self._pruned_at is None or (now - self._pruned_at).total_seconds() >= PRUNE_S
        with writing(engine) as connection:
            connection.execute(_upsert(engine.dialect.name), rows)
            if is_due:
                connection.execute(sa.delete(PINS).where(PINS.c.until <= now.astimezone(UTC)))
        if is_due:
            self._pruned_at = now


def _shorten(held: dict[str, datetime]) -> None:
    while len(held) > MOST_IN_MEMORY:
        del held[next(iter(held))]


def _upsert(dialect: str) -> sa.Insert:
    """Insert a pin, or move its end; a pin that another worker has moved further stays there."""
    from sqlalchemy.dialects import postgresql, sqlite

    insert = postgresql.insert(PINS) if dialect == "postgresql" else sqlite.insert(PINS)
    latest = sa.case((insert.excluded.until > PINS.c.until, insert.excluded.until), else_=PINS.c.until)
    return insert.on_conflict_do_update(index_elements=[PINS.c.conversation_sha256], set_={"until": latest})
