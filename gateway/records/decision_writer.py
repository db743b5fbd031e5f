"""Records decisions for the event loop: one thread takes whatever waits and appends it in one transaction.

`record` returns after the commit, or raises; it never says that a decision is kept which is not. A store that is away
costs each waiting request at most `wait_s`, and while it stays away the next ones nothing. No text comes near it.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from core.errors import PreceptorError
from core.records import Decision
from gateway.records.decision_log import DecisionLog, Row

LOG = logging.getLogger("preceptor.gateway")


class NotRecorded(PreceptorError):
    """A decision is not on record. `kind` is a slug: store_away, row_refused, late, too_many_waiting, closed."""

    def __init__(self, kind: str, sentence: str) -> None:
        self.kind = kind
        super().__init__(sentence)


class Patience(NamedTuple):
    """How long a request waits for the store, and how much may wait at once."""

    wait_s: float = 4.0
    first_pause_s: float = 0.05
    """Between two tries while the store is away; each pause is twice the one before."""
    longest_pause_s: float = 5.0
    max_waiting: int = 20_000
    max_batch: int = 500
    sync_every_s: float = 1.0
    """What a power cut may take: the decisions of this long, high-stakes weak answers excepted."""


class DecisionWriter:
    """Appends decisions, many at a time. One for each process; its thread starts with the first decision."""

    def __init__(
        self, log: DecisionLog, *, patience: Patience | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._patience, self._clock = log, patience or Patience(), clock
        self._waiting: queue.SimpleQueue[_Waiter | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        self._trying_since: float | None = None  # when the transaction under way began
        self._away_until: float | None = None
        self._pause_s = self._patience.first_pause_s
        self._sync_at: float | None = None  # by when the disk must have what was appended without waiting for it

    async def record(self, decision: Decision) -> None:
        """Append one decision; returns when it is on record. The same one again changes nothing.

        At high stakes a weak answer that was rechecked waits for the disk; all others outlive this process, and reach
        the disk within `sync_every_s`.

        Raises:
            NotRecorded: the store is away or too slow, refuses this decision, or the writer is closed. Where it was
                late or cancelled, it may be on record all the same.
        """
        loop = asyncio.get_running_loop()
        now = self._clock()
        self._refuse_if_hopeless(now)
        waiter = _Waiter(
            row=self._log.row_of(decision),
            survives_power_cut=decision.stakes.is_high and decision.verdict is not None,
            until=now + self._patience.wait_s,
            loop=loop,
            done=loop.create_future(),
        )
        self._waiting.put(waiter)
        timer = loop.call_later(self._patience.wait_s, _settle, [(waiter.done, _late(self._patience.wait_s))])
        try:
            await waiter.done  # a caller that goes away cancels it, and the thread then passes it over
        finally:
            timer.cancel()

    @property
    def is_away(self) -> bool:
        """Whether the store was out of reach when last tried, or has not answered for `wait_s`."""
        return self._away_until is not None or self._is_stuck(self._clock())

    def close(self, *, timeout_s: float = 10.0) -> bool:
        """Append what waits, bring it to the disk, and end the thread; False: it is not done in that time."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        if thread is None:
            return True
        self._waiting.put(None)
        thread.join(timeout_s)
        return not thread.is_alive()

    def _refuse_if_hopeless(self, now: float) -> None:
        if self._away_until is not None and now < self._away_until:
            raise NotRecorded("store_away", "The store is away. Start it; the gateway tries again by itself.")
        if self._is_stuck(now):
            raise NotRecorded("store_away", "The store does not answer. See what holds it; the gateway waits for it.")
        if self._waiting.qsize() >= self._patience.max_waiting:
            raise NotRecorded(
                "too_many_waiting",
                f"{self._patience.max_waiting} decisions wait for the store. Give it a faster disk, or use PostgreSQL.",
            )
        if self._thread is None or self._is_closed:
            self._start()

    def _is_stuck(self, now: float) -> bool:
        since = self._trying_since
        return since is not None and now - since > self._patience.wait_s

    def _start(self) -> None:
        with self._lock:
            if self._is_closed:
                raise NotRecorded("closed", "The gateway is stopping. Ask another one.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="decisions", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            batch, is_last = self._take()
            try:
                self._append_all(batch)
                if self._sync_at is not None and (is_last or self._clock() >= self._sync_at):
                    self._sync_at = None
                    self._log.sync()
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever breaks in it
                LOG.error("The writer of decisions broke (%s); it goes on.", type(error).__name__)
                _answer(batch, error)
            if is_last:
                return

    def _take(self) -> tuple[list["_Waiter"], bool]:
        """What waits, at least one where there is nothing else to do; and whether it is the end."""
        batch: list[_Waiter] = []
        timeout = None if self._sync_at is None else max(0.0, self._sync_at - self._clock())
        try:
            one = self._waiting.get(timeout=timeout)
            while one is not None:
                batch.append(one)
                if len(batch) >= self._patience.max_batch:
                    return batch, False
                one = self._waiting.get_nowait()
        except queue.Empty:
            return batch, False
        return batch, True

    def _append_all(self, batch: Sequence["_Waiter"]) -> None:
        """Append the batch and answer each who waits; while the store is away, try again as long as some wait."""
        while waiting := [one for one in batch if not one.done.done()]:
            error = self._append([one.row for one in waiting], any(one.survives_power_cut for one in waiting))
            if error is None:
                _answer(waiting, None)
                return
            if not _is_of_the_store(error):
                self._append_singly(waiting, error)
                return
            batch = self._keep_trying(waiting, error)

    def _append_singly(self, waiting: Sequence["_Waiter"], error: Exception) -> None:
        """Append one by one, so that what is wrong with one of them fails it alone."""
        for one in waiting:
            _answer([one], self._append([one.row], one.survives_power_cut) if len(waiting) > 1 else error)

    def _keep_trying(self, waiting: Sequence["_Waiter"], error: Exception) -> Sequence["_Waiter"]:
        """Those who can wait for another try, after the pause before it; none where the store was away before."""
        now, pause_s = self._clock(), self._pause_s
        was_away = self._away_until is not None
        hopeful = [] if was_away else [one for one in waiting if one.until > now + pause_s]
        _answer([one for one in waiting if was_away or one.until <= now + pause_s], error)
        self._pause_s = min(self._patience.longest_pause_s, pause_s * 2)
        if hopeful:
            time.sleep(pause_s)
        else:
            self._away_until = now + pause_s
            LOG.error("The store takes no decisions (%s).", type(error).__name__)
        return hopeful

    def _append(self, rows: Sequence[Row], survives_power_cut: bool) -> Exception | None:
        self._trying_since = self._clock()
        try:
            self._log.append(rows, survives_power_cut=survives_power_cut)
        except Exception as error:  # noqa: BLE001 - told to those who wait
            return error
        finally:
            self._trying_since = None
        if survives_power_cut:  # and so does what came before it
            self._sync_at = None
        elif self._sync_at is None:
            self._sync_at = self._clock() + self._patience.sync_every_s
        if self._away_until is not None:
            LOG.warning("The store takes decisions again.")
        self._away_until, self._pause_s = None, self._patience.first_pause_s
        return None


class _Waiter(NamedTuple):
    row: Row
    survives_power_cut: bool
    until: float
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"


def _answer(waiting: Sequence[_Waiter], error: Exception | None) -> None:
    """Tell each who waits, with one call into each event loop."""
    for loop in {id(one.loop): one.loop for one in waiting}.values():
        answers = [(one.done, None if error is None else _as_told(error)) for one in waiting if one.loop is loop]
        try:
            loop.call_soon_threadsafe(_settle, answers)
        except RuntimeError:
            LOG.error("An event loop ended while %d of its decisions were recorded.", len(answers))


def _settle(answers: Sequence[tuple["asyncio.Future[None]", Exception | None]]) -> None:
    for done, error in answers:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def _is_of_the_store(error: Exception) -> bool:
    """Whether another row would fare no better: the store is away, locked, full, or its tables are gone."""
    return isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, OSError))


def _as_told(error: Exception) -> NotRecorded:
    name = type(error).__name__
    if _is_of_the_store(error):
        told = NotRecorded("store_away", f"The store takes no decisions ({name}). Start it or mend it.")
    else:
        told = NotRecorded("row_refused", f"The store refuses this decision ({name}). See its tables.")
    told.__cause__ = error
    return told


def _late(wait_s: float) -> NotRecorded:
    return NotRecorded("late", f"The store did not answer within {wait_s:g} s. Give it a faster disk, or more of them.")
