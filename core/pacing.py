"""When the next request to an endpoint may start."""

import asyncio

from core.errors import PreceptorError

LONGEST_HOLD_S = 3600.0
"""The longest that an endpoint may make us wait."""


class Pace:
    """Starts of requests to one endpoint: evenly spaced, and none before the endpoint wants it."""

    def __init__(self, per_minute: float | None) -> None:
        if per_minute is not None and per_minute <= 0:
            raise PreceptorError(f"A rate of {per_minute:g} requests a minute asks nothing. Give --rate above 0.")
        self._gap_s = 0.0 if per_minute is None else 60 / per_minute
        self._next_s = 0.0

    async def turn(self) -> None:
        """Wait until the next request may start."""
        loop = asyncio.get_running_loop()
        start_s = max(loop.time(), self._next_s)
        self._next_s = start_s + self._gap_s
        if (wait_s := start_s - loop.time()) > 0:
            await asyncio.sleep(wait_s)

    def hold(self, seconds: float) -> None:
        """Let no request start for so long."""
        self._next_s = max(self._next_s, asyncio.get_running_loop().time() + min(seconds, LONGEST_HOLD_S))
