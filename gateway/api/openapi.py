"""The server's description for machines (OpenAPI 3.1): paths, what they take, every status they answer.

Bodies are described by what the gateway itself reads of them; all other fields are allowed, since they are passed on.
"""

from functools import cache
from typing import Any

from core.records import Stakes

_WHY = {
    400: "The request is at fault; `param` names the field or header.",
    401: "The key is missing or wrong.",
    403: "The key, or a browser's page, may not ask this.",
    404: "No such model, decision or path.",
    408: "The body did not arrive in time.",
    413: "The body is larger than the gateway takes, or than the model does.",
    415: "The body is not declared as JSON, or is compressed.",
    422: "The model's endpoint cannot process the request.",
    429: "The key's limit or budget is used up, or the model's; `retry-after` says when to come back.",
    500: "The gateway broke.",
    502: "The strong model, the last resort, did not answer.",
    503: "Keys, counts or records cannot be read now.",
}
_KEYED = (401, 403, 429, 500, 503)
_WITH_BODY = (400, *_KEYED, 408, 413, 415)
_TELLING = ("Stakes", "Session", "Conversation", "Task", "Debug")


@cache
def openapi() -> dict[str, Any]:
    """The description; no copy, so nobody changes it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Preceptor gateway",
            "version": "1",
            "description": "OpenAI's API, answered by the cheaper of two models where it can be trusted.",
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "parameters": _parameters(),
            "headers": _headers(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1/chat/completions": {
            "post": {
                "operationId": "chat",
                "summary": "Answer a conversation.",
                "parameters": _refs("parameters", _TELLING),
                "requestBody": _takes("ChatRequest"),
                "responses": {
                    "200": {
                        "description": "The answer, whole or as a stream of events.",
                        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _headers()},
                        "content": {
                            "application/json": {"schema": _ref("Completion")},
                            "text/event-stream": {},
                        },
                    },
                    **_refused(*_WITH_BODY, 404, 422, 502),
                },
            }
        },
        "/v1/route": {
            "post": {
                "operationId": "route",
                "summary": "Say which model would be asked first, and ask none.",
                "parameters": _refs("parameters", _TELLING),
                "requestBody": _takes("RouteRequest"),
                "responses": {
                    "200": _gives({"oneOf": [_ref("Routing"), _list_of("Routing")]}, "What would be decided."),
                    **_refused(*_WITH_BODY, 404),
                },
            }
        },
        "/v1/embeddings": {
            "post": {
                "operationId": "embed",
                "summary": "Embed texts; passed on as it is.",
                "parameters": _refs("parameters", _TELLING),
                "requestBody": _takes("EmbeddingRequest"),
                "responses": {
                    "200": _gives({"type": "object"}, "The endpoint's answer."),
                    **_refused(*_WITH_BODY, 404, 422, 502),
                },
            }
        },
        "/v1/models": {"get": _read("models", "The names that work.", _list_of("Model"))},
        "/v1/models/{model}": {
            "get": _read("model", "A name that works.", _ref("Model"), path_parameter="model", also=(400, 404))
        },
        "/v1/decisions/{id}": {
            "get": _read("decision", "What is on record.", _ref("Decision"), path_parameter="id", also=(404,))
        },
        "/health/live": {"get": _read("live", "The process runs.", {"type": "object"}, is_open=True)},
        "/health/ready": {
            "get": {
                **_read("ready", "It takes requests.", _ref("Readiness"), is_open=True),
                "responses": {
                    "200": _gives(_ref("Readiness"), "It takes requests."),
                    "503": _gives(_ref("Readiness"), "It starts or stops."),
                    **_refused(403, 500),
                },
            }
        },
        "/metrics": {
            "get": {
                **_read("metrics", "The counts.", {}, also=(404,)),
                "responses": {
                    "200": {"description": "The counts.", "content": {"text/plain": {"schema": {"type": "string"}}}},
                    **_refused(*_KEYED, 404),
                },
            }
        },
    }


def _read(
    operation: str,
    what: str,
    schema: dict[str, Any],
    *,
    path_parameter: str | None = None,
    also: tuple[int, ...] = (),
    is_open: bool = False,
) -> dict[str, Any]:
    one = {"name": path_parameter, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "operationId": operation,
        "summary": what,
        "parameters": [one] if path_parameter else [],
        "responses": {"200": _gives(schema, what), **_refused(*((403, 500) if is_open else _KEYED), *also)},
        **({"security": []} if is_open else {}),
    }


def _takes(schema: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": _ref(schema)}}}


def _gives(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refused(*statuses: int) -> dict[str, Any]:
    return {str(status): _gives(_ref("Error"), _WHY[status]) for status in sorted(statuses)}


def _ref(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _refs(kind: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"$ref": f"#/components/{kind}/{name}"} for name in names]


def _list_of(schema: str) -> dict[str, Any]:
    return _object(object={"const": "list"}, data={"type": "array", "items": _ref(schema)})


def _object(*optional: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - schemas
    """An object with these properties, all required but the `optional` ones, and any others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": True}


