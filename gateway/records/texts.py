"""Requests and answers kept beside their decisions, sealed, where settings ask for it. No text is in the clear.

What is kept waits in memory, sealed, for a thread that writes many at a time: nobody waits for the store. A store that
stays away loses texts, never requests, and the log says how many. Each look at a text is an event of the ledger.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.access import Act, Actor, require
from core.errors import PreceptorError
from core.ledger import Detail, append_in
from core.moments import timestamp
from core.sealing import seal, secret_key, unseal
from core.store import create_tables, writing
from gateway.tables import TEXTS

LOG = logging.getLogger("preceptor.gateway")

MAX_WAITING_CHARS: Final = 128_000_000
"""Characters of sealed texts that may wait for the store."""

ROWS_A_TURN: Final = 200

TRIES: Final = 5
"""How often a turn at the store is tried, a second apart, before its texts are given up."""


class NotKept(Exception):
    """A text was not taken; the message says why, and holds nothing of it."""


class Text(NamedTuple):
    """What was asked and what left; an answer of None: none did, or it was not put together."""

    at: datetime
    request: dict[str, Any]
    answer: dict[str, Any] | None


class TextLog:
    """Takes texts from any thread and writes them in one of its own."""

    def __init__(
        self,
        engine: sa.Engine,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause_s: float = 1.0,
        max_waiting_chars: int = MAX_WAITING_CHARS,
    ) -> None:
        self._engine, self._clock, self._pause_s, self._max_chars = engine, clock, pause_s, max_waiting_chars
        create_tables(engine)
        self._key = secret_key(engine)
        self._waiting: deque[dict[str, Any]] = deque()
        self._n_chars = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closing = False

    def keep(self, decision_id: str, request: Mapping[str, Any], answer: Mapping[str, Any] | None) -> None:
        """Seal one and let it wait; this takes as long as writing it as JSON does.

        Raises:
            NotKept: too much waits already, or the log is closed.
        """
        content = json.dumps({"request": request, "answer": answer}, separators=(",", ":"))
        sealed = seal(self._key, content, context=_context(decision_id))
        row = {"decision_id": decision_id, "at": self._clock(), "sealed": sealed}
        with self._changed:
            if self._is_closing:
                raise NotKept("The log of texts is closed.")
            if self._n_chars + len(sealed) > self._max_chars:
                raise NotKept("Too many texts wait for the store.")
            self._waiting.append(row)
            self._n_chars += len(sealed)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="preceptor-texts", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self, *, timeout_s: float = 10.0) -> bool:
        """Write what waits and end the thread; False: it is not done in that time."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is None:
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closing:
                    self._changed.wait()
                if not self._waiting:
                    return
                rows = [self._waiting.popleft() for _ in range(min(ROWS_A_TURN, len(self._waiting)))]
            self._write(rows)
            with self._changed:
                self._n_chars -= sum(len(row["sealed"]) for row in rows)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        for number in range(TRIES):
            try:
                with writing(self._engine) as connection:
                    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
                    connection.execute(make(TEXTS).on_conflict_do_nothing(), rows)
            except Exception as error:  # noqa: BLE001 - the thread must live on, and an error's words may hold values
                name = type(error).__name__
            else:
                return
            if number + 1 < TRIES:
                time.sleep(self._pause_s)
        LOG.error("The texts of %d decisions were not kept: the store does not take them (%s).", len(rows), name)


def view_text(connection: sa.Connection, decision_id: str, *, key: bytes, by: Actor, now: datetime) -> Text:
    """What was kept of a decision; that someone looked is on record with the end of the transaction.

    Args:
        connection: a write transaction; what it returns is shown after its end.
        decision_id: whose texts.
        key: of the store (`core.sealing.secret_key`).
        by: who looks.
        now: when.

    Raises:
        AccessDenied: `by` may not view texts of patients and the like.
        PreceptorError: nothing was kept of it, or it was sealed under another key.
    """
    require(Act.VIEW_PHI, by)
    row = connection.execute(sa.select(TEXTS).where(TEXTS.c.decision_id == decision_id)).first()
    if row is None:
        raise PreceptorError(
            f"No text was kept of the decision '{decision_id}'. Texts are kept while gateway.keep_texts is set, "
            "and until they are pruned."
        )
    content = json.loads(_unsealed(key, row.sealed, decision_id))
    append_in(connection, by.name, "phi.view", decision_id, {"what": "gateway_text"}, now=now)
    at = row.at if row.at.tzinfo else row.at.replace(tzinfo=UTC)  # SQLite forgets the zone
    return Text(at, content["request"], content["answer"])


def count_texts(connection: sa.Connection, *, before: datetime) -> int:
    """How many texts were kept before that moment."""
    return connection.execute(sa.select(sa.func.count()).select_from(TEXTS).where(TEXTS.c.at < before)).scalar_one()


def prune_texts(connection: sa.Connection, *, before: datetime, by: Actor, now: datetime) -> int:
    """Delete the texts kept before that moment, for good; the decisions stay. How many they were.

    Raises:
        AccessDenied: `by` may not prune texts.
    """
    require(Act.PRUNE_TEXTS, by)
    n = connection.execute(TEXTS.delete().where(TEXTS.c.at < before)).rowcount
    details: dict[str, Detail] = {"n_texts": n, "before": timestamp(before), "open_store": by.at_open_command_line}
    append_in(connection, by.name, "texts.prune", "gateway_text", details, now=now)
    return n


def _context(decision_id: str) -> str:
    return f"gateway_text:{decision_id}"


def _unsealed(key: bytes, sealed: str, decision_id: str) -> str:
    try:
        return unseal(key, sealed, context=_context(decision_id))
    except PreceptorError as error:
        raise PreceptorError(
            f"The text of the decision '{decision_id}' does not open with this key. "
            "Set PRECEPTOR_SECRET_KEY to the key that the gateway had, or take it from the archive of keys."
        ) from error
