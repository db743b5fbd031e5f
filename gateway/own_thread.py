"""Runs long work beside the event loop, in a thread that nobody waits for when the program ends."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from gateway.contained import contained

T = TypeVar("T")


def in_own_thread(work: Callable[[], T], *, name: str) -> "asyncio.Future[T]":
    """The work's result, or what it raised (`gateway.contained`), on the running event loop.

    The thread is the work's own, so it takes no place in a pool that requests wait for; a program that ends leaves it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            settle = partial(_set_result, future, contained(work))
        except BaseException as error:  # noqa: BLE001 - it is the waiting task's to judge
            settle = partial(_set_error, future, error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _set_result(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _set_error(future: "asyncio.Future[T]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
