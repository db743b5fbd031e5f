"""POST /v1/route: what would be decided of a request, or of many, without asking a model. Nothing is recorded."""

import asyncio
from collections.abc import Mapping
from typing import Any

from core.records import Decision
from gateway.api.chat_request import RequestFault, check_chat_request, read_object
from gateway.api.http_call import HttpCall
from gateway.api.model_list import domain_for
from gateway.api.refusals import Refusal
from gateway.api.replies import Answer, json_answer
from gateway.loop import RoutingLoop
from gateway.model_names import BadThreshold, Names, UnknownModel
from gateway.told import Told

MAX_BATCH = 256

_SPEAKS_FOR_NEITHER = frozenset({"threshold_lowered_to_certified"})
"""Reasons that do not keep a request from the weak model."""


class RouteEndpoint:
    """Says which model would be asked first, and why; the recheck of its answer may still send it on."""

    def __init__(self, loop: RoutingLoop) -> None:
        self._loop = loop

    async def __call__(self, call: HttpCall) -> Answer:
        """One routing, or a list of them in the order of the batch.

        Raises:
            RequestFault, UnknownModel, BadThreshold, NotAdmitted, Refusal: the request, or one of the batch, is at
                fault; `param` says where.
        """
        told, _ = call.says()
        body = read_object(await call.json_bytes(), wants="`messages`, or a `batch` of such objects")
        names = self._loop.names
        if "batch" not in body:
            return json_answer(200, await self._routing(_checked(body, call, names=names), told))
        items = body["batch"]
        if not isinstance(items, list) or not 0 < len(items) <= MAX_BATCH:
            raise RequestFault(f"`batch` is not a list of 1 to {MAX_BATCH} requests. Send several.", param="batch")
        checked = [_of_batch(item, call, names=names, number=number) for number, item in enumerate(items)]
        data = await asyncio.gather(*(self._routing(item, told) for item in checked))
        return json_answer(200, {"object": "list", "data": data})

    async def _routing(self, body: Mapping[str, Any], told: Told) -> dict[str, Any]:
        return routing_of(await self._loop.decide(body, told), names=self._loop.names)


def routing_of(decision: Decision, *, names: Names) -> dict[str, Any]:
    """The decision before any model was asked, as JSON."""
    is_weak = set(decision.reasons) <= _SPEAKS_FOR_NEITHER
    stakes = decision.stakes.value
    return {
        "object": "routing",
        "requested_model": decision.requested_model,
        "decision": "weak" if is_weak else "strong",
        "model": names.weak if is_weak else names.strong,
        "probability": decision.probability,
        "threshold": decision.threshold,
        "domain": decision.domain,
        "stratum": None if decision.domain is None else f"{decision.domain}/{stakes}",
        "stakes": stakes,
        "rules": list(decision.rules),
        "reasons": list(decision.reasons),
        "bundle": decision.bundle,
        "arm": decision.arm,
    }


def _of_batch(item: object, call: HttpCall, *, names: Names, number: int) -> dict[str, Any]:
    place = f"batch.{number}"
    if not isinstance(item, dict):
        raise RequestFault(f"`{place}` is not an object. Send `messages` in each.", param=place)
    try:
        return _checked(item, call, names=names)
    except RequestFault as fault:
        raise RequestFault(f"In `{place}`: {fault}", param=f"{place}.{fault.param}") from None
    except UnknownModel as fault:
        raise Refusal(404, f"In `{place}`: {fault}", code="model_not_found", param=f"{place}.model") from None
    except BadThreshold as fault:
        raise Refusal(400, f"In `{place}`: {fault}", code="invalid_threshold", param=f"{place}.model") from None


def _checked(body: dict[str, Any], call: HttpCall, *, names: Names) -> dict[str, Any]:
    body = {"model": "auto", **body}
    check_chat_request(body)
    call.admitted.require_domain(domain_for(call.admitted, body["model"], names=names))
    return body
