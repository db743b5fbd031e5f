"""The OpenAI-compatible server. It knows HTTP; `gateway.loop` knows what to answer.

| path | what |
|---|---|
| POST /v1/chat/completions | an answer, with the decision in `x-preceptor-...` headers |
| GET /v1/models | the names that work |
| GET /health/live, /health/ready | whether the process runs; whether it takes requests, and what cannot decide |

Errors come in OpenAI's envelope. Nothing of a request's text is logged.
"""

import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from gateway.chat_request import RequestFault, read_chat_request
from gateway.loop import LOG, RoutingLoop, StrongFailed
from gateway.model_names import BadThreshold, UnknownModel, names_that_work
from gateway.replies import decision_headers, error_envelope, event_stream
from gateway.told import Told

STAKES_HEADER = "x-preceptor-stakes"


def create_app(loop: RoutingLoop, *, api_key: str | None = None) -> FastAPI:
    """The server around one routing loop; with `api_key`, every /v1 path asks for it as a bearer token."""
    faults: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        faults.extend(await loop.warm_up())
        for fault in faults:
            LOG.warning("Router %s. Until that is mended, the strong model answers what it is asked.", fault)
        yield
        await loop.aclose()

    async def require_key(request: Request) -> None:
        if api_key is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), api_key.encode()):
            raise HTTPException(401, "The API key is missing or wrong. Send it as `Authorization: Bearer KEY`.")

    app = FastAPI(title="Preceptor gateway", lifespan=lifespan, docs_url=None, redoc_url=None)
    v1 = APIRouter(prefix="/v1", dependencies=[Depends(require_key)])

    @v1.post("/chat/completions")
    async def chat_completions(request: Request) -> Response:
        try:
            return await _answer(loop, await request.body(), request.headers.get(STAKES_HEADER))
        except Exception as error:  # noqa: BLE001 - the traceback's message may hold the text, so it goes nowhere
            LOG.error("A request broke the gateway (%s).", type(error).__name__)
            return JSONResponse(error_envelope("The gateway broke on this request.", kind="api_error"), 500)

    @v1.get("/models")
    async def models() -> dict[str, Any]:
        names = names_that_work(loop.names)
        rows = [{"id": name, "object": "model", "created": 0, "owned_by": "preceptor"} for name in names]
        return {"object": "list", "data": rows}

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready")
    async def ready() -> dict[str, Any]:
        return {"status": "ready", "routing": "all_strong" if faults else "routed", "reasons": faults}

    @app.exception_handler(HTTPException)
    async def in_envelope(request: Request, error: HTTPException) -> JSONResponse:
        code = "invalid_api_key" if error.status_code == 401 else None
        return JSONResponse(error_envelope(str(error.detail), code=code), error.status_code, headers=error.headers)

    app.include_router(v1)
    return app


async def _answer(loop: RoutingLoop, content: bytes, stakes_header: str | None) -> Response:
    try:
        body = read_chat_request(content)
        reply = await loop.answer(body, Told(stakes=stakes_header))
    except RequestFault as fault:
        return JSONResponse(error_envelope(str(fault), param=fault.param), 400)
    except BadThreshold as fault:
        return JSONResponse(error_envelope(str(fault), param="model", code="invalid_threshold"), 400)
    except UnknownModel as fault:
        return JSONResponse(error_envelope(str(fault), param="model", code="model_not_found"), 404)
    except StrongFailed as failed:
        return _strong_failed(failed)
    headers = decision_headers(reply.decision)
    if body.get("stream"):
        events = event_stream(reply.body, include_usage=_wants_usage(body))
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)
    return Response(json.dumps(reply.body, separators=(",", ":")), media_type="application/json", headers=headers)


def _strong_failed(failed: StrongFailed) -> Response:
    """502, or the upstream's own words where the client can act on them (a bad parameter, a rate limit)."""
    headers = decision_headers(failed.decision)
    if failed.failure.envelope is not None and failed.failure.status is not None:
        return JSONResponse(failed.failure.envelope, failed.failure.status, headers=headers)
    envelope = error_envelope(str(failed.failure), kind="api_error", code="upstream_failed")
    return JSONResponse(envelope, 502, headers=headers)


def _wants_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True
