"""Where a model answers: its address, its prices, how long to wait and how often to try. Holds no key but its name."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field

from core.errors import SettingsError
from core.records import Name, Record

_MOST_TOKENS = 10**9
"""A count above it is none."""


class Usage(NamedTuple):
    """Tokens of one call as the endpoint counted them; None: not counted."""

    n_input: int | None = None
    n_output: int | None = None


class Endpoint(Record):
    """Where a model answers, what it costs and how long to wait; `core.model_settings` says what each field means."""

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

    def url(self, path: str) -> str:
        """The address of one of OpenAI's routes; a query in `base_url` stays.

        Raises:
            SettingsError: `base_url` is no address, or holds a password.

        >>> Endpoint(name="m", base_url="https://example.org/v1/?api-version=2").url("/chat/completions")
        'https://example.org/v1/chat/completions?api-version=2'
        """
        try:
            parts = urlsplit(self.base_url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise SettingsError(
                f"The base_url of model '{self.name}' is no address of an endpoint. "
                "Write it in full, such as https://models.example.org/v1."
            )
        if parts.username is not None:
            raise SettingsError(
                f"The base_url of model '{self.name}' holds a user name or a password. "
                "Name the environment variable of its key in api_key_env, and take them out of the address."
            )
        return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + path, parts.query, ""))

    def headers(self) -> dict[str, str]:
        """What goes with each request; the key is read from the environment now.

        Raises:
            SettingsError: the variable is not set, or holds what no header can.
        """
        headers = {"content-type": "application/json", "user-agent": "preceptor"}
        if self.api_key_env is None:
            return headers
        key = os.environ.get(self.api_key_env, "")
        if not key:
            raise SettingsError(
                f"Model '{self.name}' needs a key in ${self.api_key_env}, which is not set. "
                f"Run `export {self.api_key_env}=...` and start again."
            )
        if not (key.isascii() and key.isprintable()):
            raise SettingsError(
                f"The key of model '{self.name}' in ${self.api_key_env} holds a character that no key has, "
                f"such as the end of a line. Run `export {self.api_key_env}=...` with the key alone."
            )
        return {**headers, "authorization": f"Bearer {key}"}

    def cost_usd(self, usage: Usage) -> float | None:
        """What the tokens cost, in US dollars, cached ones as any other; None where they were not counted.

        >>> prices = Endpoint(name="m", base_url="", usd_per_million_input=1, usd_per_million_output=4)
        >>> prices.cost_usd(Usage(1000, 500)), prices.cost_usd(Usage(1000, None))
        (0.003, None)
        """
        if usage.n_input is None or usage.n_output is None:
            return None
        return (usage.n_input * self.usd_per_million_input + usage.n_output * self.usd_per_million_output) / 1e6


def usage_of(reply: Mapping[str, Any]) -> Usage:
    """The counts of a reply's `usage`; one that is no count of tokens is None.

    >>> usage_of({"usage": {"prompt_tokens": 12, "completion_tokens": True}})
    Usage(n_input=12, n_output=None)
    """
    usage = reply.get("usage")
    if not isinstance(usage, Mapping):
        return Usage()
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None
