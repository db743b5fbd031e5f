"""Streams over real HTTP: each event as it comes, and what feeds the stream is closed whenever the client leaves."""

import asyncio
import socket
import threading
from datetime import UTC, datetime

import httpx2
import pytest

from core.records import Decision, Stakes
from gateway.answered import Reply, Streamed
from gateway.api.app import Doors, create_app
from gateway.keys.door import Admitted
from gateway.model_names import Names
from tests.gateway.conftest import completion, serving

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hi."}], "stream": True}
SECONDS = 60
"""An upper bound for what should come at once."""


def decision(**fields):
    known = {
        "id": "dec_1",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "requested_model": "auto",
        "answered_by": "large",
        "bundle": None,
        "probability": None,
        "threshold": None,
        "domain": None,
        "stakes": Stakes.HIGH,
        "verdict": None,
        "reasons": ("above_threshold",),
        "cost_usd": None,
        "latency_ms": 1.0,
        "query_sha256": "0" * 64,
    }
    return Decision(**{**known, **fields})


class Events:
    """Events that come when they are let go; it knows how it was closed."""

    def __init__(self, *events, breaks=None):
        self.events, self.breaks = list(events), breaks
        self.go, self.is_closed, self.was_cancelled = threading.Semaphore(0), threading.Event(), False

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            while not self.go.acquire(blocking=False):
                await asyncio.sleep(0.002)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self.events:
            return self.events.pop(0)
        if self.breaks is not None:
            raise self.breaks
        raise StopAsyncIteration

    async def aclose(self):
        await asyncio.sleep(0)  # closing may wait for the upstream
        self.is_closed.set()


class StreamsThese:
    """A loop that answers with the events it is given, and with a whole answer where none is asked for."""

    names = Names("small", "large", routers=("mf",), domains=())

    def __init__(self, events):
        self.events = events

    async def answer(self, body, told=None):
        if body.get("stream"):
            return Streamed(self.events, decision(), asyncio.get_running_loop().create_future())
        return Reply(completion("right"), decision())

    async def warm_up(self):
        return ()

    async def aclose(self):
        pass


class OneInside:
    """A door that knows whether anybody is inside."""

    def __init__(self):
        self.left = threading.Event()

    async def admit(self, authorization):
        return Admitted("key-1", release=self.left.set)

    async def aclose(self):
        pass


class Counted:
    """Remembers how requests ended."""

    def __init__(self):
        self.over = []

    def began(self):
        pass

    def ended(self, path, status):
        self.over.append(status)

    def exposition(self):
        return b""


def test_each_event_arrives_before_the_next_one_exists():
    events = Events(b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n")
    with (
        serving(create_app(StreamsThese(events))) as url,
        httpx2.stream("POST", f"{url}/chat/completions", json=BODY, timeout=SECONDS) as response,
    ):
        received = []
        chunks = response.iter_raw()
        for _ in range(3):
            events.go.release()
            received.append(next(chunks))
        events.go.release()
        rest = b"".join(chunks)

    assert (received, rest) == ([b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"], b"")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-preceptor-decision-id"] == "dec_1"
    assert response.headers["x-preceptor-reason"] == "above_threshold"
    assert events.is_closed.wait(SECONDS)
    assert not events.was_cancelled


@pytest.mark.parametrize("n_read", [0, 1])
def test_a_client_that_leaves_closes_the_events_frees_its_place_and_is_counted(n_read):
    events, door, counted = Events(b"data: 1\n\n", b"data: 2\n\n"), OneInside(), Counted()
    app = create_app(StreamsThese(events), doors=Doors(keys=door, metrics=counted))
    with serving(app) as url:
        with httpx2.stream("POST", f"{url}/chat/completions", json=BODY, timeout=SECONDS) as response:
            assert not events.is_closed.is_set()
            chunks = response.iter_raw()
            for _ in range(n_read):
                events.go.release()
                assert next(chunks) == b"data: 1\n\n"
            assert not door.left.is_set()

        assert events.is_closed.wait(SECONDS)
        assert door.left.wait(SECONDS)
    assert events.was_cancelled
    assert counted.over == [200]


def test_a_client_that_does_not_read_holds_up_nobody_and_is_noticed_when_it_leaves():
    events = Events(*[b"data: " + b"x" * 1_000_000 + b"\n\n"] * 64)
    for _ in range(64):
        events.go.release()
    with serving(create_app(StreamsThese(events))) as url:
        host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
        content = httpx2.Request("POST", url, json=BODY).read()
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n" % len(content) + content
            )
            assert connection.recv(20).startswith(b"HTTP/1.1 200")
            other = httpx2.post(f"{url}/chat/completions", json={**BODY, "stream": False}, timeout=SECONDS)
            n_waiting = len(events.events)
            assert not events.is_closed.is_set()
        assert events.is_closed.wait(SECONDS)

    assert other.status_code == 200
    assert 0 < n_waiting < 64  # nothing is kept for it beyond what the sockets hold


def test_events_that_break_end_the_stream_with_an_error_object_and_without_done(caplog):
    events = Events(b"data: 1\n\n", breaks=RuntimeError("secret words"))
    events.go.release(2)
    with serving(create_app(StreamsThese(events))) as url:
        response = httpx2.post(f"{url}/chat/completions", json=BODY, timeout=SECONDS)

    assert response.status_code == 200
    assert response.text.startswith('data: 1\n\ndata: {"error":{"message":"The gateway broke')
    assert "[DONE]" not in response.text
    assert "secret" not in response.text + caplog.text
    assert events.is_closed.is_set()


def test_a_server_that_stops_ends_streams_that_would_not_end():
    events, door = Events(), OneInside()
    app = create_app(StreamsThese(events), doors=Doors(keys=door))
    started = threading.Event()

    def read(url):
        with httpx2.stream("POST", f"{url}/chat/completions", json=BODY, timeout=SECONDS) as response:
            started.set()
            with pytest.raises(httpx2.HTTPError):
                response.read()

    with serving(app, timeout_graceful_shutdown=1) as url:
        reader = threading.Thread(target=read, args=(url,))
        reader.start()
        assert started.wait(SECONDS)
    reader.join(SECONDS)

    assert events.is_closed.is_set()
    assert door.left.is_set()
