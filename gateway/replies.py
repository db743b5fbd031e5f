"""What goes back to the client: decision headers, OpenAI's error envelope, and a whole answer as one event stream."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.records import Decision


def decision_headers(decision: Decision) -> dict[str, str]:
    """The decision as `x-preceptor-...` headers; what is unknown has no header.

    `x-preceptor-reason` lists, comma-separated, why the weak model did not answer, or what went wrong on the way;
    `x-preceptor-rules` what named the stakes, highest first.
    """
    values = {
        "decision-id": decision.id,
        "model": decision.answered_by,
        "probability": None if decision.probability is None else f"{decision.probability:.6f}",
        "threshold": None if decision.threshold is None else f"{decision.threshold:.6f}",
        "bundle": decision.bundle,
        "stakes": decision.stakes.value,
        "rules": ",".join(decision.rules) or None,
        "policy": decision.policy_sha256,
        "verdict": decision.verdict,
        "reason": ",".join(decision.reasons) or None,
    }
    return {f"x-preceptor-{name}": value.encode("ascii", "replace").decode() for name, value in values.items() if value}


def error_envelope(
    message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """OpenAI's error object.

    >>> error_envelope("No.", code="model_not_found")["error"]["code"]
    'model_not_found'
    """
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def event_stream(completion: Mapping[str, Any], *, include_usage: bool) -> Iterator[bytes]:
    """A finished completion as server-sent events: a chunk with each answer, one that ends it, the usage, `[DONE]`."""
    shared = {key: value for key, value in completion.items() if key not in ("choices", "usage")}
    shared["object"] = "chat.completion.chunk"
    usage = {"usage": None} if include_usage else {}
    for choice in completion["choices"]:
        index = choice.get("index", 0)
        rest = {key: value for key, value in choice.items() if key not in ("message", "index", "finish_reason")}
        answer = {**rest, "index": index, "delta": _delta(choice["message"]), "finish_reason": None}
        end = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        yield _event({**shared, **usage, "choices": [answer]})
        yield _event({**shared, **usage, "choices": [end]})
    if include_usage:
        yield _event({**shared, "choices": [], "usage": completion.get("usage")})
    yield b"data: [DONE]\n\n"


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message as a delta; a stream numbers its tool calls."""
    delta = {"role": "assistant", **message}
    if isinstance(delta.get("tool_calls"), list):
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(delta["tool_calls"])]
    return delta


def _event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
