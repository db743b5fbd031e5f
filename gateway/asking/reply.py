"""What an endpoint sent, read strictly: JSON that is JSON, a completion that is one, an error told from an answer."""

import json
import math
from collections.abc import Mapping
from typing import Any

from gateway.asking.failure import CLIENT_FAULTS

_STATUS_OF_CODE = {
    "context_length_exceeded": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
    "rate_limit_exceeded": 429,
}
"""Codes by which an error without a status says what the client can act on."""


def read_object(content: bytes) -> dict[str, Any] | None:
    """A JSON object in UTF-8; None for anything else, also for NaN and for numbers that no JSON reader holds.

    >>> read_object(b'{"a": 1.5}'), read_object(b'{"a": NaN}'), read_object(b'{"a": 1e999}'), read_object(b"[]")
    ({'a': 1.5}, None, None, None)
    """
    try:
        text = content.decode().strip(_SPACES)
        found, end = _READER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and end == len(text) else None


def write_object(body: Mapping[str, Any]) -> bytes:
    """The same as JSON in UTF-8, as short as it gets.

    Raises:
        TypeError, ValueError, RecursionError: it holds what JSON has not, such as NaN.
    """
    try:
        return _TO_UTF8.encode(body).encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it, UTF-8 cannot
        return _TO_ASCII.encode(body).encode()


def is_completion(reply: Mapping[str, Any]) -> bool:
    """Whether it has the shape of a chat completion: choices, each with a message.

    >>> is_completion({"choices": [{"message": {"content": None}}]}), is_completion({"choices": []})
    (True, False)
    """
    choices = reply.get("choices")
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(choice, dict) and isinstance(choice.get("message"), dict) for choice in choices)
    )


def error_in(reply: Mapping[str, Any]) -> dict[str, Any] | None:
    """The error that a body holds, in OpenAI's envelope; None where it holds none.

    Some servers send the error itself, marked by `object`.

    >>> error_in({"object": "error", "message": "Too long.", "code": 400})
    {'error': {'message': 'Too long.', 'code': 400}}
    >>> error_in({"error": None, "choices": []}) is None
    True
    """
    if reply.get("object") == "error":
        return {"error": {key: value for key, value in reply.items() if key != "object"}}
    error = reply.get("error")
    if not error:
        return None
    return {"error": error if isinstance(error, dict) else {"message": str(error)}}


def refusal_in(content: bytes) -> dict[str, Any] | None:
    """The error that the body of an error status holds; some servers send a list with one.

    >>> refusal_in(b'[{"error": {"code": 400}}]')
    {'error': {'code': 400}}
    """
    content = content.strip()
    if content.startswith(b"[") and content.endswith(b"]"):
        content = content[1:-1]
    reply = read_object(content)
    return error_in(reply) if reply is not None else None


def status_of(envelope: Mapping[str, Any]) -> int | None:
    """The HTTP status that an error inside a reply of status 200 stands for; None where it does not say.

    >>> status_of({"error": {"code": 429}}), status_of({"error": {"code": "context_length_exceeded"}})
    (429, 400)
    """
    code = envelope["error"].get("code")
    if isinstance(code, str):
        return int(code) if code.isdecimal() and len(code) == 3 else _STATUS_OF_CODE.get(code)
    return code if isinstance(code, int) and 400 <= code <= 599 else None


def for_client(envelope: Mapping[str, Any] | None, status: int | None) -> Mapping[str, Any] | None:
    """The envelope where the client can act on it, else None: others speak of the gateway's own key and limits."""
    return envelope if status in CLIENT_FAULTS else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


_SPACES = " \t\n\r"
_READER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_TO_UTF8 = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_TO_ASCII = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
