"""When the next request to an endpoint may start: what is worth another try, and how long to wait before it."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from core.errors import PreceptorError

LONGEST_HOLD_S = 3600.0
"""The longest that an endpoint may make us wait."""

_TRANSIENT_STATUSES = frozenset({408, 409, 425, 429})


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


def may_pass(status: int) -> bool:
    """Whether an HTTP status is worth another try.

    >>> [may_pass(status) for status in (400, 401, 429, 503)]
    [False, False, True, True]
    """
    return status in _TRANSIENT_STATUSES or status >= 500


def seconds_to_wait(retry_after: str | None, *, now: datetime) -> float:
    """What a Retry-After header asks for: seconds or a date; 0 where it says nothing that can be read.

    Source: RFC 9110, section 10.2.3.

    >>> moment = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    >>> seconds_to_wait("2", now=moment), seconds_to_wait("Tue, 24 Nov 2026 12:00:30 GMT", now=moment)
    (2.0, 30.0)
    """
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
