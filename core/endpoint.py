"""One endpoint that speaks OpenAI's chat completions: one question, one answer, or the reason why there is none.

Neither keys nor texts are logged or put into an error.
"""

import asyncio
import ipaddress
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx2

from core.data_classes import holds
from core.errors import SettingsError
from core.pacing import may_pass, seconds_to_wait
from core.records import Message

if TYPE_CHECKING:
    from core.model_settings import ModelSettings

FATAL_STATUSES = frozenset({401, 403, 404})
"""Statuses that every further question would meet too: a wrong key, no right, no such model."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model answers, what it costs, how long to wait, and what it may be shown."""

    model: str
    base_url: str
    api_key_env: str | None = None
    usd_per_million_input: float = 0.0
    usd_per_million_output: float = 0.0
    timeout_s: float = 60.0
    may_see_identified: bool = False

    def may_be_sent(self, data_class: str, *, has_findings: bool) -> bool:
        """Whether a text of this class may go there.

        >>> Endpoint("m", "https://example.org/v1").may_be_sent("limited", has_findings=False)
        False
        >>> Endpoint("m", "http://127.0.0.1:8101/v1").may_be_sent("identified", has_findings=True)
        True
        """
        if self.may_see_identified or is_on_this_machine(self.base_url):
            return True
        return not holds(data_class) or (data_class == "deidentified" and not has_findings)

    def cost_usd(self, n_input: float, n_output: float) -> float:
        """What so many tokens cost, in US dollars."""
        return (n_input * self.usd_per_million_input + n_output * self.usd_per_million_output) / 1e6


@dataclass(frozen=True)
class Reply:
    """An answer. Token counts are None where the endpoint did not count them."""

    text: str
    n_input: int | None
    n_output: int | None
    is_cut: bool
    """The model stopped at its limit of tokens, not at its end."""
    latency_ms: float


class NoAnswer(Exception):
    """The endpoint gave no answer. `kind` is a slug; `retry_after_s` is what the endpoint asked for."""

    def __init__(self, kind: str, *, is_transient: bool, retry_after_s: float = 0.0, is_fatal: bool = False) -> None:
        self.kind, self.is_transient = kind, is_transient
        self.retry_after_s, self.is_fatal = retry_after_s, is_fatal
        super().__init__(kind)


class Client:
    """A pool of connections to one endpoint, for one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Read the key from the environment.

        Raises:
            SettingsError: the environment has no such key.
        """
        self.endpoint = endpoint
        headers = {"content-type": "application/json"}
        if endpoint.api_key_env is not None:
            key = os.environ.get(endpoint.api_key_env, "")
            if not key:
                raise SettingsError(
                    f"Model '{endpoint.model}' needs a key in ${endpoint.api_key_env}, which is not set. "
                    f"Run `export {endpoint.api_key_env}=...` and start again."
                )
            headers["authorization"] = f"Bearer {key}"
        # Proxies of the environment are not asked: they are no endpoint that the settings name.
        self._http = httpx2.AsyncClient(headers=headers, timeout=endpoint.timeout_s, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None,
        now: datetime,
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> Reply:
        """The model's answer to a conversation; `options` are further fields of the request.

        Raises:
            NoAnswer: it is out of reach, too slow, refuses, or its reply holds no text.
        """
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            **options,
        }
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        url = self.endpoint.base_url.rstrip("/") + "/chat/completions"
        started = time.perf_counter()
        try:
            # The client's own timeout counts between bytes; this one counts the whole call.
            async with asyncio.timeout(self.endpoint.timeout_s):
                response = await self._http.post(url, content=json.dumps(body, separators=(",", ":")).encode())
        except (TimeoutError, httpx2.TimeoutException):
            raise NoAnswer("timeout", is_transient=True) from None
        except httpx2.TransportError as error:
            raise NoAnswer(f"unreachable_{type(error).__name__.lower()}", is_transient=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise NoAnswer(f"unreachable_{type(error).__name__.lower()}", is_transient=False, is_fatal=True) from None
        latency_ms = (time.perf_counter() - started) * 1000
        if response.status_code != 200:
            status = response.status_code
            raise NoAnswer(
                f"status_{status}",
                is_transient=may_pass(status),
                retry_after_s=seconds_to_wait(response.headers.get("retry-after"), now=now),
                is_fatal=status in FATAL_STATUSES,
            )
        return _reply(response.content, latency_ms)


def endpoint_of(section: str, model: "ModelSettings", data_class: str) -> Endpoint:
    """The endpoint that a section of the settings, such as `pair.weak`, names.

    Raises:
        SettingsError: it names none, or texts of this class may not be sent there.
    """
    if model.base_url is None:
        raise SettingsError(f"{section}.base_url is not set, so '{model.name}' cannot be asked. Name its endpoint.")
    endpoint = Endpoint(
        model.name,
        model.base_url,
        api_key_env=model.api_key_env,
        usd_per_million_input=model.usd_per_million_input,
        usd_per_million_output=model.usd_per_million_output,
        timeout_s=model.timeout_s,
        may_see_identified=model.may_see_identified,
    )
    if not endpoint.may_be_sent(data_class, has_findings=False):
        raise SettingsError(
            f"Texts of the class '{data_class}' may not leave this machine, and {section}.base_url is "
            f"{model.base_url}. Where an agreement allows it, set {section}.may_see_identified: true."
        )
    return endpoint


def is_on_this_machine(base_url: str) -> bool:
    """Whether a URL names this machine by its loopback address; a name that must be looked up does not count.

    >>> [is_on_this_machine(url) for url in ("http://localhost:1/v1", "http://[::1]/v1", "http://127.0.0.1.example.org")]
    [True, True, False]
    """
    host = urlsplit(base_url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reply(content: bytes, latency_ms: float) -> Reply:
    try:
        body = json.loads(content)
        choice = body["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, RecursionError, LookupError, TypeError):
        raise NoAnswer("malformed_reply", is_transient=True) from None
    if not isinstance(text, str) or not text.strip():
        raise NoAnswer("empty_answer", is_transient=True)
    usage = body.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    n_input, n_output = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return Reply(text, n_input, n_output, choice.get("finish_reason") == "length", latency_ms)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
