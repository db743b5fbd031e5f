"""Sends a response; a stream ends when its client leaves, and what feeds it is closed then. Keeps nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator

from starlette.types import Receive, Send

from gateway.api.replies import Answer, Events, Header, error_envelope, event

LOG = logging.getLogger("preceptor.gateway")

_STREAM: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx holds events back without it
)


async def send_answer(send: Send, answer: Answer, *, without_content: bool = False) -> int:
    """Send a whole response, and return its status; `without_content` answers HEAD."""
    headers = [*answer.headers, (b"content-length", str(len(answer.content)).encode())]
    if answer.status == 204:
        headers.pop()
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if without_content else answer.content})
    return answer.status


async def send_unread(receive: Receive, send: Send, answer: Answer, *, max_bytes: int, timeout_s: float) -> int:
    """Send a response to a body that is not wanted, and read on a little before the connection closes.

    A client that still sends would else lose the response along with the connection.
    """
    headers = [*answer.headers, (b"content-length", str(len(answer.content)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content, "more_body": True})
    try:
        async with asyncio.timeout(timeout_s):
            n_bytes = 0
            while n_bytes <= max_bytes:
                message = await receive()
                n_bytes += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    break
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})
    return answer.status


async def send_events(receive: Receive, send: Send, answer: Events) -> int:
    """Send a stream to its end, or until the client leaves; its events are closed in both cases. Returns its status."""
    sending = asyncio.ensure_future(_send_all(send, answer))
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        sending.cancel()  # where it is done, this does nothing
        await asyncio.wait({sending, leaving})
    if not sending.cancelled():
        sending.result()
    return 200


async def _send_all(send: Send, answer: Events) -> None:
    try:
        await send({"type": "http.response.start", "status": 200, "headers": [*_STREAM, *answer.headers]})
        try:
            async for content in answer.events:
                await send({"type": "http.response.body", "body": content, "more_body": True})
        except Exception as error:  # noqa: BLE001 - the status is sent, so the stream itself says that it broke
            LOG.error("A stream broke the gateway (%s).", type(error).__name__)
            fault = error_envelope("The gateway broke on this stream.", kind="api_error")
            await send({"type": "http.response.body", "body": event(fault), "more_body": True})
    finally:
        await _close(answer.events)
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _close(events: AsyncIterator[bytes]) -> None:
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
