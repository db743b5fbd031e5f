"""An answer on its way as events, from the first to what ends it: its own end, a break, or a client that leaves.

However it ends, that is told once, and before the client sees the last event. Changes no event.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, Self

from gateway.api.replies import error_envelope, event
from gateway.asking.upstream import UpstreamFailure, UpstreamStream

LOG = logging.getLogger("preceptor.gateway")

CLIENT_LEFT = "client_left"

_DONE = b"data: [DONE]\n\n"

Ended = Callable[[UpstreamStream, str | None, list[bytes]], Coroutine[Any, Any, object]]
"""Told of the stream, why it broke off (None: it ended well), and the events that left where they were collected."""

Later = Callable[[Coroutine[Any, Any, object]], "asyncio.Future[Any]"]
"""Runs work to its end, whoever is cancelled meanwhile."""


class Sending:
    """The events of an upstream's stream; `[DONE]` is held back until `ended` has returned.

    A stream that breaks ends with an error in OpenAI's envelope, and without `[DONE]`.

    Args:
        stream: its first event is there.
        ended: told once how it ended.
        later: what `ended` is run with.
        collects: keep the events that left, for `ended`.
    """

    def __init__(self, stream: UpstreamStream, ended: Ended, later: Later, *, collects: bool) -> None:
        self._stream, self._ended, self._later, self._collects = stream, ended, later, collects
        self._loop = asyncio.get_running_loop()
        self._events: list[bytes] = []
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next event."""
        if self._is_over:
            raise StopAsyncIteration
        try:
            sent = await anext(self._stream)
            if sent.endswith(_DONE):
                async for _ in self._stream:  # nothing follows, but now it has ended, and its tokens are counted
                    pass
                await self._end(None)
        except StopAsyncIteration:
            await self._end(None)
            raise
        except UpstreamFailure as failure:
            return await self._broken(failure.kind)
        except (asyncio.CancelledError, GeneratorExit):
            self._leave()
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stream that breaks the gateway has broken
            LOG.error("A stream of %s broke (%s).", self._stream.model, type(error).__name__)
            return await self._broken("error")
        if self._collects:
            self._events.append(sent)
        return sent

    async def aclose(self) -> None:
        """Stop; where it has not ended, the client has left."""
        self._leave()

    def __del__(self) -> None:
        # Nobody closed it: a response that never began. What it cost must not go unrecorded.
        if not self._is_over and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._later(self._left())

    async def _left(self) -> None:
        await _closed(self._stream)
        await self._ended(self._stream, CLIENT_LEFT, self._events)

    async def _broken(self, kind: str) -> bytes:
        await self._end(kind)
        message = "The model's answer broke off. Ask again."
        envelope = error_envelope(message, kind="api_error", code="upstream_failed")
        return event(envelope)

    async def _end(self, kind: str | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        if kind is not None:
            self._later(_closed(self._stream))
        # Clients hang up once they have what they want, and that must not undo the record.
        await asyncio.shield(self._later(self._ended(self._stream, kind, self._events)))


async def at_once(events: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Events that are all there."""
    for one in events:
        yield one


async def _closed(stream: UpstreamStream) -> None:
    try:
        await stream.aclose()
    except Exception as error:  # noqa: BLE001 - it has ended anyway
        LOG.error("A stream of %s could not be closed (%s).", stream.model, type(error).__name__)
