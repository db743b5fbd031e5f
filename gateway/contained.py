"""Runs work in its time such that nothing it raises can stop the server: not even SystemExit.

Threads are the process's own and are never waited for: a program that ends leaves one that hangs.
"""

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from types import TracebackType, coroutine
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

IDLE_S = 30.0
"""Seconds without work after which a thread ends."""


class BrokeOff(Exception):
    """The work raised what is meant to end a program or a task; the message is its name alone."""


async def in_thread(work: Callable[[], T], *, timeout_s: float, lane: "Lane | None" = None) -> T:
    """The work's result. A late thread ends by itself, and its result is dropped; waiting for a thread counts as late.

    Raises:
        TimeoutError: it is late.
        BrokeOff: it raised SystemExit or the like.
        Exception: whatever else it raised.
    """
    with Until(asyncio.get_running_loop().time() + timeout_s):
        return await (lane or SHARED).begin(work)


async def in_time(work: Awaitable[T], *, timeout_s: float) -> T:
    """The result of work on this event loop. It is cancelled when late, or when the caller is.

    Work that never waits costs no timer.

    Raises:
        TimeoutError: it is late.
        BrokeOff: it raised SystemExit, or a cancellation that nobody asked for.
        Exception: whatever else it raised.
    """
    try:
        return await _timed(work, asyncio.get_running_loop().time() + timeout_s)
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
    except StopIteration:  # no coroutine and no future can raise it
        raise BrokeOff("StopIteration") from None
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - work must not end the program
        raise BrokeOff(type(error).__name__) from None


class Until:
    """What runs in it is cancelled at a time of the event loop, and what comes out is a TimeoutError.

    It promises what `asyncio.timeout_at` does, for a third of the processor's time.
    """

    __slots__ = ("_is_late", "_n_cancelled", "_task", "_timer", "_until_s")

    def __init__(self, until_s: float) -> None:
        self._until_s, self._is_late = until_s, False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._n_cancelled = task, task.cancelling()
        self._timer = task.get_loop().call_at(self._until_s, self._cancel)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # Where somebody else cancelled the task too, it stays cancelled.
        if self._is_late and self._task.uncancel() <= self._n_cancelled and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _cancel(self) -> None:
        self._is_late = True
        self._task.cancel()


@coroutine
def _timed(work: Awaitable[T], until_s: float) -> Generator[Any, Any, T]:
    """The work's steps; from the first one that waits, there is a timer."""
    steps = work.__await__()
    try:
        awaited = next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    with Until(until_s):
        while True:  # as `yield from` has it, for steps that have begun
            try:
                yield awaited
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - the work's to judge
                try:
                    awaited = steps.throw(error)
                except StopIteration as end:
                    result = end.value
                    return result
            else:
                try:
                    awaited = next(steps)
                except StopIteration as end:
                    result = end.value
                    return result


class _Job(NamedTuple):
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    result: "asyncio.Future[Any]"


class Lane:
    """Threads of one kind of work: a kind that hangs takes no thread from another. They begin when there is work.

    Args:
        n_threads: most that there are at a time.
    """

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads
        self._begin_anew()

    def begin(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Hand the work to a thread; what is cancelled before one takes it is never begun.

        Raises:
            RuntimeError: there is no thread, and the system gives none now; the next call tries again.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        if self._pid != os.getpid():  # a fork has the numbers, and none of the threads
            self._begin_anew()
        with self._has_work:
            self._jobs.append(job := _Job(work, loop, result))
            starts = len(self._jobs) > self._n_idle and self._n_started < self._n_threads
            if starts:
                self._n_started += 1
            else:
                self._has_work.notify()
        if starts:
            try:
                threading.Thread(target=self._work, name="preceptor-work", daemon=True).start()
            except RuntimeError:
                if not self._is_left_to_others(job):
                    raise
        return result

    def _is_left_to_others(self, job: _Job) -> bool:
        """Leave a job whose thread did not start to those that run; False: none does, and it is taken back."""
        with self._has_work:
            self._n_started -= 1
            if self._n_started > 0:
                self._has_work.notify()
            else:
                self._jobs.remove(job)
            return self._n_started > 0

    def _begin_anew(self) -> None:
        self._pid = os.getpid()
        self._has_work = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._n_started = self._n_idle = 0

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if not job.result.cancelled():
                _run(job)
            del job  # an idle thread keeps nothing of it

    def _next(self) -> _Job | None:
        with self._has_work:
            while not self._jobs:
                self._n_idle += 1
                is_told = self._has_work.wait(IDLE_S)
                self._n_idle -= 1
                if not is_told and not self._jobs:
                    self._n_started -= 1
                    return None
            return self._jobs.popleft()


SHARED = Lane(40)
FREE_CHECKS = Lane(4)
"""Checks that ask nobody keep a processor busy: more of them at once would make each of them late."""
PAID_CHECKS = Lane(128)
"""Checks that ask models wait for them, so many may be under way."""


def _run(job: _Job) -> None:
    settle: Callable[[], None]
    try:
        settle = partial(_set_result, job.result, contained(job.work))
    except BaseException as error:  # noqa: BLE001 - it is the waiting task's to judge
        settle = partial(_set_error, job.result, error)
    with contextlib.suppress(RuntimeError):  # the event loop has ended, and nobody waits
        job.loop.call_soon_threadsafe(settle)


def _set_result(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _set_error(future: "asyncio.Future[T]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
