"""Runs work in its time such that nothing it raises can stop the server: not even SystemExit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")


class Lane(NamedTuple):
    """Threads of one kind of work: a kind that hangs takes no thread from another."""

    name: str
    n_threads: int


SHARED = Lane("shared", 40)
RECHECK = Lane("recheck", 128)
"""Checks that ask models wait for them, so many may be under way."""

_LIMITERS: RunVar[dict[str, anyio.CapacityLimiter]] = RunVar("gateway_lanes")


class BrokeOff(Exception):
    """The work raised what is meant to end a program or a task; the message is its name alone."""


async def in_thread(work: Callable[[], T], *, timeout_s: float, lane: Lane = SHARED) -> T:
    """The work's result. A late thread ends by itself, and its result is dropped; waiting for a thread counts as late.

    Raises:
        TimeoutError: it is late.
        BrokeOff: it raised SystemExit or the like.
        Exception: whatever else it raised.
    """
    with anyio.fail_after(timeout_s):
        return await anyio.to_thread.run_sync(contained, work, abandon_on_cancel=True, limiter=_limiter(lane))


async def in_time(work: Awaitable[T], *, timeout_s: float) -> T:
    """The result of work on this event loop. It is cancelled when late, or when the caller is.

    Raises:
        TimeoutError: it is late.
        BrokeOff: it raised SystemExit, or a cancellation that nobody asked for.
        Exception: whatever else it raised.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except (Exception, KeyboardInterrupt):
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling() > 0:
            raise
        raise BrokeOff("CancelledError") from None
    except BaseException as error:  # noqa: BLE001 - work must not end the program
        raise BrokeOff(type(error).__name__) from None


def contained(work: Callable[[], T]) -> T:
    """The work's result, here and now.

    Raises:
        BrokeOff: it raised SystemExit or the like.
        Exception: whatever else it raised.
    """
    try:
        return work()
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - work must not end the program
        raise BrokeOff(type(error).__name__) from None


def _limiter(lane: Lane) -> anyio.CapacityLimiter:
    """The lane's limiter on the running event loop."""
    limiters = _LIMITERS.get(None)
    if limiters is None:
        limiters = {}
        _LIMITERS.set(limiters)
    if lane.name not in limiters:
        limiters[lane.name] = anyio.CapacityLimiter(lane.n_threads)
    return limiters[lane.name]
