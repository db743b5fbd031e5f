"""What a program asks a controller, as the routing loop reads it. Changes nothing of what the endpoint will see."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from core.errors import PreceptorError
from gateway.api.chat_request import RequestFault, check_chat_request
from gateway.told import Told

NOT_OF_THE_BODY = (
    *("api_key", "api_base", "base_url", "api_version", "custom_llm_provider", "organization"),
    *("extra_headers", "extra_query", "headers", "max_retries", "num_retries", "mock_response"),
)
"""What libraries take beside OpenAI's parameters. An endpoint must not see it: some of it is secret."""


class RoutingError(PreceptorError):
    """The request cannot be routed: its router, threshold, model or messages are none."""


class AskedOf(NamedTuple):
    """A request's body, what is told beside it, and seconds that the program would wait."""

    body: dict[str, Any]
    told: Told
    timeout_s: float | None
    router: str | None
    """Whose decision it is; None: a model was asked for by its own name."""


def asked_of(given: Mapping[str, Any], *, routers: Sequence[str]) -> AskedOf:
    """What a program means by its keywords.

    | keywords | model |
    |---|---|
    | `model="router-mf-0.3"`, or any name that the server knows | that; `router` and `threshold` are not looked at |
    | `router="mf", threshold=0.3` | `router-mf-0.3` |
    | `router="mf"`, the first one | `auto`: the bundle's own threshold |
    | none of them | `auto` |

    Raises:
        RoutingError: a router, threshold or message is none, or a keyword belongs elsewhere.
    """
    body = {name: value for name, value in given.items() if value is not None or name not in _OURS}
    router, threshold = body.pop("router", None), body.pop("threshold", None)
    told = Told(stakes=body.pop("stakes", None), session=body.pop("session", None), task=body.pop("task", None))
    timeout_s = body.pop("timeout", None)
    if body.get("model") is None:
        body["model"] = model_name(router, threshold, routers=routers)
    body |= body.pop("extra_body", None) or {}
    misplaced = next((name for name in NOT_OF_THE_BODY if name in body), None)
    if misplaced is not None:
        raise RoutingError(
            f"`{misplaced}` is not sent with a request here. Say it when the controller is built, for each model "
            "(weak_base_url, weak_api_key_env, ...), or in the settings."
        )
    body = {name: plain(value) for name, value in body.items()}
    try:
        check_chat_request(body)
    except RequestFault as fault:
        raise RoutingError(str(fault)) from fault
    named = next((one for one in routers if body["model"].startswith(f"router-{one}-")), None)
    is_auto = body["model"] == "auto" or body["model"].startswith("auto:")
    return AskedOf(body, told, timeout_s, named or (routers[0] if is_auto else None))


def model_name(router: str | None, threshold: object, *, routers: Sequence[str]) -> str:
    """The name of a router at a threshold.

    Raises:
        RoutingError: there is no such router, or the threshold is not a number in [0, 1].

    >>> model_name("mf", 0.25, routers=["mf"]), model_name("mf", None, routers=["mf"])
    ('router-mf-0.25', 'auto')
    """
    if router is None and threshold is None:
        return "auto"
    if router not in routers:
        raise RoutingError(f"There is no router '{router}' here. Name one of these: {', '.join(routers)}.")
    if threshold is None:
        if router == routers[0]:
            return "auto"
        raise RoutingError(f"Router '{router}' needs a threshold here. Pass threshold=, a number in [0, 1].")
    return f"router-{router}-{_share(threshold)!r}"


def plain(value: Any) -> Any:  # noqa: ANN401 - JSON values
    """JSON values from what programs put into a body: a message of OpenAI's library becomes its dictionary.

    >>> plain([("a", 1)])
    [['a', 1]]
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json", exclude_none=True)
    raise RoutingError(f"A value of type {type(value).__name__} cannot be sent. Make it a dictionary, list or text.")


_OURS = ("router", "threshold", "stakes", "session", "task", "timeout", "model", "extra_body", "stream")


def _share(threshold: object) -> float:
    try:
        number = float(threshold)  # type: ignore[arg-type]  # what is no number is told below
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 <= number <= 1.0:
        raise RoutingError(f"The threshold {threshold!r} is not a number in [0, 1]. Correct it.")
    return number
