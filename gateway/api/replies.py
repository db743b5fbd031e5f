"""What goes back to the client: decision headers, OpenAI's error envelope, and a whole answer as one event stream."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from core.records import Decision
from gateway.model_names import Names

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")

_TO_JSON = json.JSONEncoder(separators=(",", ":"))


class Answer(NamedTuple):
    """A whole response."""

    status: int
    content: bytes
    headers: Sequence[Header] = ()


class Events(NamedTuple):
    """A response of server-sent events, each whole; it ends by itself."""

    events: AsyncIterator[bytes]
    headers: Sequence[Header] = ()


def json_answer(status: int, value: object, headers: Sequence[Header] = ()) -> Answer:
    """A JSON value as a response.

    >>> json_answer(200, {"a": 1}).content
    b'{"a":1}'
    """
    return Answer(status, _TO_JSON.encode(value).encode(), (JSON, *headers))


def decision_headers(decision: Decision, *, names: Names, with_detail: bool = False) -> list[Header]:
    """The decision as `x-preceptor-...` headers; what is unknown has no header.

    Always the id (as `x-request-id` too, which OpenAI's clients show), who answered, how it came about, and why the
    weak model did not answer or what went wrong on the way. With detail: all that was compared and read.
    """
    values = {
        "decision-id": decision.id,
        "model": decision.answered_by,
        "decision": decided(decision, names=names),
        "reason": ",".join(decision.reasons),
    }
    if with_detail:
        values |= {
            "probability": None if decision.probability is None else f"{decision.probability:.6f}",
            "threshold": None if decision.threshold is None else f"{decision.threshold:.6f}",
            "bundle": decision.bundle,
            "arm": decision.arm,
            "domain": decision.domain,
            "stakes": decision.stakes.value,
            "rules": ",".join(decision.rules),
            "policy": decision.policy_sha256,
            "verdict": decision.verdict,
            "cost-usd": None if decision.cost_usd is None else f"{decision.cost_usd:.8f}",
            "latency-ms": f"{decision.latency_ms:.1f}",
        }
    headers = [(b"x-preceptor-" + name.encode(), _printable(value)) for name, value in values.items() if value]
    return [(b"x-request-id", _printable(decision.id)), *headers]


def decided(decision: Decision, *, names: Names) -> Literal["weak", "strong", "escalated"] | None:
    """Who answered, and whether the weak model was asked before the strong one; None: nobody answered.

    A weak model that was asked has a verdict, or a call on record.
    """
    if decision.answered_by is None:
        return None
    if decision.answered_by == names.weak:
        return "weak"
    was_asked = decision.verdict is not None or any(call.model == names.weak for call in decision.calls)
    return "escalated" if was_asked else "strong"


def error_envelope(
    message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """OpenAI's error object.

    >>> error_envelope("No.", code="model_not_found")["error"]["code"]
    'model_not_found'
    """
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def event(value: Mapping[str, Any]) -> bytes:
    r"""One server-sent event.

    >>> event({"a": 1})
    b'data: {"a":1}\n\n'
    """
    return b"data: " + _TO_JSON.encode(value).encode() + b"\n\n"


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
        yield event({**shared, **usage, "choices": [answer]})
        yield event({**shared, **usage, "choices": [end]})
    if include_usage:
        yield event({**shared, "choices": [], "usage": completion.get("usage")})
    yield b"data: [DONE]\n\n"


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message as a delta; a stream numbers its tool calls."""
    delta = {"role": "assistant", **message}
    if isinstance(delta.get("tool_calls"), list):
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(delta["tool_calls"])]
    return delta


def _printable(value: str) -> bytes:
    """The value as a header can hold it."""
    if not value.isprintable():
        value = "".join(letter if letter.isprintable() else "?" for letter in value)
    return value.encode("ascii", "replace")