def _schemas() -> dict[str, Any]:
    text, number, texts = {"type": "string"}, {"type": "number"}, {"type": "array", "items": {"type": "string"}}
    may = {"text": {"type": ["string", "null"]}, "number": {"type": ["number", "null"]}}
    name = {"type": "string", "minLength": 1, "maxLength": 200}
    messages = {"type": "array", "minItems": 1, "items": _object("content", role=text, content={})}
    asked = {
        "model": {**name, "description": "`auto`, `auto:DOMAIN`, `router-mf-0.3`, or a model's own name."},
        "messages": messages,
        "tools": {"type": ["array", "null"]},
        "metadata": {"type": ["object", "null"]},
    }
    decided: dict[str, Any] = {
        "requested_model": text,
        "probability": may["number"],
        "threshold": may["number"],
        "domain": may["text"],
        "stakes": {"enum": [stakes.value for stakes in Stakes]},
        "rules": texts,
        "reasons": texts,
        "bundle": may["text"],
        "arm": {"enum": ["champion", "canary"]},
    }
    one = _object("model", "tools", "metadata", **asked)
    batch = {"type": "array", "minItems": 1, "maxItems": 256, "items": one}
    fault = _object(message=text, type=text, param=may["text"], code={"type": ["string", "integer", "null"]})
    return {
        "Error": _object(error={"type": "object", "properties": fault["properties"], "required": ["message"]}),
        "ChatRequest": _object(
            *("tools", "metadata", "stream", "stream_options"),
            **asked,
            stream={"type": ["boolean", "null"]},
            stream_options={"type": ["object", "null"]},
        ),
        "Completion": _object("usage", model=text, choices={"type": "array", "minItems": 1}, usage={}),
        "RouteRequest": {"anyOf": [one, _object(batch=batch)]},
        "Routing": _object(
            **decided,
            object={"const": "routing"},
            decision={"enum": ["weak", "strong"]},
            model=text,
            stratum=may["text"],
        ),
        "EmbeddingRequest": _object("model", "input", model={}, input={}),
        "Model": _object(id=text, object={"const": "model"}, created={"type": "integer"}, owned_by=text),
        "Decision": _object(
            **decided,
            object={"const": "decision"},
            id=text,
            at={"type": "string", "format": "date-time"},
            answered_by=may["text"],
            verdict=may["text"],
            cost_usd=may["number"],
            latency_ms=number,
            query_sha256=text,
            checks={"type": "array"},
            calls={"type": "array"},
        ),
        "Readiness": _object(status={"enum": ["ready", "not_ready"]}, routing=text, reasons=texts, warnings=texts),
    }


def _parameters() -> dict[str, Any]:
    about = {
        "Stakes": ("x-preceptor-stakes", "May raise the stakes (`high`, `critical`), never lower them."),
        "Session": ("x-session-id", "The conversation that the request belongs to."),
        "Conversation": ("x-conversation-id", "The same, where `x-session-id` is not sent."),
        "Task": ("x-preceptor-task", "The piece of work that the request belongs to, retries too."),
    }
    shape = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}
    told = {
        key: {"name": name, "in": "header", "description": description, "schema": shape}
        for key, (name, description) in about.items()
    }
    debug = {
        "name": "x-preceptor-debug",
        "in": "header",
        "description": "`1`: the response's headers hold all that was compared.",
        "schema": {"enum": ["0", "1", "true", "false"]},
    }
    return {**told, "Debug": debug}


def _headers() -> dict[str, Any]:
    about = {
        "x-preceptor-decision-id": "Names the decision: GET /v1/decisions/{id}.",
        "x-preceptor-model": "Who answered; the body's `model` says the same.",
        "x-preceptor-decision": "`weak`, `strong`, or `escalated`: the weak model was asked before the strong one.",
        "x-preceptor-reason": "Why the weak model did not answer, or what went wrong on the way.",
        "x-request-id": "The decision's id again, where OpenAI's clients look for it.",
    }
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in about.items()}
