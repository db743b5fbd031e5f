"""A limit on the size of what the app takes, enforced while it arrives: nothing larger is ever on disk or in memory.

One path takes files; every other one takes forms. The limit comes before sign-in, since a form is read before it.
"""

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_FORM_BYTES = 2 * 10**6
"""The longest form is a guideline; a judgement has some ten thousand."""


class UploadLimit:
    """ASGI middleware that answers 413 to a larger request, whatever its headers say.

    Args:
        app: what the request is passed on to.
        path: the one that takes files.
        max_bytes: the most it takes; other paths take `MAX_FORM_BYTES`.
    """

    def __init__(self, app: ASGIApp, *, path: str, max_bytes: int) -> None:
        self._app, self._path, self._max_bytes = app, path, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        takes_files = scope["path"] == self._path
        limit = self._max_bytes if takes_files else MAX_FORM_BYTES
        n_bytes = 0

        async def counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > limit:
                # FastAPI passes this one on to the app's own error page.
                what, step = ("file", "Use preceptor label import FILE.") if takes_files else ("form", "Send less.")
                raise HTTPException(413, f"The {what} is larger than {limit // 10**6} MB. {step}")
            return message

        await self._app(scope, counted, send)
