"""The body of a request, read but not reshaped: fields that nobody here knows survive.

Of a key that an object holds twice, the last one counts, here and for the model: what is checked is what is sent on.
"""

import json
import math
from typing import Any

from core.errors import PreceptorError

MAX_DEPTH = 200
"""Objects and lists inside one another; deeper ones could be read and not be written again."""

MAX_MESSAGES = 10_000
"""Each is read on the event loop, in some microseconds: more of them would hold up other requests for too long."""

_LONGEST_NAME = 200


class RequestFault(PreceptorError):
    """The body is no such request. `param` names the field at fault."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


def read_chat_request(content: bytes) -> dict[str, Any]:
    """The request as a dictionary that holds a `model` and some `messages`.

    Raises:
        RequestFault: not JSON, not an object, nested too deeply, or without `model` or `messages`.

    >>> read_chat_request(b'{"model": "auto", "messages": [{"role": "user"}], "new_field": null}')["new_field"]
    """
    body = read_object(content, wants="`model` and `messages`")
    check_chat_request(body)
    return body


def read_object(content: bytes, *, wants: str) -> dict[str, Any]:
    """A JSON object of numbers that are finite; `wants` says in the refusal what it should hold.

    Raises:
        RequestFault: not JSON, not an object, or nested too deeply.

    >>> read_object(b'{"a": 1, "a": 2}', wants="`a`")
    {'a': 2}
    """
    try:
        body = json.loads(content, parse_constant=_refuse_constant, parse_float=_finite_float)
    except (ValueError, RecursionError):
        raise RequestFault(f"The body is not JSON. Send an object with {wants}.") from None
    if not isinstance(body, dict):
        raise RequestFault(f"The body is not a JSON object. Send an object with {wants}.")
    if content.count(b"[") + content.count(b"{") > MAX_DEPTH and _is_deeper(body, MAX_DEPTH):
        raise RequestFault(f"The body nests more than {MAX_DEPTH} objects and lists. Send a flatter one.")
    return body


def check_chat_request(body: dict[str, Any]) -> None:
    """Refuse a request without `model` or `messages`, or with too many of them; what else is wrong, the upstream says.

    Raises:
        RequestFault: names the field.
    """
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str) or not model:
        raise RequestFault("`model` is missing or not a text. GET /v1/models lists the names that work.", param="model")
    if len(model) > _LONGEST_NAME:
        raise RequestFault(
            f"`model` is longer than {_LONGEST_NAME} characters. GET /v1/models lists the names that work.",
            param="model",
        )
    if not isinstance(messages, list) or not messages:
        raise RequestFault("`messages` is missing, empty or not a list. Send at least one message.", param="messages")
    if len(messages) > MAX_MESSAGES:
        message = (
            f"There are {len(messages):,} messages. Send at most {MAX_MESSAGES:,}; join turns, or leave early ones out."
        )
        raise RequestFault(message, param="messages")


def _is_deeper(body: dict[str, Any], depth: int) -> bool:
    level: list[Any] = [body]
    for _ in range(depth):
        level = [
            part
            for whole in level
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
