"""A model endpoint on loopback that says, byte for byte, what a test wrote down."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

import httptools

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

HANG, RESET, TAKEN = object(), object(), object()
"""Parts of an answer: nothing more comes; the connection is torn down; the client has taken what came before."""

USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}


class Request(NamedTuple):
    """What the endpoint was sent."""

    path: str
    headers: dict[str, str]
    body: Any


class Endpoint:
    """Answers each request with the next of its answers; the last one stays."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers, self.requests, self.n_connections = answers, [], 0
        self.url = ""
        self.taken = asyncio.Event()
        self._open: set[tuple[asyncio.Task, asyncio.StreamWriter]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.n_connections += 1
        SERVING.set(self)
        mine = (asyncio.current_task(), writer)
        self._open.add(mine)
        try:
            while (request := await _request(reader)) is not None:
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await answer(writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        except httptools.HttpParserError:
            writer.write(_head(400, {"connection": "close"}))
        finally:
            self._open.discard(mine)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def aclose(self) -> None:
        """Leave all connections."""
        tasks = [task for task, _ in self._open]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


SERVING: ContextVar[Endpoint] = ContextVar("SERVING")


@contextlib.asynccontextmanager
async def endpoint(*answers: Answer) -> AsyncIterator[Endpoint]:
    """The endpoint, on a free port."""
    served = Endpoint(list(answers))
    server = await asyncio.start_server(served.connected, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield served
    finally:
        server.close()
        await served.aclose()
        await server.wait_closed()


def whole(body: Any, status: int = 200, *, zipped: bool = False, **headers: str) -> Answer:
    """A reply in one piece; `body` is JSON or bytes, header names have `_` for `-`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    if zipped:
        content, headers = gzip.compress(content), {**headers, "content_encoding": "gzip"}
    named = {"content-type": "application/json", "content-length": str(len(content))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(status, named) + content)
        await writer.drain()

    return answer


def parts(*all_parts: Any, content_type: str = "text/event-stream", is_ended: bool = True) -> Answer:
    """A reply in chunks, each sent by itself; `is_ended` says whether the last one is followed by HTTP's end."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, {"content-type": content_type, "transfer-encoding": "chunked"}))
        for part in all_parts:
            if part is HANG:
                await asyncio.Event().wait()
            if part is TAKEN:
                await SERVING.get().taken.wait()
                continue
            if part is RESET:
                writer.transport.abort()
                raise ConnectionError
            if isinstance(part, float):
                await asyncio.sleep(part)
                continue
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
        if not is_ended:
            writer.close()
            raise ConnectionError
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return answer


async def hang(writer: asyncio.StreamWriter) -> None:
    """No reply, ever."""
    await asyncio.Event().wait()


async def reset(writer: asyncio.StreamWriter) -> None:
    """The connection is torn down before any reply."""
    writer.transport.abort()
    raise ConnectionError


def completion(text: str = "hi", **fields: Any) -> dict[str, Any]:
    """OpenAI's object."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c-1", "object": "chat.completion", "model": "theirs", "choices": [choice], "usage": USAGE, **fields}


def chunk(content: str | None = None, finish: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    """OpenAI's object of a stream."""
    delta = {} if content is None else {"content": content}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion.chunk", "model": "theirs", "choices": [choice], **fields}


def event(data: Any) -> bytes:
    """A chunk as an event."""
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


DONE = event(b"[DONE]")
COUNTED = event({**chunk(), "choices": [], "usage": USAGE})


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def _request(reader: asyncio.StreamReader) -> Request | None:
    head = {"path": "", "headers": {}, "body": b"", "whole": False}

    class Taken:
        def on_url(self, url: bytes) -> None:
            head["path"] = url.decode()

        def on_header(self, name: bytes, value: bytes) -> None:
            head["headers"][name.decode().lower()] = value.decode()

        def on_body(self, body: bytes) -> None:
            head["body"] += body

        def on_message_complete(self) -> None:
            head["whole"] = True

    parser = httptools.HttpRequestParser(Taken())
    while not head["whole"]:
        data = await reader.read(2**16)
        if not data:
            return None
        parser.feed_data(data)
    return Request(head["path"], head["headers"], json.loads(head["body"]))
