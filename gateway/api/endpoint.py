"""One path of the server: which methods it takes, who may come in, and how every fault is told. Knows no answers."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import Receive, Scope, Send

from gateway.api.doors import Doors
from gateway.api.http_call import ClientLeft, HttpCall, refuse_foreign_page
from gateway.api.refusals import TooLarge, answer_to, refused
from gateway.api.replies import Answer, Events
from gateway.api.sending import send_answer, send_events, send_unread
from gateway.keys.door import Admitted

Handler = Callable[[HttpCall], Awaitable[Answer | Events]]

LINGER_S = 2.0
"""How long the rest of a body that is too large is read and dropped, so that its client sees why."""

BROKEN_OFF = 499
"""The status under which a request is counted whose client left, or that was broken off."""

_ANYBODY = Admitted()


class Endpoint:
    """Answers the methods of one path; HEAD where it answers GET, OPTIONS always, every other with 405.

    Args:
        path: as it is counted.
        handlers: what answers each method.
        doors: who may come in, how large a body may be, and what counts.
        is_open: nobody is asked for a key.
    """

    def __init__(self, path: str, handlers: Mapping[str, Handler], *, doors: Doors, is_open: bool = False) -> None:
        self._path = path
        self._handlers = {**handlers, **({"HEAD": handlers["GET"]} if "GET" in handlers else {})}
        self._allow = (b"allow", ", ".join(sorted({*self._handlers, "OPTIONS"})).encode())
        self._keys, self._max_bytes = None if is_open else doors.keys, doors.max_request_bytes
        self._refuses_pages = doors.keys is None
        self._counts = doors.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._counts is None:
            await self._answer(scope, receive, send)
            return
        self._counts.began()
        status = BROKEN_OFF
        try:
            status = await self._answer(scope, receive, send)
        finally:
            self._counts.ended(self._path, status)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> int:
        method = scope["method"]
        handler = self._handlers.get(method)
        if handler is None:
            return await send_answer(send, self._unhandled(method), without_content=method == "OPTIONS")
        headers = dict(scope["headers"])
        try:
            if self._refuses_pages:
                refuse_foreign_page(headers)
            if self._keys is None:
                admitted = _ANYBODY
            else:
                authorization = headers.get(b"authorization")
                admitted = await self._keys.admit(None if authorization is None else authorization.decode("latin-1"))
            with admitted:
                answer = await handler(HttpCall(scope, receive, headers, admitted, self._max_bytes))
                if isinstance(answer, Events):
                    return await send_events(receive, send, answer)
                return await send_answer(send, answer, without_content=method == "HEAD")
        except ClientLeft:
            return BROKEN_OFF
        except TooLarge as error:
            unread = answer_to(error)
            return await send_unread(receive, send, unread, max_bytes=self._max_bytes, timeout_s=LINGER_S)
        except Exception as error:  # noqa: BLE001 - a traceback's message may hold the text, so it goes nowhere
            return await send_answer(send, answer_to(error), without_content=method == "HEAD")

    def _unhandled(self, method: str) -> Answer:
        if method == "OPTIONS":
            return Answer(204, b"", [self._allow])
        allowed = self._allow[1].decode()
        return refused(405, f"This path takes {allowed}. Use one of them.", headers=[self._allow])
