"""Keeps what a bundle that decides nothing would have done, in the store: numbers, hashes and slugs alone.

Never holds a request up: a row waits in memory and is written with others by a thread of its own. Where the store does
not keep up, rows are dropped, counted and said; a report says how many requests it knows.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from core.store import create_tables, writing
from gateway.parts import Shadowed
from gateway.tables import SHADOWS

LOG = logging.getLogger("preceptor.gateway")


class Pace(NamedTuple):
    """How many rows wait at most, how many go at once, and how long one waits for others."""

    max_waiting: int = 10_000
    max_batch: int = 500
    gather_s: float = 0.5
    retry_s: float = 2.0
    """Seconds before a store that did not take a batch is tried again; it is tried three times."""


class ShadowLog:
    """Appends scores to the store (`gateway.parts.ShadowSink`). One for each process."""

    def __init__(
        self, engine: sa.Engine, *, pace: Pace | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine, self._pace, self._clock = engine, pace or Pace(), clock
        self._waiting: queue.Queue[Shadowed | None] = queue.Queue(self._pace.max_waiting)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_over = threading.Event()
        self._said_at: float | None = None
        self.n_dropped = 0
        """Scores that are on no record, since this process started."""
        create_tables(engine)

    async def record(self, shadowed: Shadowed) -> None:
        """Take one score; returns at once. Where too many wait, it is dropped and counted."""
        try:
            self._waiting.put_nowait(shadowed)
        except queue.Full:
            self._drop(1, "too many wait")
        if self._thread is None:
            self._start()

    def close(self, *, timeout_s: float = 5.0) -> bool:
        """Write what waits, and end the thread; False: it is not done in that time."""
        self._is_over.set()
        with self._lock:
            thread = self._thread
        if thread is None:
            return True
        try:
            self._waiting.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        thread.join(timeout_s)
        return not thread.is_alive()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="shadow", daemon=True)
                self._thread.start()

    def _write(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, is_last = self._gather(first)
            self._append(batch)
            if is_last:
                return

    def _gather(self, first: Shadowed) -> tuple[list[Shadowed], bool]:
        """What comes within a moment of the first; True where nothing comes after it."""
        batch, until = [first], self._clock() + self._pace.gather_s
        while len(batch) < self._pace.max_batch:
            left_s = 0.0 if self._is_over.is_set() else max(0.0, until - self._clock())
            try:
                one = self._waiting.get(timeout=left_s) if left_s > 0 else self._waiting.get_nowait()
            except queue.Empty:
                break
            if one is None:
                return batch, True
            batch.append(one)
        return batch, False

    def _append(self, batch: Sequence[Shadowed]) -> None:
        for is_last in (False, False, True):
            try:
                _insert(self._engine, batch)
                return
            except IntegrityError:  # one of them is there already: each by itself
                self._one_by_one(batch)
                return
            except Exception as error:  # noqa: BLE001 - the store may come back
                if is_last or self._is_over.wait(self._pace.retry_s):
                    self._drop(len(batch), type(error).__name__)
                    return

    def _one_by_one(self, batch: Sequence[Shadowed]) -> None:
        for one in batch:
            try:
                _insert(self._engine, [one])
            except IntegrityError:
                continue  # what stands, stands
            except Exception as error:  # noqa: BLE001 - as above
                self._drop(1, type(error).__name__)

    def _drop(self, n_rows: int, why: str) -> None:
        self.n_dropped += n_rows
        now = self._clock()
        if self._said_at is None or now - self._said_at >= 60.0:
            self._said_at = now
            LOG.warning("%d scores of the shadow bundle are on no record so far (%s).", self.n_dropped, why)


def _insert(engine: sa.Engine, batch: Sequence[Shadowed]) -> None:
    with writing(engine) as connection:
        connection.execute(SHADOWS.insert(), [{**one._asdict(), "reasons": list(one.reasons)} for one in batch])
