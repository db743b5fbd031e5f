"""One event loop in a thread of its own, for callers that have none, or many: all requests of a controller run there.

So its connections live as long as the controller, whatever loops the program starts and ends, and no caller's loop is
ever blocked. The thread is a daemon: a program that closes nothing ends all the same.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from core.errors import PreceptorError

T = TypeVar("T")

Work = Callable[[], Coroutine[Any, Any, T]]


class Bridge:
    """An event loop that starts when it is first needed; safe to share between threads and event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        """Whether its loop runs."""
        return self._loop is not None

    def call(self, work: Work[T], *, timeout_s: float | None = None) -> T:
        """The work's result; the calling thread waits for it.

        Raises:
            TimeoutError: it is late, and was cancelled.
            Exception: what the work raised.
        """
        loop = self._opened()
        future = asyncio.run_coroutine_threadsafe(work(), loop)
        try:
            return future.result(timeout_s)
        except BaseException:
            future.cancel()  # an interrupt of the waiting thread; of work that has ended it undoes nothing
            raise

    async def wait(self, work: Work[T]) -> T:
        """The work's result; the calling task waits for it, and its cancellation is the work's too."""
        loop = self._opened()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), loop))

    def start(self, work: Work[object]) -> None:
        """Run work that nobody waits for."""
        loop = self._opened()
        asyncio.run_coroutine_threadsafe(work(), loop)

    def close(self, last: Work[object], *, timeout_s: float) -> None:
        """Run the last work, then end the loop for good."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            self._is_closed = True
        if loop is None or thread is None:
            return
        if thread is threading.current_thread():  # the collector of garbage runs anywhere
            loop.create_task(last()).add_done_callback(lambda _: loop.stop())
            return
        try:
            asyncio.run_coroutine_threadsafe(last(), loop).result(timeout_s)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout_s)

    def _opened(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._is_closed:
                raise PreceptorError("The controller is closed. Build another one.")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name="preceptor-controller", daemon=True
                )
                self._thread.start()
            if self._thread is threading.current_thread():
                raise RuntimeError("A controller's own event loop cannot wait for itself; use `acompletion` there.")
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
