"""The door whose keys, limits and budgets stand in the store. A request waits for the store only where it must.

Keys are looked up in memory and read anew about once a second, in a thread; the same turn writes what was spent and
learns what other workers wrote. So a revoked key works for at most `2 * refresh_s` more. A store that is away keeps
what was read for `grace_s`; then every request is refused with 503, because a key may have been revoked meanwhile.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from core.call_record import CallRecord
from core.gateway_settings import LimitSettings
from core.records import Decision
from core.store import create_tables, writing
from gateway.keys.door import Admitted, NotAdmitted, bearer, sha256_of, wrong_key
from gateway.keys.limiter import Batch, Limiter, Spent
from gateway.keys.spending import Pricing, add_spending, spending_on
from gateway.keys.store import StoredKey, mark_of, standing_keys

LOG = logging.getLogger("preceptor.gateway")

LOOKS_PER_S: Final = 20
"""Keys that are not in memory and are looked up at once, in a second; past that they wait for the next reading."""

READ_WHOLE_S: Final = 60.0
"""After so many seconds the keys are read whole, though none seems to have been made or revoked."""

WAIT_S: Final = 0.5
"""How long a request waits for a store that does not answer, before what was read last serves."""


class Timing(NamedTuple):
    """In seconds: between two readings of the keys; how long one serves without the store; a clock that goes on."""

    refresh_s: float = 1.0
    grace_s: float = 300.0
    ticks: Callable[[], float] = time.monotonic


class _Read(NamedTuple):
    keys: dict[str, StoredKey] | None
    """None: as they were."""
    mark: Hashable
    spent: Mapping[str, Spent]


class Reader(Protocol):
    """Where the keys are read; called in a thread."""

    def mark(self, connection: sa.Connection) -> Hashable:
        """What is another after a key was made or revoked."""
        ...

    def read(self, connection: sa.Connection, *, now: datetime, key_sha256: str | None = None) -> dict[str, StoredKey]:
        """The keys that stand at a moment, by hash; or only the one of a given hash."""
        ...


class _FromTable:
    """The keys of `gateway_key`."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits

    def mark(self, connection: sa.Connection) -> Hashable:
        return mark_of(connection)

    def read(self, connection: sa.Connection, *, now: datetime, key_sha256: str | None = None) -> dict[str, StoredKey]:
        return standing_keys(connection, now=now, limits=self._limits, key_sha256=key_sha256)


