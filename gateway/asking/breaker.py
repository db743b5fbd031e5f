"""A circuit breaker: an endpoint that failed some times in a row is left alone for a while, then one call tries it.

Speaks to no endpoint and reads no clock of its own. Threads may share one.
"""

import threading
from collections.abc import Callable


class Breaker:
    """Lets calls through, or not.

    Args:
        break_after: failures in a row that open it.
        break_s: how long it then stays open; the next call is a probe. No other passes until the probe has ended, or
            has taken as long again: a model may take a minute, and calls should not wait for the slowest of them.
        clock: seconds that only grow.

    >>> now_s = 0.0
    >>> breaker = Breaker(break_after=1, break_s=10.0, clock=lambda: now_s)
    >>> breaker.admit().failed()
    >>> breaker.admit() is None, breaker.wait_s
    (True, 10.0)
    >>> now_s = 10.0
    >>> probe = breaker.admit()
    >>> breaker.admit() is None
    True
    >>> probe.succeeded()
    >>> breaker.is_open
    False
    """

    def __init__(self, *, break_after: int, break_s: float, clock: Callable[[], float]) -> None:
        self._break_after, self._break_s, self._clock = break_after, break_s, clock
        self._lock = threading.Lock()
        self._n_failed = 0
        self._next_probe_s: float | None = None
        self._n_changes = 0

    @property
    def is_open(self) -> bool:
        """Whether a call would be turned away now."""
        with self._lock:
            return self._left_s() > 0.0

    @property
    def wait_s(self) -> float:
        """Seconds until the next call may pass; 0 where it may now."""
        with self._lock:
            return self._left_s()

    def admit(self) -> "Passage | None":
        """A call's passage, or None where the call is turned away. Whoever takes it says how the call ended."""
        with self._lock:
            if self._left_s() > 0.0:
                return None
            is_probe = self._next_probe_s is not None
            if is_probe:
                self._next_probe_s = self._clock() + self._break_s
            return Passage(self, self._n_changes, is_probe=is_probe)

    def _left_s(self) -> float:
        return 0.0 if self._next_probe_s is None else max(0.0, self._next_probe_s - self._clock())

    def _answered(self, passage: "Passage", *, is_whole: bool) -> None:
        with self._lock:
            if passage.n_changes != self._n_changes:
                return  # begun before the circuit last opened or closed: it says nothing of the endpoint now
            if passage.is_probe:
                self._next_probe_s, self._n_failed = None, 0
                self._n_changes += 1
                passage.n_changes, passage.is_probe = self._n_changes, False
            elif is_whole:
                self._n_failed = 0

    def _failed(self, passage: "Passage") -> None:
        with self._lock:
            if passage.n_changes != self._n_changes:
                return
            self._n_failed += 1
            if passage.is_probe or self._n_failed >= self._break_after:
                self._next_probe_s, self._n_failed = self._clock() + self._break_s, 0
                self._n_changes += 1

    def _left(self, passage: "Passage") -> None:
        with self._lock:
            if passage.is_probe and passage.n_changes == self._n_changes:
                self._next_probe_s = self._clock()


class Passage:
    """One call that was let through. How it ended is said once; what is said later does not count."""

    def __init__(self, breaker: Breaker, n_changes: int, *, is_probe: bool) -> None:
        self._breaker, self.n_changes, self.is_probe = breaker, n_changes, is_probe
        self._has_ended = False

    def began(self) -> None:
        """The endpoint has begun to answer: enough for a probe to close the circuit, not to forgive failures."""
        if not self._has_ended:
            self._breaker._answered(self, is_whole=False)

    def succeeded(self) -> None:
        """The endpoint answered."""
        if self._ends():
            self._breaker._answered(self, is_whole=True)

    def failed(self) -> None:
        """It did not."""
        if self._ends():
            self._breaker._failed(self)

    def left(self) -> None:
        """Nobody waited for the end: it says nothing of the endpoint."""
        if self._ends():
            self._breaker._left(self)

    def _ends(self) -> bool:
        is_first, self._has_ended = not self._has_ended, True
        return is_first
