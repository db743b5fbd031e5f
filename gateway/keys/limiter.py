"""What each key has asked for and spent, in memory, and when that is too much. It knows no store and no request.

A key is counted in every worker by itself; what others counted is learnt from the store about once a second
(`gateway.keys.stored_keys`). Between two such moments a worker gives out no more than half of its equal share of
what is left: then what others have not yet told of fits into the rest. All together stay within a limit, give or
take a request for each further worker, or 2 %, whichever is more (by simulation: up to 16 stormed workers).
"""

import math
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from gateway.keys.door import NotAdmitted

WINDOW_S: Final = 60.0
"""The minute of `requests_per_minute`: any sixty seconds, not a minute of the clock."""

GRAIN_S: Final = 0.05
"""Requests of so many seconds are remembered as one entry, with the latest moment."""


class KeyLimits(NamedTuple):
    """What one key may take; None: as much as it likes."""

    requests_per_minute: int | None = None
    usd_per_day: float | None = None
    max_concurrent: int | None = None


class Spent(NamedTuple):
    """Requests that were let in, and what those that ended cost in US dollars."""

    n_requests: int = 0
    cost_usd: float = 0.0

    def plus(self, other: "Spent") -> "Spent":
        """Both together.

        >>> Spent(1, 0.5).plus(Spent(2, 0.25))
        Spent(n_requests=3, cost_usd=0.75)
        """
        return Spent(self.n_requests + other.n_requests, self.cost_usd + other.cost_usd)


NOTHING: Final = Spent()

Batch = dict[tuple[str, str], Spent]
"""What is to be written: by key and day (UTC, as 2026-11-24)."""


class Window:
    """How many requests there were in the last sixty seconds.

    >>> window = Window()
    >>> window.add(2, at=0.0)
    >>> window.count(now=59.9), window.count(now=60.1)
    (2, 0)
    """

    __slots__ = ("_entries", "_n")

    def __init__(self) -> None:
        self._entries: deque[tuple[float, int]] = deque()
        self._n = 0

    def add(self, n: int, *, at: float) -> None:
        """Count so many, at a moment in seconds that never goes back."""
        stamp = math.ceil(at / GRAIN_S) * GRAIN_S
        if self._entries and self._entries[-1][0] >= stamp:
            last, earlier = self._entries.pop()
            self._entries.append((last, earlier + n))
        else:
            self._entries.append((stamp, n))
        self._n += n

    def count(self, *, now: float) -> int:
        """Those of the last sixty seconds."""
        while self._entries and self._entries[0][0] <= now - WINDOW_S:
            self._n -= self._entries.popleft()[1]
        return self._n

    def free_in_s(self, *, now: float) -> float:
        """Seconds until the oldest of them no longer counts; a minute where there is none."""
        return self._entries[0][0] + WINDOW_S - now if self._entries else WINDOW_S


class _Account:
    """One key's counts in this worker."""

    __slots__ = ("day", "given_out", "others", "others_today", "own", "share", "stored_today", "under_way")

    def __init__(self, day: str, others_today: int) -> None:
        self.own, self.others = Window(), Window()
        self.under_way = 0
        # Requests of the day that are in the store: this worker's, and the others'.
        self.day, self.stored_today, self.others_today = day, 0, others_today
        self.share: int | None = None
        self.given_out = 0


