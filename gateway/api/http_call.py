"""One request as HTTP brought it: headers that mean something, and a body that fits. Reads no more than it may."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.types import Receive, Scope

from gateway.api.refusals import Refusal, TooLarge
from gateway.keys.door import LOOPBACK_HOSTS, Admitted
from gateway.told import Told

BODY_TIMEOUT_S = 60.0
"""How long a body may take, from its headers on."""

_TELLING = frozenset(
    {b"x-preceptor-stakes", b"x-session-id", b"x-conversation-id", b"x-preceptor-task", b"x-preceptor-debug"}
)
_LONGEST = 200
_SWITCH = {"1": True, "true": True, "0": False, "false": False}


class ClientLeft(Exception):
    """The client closed the connection before its request was whole."""


class HeadersSay(NamedTuple):
    """What the headers tell the loop, and whether the answer's headers shall hold every detail."""

    told: Told
    with_detail: bool


class HttpCall(NamedTuple):
    """A request that was let in; its body is not read yet."""

    scope: Scope
    receive: Receive
    headers: Mapping[bytes, bytes]
    admitted: Admitted
    max_bytes: int

    def says(self) -> HeadersSay:
        """What its headers tell.

        Raises:
            Refusal: a header that means something here came twice, is too long, or is not printable ASCII.
        """
        found: dict[bytes, str] = {}
        for name, value in self.scope["headers"]:
            if name in _TELLING:
                if name in found:
                    raise _bad_header(name, "came twice")
                found[name] = _readable(name, value)
        debug = found.get(b"x-preceptor-debug", "0").lower()
        if debug not in _SWITCH:
            raise _bad_header(b"x-preceptor-debug", "is neither 1 nor 0")
        told = Told(
            stakes=found.get(b"x-preceptor-stakes"),
            session=found.get(b"x-session-id") or found.get(b"x-conversation-id"),
            task=found.get(b"x-preceptor-task"),
            key_id=self.admitted.key_id,
            least_stakes=self.admitted.least_stakes,
        )
        return HeadersSay(told, _SWITCH[debug])

    async def json_bytes(self) -> bytes:
        """The whole body, where its headers call it JSON.

        Raises:
            Refusal: 415 another type or an encoding, 413 too large, 408 too slow.
            ClientLeft: it never came whole.
        """
        kind = self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            raise Refusal(415, "The body is not declared as JSON. Send the header `Content-Type: application/json`.")
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refusal(415, "The body is compressed. Send it as it is, without `Content-Encoding`.")
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise _bad_header(b"content-length", "is no number")
        if len(length) > 18 or int(length) > self.max_bytes:
            raise TooLarge(self.max_bytes)
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):  # the first piece too: a client may send none
                return await self._whole(await self.receive())
        except TimeoutError:
            raise Refusal(
                408,
                f"The body did not arrive within {BODY_TIMEOUT_S:.0f} s. Send it again.",
                code="request_timeout",
                headers=[(b"connection", b"close")],
            ) from None

    async def _whole(self, message: Mapping[str, object]) -> bytes:
        content = bytearray()
        while True:
            if message["type"] != "http.request":
                raise ClientLeft
            piece = message.get("body", b"")
            assert isinstance(piece, bytes)
            is_last = not message.get("more_body", False)
            if is_last and not content:
                return self._within(piece)  # as nearly always, and not copied
            content += piece
            self._within(content)
            if is_last:
                return bytes(content)
            message = await self.receive()

    def _within(self, content: bytes | bytearray) -> bytes:
        if len(content) > self.max_bytes:
            raise TooLarge(self.max_bytes)
        return content  # type: ignore[return-value]


def refuse_foreign_page(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what a browser sends for a page of another machine.

    A gateway without keys trusts its machine; a page that somebody else wrote and that a browser here shows is not of
    this machine, not even where a name that its owner controls resolves to it. In that one case browsers name no origin
    on a GET, which then passes: it reads names and counts, and asks no model.

    Raises:
        Refusal: 403.

    >>> refuse_foreign_page({b"origin": b"http://localhost:3000"})
    """
    origin = headers.get(b"origin")
    if origin is None:
        return
    try:
        host = urlsplit(origin.decode("latin-1")).hostname
    except ValueError:
        host = None
    if host not in LOOPBACK_HOSTS:
        raise Refusal(
            403,
            "A page of another machine may not ask a gateway without keys. "
            "Set gateway.keys or gateway.api_key_env, or ask from a program.",
            code="origin_not_allowed",
        )


def _readable(name: bytes, value: bytes) -> str:
    if len(value) > _LONGEST:
        raise _bad_header(name, f"is longer than {_LONGEST} characters")
    text = value.decode("latin-1").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise _bad_header(name, "is empty or not printable ASCII")
    return text


def _bad_header(name: bytes, fault: str) -> Refusal:
    return Refusal(
        400,
        f"The header `{name.decode()}` {fault}. Correct it, or leave it out.",
        code="invalid_header",
        param=name.decode(),
    )
