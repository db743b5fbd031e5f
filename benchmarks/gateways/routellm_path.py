"""RouteLLM's server path, plainly written anew: what a request costs there. Runs in the peers' environment alone.

A pydantic body, one embedding asked over HTTP inside the event loop, a matrix factorization's score of two models, and
litellm for the answer. Written from a description of how that server behaves, not from its code; the score is numpy's
instead of torch's, which is in its favour.

    EMBEDDINGS_URL=... UPSTREAM_URL=... python -m benchmarks.gateways.routellm_path --port 6060
"""

import argparse
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import litellm
import numpy as np
import openai
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel

WIDTH, DIMENSION, N_MODELS = 128, 1536, 64
STRONG, WEAK = 0, 1


class ChatBody(BaseModel):
    """The fields that it reads; what else is sent is dropped."""

    model: str
    messages: list[dict[str, Any]]
    temperature: float | None = None
    max_tokens: int | None = None
    n: int | None = None
    stream: bool | None = False
    user: str | None = None


def create_app() -> FastAPI:
    """The server: embed, score, ask."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N_MODELS, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    projection = rng.normal(size=(WIDTH, DIMENSION))
    head = rng.normal(size=WIDTH)
    embedder = openai.OpenAI(base_url=os.environ["EMBEDDINGS_URL"], api_key="none", max_retries=0)
    upstream = os.environ["UPSTREAM_URL"]
    app = FastAPI()

    def strong_wins(text: str) -> float:
        # Without await: as there, the loop stands still until the endpoint has answered.
        made = embedder.embeddings.create(model="text-embedding-3-small", input=[text], encoding_format="float")
        projected = projection @ np.array(made.data[0].embedding)
        logits = (vectors[[STRONG, WEAK]] * projected) @ head
        return float(1 / (1 + np.exp(logits[1] - logits[0])))

    @app.post("/v1/chat/completions")
    async def answer(body: ChatBody) -> Response:
        _, _, threshold = body.model.split("-", 2)
        name = "gpt-4o" if strong_wins(body.messages[-1]["content"]) >= float(threshold) else "gpt-4o-mini"
        asked = body.model_dump(exclude_none=True) | {"model": f"openai/{name}"}
        made = await litellm.acompletion(api_base=upstream, api_key="none", **asked)
        if body.stream:
            return StreamingResponse(_events(made), media_type="text/event-stream")
        return JSONResponse(made.model_dump())

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "online"}

    return app


async def _events(chunks: Any) -> AsyncIterator[str]:  # noqa: ANN401 - litellm's own
    async for chunk in chunks:
        yield f"data: {json.dumps(chunk.model_dump())}\n\n"
    yield "data: [DONE]\n\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(create_app(), host="127.0.0.1", port=parser.parse_args().port, log_level="warning", access_log=False)
