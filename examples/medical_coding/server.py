"""Serves one of the demo's two models behind OpenAI's chat completions, on loopback.

Run: python -m examples.medical_coding.server --coder cheap --port 8101
"""

import argparse
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from jaxtyping import Float

from core.records import conversation_text, messages_of
from examples.medical_coding.code_set import load_code_set
from examples.medical_coding.coders import CarefulCoder, CheapCoder, Coder
from models.encoders import Encoder, EncoderSpec, load_encoder

CHARACTERS_A_TOKEN = 4
"""The stand-ins count tokens by length; a real model's endpoint reports its own."""


class Remembered:
    """An encoder that encodes each text once; safe to share between threads."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Float[np.ndarray, " d"]] = {}
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        """Unit vectors of the texts, in order."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
            if new:
                self._known.update(zip(new, self._encoder.encode(new), strict=True))
            return np.stack([self._known[text] for text in texts])


def build_coder(which: str) -> Coder:
    """The coder of that name, with everything it reads loaded."""
    code_set = load_code_set()
    if which == "cheap":
        return CheapCoder(code_set)
    return CarefulCoder(code_set, Remembered(load_encoder(EncoderSpec(max_tokens=64), n_threads=1)))


def create_app(coder: Coder) -> FastAPI:
    """The endpoint around one coder."""
    app = FastAPI(title=coder.name)

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": coder.name, "object": "model", "created": 0, "owned_by": "demo"}]}

    @app.post("/v1/chat/completions", response_model=None)
    def chat_completions(request: dict[str, Any]) -> dict[str, Any] | JSONResponse:
        if request.get("model") != coder.name:
            message = f"There is no model '{request.get('model')}' here; this endpoint serves {coder.name}."
            return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, 404)
        messages = [{"role": turn["role"], "content": turn["content"]} for turn in request["messages"]]
        prompt = conversation_text(messages_of(messages))
        answer = coder.answer(prompt)
        n_in, n_out = (len(text) // CHARACTERS_A_TOKEN + 1 for text in (prompt, answer))
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": coder.name,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": n_in, "completion_tokens": n_out, "total_tokens": n_in + n_out},
        }

    return app


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coder", choices=("cheap", "careful"), required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        create_app(build_coder(options.coder)), host="127.0.0.1", port=options.port, log_level="error", access_log=False
    )


if __name__ == "__main__":
    main()
