"""One process that serves: its event loop, its signals, its goodbye. `gateway.serving.workers` starts several of them.

A worker that is told to stop answers what it has, closes each connection with its answer, writes what is not yet
written, and ends; requests that take longer than `PATIENCE_S` are cut off.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop

from gateway.serving.building import Gateway
from gateway.serving.log_lines import log_to_stderr
from gateway.serving.to_serve import Orders, ToServe
from gateway.serving.workers import CANNOT_SERVE

if TYPE_CHECKING:
    from core.gateway_settings import TlsSettings

LAST_S = 0.5
"""Seconds between the last connection that is accepted and the end: its request is read in that time."""

LEAVE_S = 0.5
"""How long a worker that stops goes on taking requests, each of whose answers closes its connection."""

PATIENCE_S = 30
"""How long it then waits for requests under way."""

KEEP_ALIVE_S = 75
"""How long a connection may idle: longer than clients keep theirs, so that they are the ones to close it."""


def serve(
    what: ToServe, listening: socket.socket, *, on_ready: Callable[[], None], lifeline: int | None = None
) -> None:
    """Serve until told to stop, by SIGTERM, SIGINT, or the end of `lifeline`.

    Args:
        what: what to serve.
        listening: the socket.
        on_ready: called once requests are taken.
        lifeline: a pipe's end that another process holds open; its end means that process is gone.

    Raises:
        SettingsError, PreceptorError: it cannot be served.
    """
    gateway = Gateway(what)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(gateway, what.settings.gateway.tls, listening, on_ready=on_ready, lifeline=lifeline))


def main() -> None:
    """A worker of several: orders' file, its number, the pipe that says it is ready, the parent's lifeline."""
    from core.errors import PreceptorError
    from gateway.records.shared_counts import share_counts

    path, number, ready, lifeline = sys.argv[1], *map(int, sys.argv[2:5])
    log_to_stderr(f"worker {number}: ")
    orders = Orders.read(Path(path))
    share_counts(orders.counts, number)

    def say_ready() -> None:
        os.write(ready, b"r")
        os.close(ready)

    try:
        with socket.socket(fileno=orders.listening) as listening:
            serve(orders.what, listening, on_ready=say_ready, lifeline=lifeline)
    except PreceptorError as error:
        logging.getLogger("preceptor.gateway").error("%s", error)
        sys.exit(CANNOT_SERVE)


async def _serve(
    gateway: Gateway,
    tls: "TlsSettings | None",
    listening: socket.socket,
    *,
    on_ready: Callable[[], None],
    lifeline: int | None,
) -> None:
    server = _Server(_config(gateway, tls), on_ready)
    told = asyncio.Event()

    def tell() -> None:
        if told.is_set():
            server.force_exit = True  # told twice: at once
        told.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    if lifeline is not None:
        loop.add_reader(lifeline, partial(_parent_left, loop, lifeline, tell))
    try:
        await gateway.start()
        leaving = asyncio.create_task(_leave(gateway, server, told), name="leaving")
        await server.serve(sockets=[listening])
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    finally:
        await gateway.aclose()


def _parent_left(loop: asyncio.AbstractEventLoop, lifeline: int, tell: Callable[[], None]) -> None:
    loop.remove_reader(lifeline)
    tell()


async def _leave(gateway: Gateway, server: uvicorn.Server, told: asyncio.Event) -> None:
    await told.wait()
    gateway.app.is_leaving = True
    await asyncio.sleep(LEAVE_S)
    for accepting in server.servers:
        accepting.close()
    await asyncio.sleep(LAST_S)
    server.should_exit = True


def _config(gateway: Gateway, tls: "TlsSettings | None") -> uvicorn.Config:
    options: dict[str, Any] = {}
    if tls is not None:
        from gateway.serving.tls import server_context

        context = server_context(tls)
        options["ssl_context_factory"] = lambda *_: context
    return uvicorn.Config(
        gateway.app,
        http="httptools",
        ws="none",
        lifespan="on",
        interface="asgi3",
        # No access log: a path says little, and the decisions are on record.
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=PATIENCE_S,
        **options,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to us and says when it is ready."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # what is there now stays: a collection need not look at it again
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


if __name__ == "__main__":
    main()
