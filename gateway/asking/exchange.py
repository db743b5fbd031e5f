"""One request to an endpoint and its reply, or the failure that says what went wrong. Never asks twice."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import aiohttp
from yarl import URL

from core.pacing import seconds_to_wait
from gateway.asking.address import Endpoint
from gateway.asking.connections import BROKEN, Connections, TooLarge, failure_kind, read_whole
from gateway.asking.failure import UpstreamFailure
from gateway.asking.reply import error_in, for_client, read_object, refusal_in, status_of, write_object
from gateway.contained import Until

MAX_REPLY_BYTES = 64 * 2**20
"""A larger reply is refused."""

MAX_ERROR_BYTES = 2**16
"""Of a refusal no more is read."""


REFUSAL_S = 5.0
"""Its status is known, so its words are not waited for longer."""


class Exchange:
    """Speaks with one endpoint.

    Args:
        endpoint: where it is.
        now: the time of day, for a Retry-After that is a date.

    Raises:
        SettingsError: the environment has no such key.
    """

    def __init__(self, endpoint: Endpoint, now: Callable[[], datetime]) -> None:
        self._model, self._now = endpoint.name, now
        self.connections = Connections(endpoint, endpoint.headers())

    def content(self, body: Mapping[str, Any]) -> bytes:
        """The body as it is sent.

        Raises:
            UpstreamFailure: it holds what JSON has not.
        """
        try:
            return write_object(body)
        except (TypeError, ValueError, RecursionError):
            raise UpstreamFailure(self._model, "body_not_json") from None

    async def post(self, url: URL, content: bytes, *, until_s: float) -> aiohttp.ClientResponse:
        """The response, if its status is 200; whoever asks reads and closes it.

        Raises:
            UpstreamFailure: there is none, or it has another status.
        """
        try:
            with Until(until_s):
                response = await self.connections.post(url, content)
        except BROKEN as error:
            raise UpstreamFailure(self._model, failure_kind(error)) from None
        if response.status == 200:
            return response
        async with response:
            raise await self._refusal(response, until_s)

    async def ask(self, url: URL, content: bytes, *, until_s: float) -> tuple[bytes, dict[str, Any]]:
        """A whole reply: its bytes, and the JSON object that they are.

        Raises:
            UpstreamFailure: there is none, or it is an error.
        """
        async with await self.post(url, content, until_s=until_s) as response:
            try:
                with Until(until_s):
                    found = await read_whole(response, MAX_REPLY_BYTES)
            except TooLarge:
                response.close()
                raise UpstreamFailure(self._model, "reply_too_large") from None
            except BROKEN as error:
                raise UpstreamFailure(self._model, failure_kind(error)) from None
        reply = read_object(found)
        if reply is None:
            raise UpstreamFailure(self._model, "malformed_reply")
        envelope = error_in(reply)
        if envelope is not None:
            status = status_of(envelope)
            raise UpstreamFailure(self._model, "error_in_reply", status=status, envelope=for_client(envelope, status))
        return found, reply

    async def _refusal(self, response: aiohttp.ClientResponse, until_s: float) -> UpstreamFailure:
        status, content = response.status, b""
        until_s = min(until_s, asyncio.get_running_loop().time() + REFUSAL_S)
        try:
            with Until(until_s):
                content = await read_whole(response, MAX_ERROR_BYTES)
        except (*BROKEN, TooLarge):
            response.close()
        failure = UpstreamFailure(
            self._model,
            f"status_{status}",
            status=status,
            envelope=for_client(refusal_in(content), status),
            retry_after_s=self._wait_s(response) or None,
        )
        failure.refuses_usage = status in (400, 422) and b"stream_options" in content
        return failure

    def _wait_s(self, response: aiohttp.ClientResponse) -> float:
        milliseconds = response.headers.get("retry-after-ms", "")  # of OpenAI and Azure, finer than the standard's
        if milliseconds.isdecimal():
            return float(milliseconds) / 1000
        return seconds_to_wait(response.headers.get("retry-after"), now=self._now())
