"""A streamed answer as a program reads it: chunks from a plain loop or from an `async for`. Changes no chunk."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

from core.errors import UpstreamError
from core.records import Decision
from gateway.answered import Streamed
from gateway.program.answer_objects import AnswerObject
from gateway.program.bridge import Bridge

_DONE = b"[DONE]"


class StreamBroke(UpstreamError):
    """The model's answer broke off after its first chunks; what came before is no whole answer."""


class _Chunks:
    """What both kinds share: events in, chunks out, one at a time."""

    def __init__(self, streamed: Streamed, bridge: Bridge) -> None:
        self._streamed, self._bridge = streamed, bridge
        self._waiting: list[AnswerObject] = []
        self._is_over = False
        self.decision: Decision = streamed.decision
        """As known when the stream began; once it has ended, as recorded."""

    async def _chunk(self) -> AnswerObject | None:
        """The next one, on the bridge's loop; None at the end."""
        while not self._waiting:
            if self._is_over:
                return None
            event = await anext(self._streamed.events, None)
            if event is None:
                self._end()
                return None
            for value in _values(event):
                if "error" in value and "choices" not in value:
                    self._end()
                    said = value["error"].get("message") if isinstance(value["error"], dict) else None
                    raise StreamBroke(said if isinstance(said, str) else "The model's answer broke off. Ask again.")
                self._waiting.append(AnswerObject(value))
        return self._waiting.pop(0)

    def _end(self) -> None:
        self._is_over = True
        if self._streamed.finished.done() and not self._streamed.finished.cancelled():
            self.decision = self._streamed.finished.result()

    async def _leave(self) -> None:
        """Tell the endpoint that nobody reads on."""
        self._is_over = True
        close = getattr(self._streamed.events, "aclose", None)
        if close is not None:
            await close()

    def __del__(self) -> None:
        if not self._is_over and self._bridge.is_open:
            self._bridge.start(self._leave)


class AnswerStream(_Chunks, Iterator[AnswerObject]):
    """Chunks for a plain loop; `close` it, or leave its `with`, where it is not read to its end."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> AnswerObject:
        """The next chunk.

        Raises:
            StreamBroke: the answer broke off.
        """
        chunk = None if self._is_over and not self._waiting else self._bridge.call(self._chunk)
        if chunk is None:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Stop reading."""
        if not self._is_over:
            self._bridge.call(self._leave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncAnswerStream(_Chunks, AsyncIterator[AnswerObject]):
    """Chunks for an `async for`; `aclose` it, or leave its `async with`, where it is not read to its end."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnswerObject:
        """The next chunk.

        Raises:
            StreamBroke: the answer broke off.
        """
        chunk = None if self._is_over and not self._waiting else await self._bridge.wait(self._chunk)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Stop reading."""
        if not self._is_over:
            await self._bridge.wait(self._leave)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _values(event: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of whole server-sent events."""
    for line in event.split(b"\n"):
        data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if data and data != _DONE:
            value = json.loads(data)
            if isinstance(value, dict):
                yield value
