"""Serves one coder as an OpenAI-compatible endpoint on this machine: POST /v1/chat/completions, GET /v1/models.

Run: python -m examples.medical_coding.server --coder cheap --port 0

It prints its URL once it can answer. Prices are the client's business; it reports tokens, counted as words and marks.
"""

import re
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from jaxtyping import Float
from pydantic import BaseModel

from examples.medical_coding.code_set import load_code_set
from examples.medical_coding.coders import CarefulCoder, CheapCoder, Coder


class Message(BaseModel):
    """One turn; a client's other fields are left alone."""

    role: str
    content: str


class ChatRequest(BaseModel):
    """What the endpoint reads of a chat completion request."""

    model: str
    messages: list[Message]
    stream: bool = False


class RememberedVectors:
    """Vectors by text, each computed once; threads take turns."""

    def __init__(self) -> None:
        from models.encoders import EncoderSpec, load_encoder

        self._encoder = load_encoder(EncoderSpec(max_tokens=64))
        self._vectors: dict[str, Float[np.ndarray, " d"]] = {}
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        """One unit vector a text, in order."""
        with self._lock:
            unknown = sorted({text for text in texts if text not in self._vectors}, key=len)
            if unknown:
                self._vectors.update(zip(unknown, self._encoder.encode(unknown), strict=True))
            return np.array([self._vectors[text] for text in texts])


def make_coder(kind: Literal["cheap", "careful"]) -> Coder:
    """The coder with all it needs loaded."""
    return CheapCoder(load_code_set()) if kind == "cheap" else CarefulCoder(load_code_set(), RememberedVectors())


def create_app(coder: Coder) -> FastAPI:
    """The endpoint of one coder."""
    app = FastAPI(title=coder.name)

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": coder.name, "object": "model", "created": 0, "owned_by": "demo"}]}

    @app.post("/v1/chat/completions", response_model=None)
    def complete(request: ChatRequest) -> dict[str, Any] | JSONResponse:
        if request.model != coder.name:
            return _refusal(404, f"There is no model '{request.model}' here, only '{coder.name}'.")
        if request.stream or not request.messages:
            return _refusal(400, "This stand-in answers one or more messages at once; it does not stream.")
        text = coder.answer(request.messages[-1].content)
        prompt_tokens = sum(count_tokens(message.content) for message in request.messages)
        completion_tokens = count_tokens(text)
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": coder.name,
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"},
            ],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            },
        }

    return app


def count_tokens(text: str) -> int:
    """Words and marks, a rough count that needs no tokenizer.

    >>> count_tokens("Code: F40.291.")
    6
    """
    return len(re.findall(r"\w+|[^\w\s]", text))


@click.command()
@click.option("--coder", "kind", type=click.Choice(["cheap", "careful"]), required=True, help="Which stand-in.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Where to write the URL too, once it answers.")
def main(kind: Literal["cheap", "careful"], port: int, ready_file: Path | None) -> None:
    """Serve a stand-in coder on 127.0.0.1.

    Example: python -m examples.medical_coding.server --coder careful --port 6072
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be taken ({error.strerror}). Name another with --port."
        ) from None
    app = create_app(make_coder(kind))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    listener.listen()
    if ready_file is not None:
        ready_file.write_text(url, encoding="utf-8")
    click.echo(url)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    server.run(sockets=[listener])


def _refusal(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status_code=status)


if __name__ == "__main__":
    main()
