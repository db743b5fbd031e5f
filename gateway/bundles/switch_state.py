"""The stop switch as a running gateway knows it: read every half second, asked without waiting.

A store that cannot be read leaves the last state in force for a while; after that, everything is stopped: a stop that
nobody could see must not wait for the store.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from gateway.bundles.switch import Stop, is_stopped
from gateway.own_thread import in_own_thread

LOG = logging.getLogger("preceptor.gateway")

PATIENCE_S = 30.0
"""Seconds for which the last known state holds while the store cannot be read."""


class SwitchState:
    """What the switch said last.

    Args:
        read: the stops in force, from the store (`gateway.bundles.switch.read_stops`); called in a thread.
        watch_s: seconds between two looks.
        patience_s: seconds for which the last state holds while the store does not answer.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        read: Callable[[], tuple[Stop, ...]],
        *,
        watch_s: float = 0.5,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._watch_s, self._patience_s, self._clock = read, watch_s, patience_s, clock
        self._stops: tuple[Stop, ...] = ()
        self._read_at: float | None = None
        self._fault: str | None = None
        self._task: asyncio.Task[None] | None = None

    def is_stopped(self, domain: str | None) -> bool:
        """Whether weak answers of the domain are kept back; everything is while the state is not known."""
        return not self._is_known() or is_stopped((stop.domain for stop in self._stops), domain)

    @property
    def stops_all(self) -> bool:
        """Whether no weak answer leaves, of whatever domain."""
        return not self._is_known() or any(stop.domain is None for stop in self._stops)

    def warnings(self) -> tuple[str, ...]:
        """Every stop in force, and a store that does not answer; domains, names and times alone."""
        said = [
            f"Weak answers of {stop.domain or 'all domains'} are stopped since {stop.at:%Y-%m-%d %H:%M:%S} UTC."
            for stop in self._stops
        ]
        if self._fault is not None:
            until = "" if self._is_known() else "; all weak answers are stopped until it does"
            said.append(f"The stop switch cannot be read ({self._fault}){until}.")
        return tuple(said)

    async def start(self) -> None:
        """Read it once, for at most five seconds, and follow it from then on."""
        if self._task is None:
            first = asyncio.create_task(self._look(), name="switch")
            await asyncio.wait([first], timeout=5.0)
            self._task = asyncio.create_task(self._follow(first), name="switch")

    async def aclose(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _follow(self, first: "asyncio.Task[None]") -> None:
        await first
        while True:
            await asyncio.sleep(self._watch_s)
            await self._look()

    async def _look(self) -> None:
        try:
            stops = await in_own_thread(partial(self._read), name="switch")
        except Exception as error:  # noqa: BLE001 - whatever it is, the state is not known
            if self._fault is None:
                LOG.error(
                    "The stop switch cannot be read (%s); its last state holds for a while.", type(error).__name__
                )
            self._fault = type(error).__name__
            return
        if self._fault is not None:
            LOG.warning("The stop switch can be read again.")
        self._fault, self._read_at = None, self._clock()
        if stops != self._stops:
            self._stops = stops
            LOG.warning("The stop switch was turned. %s", " ".join(self.warnings()) or "Nothing is stopped.")

    def _is_known(self) -> bool:
        return self._read_at is not None and self._clock() - self._read_at <= self._patience_s
