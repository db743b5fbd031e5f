"""An endpoint's answer, event by event, as the client is to see it. Never keeps a text, never waits without end.

Each event is read as JSON and written again: `model` becomes the configured name, and usage that only the gateway
asked for is taken out. Everything else stays as it came.
"""

import asyncio
import contextlib
from collections import deque
from typing import Any, NamedTuple, Self

import aiohttp

from core.call_record import CallRecord
from gateway.asking.account import Account
from gateway.asking.address import usage_of
from gateway.asking.breaker import Passage
from gateway.asking.chunk_editing import ChunkEditor
from gateway.asking.connections import BROKEN, TooLarge, failure_kind, read_whole
from gateway.asking.failure import UpstreamFailure
from gateway.asking.reply import error_in, for_client, read_object, status_of
from gateway.asking.sse import Event, EventReader, EventTooLarge

MAX_EVENT_BYTES = 8 * 2**20
"""A larger event ends the stream."""

WHOLE_TIMES = 10
"""All of a stream may take so many times what one of its events may."""

_DONE = b"data: [DONE]\n\n"
_MAX_ERROR_BYTES = 2**16
_REST_S = 0.1


class StreamRules(NamedTuple):
    """How a stream is read.

    Attributes:
        timeout_s: longest wait for an event after the first one.
        hides_usage: the client did not ask for it.
        passage: is told how the stream ended.
    """

    timeout_s: float
    hides_usage: bool
    passage: Passage


class UpstreamStream:
    """Iterates over whole events in bytes, the last one `data: [DONE]`; then `call` says what it came to.

    A stream without `[DONE]` has ended well where each of its choices has said why it finished.
    """

    def __init__(self, response: aiohttp.ClientResponse, account: Account, rules: StreamRules) -> None:
        self.model = account.endpoint.name
        self._response, self._account, self._rules = response, account, rules
        self._reader = EventReader(max_bytes=MAX_EVENT_BYTES)
        self._editor = ChunkEditor(self.model, hides_usage=rules.hides_usage)
        self._ready: deque[bytes] = deque()
        self._until_s = asyncio.get_running_loop().time() + WHOLE_TIMES * rules.timeout_s
        self._begun: set[object] = set()
        self._finished: set[object] = set()
        self._has_begun = False
        self._is_done = False
        self._failure: UpstreamFailure | None = None
        self._final: CallRecord | None = None

    @property
    def call(self) -> CallRecord:
        """What goes on record; `underway` is its outcome until the stream has ended."""
        return self._final or self._account.record("underway")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next event.

        Raises:
            UpstreamFailure: `timeout`, `stream_broken`, `malformed_stream`, `event_too_large` or `stream_error`.
        """
        if not self._ready:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            if self._final is not None:
                raise StopAsyncIteration
            if self._is_done:
                await self._end()
                raise StopAsyncIteration
            loop_s = asyncio.get_running_loop().time()
            await self._fill(until_s=min(loop_s + self._rules.timeout_s, self._until_s))
        return self._ready.popleft()

    async def begin(self, *, until_s: float) -> None:
        """Wait for the first event.

        Raises:
            UpstreamFailure: none came that is fit to be passed on.
        """
        if self._response.content_type == "application/json":
            await self._refuse_json(until_s)
        await self._fill(until_s=until_s)
        self._has_begun = True
        self._account.first_token_ms = self._account.elapsed_ms
        self._rules.passage.began()

    async def aclose(self) -> None:
        """Leave the stream; one that is not there whole is on record as left by the client."""
        if self._final is None:
            self._finish("ok" if self._is_done else "client_left")
            (self._rules.passage.succeeded if self._is_done else self._rules.passage.left)()
        self._response.close()

    async def _fill(self, *, until_s: float) -> None:
        try:
            await self._read(until_s)
        except UpstreamFailure as failure:
            if not self._has_begun or not self._ready:
                raise  # before the first event has left, another attempt may do better than what came so far
            self._failure = failure

    async def _read(self, until_s: float) -> None:
        try:
            async with asyncio.timeout_at(until_s):
                while not self._ready:
                    chunk = await self._response.content.readany()
                    events = self._reader.feed(chunk) if chunk else self._reader.end()
                    for event in events:
                        self._take(event)
                    if not chunk and not self._is_done:
                        self._take_end("malformed_stream")
        except EventTooLarge:
            raise self._failed("event_too_large") from None
        except BROKEN as error:
            kind = failure_kind(error)
            self._take_end("stream_broken" if self._has_begun and kind != "timeout" else kind)

    def _take(self, event: Event) -> None:
        if self._is_done or not event.data:
            return
        if event.data == b"[DONE]":
            if not self._begun:
                raise self._failed("malformed_stream")
            self._is_done = True
            self._ready.append(_DONE)
            return
        chunk = read_object(event.data)
        if chunk is None:
            raise self._failed("malformed_stream")
        error = error_in(chunk) if event.name != b"error" else error_in(chunk) or {"error": chunk}
        if error is not None:
            status = status_of(error)
            raise self._failed("stream_error", status=status, envelope=for_client(error, status))
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
            raise self._failed("malformed_stream")
        for choice in choices:
            index = choice.get("index", 0)
            self._begun.add(index)
            if choice.get("finish_reason") is not None:
                self._finished.add(index)
        if chunk.get("usage") is not None:
            self._account.usage = usage_of(chunk)
            if not choices and self._rules.hides_usage:
                return
        self._ready.append(b"data: " + self._editor.edited(event.data, chunk) + b"\n\n")

    def _take_end(self, kind: str) -> None:
        """The bytes have ended before `[DONE]`: well if every choice has finished, else as the given failure."""
        if not self._begun or self._begun != self._finished:
            raise self._failed(kind) from None
        self._is_done = True
        self._ready.append(_DONE)

    async def _end(self) -> None:
        """Read what follows `[DONE]`, which is nothing, so that the connection can serve the next request."""
        self._finish("ok")
        self._rules.passage.succeeded()
        with contextlib.suppress(*BROKEN):
            async with asyncio.timeout(_REST_S):
                if not await self._response.content.readany():
                    return
        self._response.close()

    async def _refuse_json(self, until_s: float) -> None:
        reply = None
        with contextlib.suppress(*BROKEN, TooLarge):
            async with asyncio.timeout_at(until_s):
                reply = read_object(await read_whole(self._response, _MAX_ERROR_BYTES))
        error = error_in(reply) if reply is not None else None
        if error is None:
            raise self._failed("malformed_stream")
        status = status_of(error)
        raise self._failed("error_in_reply", status=status, envelope=for_client(error, status))

    def _finish(self, outcome: str) -> CallRecord:
        self._final = self._account.record(outcome)
        return self._final

    def _failed(self, kind: str, **about: Any) -> UpstreamFailure:  # noqa: ANN401 - as the failure takes them
        self._response.close()
        failure = UpstreamFailure(self.model, kind, call=self._finish(kind), **about)
        (self._rules.passage.failed if failure.is_outage else self._rules.passage.succeeded)()
        return failure
