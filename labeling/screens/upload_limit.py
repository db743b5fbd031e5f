"""A limit on the size of what one path takes, enforced while it arrives: nothing larger is ever on disk."""

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class UploadLimit:
    """ASGI middleware that answers 413 to a larger request, whatever its headers say."""

    def __init__(self, app: ASGIApp, *, path: str, max_bytes: int) -> None:
        self._app, self._path, self._max_bytes = app, path, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what arrives."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        n_bytes = 0

        async def counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self._max_bytes:
                # FastAPI passes this one on to the app's own error page.
                raise HTTPException(
                    413, f"The file is larger than {self._max_bytes // 10**6} MB. Use preceptor label import FILE."
                )
            return message

        await self._app(scope, counted, send)
