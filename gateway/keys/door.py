"""Who may ask: what a door lets in, how it refuses, and the door of one shared key. It never logs or keeps a key.

A door is asked before anything of a request is read. `OneKey` knows one key of the environment;
`gateway.keys.stored_keys.StoredKeys` knows those of the store.
"""

import hashlib
import hmac
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from core.call_record import CallRecord
from core.gateway_settings import GatewaySettings
from core.records import Decision

LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")
"""Addresses that only this machine reaches."""

SHARED: Final = "shared"
"""The id on record of the one key of the environment."""


class NotAdmitted(Exception):
    """The request is refused; nothing of it was read.

    Attributes:
        status: of HTTP: 401, 403, 429 or 503.
        code: OpenAI's `code`.
        kind: OpenAI's `type`.
        message: what is wrong and what to do; it holds no part of a key.
        retry_after_s: when asking again may work; None: it will not, as things are.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: str = "invalid_request_error",
        retry_after_s: int | None = None,
    ) -> None:
        self.status, self.code, self.kind = status, code, kind
        self.message, self.retry_after_s = message, retry_after_s
        super().__init__(message)

    def headers(self) -> dict[str, str]:
        """The reply's headers, as clients of OpenAI's read them.

        >>> NotAdmitted(429, "rate_limit_exceeded", "Later.", retry_after_s=7).headers()
        {'retry-after': '7'}
        """
        headers = {}
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        if self.retry_after_s is not None:
            headers["retry-after"] = str(self.retry_after_s)
        if self.code == "insufficient_quota":  # else a client tries again twice, at once
            headers["x-should-retry"] = "false"
        return headers


class Admitted:
    """A request that was let in. It counts as under way until `release`, which must follow its last byte.

    Attributes:
        key_id: what goes on record; None where no key is asked for.
        name: what the key's owner called it.
        least_stakes: the tier to which the key raises all that it asks; None: as the policy says.
        domains: what the key may ask for; None: everything.
    """

    __slots__ = ("_release", "domains", "key_id", "least_stakes", "name")

    def __init__(
        self,
        key_id: str | None = None,
        name: str = "",
        *,
        least_stakes: str | None = None,
        domains: frozenset[str] | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        self.key_id, self.name = key_id, name
        self.least_stakes, self.domains = least_stakes, domains
        self._release = release

    def require_domain(self, domain: str | None) -> None:
        """Let a request of this domain pass; None: it names none.

        Raises:
            NotAdmitted: 403, the key is for other domains.

        >>> Admitted("k", domains=frozenset({"law"})).require_domain("law")
        """
        if self.domains is None or domain in self.domains:
            return
        asked = "a request without a domain" if domain is None else f"the domain '{domain}'"
        names = ", ".join(f"auto:{name}" for name in sorted(self.domains))
        raise NotAdmitted(
            403,
            "domain_not_allowed",
            f"This key is not for {asked}. Ask with one of these models: {names}.",
            kind="permission_error",
        )

    def release(self) -> None:
        """The request is over; a second call does nothing."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Door(Protocol):
    """What lets requests in. It answers from memory, on the event loop."""

    async def admit(self, authorization: str | None) -> Admitted:
        """The request with this `Authorization` header, let in.

        Raises:
            NotAdmitted: it is not, and why.
        """
        ...

    def charge(self, decision: Decision) -> None:
        """Count what a request cost towards its key; an observer of decisions."""
        ...

    def charge_call(self, key_id: str | None, call: CallRecord) -> None:
        """Count what a call cost towards a key that no decision is made about."""
        ...

    async def aclose(self) -> None:
        """Write what was not yet written."""
        ...


class OneKey:
    """One key for all clients, as the environment holds it; without limits."""

    def __init__(self, key: str) -> None:
        self._sha256 = sha256_of(key)

    async def admit(self, authorization: str | None) -> Admitted:
        """The request, if it shows the key.

        Raises:
            NotAdmitted: 401.
        """
        if not hmac.compare_digest(sha256_of(bearer(authorization)), self._sha256):
            raise wrong_key()
        return Admitted(SHARED, SHARED)

    def charge(self, decision: Decision) -> None:
        """Nothing is counted."""

    def charge_call(self, key_id: str | None, call: CallRecord) -> None:
        """Nothing is counted."""

    async def aclose(self) -> None:
        """Nothing is waiting."""


def bearer(authorization: str | None) -> str:
    """The key in the header.

    Raises:
        NotAdmitted: 401, there is none.

    >>> bearer("Bearer pk_1_secret")
    'pk_1_secret'
    """
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise wrong_key()
    return key


def sha256_of(key: str) -> str:
    """The form in which a key is kept and compared: SHA-256, in hex.

    Plain SHA-256 is enough for keys that `gateway.keys.store` makes: they are 256 random bits, so that there is nothing
    to guess and no two are alike; salt and slow hashing protect what people think up. Both sides of a comparison are
    hashes, which have one length and whose bytes a client cannot choose.
    """
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def wrong_key() -> NotAdmitted:
    """The one answer to a key that is missing, unknown, expired or revoked: it does not say which."""
    message = "The API key is missing or wrong. Send it as `Authorization: Bearer KEY`."
    return NotAdmitted(401, "invalid_api_key", message)


def listening_fault(settings: GatewaySettings, host: str) -> str | None:
    """Why the gateway must not listen on this address; None when it may.

    >>> listening_fault(GatewaySettings(), "127.0.0.1") is None
    True
    """
    if host in LOOPBACK_HOSTS or settings.api_key_env is not None or settings.keys == "store":
        return None
    return (
        f"Listening on {host} without a key would let anyone spend yours. "
        "Set gateway.api_key_env, or listen on 127.0.0.1, or give each client a key of its own (gateway.keys: store)."
    )
