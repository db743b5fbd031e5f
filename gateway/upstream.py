"""One model endpoint that speaks OpenAI's chat completions: asks it, tries again, leaves it alone when it is down.

Keys come from the environment and go into one header; neither they nor any text are logged or put in an error.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import aiohttp
from yarl import URL

from core.call_record import CallRecord
from core.pacing import seconds_to_wait
from gateway.breaker import Breaker
from gateway.retrying import Waits, insist
from gateway.upstream_account import Account
from gateway.upstream_connections import Connections, TooLarge, failure_kind, read_whole
from gateway.upstream_endpoint import Endpoint, usage_of
from gateway.upstream_failure import UpstreamFailure
from gateway.upstream_reply import error_in, for_client, is_completion, read_object, status_of, write_object
from gateway.upstream_stream import StreamRules, UpstreamStream

__all__ = ["Completion", "Embeddings", "Endpoint", "Upstream", "UpstreamFailure", "UpstreamStream"]

MAX_REPLY_BYTES = 64 * 2**20
"""A larger reply is refused."""

_MAX_ERROR_BYTES = 2**16

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
        self._chat_url = URL(endpoint.url("/chat/completions"))
        self._embeddings_url = URL(endpoint.url("/embeddings"))
        self._connections = Connections(endpoint, endpoint.headers())
        self._breaker = Breaker(break_after=endpoint.break_after, break_s=endpoint.break_s, clock=clock)
        self._now, self._waits = now, waits or Waits(random.Random())

    @property
    def is_open(self) -> bool:
        """Whether the circuit breaker would turn a call away now."""
        return self._breaker.is_open

    async def complete(self, body: Mapping[str, Any], *, max_attempts: int | None = None) -> Completion:
        """The endpoint's completion of the body, in which only `model` is changed.

        Args:
            body: the request.
            max_attempts: where the endpoint's own settings allow more.

        Raises:
            UpstreamFailure: no completion came: out of reach, too slow, an error status, or a malformed reply.
        """
        account = Account(self.endpoint)
        content = self._content({**body, "model": self.name})

        async def attempt(until_s: float) -> dict[str, Any]:
            async with await self._post(self._chat_url, content, until_s) as response:
                return self._checked(read_object(await self._read(response, until_s)))

        reply = await self._insist(attempt, account, max_attempts)
        account.usage = usage_of(reply)
        call = account.record()
        assert call.latency_ms is not None
        return Completion(self.name, reply, call.cost_usd, call.latency_ms, call)

    async def open_stream(self, body: Mapping[str, Any], *, max_attempts: int | None = None) -> UpstreamStream:
        """The endpoint's answer as it comes, once its first event is there; whoever asks closes it.

        In the body `model` and `stream` are set, and usage is asked for; a client that did not ask sees none.

        Raises:
            UpstreamFailure: no first event came; nothing has been passed on.
        """
        account = Account(self.endpoint)
        options = body.get("stream_options")
        hides_usage = not (isinstance(options, Mapping) and options.get("include_usage") is True)
        wanted = {"stream_options": {**(options or {}), "include_usage": True}} if _is_options(options) else {}
        content = self._content({**body, "model": self.name, "stream": True, **wanted})
        rules = StreamRules(self.endpoint.timeout_s, hides_usage, self._breaker.count_failure)

        async def attempt(until_s: float) -> UpstreamStream:
            first_s = self.endpoint.first_token_timeout_s
            if first_s is not None:
                until_s = min(until_s, asyncio.get_running_loop().time() + first_s)
            response = await self._post(self._chat_url, content, until_s)
            stream = UpstreamStream(response, account, rules)
            try:
                await stream.begin(until_s=until_s)
            except BaseException:
                response.close()
                raise
            return stream

        return await self._insist(attempt, account, max_attempts)

    async def embeddings(self, body: Mapping[str, Any], *, max_attempts: int | None = None) -> Embeddings:
        """The endpoint's embeddings of the body, both as they are, `model` too.

        Raises:
            UpstreamFailure: none came.
        """
        account = Account(self.endpoint)
        content = self._content(body)

        async def attempt(until_s: float) -> bytes:
            async with await self._post(self._embeddings_url, content, until_s) as response:
                found = await self._read(response, until_s)
                reply = self._refused_if_error(read_object(found))
                if not isinstance(reply.get("data"), list):
                    raise UpstreamFailure(self.name, "malformed_reply")
                account.usage = usage_of(reply)._replace(n_output=0)
                return found

        found = await self._insist(attempt, account, max_attempts)
        return Embeddings(found, account.record())

    async def aclose(self) -> None:
        """Close this event loop's connections."""
        await self._connections.aclose()

    async def _insist(self, attempt: Callable[[float], Awaitable[T]], account: Account, max_attempts: int | None) -> T:
        until_s = asyncio.get_running_loop().time() + self.endpoint.timeout_s

        async def admitted() -> T:
            passage = self._breaker.admit()
            if passage is None:
                raise UpstreamFailure(self.name, "circuit_open", retry_after_s=self._breaker.wait_s)
            account.n_attempts += 1
            with passage:
                try:
                    found = await attempt(until_s)
                except UpstreamFailure as failure:
                    (passage.failed if failure.is_outage else passage.succeeded)()
                    raise
                passage.succeeded()
                return found

        most = self.endpoint.max_retries + 1
        try:
            return await insist(
                admitted, max_attempts=min(most, max_attempts or most), until_s=until_s, waits=self._waits
            )
        except UpstreamFailure as failure:
            failure.call = account.record(failure.kind)
            raise

    async def _post(self, url: URL, content: bytes, until_s: float) -> aiohttp.ClientResponse:
        """The response to it, if its status is 200."""
        try:
            async with asyncio.timeout_at(until_s):
                response = await self._connections.post(url, content)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UpstreamFailure(self.name, failure_kind(error)) from None
        if response.status == 200:
            return response
        async with response:
            raise await self._refusal(response, until_s)

    async def _refusal(self, response: aiohttp.ClientResponse, until_s: float) -> UpstreamFailure:
        status, envelope = response.status, None
        try:
            async with asyncio.timeout_at(until_s):
                reply = read_object(await read_whole(response, _MAX_ERROR_BYTES))
            envelope = error_in(reply) if reply is not None else None
        except (aiohttp.ClientError, OSError, TimeoutError, TooLarge):
            response.close()
        wait_s = seconds_to_wait(response.headers.get("retry-after"), now=self._now())
        return UpstreamFailure(
            self.name,
            f"status_{status}",
            status=status,
            envelope=for_client(envelope, status),
            retry_after_s=wait_s or None,
        )

    async def _read(self, response: aiohttp.ClientResponse, until_s: float) -> bytes:
        try:
            async with asyncio.timeout_at(until_s):
                return await read_whole(response, MAX_REPLY_BYTES)
        except TooLarge:
            response.close()
            raise UpstreamFailure(self.name, "reply_too_large") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UpstreamFailure(self.name, failure_kind(error)) from None

    def _checked(self, reply: dict[str, Any] | None) -> dict[str, Any]:
        reply = self._refused_if_error(reply)
        if not is_completion(reply):
            raise UpstreamFailure(self.name, "malformed_reply")
        return reply

    def _refused_if_error(self, reply: dict[str, Any] | None) -> dict[str, Any]:
        if reply is None:
            raise UpstreamFailure(self.name, "malformed_reply")
        error = error_in(reply)
        if error is None:
            return reply
        status = status_of(error)
        raise UpstreamFailure(self.name, "error_in_reply", status=status, envelope=for_client(error, status))

    def _content(self, body: Mapping[str, Any]) -> bytes:
        try:
            return write_object(body)
        except (TypeError, ValueError, RecursionError):
            raise UpstreamFailure(self.name, "body_not_json") from None


def _is_options(options: object) -> bool:
    return options is None or isinstance(options, Mapping)
