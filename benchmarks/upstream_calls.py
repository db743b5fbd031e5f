"""CPU of one call of a model: `python -m benchmarks.upstream_calls [--rounds 9] [--json]`.

aiohttp and httpx2 alone, and `gateway.asking.upstream` (which uses aiohttp) with its retries, its circuit breaker, its
checks of the reply and its record; on loopback, before one stub in a process of its own, on one thread and one event
loop (uvloop), 16 calls at a time on connections that are kept. CPU seconds of this process, medians of rounds in
which all take turns. A stream has 50 chunks, each written by itself.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any, cast

import aiohttp
import click
import httptools
import httpx2
import numpy as np
import uvloop

from gateway.asking.upstream import Endpoint, Upstream

AT_ONCE = 16
"""Calls under way at the same time."""

N_CHUNKS = 50
GAP_S = 0.002
"""Between two chunks, so that each is read by itself."""
BODY = {"model": "m", "messages": [{"role": "user", "content": "Code: 47-year-old with essential hypertension."}]}
STREAMED = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
USAGE = {"prompt_tokens": 20, "completion_tokens": 50, "total_tokens": 70}
SHARED = {"id": "chatcmpl-1", "created": 1, "model": "m-2026-11-01"}


def _json(status: dict[str, Any]) -> bytes:
    return json.dumps(status, separators=(",", ":")).encode()


def _chunk(choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> bytes:
    return (
        b"data: " + _json({**SHARED, "object": "chat.completion.chunk", "choices": choices, "usage": usage}) + b"\n\n"
    )


WHOLE = _json(
    {
        **SHARED,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "I10 " * 50}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
)
EVENTS = [
    *(_chunk([{"index": 0, "delta": {"content": " word"}, "finish_reason": None}]) for _ in range(N_CHUNKS - 2)),
    _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    _chunk([], USAGE),
    b"data: [DONE]\n\n",
]


class Stub(asyncio.Protocol):
    """Answers each request at once: whole, or in chunks on later turns of its loop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data: bytes) -> None:
        """Parse; `on_message_complete` answers."""
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Answer."""
        asked, self.body = json.loads(self.body), b""
        if not asked.get("stream"):
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE)
            self.transport.write(head + WHOLE)
            return
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        self._write([head, *(b"%x\r\n%b\r\n" % (len(event), event) for event in EVENTS), b"0\r\n\r\n"])

    def _write(self, left: list[bytes]) -> None:
        self.transport.write(left[0])
        if left[1:]:
            asyncio.get_running_loop().call_later(GAP_S, self._write, left[1:])


def serve(pipe: Connection) -> None:
    """The stub on a free loopback port, which the pipe is told."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


async def cpu_us(call: Callable[[], Awaitable[object]], n_calls: int) -> float:
    """Microseconds of CPU that one of so many calls takes."""

    async def some() -> None:
        for _ in range(n_calls // AT_ONCE):
            await call()

    start = time.process_time()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return (time.process_time() - start) / (n_calls // AT_ONCE * AT_ONCE) * 1e6


async def measure(port: int, *, rounds: int, n_calls: int) -> dict[str, dict[str, float]]:
    """Medians and quartiles of each way, in microseconds."""
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    headers = {"content-type": "application/json"}
    upstream = Upstream(Endpoint(name="m", base_url=f"http://127.0.0.1:{port}/v1"))
    async with httpx2.AsyncClient(headers=headers) as client, aiohttp.ClientSession(headers=headers) as session:

        async def httpx2_whole() -> None:
            json.loads((await client.post(url, content=_json(BODY))).content)

        async def httpx2_stream() -> None:
            async with client.stream("POST", url, content=_json(STREAMED)) as response:
                assert sum([len(part) async for part in response.aiter_raw()]) > 0

        async def aiohttp_whole() -> None:
            async with session.post(url, data=_json(BODY)) as response:
                json.loads(await response.read())

        async def aiohttp_stream() -> None:
            async with session.post(url, data=_json(STREAMED)) as response:
                assert sum([len(part) async for part in response.content.iter_any()]) > 0

        async def upstream_whole() -> None:
            await upstream.complete(BODY)

        async def upstream_stream() -> None:
            stream = await upstream.open_stream(BODY)
            assert len([event async for event in stream]) == N_CHUNKS
            await stream.aclose()

        ways = (httpx2_whole, aiohttp_whole, upstream_whole, httpx2_stream, aiohttp_stream, upstream_stream)
        taken: dict[str, list[float]] = {way.__name__: [] for way in ways}
        for way in ways:
            await cpu_us(way, AT_ONCE)
        for _ in range(rounds):
            for way in ways:
                n = n_calls if way.__name__.endswith("whole") else n_calls // 10
                taken[way.__name__].append(await cpu_us(way, n))
        await upstream.aclose()
    quartiles = {name: np.percentile(values, [25, 50, 75]) for name, values in taken.items()}
    return {
        name: dict(zip(("q25", "median", "q75"), map(float, three), strict=True)) for name, three in quartiles.items()
    }


@click.command()
@click.option("--rounds", default=9, show_default=True, help="Rounds in which all ways take turns.")
@click.option("--calls", "n_calls", default=640, show_default=True, help="Calls of a way in a round; streams a tenth.")
@click.option("--json", "as_json", is_flag=True, help="Print one object with every figure.")
def main(rounds: int, n_calls: int, as_json: bool) -> None:
    """Print what one call costs."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    stub = context.Process(target=serve, args=(theirs,), daemon=True)
    stub.start()
    try:
        found = uvloop.run(measure(ours.recv(), rounds=rounds, n_calls=n_calls))
    finally:
        stub.terminate()
        stub.join()
    if as_json:
        print(json.dumps(found))
        return
    print(f"{'microseconds of CPU a call':28} {'median':>8} {'quartiles':>16}")
    for name, values in found.items():
        print(f"{name.replace('_', ', '):28} {values['median']:8.0f} {values['q25']:8.0f} {values['q75']:7.0f}")


if __name__ == "__main__":
    main()