class Limiter:
    """The counts of all keys in this worker, of `n_workers` that share the limits."""

    def __init__(self, *, n_workers: int = 1) -> None:
        self._n_workers = n_workers
        self._accounts: dict[str, _Account] = {}
        self._waiting: Batch = {}
        self._taken: Batch = {}
        self._stored: Mapping[str, Spent] = {}
        self._stored_day = ""
        self._is_alone = False

    def admit(self, key_id: str, limits: KeyLimits, *, tick: float, now: datetime) -> None:
        """Count a request that begins.

        Args:
            key_id: whose.
            limits: the key's.
            tick: seconds of a clock that never goes back.
            now: the moment, in UTC; its day is that of the budget.

        Raises:
            NotAdmitted: 429, a limit is reached; nothing was counted.
        """
        day = now.date().isoformat()
        account = self._accounts.get(key_id)
        if account is None:
            others = self._stored.get(key_id, NOTHING).n_requests if self._stored_day == day else 0
            account = self._accounts[key_id] = _Account(day, others)
        if limits.usd_per_day is not None and self.spent_usd(key_id, day) >= limits.usd_per_day:
            raise _budget_spent(limits.usd_per_day, now)
        if limits.max_concurrent is not None and account.under_way >= -(-limits.max_concurrent // self._n_workers):
            raise _too_many(f"{limits.max_concurrent} requests at the same time", 1)
        if limits.requests_per_minute is not None:
            self._keep_pace(account, limits.requests_per_minute, tick)
            account.own.add(1, at=tick)
            account.given_out += 1
        account.under_way += 1
        self._wait(key_id, day, Spent(1))

    def release(self, key_id: str) -> None:
        """Count a request that ended."""
        account = self._accounts.get(key_id)
        if account is not None:
            account.under_way -= 1

    def spend(self, key_id: str, cost_usd: float, *, now: datetime) -> None:
        """Count what a request cost."""
        self._wait(key_id, now.date().isoformat(), Spent(0, cost_usd))

    def spent_usd(self, key_id: str, day: str) -> float:
        """What the key spent on the day, as far as this worker knows, in US dollars."""
        stored = self._stored.get(key_id, NOTHING).cost_usd if self._stored_day == day else 0.0
        key = (key_id, day)
        return stored + self._waiting.get(key, NOTHING).cost_usd + self._taken.get(key, NOTHING).cost_usd

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be written."""
        return bool(self._waiting)

    def take(self) -> Batch:
        """What is to be written; it goes on to count, until `learn` or `put_back`."""
        self._taken, self._waiting = self._waiting, {}
        return dict(self._taken)

    def put_back(self) -> None:
        """What was taken could not be written: it waits again. Until more is learnt, each worker keeps to its share."""
        for (key_id, day), spent in self._taken.items():
            self._wait(key_id, day, spent)
        self._taken, self._is_alone = {}, True

    def learn(self, stored: Mapping[str, Spent], day: str, *, tick: float) -> None:
        """What was taken is written, and this is what all workers have stored for the day."""
        for (key_id, its_day), spent in self._taken.items():
            account = self._accounts.get(key_id)
            if account is not None and its_day == day:
                if account.day != day:
                    account.day, account.stored_today, account.others_today = day, 0, 0
                account.stored_today += spent.n_requests
        self._taken, self._stored, self._stored_day, self._is_alone = {}, stored, day, False
        for key_id, account in self._accounts.items():
            if account.day != day:
                account.day, account.stored_today, account.others_today = day, 0, 0
            others = stored.get(key_id, NOTHING).n_requests - account.stored_today
            if others > account.others_today:
                account.others.add(others - account.others_today, at=tick)
                account.others_today = others
            account.share, account.given_out = None, 0

    def _keep_pace(self, account: _Account, per_minute: int, tick: float) -> None:
        own, others = account.own.count(now=tick), account.others.count(now=tick)
        allowed = max(1, per_minute // self._n_workers) if self._is_alone else per_minute
        if own + others >= allowed:
            free_in_s = min(account.own.free_in_s(now=tick), account.others.free_in_s(now=tick))
            raise _too_many(f"{per_minute} requests a minute", max(1, math.ceil(free_in_s)))
        if self._n_workers == 1 or self._is_alone:
            return
        if account.share is None:
            account.share = max(1, (allowed - own - others) // (2 * self._n_workers))
        if account.given_out >= account.share:
            raise _too_many(f"{per_minute} requests a minute", 1)

    def _wait(self, key_id: str, day: str, spent: Spent) -> None:
        key = (key_id, day)
        self._waiting[key] = self._waiting.get(key, NOTHING).plus(spent)


def _too_many(what: str, retry_after_s: int) -> NotAdmitted:
    message = f"This key may ask for {what}. Ask again in {retry_after_s} s."
    return NotAdmitted(429, "rate_limit_exceeded", message, kind="requests", retry_after_s=retry_after_s)


def _budget_spent(usd_per_day: float, now: datetime) -> NotAdmitted:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    message = (
        f"This key has spent its {usd_per_day:g} US dollars of today (UTC). "
        "Ask again tomorrow, or have a key made with a larger budget."
    )
    return NotAdmitted(
        429,
        "insufficient_quota",
        message,
        kind="insufficient_quota",
        retry_after_s=math.ceil((midnight - now).total_seconds()),
    )
