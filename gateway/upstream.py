"""One model endpoint that speaks OpenAI's chat completions: asks it, checks the reply's shape, counts its cost.

Keys come from the environment and go into one header; neither they nor any text are logged or put in an error.
"""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx2
from pydantic import Field

from core.errors import SettingsError, UpstreamError
from core.records import Name, Record

_CLIENT_FAULTS = frozenset({400, 413, 422, 429})
"""Statuses that say something to the client; all others say something to whoever runs the gateway."""


class Endpoint(Record):
    """Where a model answers, what it costs and how long to wait."""

    name: Name
    base_url: str
    api_key_env: str | None = None
    usd_per_million_input: float = Field(default=0.0, ge=0)
    usd_per_million_output: float = Field(default=0.0, ge=0)
    timeout_s: float = Field(default=60.0, gt=0)
    context_window: int | None = Field(default=None, ge=1)
    connect_timeout_s: float = Field(default=5.0, gt=0)
    first_token_timeout_s: float | None = Field(default=None, gt=0)
    max_retries: int = Field(default=2, ge=0)
    break_after: int = Field(default=5, ge=1)
    break_s: float = Field(default=10.0, gt=0)
    max_connections: int = Field(default=1000, ge=1)


class Completion(NamedTuple):
    """A well-formed reply: OpenAI's JSON object, and the cost where the reply counted its tokens."""

    model: str
    body: dict[str, Any]
    cost_usd: float | None
    latency_ms: float


class UpstreamFailure(UpstreamError):
    """The endpoint did not give a completion. `kind` is a slug; `status` and `envelope` are for the client.

    `envelope` is the upstream's own error body, kept only where the client can act on it.
    """

    def __init__(
        self, model: str, kind: str, *, status: int | None = None, envelope: Mapping[str, Any] | None = None
    ) -> None:
        self.kind, self.status, self.envelope = kind, status, envelope
        super().__init__(f"Model '{model}' did not answer ({kind}). Check its endpoint and the gateway's settings.")


class Upstream:
    """Asks one endpoint; keeps one connection pool for each event loop that uses it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.name = endpoint.name
        self._url = endpoint.base_url.rstrip("/") + "/chat/completions"
        self._headers = {"content-type": "application/json"}
        if endpoint.api_key_env is not None:
            key = os.environ.get(endpoint.api_key_env, "")
            if not key:
                raise SettingsError(
                    f"Model '{endpoint.name}' needs a key in ${endpoint.api_key_env}, which is not set. "
                    f"Run `export {endpoint.api_key_env}=...` and start again."
                )
            self._headers["authorization"] = f"Bearer {key}"
        self._clients: dict[asyncio.AbstractEventLoop, httpx2.AsyncClient] = {}

    async def complete(self, body: Mapping[str, Any]) -> Completion:
        """The endpoint's completion of the body, in which only `model` is changed.

        Raises:
            UpstreamFailure: no completion came: out of reach, too slow, an error status, or a malformed reply.
        """
        content = json.dumps({**body, "model": self.name}, separators=(",", ":")).encode()
        started = time.perf_counter()
        try:
            # httpx's own timeout counts between bytes; this one counts the whole call.
            async with asyncio.timeout(self.endpoint.timeout_s):
                response = await self._client().post(self._url, content=content, headers=self._headers)
        except (TimeoutError, httpx2.TimeoutException):
            raise UpstreamFailure(self.name, "timeout") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise UpstreamFailure(self.name, f"unreachable_{type(error).__name__.lower()}") from None
        latency_ms = (time.perf_counter() - started) * 1000
        if response.status_code != 200:
            raise UpstreamFailure(
                self.name,
                f"status_{response.status_code}",
                status=response.status_code,
                envelope=_error_envelope(response) if response.status_code in _CLIENT_FAULTS else None,
            )
        reply = _json_object(response)
        if reply is None or not _is_completion(reply):
            raise UpstreamFailure(self.name, "malformed_reply")
        return Completion(self.name, reply, self._cost_usd(reply.get("usage")), latency_ms)

    async def aclose(self) -> None:
        """Close this event loop's connections."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
            self._clients[loop] = httpx2.AsyncClient(timeout=self.endpoint.timeout_s, limits=limits)
        return self._clients[loop]

    def _cost_usd(self, usage: object) -> float | None:
        if not isinstance(usage, dict):
            return None
        n_input, n_output = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if not isinstance(n_input, int) or not isinstance(n_output, int) or min(n_input, n_output) < 0:
            return None
        prices = self.endpoint
        return (n_input * prices.usd_per_million_input + n_output * prices.usd_per_million_output) / 1e6


def _json_object(response: httpx2.Response) -> dict[str, Any] | None:
    try:
        reply = json.loads(response.content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return reply if isinstance(reply, dict) else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _is_completion(reply: Mapping[str, Any]) -> bool:
    choices = reply.get("choices")
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(choice, dict) and isinstance(choice.get("message"), dict) for choice in choices)
    )


def _error_envelope(response: httpx2.Response) -> dict[str, Any] | None:
    reply = _json_object(response)
    return reply if reply is not None and isinstance(reply.get("error"), dict) else None
