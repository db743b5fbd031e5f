"""A light load client: keep-alive connections in a closed loop, every answer checked, times per request.

One process and one event loop; about 40 us a request, so that a server under test is what is measured. The same for
all servers. It follows no redirect and retries nothing.
"""

import asyncio
import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httptools

MOST_FAULTS = 100


@dataclass(frozen=True)
class Target:
    """Where one kind of request goes, and what its answer must be."""

    url: str
    """Base URL that ends in /v1."""
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: bytes = b""
    """Bytes that every answer holds."""

    def as_bytes(self) -> bytes:
        """The whole request, as it goes over the wire."""
        content = json.dumps(dict(self.body)).encode()
        return request_bytes(f"{self.url}/chat/completions", content, self.headers)


@dataclass
class Sample:
    """What a load met."""

    latencies_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    """Until the first byte of the body; of a stream, its first event."""
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Right answers a second."""
        return len(self.latencies_s) / self.seconds if self.seconds else 0.0


class Answer:
    """One response as it arrives."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.first_at: float | None = None
        self.is_whole = False
        self.fault: str | None = None

    @property
    def body(self) -> bytes:
        """All of the body that came."""
        return b"".join(self.parts)


class Connection(asyncio.Protocol):
    """One keep-alive connection; `ask` sends a request and waits for its whole answer."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._answer = Answer()
        self._closes = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._parser = httptools.HttpResponseParser(self)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Parse."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(f"no HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that was under way has ended early."""
        self.transport = None
        self._end("connection_lost")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the answer."""
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Its status."""
        self._answer.status = self._parser.get_status_code()
        self._closes = not self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        if self._answer.first_at is None:
            self._answer.first_at = time.perf_counter()
        self._answer.parts.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._answer.is_whole = True
        self._end(None)

    def send(self, request: bytes) -> "asyncio.Future[Answer]":
        """Send one request; the future holds its answer, whole or with a fault, and never raises."""
        self._waiter = asyncio.get_running_loop().create_future()
        self._answer = Answer()
        if self.transport is None or self.transport.is_closing():
            self._end("connection_lost")
        else:
            self.transport.write(request)
        waiter = self._waiter
        assert waiter is not None
        return waiter

    def close(self) -> None:
        """Hang up."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None

    def hang_up(self) -> None:
        """Hang up in the middle of an answer; what came of it is what `send`'s future holds."""
        self.close()
        self._end("hung_up")

    @property
    def local_port(self) -> int:
        """Our port; 0 where the connection is gone."""
        if self.transport is None:
            return 0
        port: int = (self.transport.get_extra_info("sockname") or ("", 0))[1]
        return port

    @property
    def has_begun(self) -> bool:
        """Whether the first bytes of the answer's body are here."""
        return self._answer.first_at is not None

    @property
    def is_answered(self) -> bool:
        """Whether the answer is over."""
        return self._waiter is None or self._waiter.done()

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent."""
        return self.transport is not None and not self.transport.is_closing() and not self._closes

    def _end(self, fault: str | None) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            self._answer.fault = fault
            waiter.set_result(self._answer)


async def connect(url: str) -> Connection:
    """A connection to the host and port of a URL; tried for two seconds, since a full backlog refuses for a moment."""
    host, port = url.split("//", 1)[1].split("/", 1)[0].rsplit(":", 1)
    for attempt in range(20):
        try:
            _, connection = await asyncio.get_running_loop().create_connection(Connection, host, int(port))
            return connection
        except OSError:
            if attempt == 19:
                raise
            await asyncio.sleep(0.1)
    raise AssertionError


async def load(
    target: Target,
    *,
    n_clients: int,
    n_requests: int | None = None,
    seconds: float | None = None,
    stops: Sequence[str] = (),
) -> Sample:
    """Ask with `n_clients` in a closed loop, for a number of requests in all or a number of seconds.

    The times of answers that fail the check are left out, and said among the faults; a hundred of them end it.

    Args:
        target: what is asked.
        n_clients: connections.
        n_requests: in all; None: until the time is up.
        seconds: after which no request is begun; None: no such time.
        stops: a list that someone else fills to end it.
    """
    request, sample = target.as_bytes(), Sample()
    connections = await asyncio.gather(*(connect(target.url) for _ in range(n_clients)))
    left = [n_requests if n_requests is not None else 1_000_000_000]
    started = time.perf_counter()
    until = started + (seconds if seconds is not None else 1e9)

    async def client(connection: Connection) -> None:
        while left[0] > 0 and time.perf_counter() < until and not stops and len(sample.faults) < MOST_FAULTS:
            left[0] -= 1
            if not connection.is_usable:
                connection = await connect(target.url)
            asked_at = time.perf_counter()
            answer = await connection.send(request)
            now = time.perf_counter()
            if fault := fault_of(answer, target.expected):
                sample.faults.append(fault)
                continue
            sample.latencies_s.append(now - asked_at)
            sample.first_s.append((answer.first_at or now) - asked_at)
        connection.close()

    await asyncio.gather(*(client(connection) for connection in connections))
    sample.seconds = time.perf_counter() - started
    return sample


def fault_of(answer: Answer, expected: bytes) -> str | None:
    """What is wrong with an answer; None: nothing."""
    if answer.fault is not None:
        return answer.fault
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200]!r}"
    if expected and expected not in answer.body:
        return f"another answer: {answer.body[:200]!r}"
    return None


def request_bytes(
    url: str, content: bytes | None = None, headers: Mapping[str, str] | None = None, *, method: str | None = None
) -> bytes:
    """A request as bytes: POST where there is content, GET otherwise."""
    host, path = url.split("//", 1)[1].split("/", 1)
    lines = [f"{method or ('GET' if content is None else 'POST')} /{path} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if content is not None:
        lines += ["content-type: application/json", f"content-length: {len(content)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (content or b"")


async def once(url: str, content: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One request on a connection of its own."""
    connection = await connect(url)
    try:
        return await connection.send(request_bytes(url, content, headers))
    finally:
        connection.close()
