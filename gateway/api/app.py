"""The OpenAI-compatible server. It knows HTTP; `gateway.loop` knows what to answer.

| path | what |
|---|---|
| POST /v1/chat/completions | an answer, with the decision in `x-preceptor-...` headers |
| POST /v1/route | what would be decided, without asking a model |
| POST /v1/embeddings | passed on to one endpoint |
| GET /v1/models, /v1/models/{model} | the names that work |
| GET /v1/decisions/{id} | what is on record of a decision |
| GET /health/live, /health/ready, /metrics | whether the process runs, what it can decide, what it has counted |
| GET /openapi.json | all this for machines |

Errors come in OpenAI's envelope. Nothing of a request's text is logged.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.chat_endpoint import ChatEndpoint
from gateway.api.decisions_endpoint import DecisionsEndpoint
from gateway.api.doors import SHUT, Doors
from gateway.api.embeddings_endpoint import EmbeddingsEndpoint
from gateway.api.endpoint import Endpoint, Handler
from gateway.api.health import MetricsEndpoint, Readiness
from gateway.api.http_call import HttpCall
from gateway.api.model_list import ModelList
from gateway.api.openapi import openapi
from gateway.api.refusals import Refusal, refused
from gateway.api.replies import Answer, json_answer
from gateway.api.route_endpoint import RouteEndpoint
from gateway.loop import RoutingLoop

__all__ = ["Doors", "create_app"]

LOG = logging.getLogger("preceptor.gateway")


def create_app(loop: RoutingLoop, *, doors: Doors = SHUT) -> ASGIApp:
    """The server around one routing loop. It closes the loop and the keys' door when it stops."""
    readiness = Readiness(doors.health)
    models = ModelList(loop)
    decisions = DecisionsEndpoint(doors.decisions, is_shared=doors.keys is None)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        readiness.at_start = await loop.warm_up()
        for fault in readiness.at_start:
            LOG.warning("Router %s. Until that is mended, the strong model answers what it is asked.", fault)
        readiness.is_ready = True
        yield
        readiness.is_ready = False
        await loop.aclose()
        if doors.keys is not None:
            await doors.keys.aclose()

    exact: dict[str, Endpoint] = {}

    def path(where: str, *, is_open: bool = False, **handlers: Handler) -> Route:
        endpoint = Endpoint(where, handlers, doors=doors, is_open=is_open)
        if "{" not in where:
            exact[where] = endpoint
        return Route(where, endpoint)

    async def unknown_path(_: Request, __: Exception) -> Response:
        if doors.metrics is not None:
            doors.metrics.began()
            doors.metrics.ended("other", 404)
        return Response(_UNKNOWN.content, _UNKNOWN.status, media_type="application/json")

    routes = [
        path("/v1/chat/completions", POST=ChatEndpoint(loop)),
        path("/v1/route", POST=RouteEndpoint(loop)),
        path("/v1/embeddings", POST=EmbeddingsEndpoint(doors.embeddings, doors.keys)),
        path("/v1/models", GET=models.listed),
        path("/v1/models/{model:path}", GET=models.one),
        path("/v1/decisions/{id}", GET=decisions),
        path("/v1/completions", POST=_legacy),
        path("/health", is_open=True, GET=readiness.ready),  # where RouteLLM's clients look
        path("/health/live", is_open=True, GET=readiness.live),
        path("/health/ready", is_open=True, GET=readiness.ready),
        path("/metrics", is_open=doors.metrics_without_key, GET=MetricsEndpoint(doors.metrics)),
        path("/openapi.json", is_open=True, GET=_described),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: unknown_path})
    app.router.redirect_slashes = False
    return _ExactPathsFirst(exact, app)


class _ExactPathsFirst:
    """Finds a path that is one by a look; what has a name in it, or is none, is the router's to find.

    An endpoint tells each of its faults itself, so the router's layers would do nothing for it.
    """

    def __init__(self, exact: Mapping[str, Endpoint], router: ASGIApp) -> None:
        self._exact, self._router = exact, router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_whole_path = scope["type"] == "http" and not scope.get("root_path")
        found = self._exact.get(scope["path"]) if is_whole_path else None
        await (found or self._router)(scope, receive, send)


_UNKNOWN = refused(
    404,
    "Nothing answers at this path. A client's base URL ends in /v1; GET /openapi.json lists the paths.",
    code="unknown_url",
)


async def _legacy(_: HttpCall) -> Answer:
    raise Refusal(404, "Legacy completions are not served. Use /v1/chat/completions.", code="unknown_url")


async def _described(_: HttpCall) -> Answer:
    return json_answer(200, openapi())
