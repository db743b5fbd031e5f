"""The body of a chat completion request, read but not reshaped: fields that nobody here knows survive."""

import json
import math
from typing import Any

from core.errors import PreceptorError


class RequestFault(PreceptorError):
    """The body is no chat completion request. `param` names the field at fault."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


def read_chat_request(content: bytes) -> dict[str, Any]:
    """The request as a dictionary that holds a `model` and some `messages`.

    Raises:
        RequestFault: not JSON, not an object, or without `model` or `messages`.

    >>> read_chat_request(b'{"model": "auto", "messages": [{"role": "user"}], "new_field": null}')["new_field"]
    """
    try:
        body = json.loads(content, parse_constant=_refuse_constant, parse_float=_finite_float)
    except (ValueError, RecursionError):
        raise RequestFault("The body is not JSON. Send an object with `model` and `messages`.") from None
    if not isinstance(body, dict):
        raise RequestFault("The body is not a JSON object. Send an object with `model` and `messages`.")
    check_chat_request(body)
    return body


def check_chat_request(body: dict[str, Any]) -> None:
    """Refuse a request without `model` or `messages`; what else is wrong, the upstream says.

    Raises:
        RequestFault: names the field.
    """
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise RequestFault("`model` is missing or not a text. GET /v1/models lists the names that work.", param="model")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise RequestFault("`messages` is missing, empty or not a list. Send at least one message.", param="messages")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