class StoredKeys:
    """The keys of a store, in one worker of several. Belongs to one event loop."""

    def __init__(
        self,
        engine: sa.Engine,
        limits: LimitSettings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        n_workers: int = 1,
        timing: Timing = Timing(),  # noqa: B008 - immutable
        reader: Reader | None = None,
    ) -> None:
        create_tables(engine)
        self._engine, self._clock, self._ticks, self._timing = engine, clock, timing.ticks, timing
        self._reader = reader or _FromTable(limits)
        self._mark: Hashable = None
        self._whole_at = float("-inf")
        self._limiter, self._pricing = Limiter(n_workers=n_workers), Pricing()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="preceptor-keys")
        self._keys: dict[str, StoredKey] = {}
        self._read_at, self._tried_at = float("-inf"), float("-inf")
        self._is_away = False
        self._turn: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looks, self._looks_since = 0, 0.0

    async def admit(self, authorization: str | None) -> Admitted:
        """The request with this `Authorization` header, let in.

        Raises:
            NotAdmitted: 401 for a key that does not stand, 429 for one that has had its fill, 503 where the store has
                been away for too long to tell.
        """
        digest = sha256_of(bearer(authorization))
        if self._ticks() - self._read_at > self._timing.refresh_s:
            await self._freshen()
        key = self._keys.get(digest) or await self._look(digest)
        now = self._clock()
        if key is None or not hmac.compare_digest(key.key_sha256, digest) or not key.stands(now):
            raise wrong_key()
        self._limiter.admit(key.id, key.limits, tick=self._ticks(), now=now)
        self._write_soon()
        return Admitted(
            key.id,
            key.name,
            least_stakes=key.least_stakes,
            domains=key.domains,
            release=lambda: self._limiter.release(key.id),
        )

    def charge(self, decision: Decision) -> None:
        """Count what a request cost towards its key and today."""
        self._spend(decision.key_id, self._pricing.usd_of(decision))

    def charge_call(self, key_id: str | None, call: CallRecord) -> None:
        """Count what a call cost that no decision is made about."""
        self._spend(key_id, self._pricing.usd_of_call(call))

    async def aclose(self) -> None:
        """Write what is spent and not yet written."""
        if self._timer is not None:
            self._timer.cancel()
        if self._turn is not None and not self._turn.done():
            await self._turn
        if self._limiter.is_waiting:
            await self._take_turn()
        if self._limiter.is_waiting:
            LOG.error("What keys spent in the last seconds is not written: the store does not answer.")
        self._pool.shutdown(wait=False)

    def _spend(self, key_id: str | None, usd: float) -> None:
        if key_id is not None:
            self._limiter.spend(key_id, usd, now=self._clock())
            self._write_soon()

    async def _freshen(self) -> None:
        """Begin to read the keys anew; wait for it where what is in memory is too old to serve meanwhile."""
        refresh_s, grace_s, _ = self._timing
        turn = self._begin_turn()
        age = self._ticks() - self._read_at
        if age > (grace_s if self._is_away else 2 * refresh_s):
            if turn is not None:
                done, _ = await asyncio.wait({turn}, timeout=WAIT_S)
                if not done:
                    self._note_away("no answer yet")
            if self._ticks() - self._read_at > max(grace_s, 2 * refresh_s):
                raise _store_away()

    def _begin_turn(self) -> "asyncio.Task[None] | None":
        """The turn that is under way, or a new one; None where the last one was a moment ago and failed."""
        if self._turn is not None and not self._turn.done():
            return self._turn
        now = self._ticks()
        if now - self._tried_at <= self._timing.refresh_s:
            return None
        self._tried_at = now
        self._turn = asyncio.ensure_future(self._take_turn())
        return self._turn

    async def _take_turn(self) -> None:
        """Write what is spent, read keys and sums; in the one thread, all in one transaction."""
        began, now, batch = self._ticks(), self._clock(), self._limiter.take()
        mark = self._mark if began - self._whole_at < READ_WHOLE_S else None
        loop = asyncio.get_running_loop()
        try:
            read = await loop.run_in_executor(self._pool, self._exchange, batch, now, mark)
        except Exception as error:  # noqa: BLE001 - whatever the store does, nothing spent may be forgotten
            self._limiter.put_back()
            self._note_away(type(error).__name__)
        else:
            self._mark, self._read_at, self._is_away = read.mark, began, False
            if read.keys is not None:
                self._keys, self._whole_at = read.keys, began
            self._limiter.learn(read.spent, now.date().isoformat(), tick=self._ticks())
        if self._limiter.is_waiting:
            self._write_soon()

    def _note_away(self, why: str) -> None:
        if not self._is_away:
            LOG.error("The store of keys does not answer (%s); those read last serve.", why)
        self._is_away = True

    def _exchange(self, batch: Batch, now: datetime, mark: Hashable) -> _Read:
        if not batch:
            with self._engine.connect() as connection:
                return self._read(connection, now, mark)
        with writing(self._engine) as connection:
            add_spending(connection, batch)
            return self._read(connection, now, mark)

    def _read(self, connection: sa.Connection, now: datetime, mark: Hashable) -> _Read:
        found = self._reader.mark(connection)
        keys = None if found == mark else self._reader.read(connection, now=now)
        return _Read(keys, found, spending_on(connection, now.date().isoformat()))

    def _write_soon(self) -> None:
        """See to it that what waits is written, whether or not another request comes."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._timing.refresh_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._limiter.is_waiting and self._begin_turn() is None:
            self._write_soon()

    async def _look(self, digest: str) -> StoredKey | None:
        """A key that is not in memory: made since it was read, or none at all."""
        tick = self._ticks()
        if tick - self._looks_since >= 1.0:
            self._looks, self._looks_since = 0, tick
        if self._looks >= LOOKS_PER_S:
            return None
        self._looks += 1
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._find, digest, self._clock())
        done, _ = await asyncio.wait({work}, timeout=WAIT_S)
        if not done or isinstance(work.exception(), SQLAlchemyError):
            raise _store_away()
        found = work.result().get(digest)
        if found is not None:
            self._keys[digest] = found
        return found

    def _find(self, digest: str, now: datetime) -> dict[str, StoredKey]:
        with self._engine.connect() as connection:
            return self._reader.read(connection, now=now, key_sha256=digest)


def _store_away() -> NotAdmitted:
    message = "The store of keys does not answer, so that no key can be told. Ask again in a few seconds."
    return NotAdmitted(503, "keys_unavailable", message, kind="api_error", retry_after_s=5)
