"""When and how often a call is tried again: full jitter, and what the endpoint asks for in Retry-After.

Full jitter: the wait is drawn evenly between zero and a bound that doubles, so that callers who failed together do not
come back together. Source: Brooker, "Exponential Backoff and Jitter" (2015).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.asking.failure import UpstreamFailure

FIRST_WAIT_S = 0.25
"""Bound of the wait before the second attempt; doubled before each further one."""

LONGEST_WAIT_S = 4.0
"""No wait is longer: an endpoint that asks for more is not tried again, and the failure says how long it wants."""

T = TypeVar("T")


@dataclass(frozen=True)
class Waits:
    """How long to wait between attempts."""

    rng: random.Random = field(default_factory=random.Random)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    def before_next(self, n_failed: int, retry_after_s: float | None) -> float | None:
        """Seconds to wait after so many failed attempts; None where the endpoint asks for more than we wait.

        What it asks for is the least, and the jitter comes on top.

        >>> waits = Waits(random.Random(0))
        >>> all(waits.before_next(3, None) <= 1.0 for _ in range(100))
        True
        >>> 2.0 <= waits.before_next(1, 2.0) <= 2.25, waits.before_next(1, 30.0)
        (True, None)
        """
        least_s = retry_after_s or 0.0
        if least_s > LONGEST_WAIT_S:
            return None
        bound_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (n_failed - 1))
        return least_s + self.rng.uniform(0.0, bound_s)


async def insist(attempt: Callable[[], Awaitable[T]], *, max_attempts: int, until_s: float, waits: Waits) -> T:
    """What the first attempt that succeeds returns.

    Args:
        attempt: raises `UpstreamFailure`; what it raises else is not caught.
        max_attempts: at least 1.
        until_s: time of the running event loop after which none begins.
        waits: the pauses between them.

    Raises:
        UpstreamFailure: the last attempt's. An open circuit before a further attempt leaves the failure before it.
    """
    last: UpstreamFailure | None = None
    for n_failed in range(1, max_attempts + 1):
        try:
            return await attempt()
        except UpstreamFailure as failure:
            if last is not None and failure.kind == "circuit_open":
                break
            last = failure
        wait_s = waits.before_next(n_failed, last.retry_after_s)
        is_last = n_failed == max_attempts or not last.may_pass
        if is_last or wait_s is None or asyncio.get_running_loop().time() + wait_s >= until_s:
            break
        await waits.sleep(wait_s)
    assert last is not None
    raise last
