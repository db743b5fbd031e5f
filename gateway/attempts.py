"""One request's attempts at an answer: the weak model where the route allows it, rechecked, and else the strong one.

The strong model is asked with the client's own messages and parameters, whatever the weak one said before.
"""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from core.check_record import CheckRecord
from core.records import Stakes
from gateway.log_probabilities import may_be_refusal, with_logprobs, without_logprobs
from gateway.recheck import Asked, as_read, recheck_in_time
from gateway.routing import Route
from gateway.upstream import Completion, Upstream, UpstreamFailure
from verifiers.assembling import Recheck

LOG = logging.getLogger("preceptor.gateway")


class Models(NamedTuple):
    """The two models of the pair."""

    weak: Upstream
    strong: Upstream


class Attempt(NamedTuple):
    """What came of it: a completion, or the strong model's failure; and what goes on record.

    `weak` is the weak model's completion where it gave one, whether it left or not.
    """

    completion: Completion | None = None
    failure: UpstreamFailure | None = None
    weak: Completion | None = None
    verdict: str | None = None
    reasons: tuple[str, ...] = ()
    checks: tuple[CheckRecord, ...] = ()
    costs_usd: tuple[float | None, ...] = ()

    @property
    def is_weak(self) -> bool:
        """Whether it is the weak model's answer that leaves."""
        return self.completion is not None and self.weak is self.completion

    @property
    def cost_usd(self) -> float | None:
        """What all calls cost together; unknown when one of them is, or when there was none."""
        known = [cost for cost in self.costs_usd if cost is not None]
        return sum(known) if known and len(known) == len(self.costs_usd) else None


async def attempt(
    models: Models,
    body: Mapping[str, Any],
    route: Route,
    *,
    asked: Asked,
    recheck: Recheck,
) -> Attempt:
    """The answer that may leave, and how it came about."""
    so_far = Attempt(reasons=route.reasons)
    if not route.ask_strong:
        weak = await _ask_weak(models.weak, body, needs_tokens=recheck.needs_tokens)
        if isinstance(weak, UpstreamFailure):
            so_far = so_far._replace(reasons=(*route.reasons, f"weak_{weak.kind}"))
        else:
            found = await recheck_in_time(recheck, asked, weak.body)
            if found.is_released:
                released = weak.body if asked.query.stakes is Stakes.LOW else as_read(weak.body)
                weak = weak._replace(body=_as_asked(body, released))
            so_far = Attempt(
                completion=weak if found.is_released else None,
                weak=weak,
                verdict=found.verdict,
                reasons=route.reasons if found.is_released else (*route.reasons, *found.reasons),
                checks=found.checks,
                costs_usd=(weak.cost_usd, *((found.cost_usd,) if found.cost_usd != 0.0 else ())),
            )
            if found.is_released:
                return so_far
    return await strong_instead(models.strong, body, so_far)


async def strong_instead(strong: Upstream, body: Mapping[str, Any], so_far: Attempt) -> Attempt:
    """The strong model's answer, with what was tried before on its record."""
    answer = await _try(strong, body)
    if isinstance(answer, UpstreamFailure):
        reasons = (*so_far.reasons, f"strong_{answer.kind}")
        return so_far._replace(completion=None, failure=answer, reasons=reasons)
    return so_far._replace(completion=answer, failure=None, costs_usd=(*so_far.costs_usd, answer.cost_usd))


async def _ask_weak(weak: Upstream, body: Mapping[str, Any], *, needs_tokens: bool) -> Completion | UpstreamFailure:
    wanted = with_logprobs(body) if needs_tokens else None
    if wanted is not None:
        answer = await _try(weak, wanted)
        if not (isinstance(answer, UpstreamFailure) and may_be_refusal(answer.status)):
            return answer
    return await _try(weak, body)


async def _try(upstream: Upstream, body: Mapping[str, Any]) -> Completion | UpstreamFailure:
    try:
        return await upstream.complete(body)
    except UpstreamFailure as failure:
        return failure
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken upstream is a failed one
        LOG.error("Asking %s broke (%s).", upstream.name, type(error).__name__)
        return UpstreamFailure(upstream.name, "error")


def _as_asked(body: Mapping[str, Any], completion: dict[str, Any]) -> dict[str, Any]:
    return completion if "logprobs" in body else without_logprobs(completion)
