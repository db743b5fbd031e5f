"""Connections to one endpoint: one pool for each event loop that asks it, closed with the loop at the latest.

Redirects are not followed, cookies not kept, and proxies and passwords of the environment not used: where a request
goes, the settings say. Never reads a reply beyond a given size.
"""

import asyncio
import io
from collections.abc import AsyncGenerator

import aiohttp
from yarl import URL

from gateway.asking.address import Endpoint

KEEP_ALIVE_S = 60.0
"""For which an idle connection is kept; one that the endpoint closes is dropped at once."""

_COPIED_BYTES = 2**20
"""A larger body is handed to aiohttp as a file, which it sends piece by piece."""


BROKEN = (aiohttp.ClientError, OSError, TimeoutError)
"""What a request may raise on its way; `failure_kind` names each."""


class TooLarge(Exception):
    """A reply is larger than what is read."""


class Connections:
    """Pools of connections; `headers` go with every request."""

    def __init__(self, endpoint: Endpoint, headers: dict[str, str]) -> None:
        self._endpoint, self._headers = endpoint, headers
        self._of_loop: dict[asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, AsyncGenerator[None]]] = {}

    async def post(self, url: URL, content: bytes) -> aiohttp.ClientResponse:
        """Send it; returns when the reply's headers are there. Whoever calls closes the response.

        Raises:
            BROKEN: no reply came.
        """
        data = content if len(content) <= _COPIED_BYTES else io.BytesIO(content)
        return await (await self._session()).post(url, data=data, allow_redirects=False)

    async def aclose(self) -> None:
        """Close this event loop's connections; the next request opens new ones."""
        found = self._of_loop.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found[1].aclose()

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        found = self._of_loop.get(loop)
        if found is not None and not found[0].closed:
            return found[0]
        for other in [one for one in self._of_loop if one.is_closed()]:
            del self._of_loop[other]
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._endpoint.max_connections, keepalive_timeout=KEEP_ALIVE_S),
            # The time for the whole is kept by whoever calls.
            timeout=aiohttp.ClientTimeout(total=None, connect=self._endpoint.connect_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            trust_env=False,
        )
        guard = _closing(session)
        self._of_loop[loop] = session, guard
        await anext(guard)
        return session


def failure_kind(error: BaseException) -> str:
    """The slug of what went wrong on the way.

    >>> failure_kind(aiohttp.ServerDisconnectedError()), failure_kind(TimeoutError())
    ('disconnected', 'timeout')
    """
    for kind, errors in _KINDS:
        if isinstance(error, errors):
            return kind
    return "malformed_reply"


async def read_whole(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The reply's body, decompressed.

    Raises:
        TooLarge: it is larger; nothing more of it is read.
        BROKEN: it did not come whole.
    """
    parts: list[bytes] = []
    n_bytes = 0
    while part := await response.content.readany():
        n_bytes += len(part)
        if n_bytes > max_bytes:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


async def _closing(session: aiohttp.ClientSession) -> AsyncGenerator[None]:
    """Closes the session when it is closed itself; an event loop that ends in order closes its generators first."""
    try:
        yield
    finally:
        await session.close()


_KINDS: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
    ("connect_timeout", (aiohttp.ConnectionTimeoutError,)),
    ("timeout", (TimeoutError,)),
    ("tls_failed", (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)),
    ("unreachable", (aiohttp.ClientConnectorError,)),
    ("disconnected", (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError)),
)
