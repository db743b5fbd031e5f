"""The server's outermost layer, which says goodbye: once the server stops, every answer closes its connection.

A connection that is closed while its client sends the next request loses that request; one that is closed with an
answer loses none. It never looks at a body, a header's value or an address.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.api.health import NOT_READY

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_CLOSE = (b"connection", b"close")
_READY_PATHS = ("/health", "/health/ready")
_NOT_READY = json.dumps(NOT_READY, separators=(",", ":")).encode()


class LeavingApp:
    """The app; once `is_leaving`, its answers close their connections and it is not ready for more."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.is_leaving = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request, or the server's start and stop."""
        if not self.is_leaving or scope["type"] != "http":
            # A request that is under way when the server begins to leave closes its connection too: uvicorn sees to it.
            await self._app(scope, receive, send)
            return
        if scope["path"] in _READY_PATHS:
            headers = [(b"content-type", b"application/json"), _CLOSE]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": _NOT_READY})
            return

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _CLOSE]
            await send(message)

        await self._app(scope, receive, closing)
