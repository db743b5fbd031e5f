"""A stand-in for model endpoints that is never the bottleneck: OpenAI's chat and embeddings, one process, no framework.

    python -m benchmarks.gateways.stub [--port 0]        # prints the port

`/after/200/v1/chat/completions` answers 200 ms later than `/v1/chat/completions`. `POST /control` with a JSON object
sets what it does from then on (`faults`: kind to share of the requests; `wrong`: share of the weak model's answers that
hold a code which does not exist; `seed`; `hang_s`), and answers how often each kind was served. Models named `weak...`
say `weak`, so that whoever reads an answer knows who gave it.
"""

import argparse
import asyncio
import json
import random
import re
import socket
from collections import Counter
from typing import Any, cast

import httptools
import uvloop

RIGHT, WRONG = "F40.291", "F40.999"
"""A code that exists, of the question that the benchmarks ask, and one that does not."""
N_STREAMED = 20
KINDS = (
    "hang",
    "reset",
    "cut_body",
    "status_429",
    "status_500",
    "malformed_json",
    "malformed_stream",
    "cut_stream",
    "no_answer",
)
_AFTER = re.compile(r"^/after/(\d+)/")


class Behaviour:
    """What the stub does, shared by its connections; `served` counts it."""

    def __init__(self) -> None:
        self.faults: dict[str, float] = {}
        self.wrong = 0.0
        self.hang_s = 30.0
        self.rng = random.Random(0)
        self.served: Counter[str] = Counter()

    def change(self, asked: dict[str, Any]) -> None:
        """Take what was asked; what is not named stays."""
        if unknown := set(asked.get("faults", {})) - set(KINDS):
            raise ValueError(f"no such faults: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
        self.faults = asked.get("faults", self.faults)
        self.wrong = asked.get("wrong", self.wrong)
        self.hang_s = asked.get("hang_s", self.hang_s)
        if "seed" in asked:
            self.rng.seed(asked["seed"])

    def fault(self) -> str | None:
        """What goes wrong with the next request; None: nothing."""
        if not self.faults:
            return None
        drawn = self.rng.random()
        for kind, share in self.faults.items():
            drawn -= share
            if drawn < 0:
                return kind
        return None


class Connection(asyncio.Protocol):
    """One client's connection; answers one request after the other."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self.parser = httptools.HttpRequestParser(self)
        self.path, self.body = "", b""
        # Small writes leave at once: a delayed acknowledgement would be measured as the gateway's.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Parse; `on_message_complete` answers."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_url(self, url: bytes) -> None:
        """The path begins a request."""
        self.path, self.body = url.decode(), b""

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Answer, at once or after the path's delay."""
        path, body = self.path, self.body
        if path == "/control":
            self._control(body)
            return
        asked = json.loads(body) if body else {}
        fault = self.behaviour.fault()
        if after := _AFTER.match(path):
            asyncio.get_running_loop().call_later(int(after[1]) / 1000, self._answer, path, asked, fault)
        else:
            self._answer(path, asked, fault)

    def _control(self, body: bytes) -> None:
        try:
            self.behaviour.change(json.loads(body) if body else {})
        except ValueError as error:
            self._send(json.dumps({"error": str(error)}).encode(), status="400 Bad Request")
            return
        self._send(json.dumps(self.behaviour.served).encode())

    def _answer(self, path: str, asked: dict[str, Any], fault: str | None) -> None:
        if self.transport.is_closing():
            return
        self.behaviour.served[fault or "ok"] += 1
        if path.endswith("/embeddings"):
            self._send(EMBEDDING)
        elif fault in ("hang", "reset", "status_429", "status_500"):
            self._refuse(fault)
        elif asked.get("stream"):
            self._stream(asked, fault)
        else:
            self._complete(asked, fault)

    def _refuse(self, fault: str) -> None:
        if fault == "hang":
            asyncio.get_running_loop().call_later(self.behaviour.hang_s, self.transport.abort)
        elif fault == "reset":
            self.transport.abort()
        elif fault == "status_429":
            error = {"message": "Rate limit reached", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
            content = json.dumps({"error": error}).encode()
            self._send(content, status="429 Too Many Requests", more=b"retry-after: 1\r\n")
        else:
            self._send(b"upstream fell over", status="500 Internal Server Error")

    def _complete(self, asked: dict[str, Any], fault: str | None) -> None:
        content = json.dumps(completion(asked.get("model", ""), self._text(asked, fault))).encode()
        if fault == "malformed_json":
            self._send(content[: len(content) // 2])
        elif fault == "cut_body":
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
            self.transport.write(head.encode() + content[: len(content) // 2])
            self.transport.close()
        else:
            self._send(content)

    def _stream(self, asked: dict[str, Any], fault: str | None) -> None:
        events = stream_events(asked, self._text(asked, fault))
        if fault in ("malformed_stream", "malformed_json"):
            events[len(events) // 2] = b'data: {"choices": [{"delta":\n\n'
        is_cut = fault in ("cut_stream", "cut_body")
        if is_cut:
            events = events[: self.behaviour.rng.randrange(len(events))]
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events)
        self.transport.write(head + chunks + (b"" if is_cut else b"0\r\n\r\n"))
        if is_cut:
            self.transport.close()

    def _text(self, asked: dict[str, Any], fault: str | None) -> str:
        if fault == "no_answer":
            return ""
        is_weak = asked.get("model", "").startswith("weak")
        is_wrong = is_weak and self.behaviour.wrong > 0 and self.behaviour.rng.random() < self.behaviour.wrong
        if is_wrong:
            self.behaviour.served["wrong"] += 1
        # The word of the model stands after the code, where no check looks for one.
        return f"Code: {WRONG if is_wrong else RIGHT}\n\n({'weak' if is_weak else 'strong'})"

    def _send(self, content: bytes, *, status: str = "200 OK", more: bytes = b"") -> None:
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n"
        self.transport.write(head % (status.encode(), len(content), more) + content)


def completion(model: str, text: str) -> dict[str, Any]:
    """A chat completion as OpenAI's endpoint gives it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": None}
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
    }


def stream_events(asked: dict[str, Any], text: str) -> list[bytes]:
    """The same as events: the text in pieces, an end, usage where it was asked for, `[DONE]`."""
    step = max(1, -(-len(text) // N_STREAMED))
    pieces = [text[start : start + step] for start in range(0, len(text), step)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces)]
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": asked["model"]}
    wants_usage = (asked.get("stream_options") or {}).get("include_usage")
    rows = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks = [{**chunk, "choices": [row]} for row in [*rows, {"index": 0, "delta": {}, "finish_reason": "stop"}]]
    if wants_usage:
        usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
        chunks = [*({**one, "usage": None} for one in chunks), {**chunk, "choices": [], "usage": usage}]
    return [*(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks), b"data: [DONE]\n\n"]


EMBEDDING = json.dumps(
    {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.0255] * 1536}],
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
).encode()


async def serve(port: int) -> None:
    """Serve on loopback until the process ends; the port is printed once it listens."""
    behaviour = Behaviour()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(behaviour), "127.0.0.1", port, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(serve(parser.parse_args().port))
