"""One model endpoint that speaks OpenAI's chat completions: asks it, tries again, leaves it alone when it is down.

Keys come from the environment and go into one header; neither they nor any text are logged or put in an error.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from yarl import URL

from core.call_record import CallRecord
from gateway.asking.account import Account
from gateway.asking.address import Endpoint, usage_of
from gateway.asking.breaker import Breaker, Passage
from gateway.asking.exchange import Exchange
from gateway.asking.failure import UpstreamFailure
from gateway.asking.reply import is_completion
from gateway.asking.retrying import Waits, insist
from gateway.asking.stream import StreamRules, UpstreamStream

__all__ = ["Completion", "Embeddings", "Endpoint", "Upstream", "UpstreamFailure", "UpstreamStream"]

T = TypeVar("T")


class Completion(NamedTuple):
    """A well-formed reply: OpenAI's JSON object, and the cost where the reply counted its tokens."""

    model: str
    body: dict[str, Any]
    cost_usd: float | None
    latency_ms: float
    call: CallRecord


class Embeddings(NamedTuple):
    """A reply of /v1/embeddings as it came, and what goes on record."""

    body: bytes
    call: CallRecord


class Turn(NamedTuple):
    """One attempt that was let through, and the time of the event loop until which it may take."""

    passage: Passage
    until_s: float


class Upstream:
    """Asks one endpoint.

    Args:
        endpoint: where it is, and how long and how often to try.
        clock: seconds that only grow, for the circuit breaker.
        now: the time of day, for a Retry-After that is a date.
        waits: the pauses between attempts.

    Raises:
        SettingsError: the address is none, or the environment has no such key.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        waits: Waits | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.name = endpoint.name
        self._chat_url = URL(endpoint.url("/chat/completions"), encoded=True)
        self._embeddings_url = URL(endpoint.url("/embeddings"), encoded=True)
        self._exchange = Exchange(endpoint, now)
        self._breaker = Breaker(break_after=endpoint.break_after, break_s=endpoint.break_s, clock=clock)
        self._waits = waits or Waits()
        self._counts_streams = True

    @property
    def is_open(self) -> bool:
        """Whether the circuit breaker would turn a call away now."""
        return self._breaker.is_open

    async def complete(self, body: Mapping[str, Any], *, max_attempts: int | None = None) -> Completion:
        """The endpoint's completion of the body, in which only `model` is changed.

        Args:
            body: the request; it asks for no stream.
            max_attempts: the most, where the endpoint's own settings allow more.

        Raises:
            UpstreamFailure: no completion came: out of reach, too slow, an error status, or a malformed reply.
        """
        account = Account(self.endpoint)
        content = self._exchange.content({**body, "model": self.name})

        async def attempt(turn: Turn) -> dict[str, Any]:
            _, reply = await self._exchange.ask(self._chat_url, content, until_s=turn.until_s)
            if not is_completion(reply):
                raise UpstreamFailure(self.name, "malformed_reply")
            turn.passage.succeeded()
            return reply

        reply = await self._insist(attempt, account, max_attempts)
        account.usage = usage_of(reply)
        call = account.record()
        return Completion(self.name, reply, call.cost_usd, account.elapsed_ms, call)

    async def open_stream(self, body: Mapping[str, Any], *, max_attempts: int | None = None) -> UpstreamStream:
        """The endpoint's answer as it comes, once its first event is there; whoever asks closes it.

        In the body `model` and `stream` are set, and usage is asked for; a client that did not ask sees none. An
        endpoint that refuses `stream_options` is asked once more without, and not counted from then on.

        Raises:
            UpstreamFailure: no first event came; nothing has been passed on.
        """
        account = Account(self.endpoint)
        options = body.get("stream_options", {})
        is_asked_for = isinstance(options, Mapping) and options.get("include_usage") is True
        plain = {**body, "model": self.name, "stream": True}
        adds_options = not is_asked_for and isinstance(options or {}, Mapping)

        async def opened(turn: Turn, asked: Mapping[str, Any]) -> UpstreamStream:
            first_s = self.endpoint.first_token_timeout_s
            loop_s = asyncio.get_running_loop().time()
            until_s = turn.until_s if first_s is None else min(turn.until_s, loop_s + first_s)
            response = await self._exchange.post(self._chat_url, self._exchange.content(asked), until_s=until_s)
            rules = StreamRules(self.endpoint.timeout_s, hides_usage=not is_asked_for, passage=turn.passage)
            stream = UpstreamStream(response, account, rules)
            try:
                await stream.begin(until_s=until_s)
            except BaseException:
                response.close()
                raise
            return stream

        was_refused = False

        async def attempt(turn: Turn) -> UpstreamStream:
            nonlocal was_refused
            if adds_options and self._counts_streams and not was_refused:
                try:
                    return await opened(turn, {**plain, "stream_options": {**(options or {}), "include_usage": True}})
                except UpstreamFailure as failure:
                    if not failure.refuses_usage:
                        raise
                was_refused = True
                account.n_attempts += 1
            stream = await opened(turn, plain)
            self._counts_streams = self._counts_streams and not was_refused
            return stream

        return await self._insist(attempt, account, max_attempts)

    async def embeddings(self, body: Mapping[str, Any], *, max_attempts: int | None = None) -> Embeddings:
        """The endpoint's embeddings of the body, both as they are, `model` too.

        Raises:
            UpstreamFailure: none came.
        """
        account = Account(self.endpoint)
        content = self._exchange.content(body)

        async def attempt(turn: Turn) -> bytes:
            found, reply = await self._exchange.ask(self._embeddings_url, content, until_s=turn.until_s)
            if not isinstance(reply.get("data"), list):
                raise UpstreamFailure(self.name, "malformed_reply")
            account.usage = usage_of(reply)._replace(n_output=0)
            turn.passage.succeeded()
            return found

        found = await self._insist(attempt, account, max_attempts)
        return Embeddings(found, account.record())

    async def aclose(self) -> None:
        """Close this event loop's connections."""
        await self._exchange.connections.aclose()

    async def _insist(self, attempt: Callable[[Turn], Awaitable[T]], account: Account, max_attempts: int | None) -> T:
        until_s = asyncio.get_running_loop().time() + self.endpoint.timeout_s

        async def admitted() -> T:
            passage = self._breaker.admit()
            if passage is None:
                raise UpstreamFailure(self.name, "circuit_open", retry_after_s=self._breaker.wait_s or None)
            account.n_attempts += 1
            try:
                return await attempt(Turn(passage, until_s))
            except UpstreamFailure as failure:
                (passage.failed if failure.is_outage else passage.succeeded)()
                account.may_have_cost |= not failure.cost_nothing
                raise
            except BaseException:
                passage.left()
                raise

        most = self.endpoint.max_retries + 1
        if max_attempts is not None:
            most = max(1, min(most, max_attempts))
        try:
            return await insist(admitted, max_attempts=most, until_s=until_s, waits=self._waits)
        except UpstreamFailure as failure:
            failure.call = account.failed(failure)
            raise
