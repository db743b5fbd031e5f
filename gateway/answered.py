"""What comes of a request: a whole answer, a stream, or the strong model's failure; each with its decision."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from core.errors import UpstreamError
from core.records import Decision
from gateway.asking.upstream import UpstreamFailure


class Reply(NamedTuple):
    """OpenAI's completion object, and the decision behind it."""

    body: dict[str, Any]
    decision: Decision

    @property
    def text(self) -> str:
        """The first choice's text; empty when it holds none."""
        return self.body["choices"][0]["message"].get("content") or ""


class Streamed(NamedTuple):
    """An answer as events. Whoever takes it reads it to its end or calls `events.aclose()`."""

    events: AsyncIterator[bytes]
    """Server-sent events, ready to be sent; the last one is `data: [DONE]`, or an error in OpenAI's envelope."""
    decision: Decision
    """As known before the first event: id, model and reasons stand; cost and latency do not yet."""
    finished: "asyncio.Future[Decision]"
    """The decision as recorded, once the stream has ended in whatever way."""


class StrongFailed(UpstreamError):
    """The strong model, the last resort, did not answer."""

    def __init__(self, decision: Decision, failure: UpstreamFailure) -> None:
        self.decision, self.failure = decision, failure
        super().__init__(str(failure))
