"""Weighs a request before any model is asked: its stakes, what decides it, and which model is asked first.

The first row that holds decides; what breaks or is late on the way sends the request to the strong model.

| what holds | reason |
|---|---|
| critical stakes | `critical` |
| the strong model was asked for by its own name | `asked_by_name` |
| the cap leaves no call for the weak model | `call_cap` |
| the stop switch keeps weak answers back | `stopped` |
| what decides cannot be told | `source_error` |
| the request may not fit into the weak model | `weak_context_window`, `weak_context_unknown` |
| the answer must be a tool call, at high stakes | `tools_required` |
| the recheck is not there, and the answer needs one | as the source says |
| the weak model was asked for by its own name | none: it is asked, or why nothing could be verified |
| there is no bundle, or it is for other models | `bundle_missing`, `bundle_for_another_pair`, or as the source says |
| the conversation stays with the strong model | `pinned_to_strong`, or `pins_error` |
| what the router says | as `gateway.routing` says |
"""

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar, get_args

from core.records import Stakes
from gateway.attempts import Models
from gateway.certified import RoutingBundle
from gateway.contained import contained, in_time
from gateway.context_window import context_fault
from gateway.deciding import Arm, Deciding, DecidingSource
from gateway.doubt_of_bundle import doubt_of
from gateway.guard import Guard
from gateway.incoming import Incoming
from gateway.model_names import Direct, Routed
from gateway.parts import Pinning, Scoring
from gateway.routing import (
    Limits,
    Route,
    Scored,
    all_strong,
    bundle_mismatch,
    decide_route,
    scored_alone,
)
from gateway.staking import stakes_of
from verifiers.assembling import Recheck
from verifiers.stakes.deciding import StakesDecision

LOG = logging.getLogger("preceptor.gateway")

T = TypeVar("T")

ARMS = get_args(Arm)

SOURCE_ERROR = Deciding(None, Recheck(), "source_error")


class Weighed(NamedTuple):
    """What is known of a request before a model is asked."""

    tier: StakesDecision
    deciding: Deciding
    route: Route

    @property
    def stakes(self) -> Stakes:
        """What a wrong answer costs."""
        return self.tier.stakes

    @property
    def is_rechecked(self) -> bool:
        """Whether a weak answer is read before it leaves."""
        return self.stakes is not Stakes.LOW or self.route.doubt is not None


class Weighing:
    """Weighs requests; each part may raise, hang or answer nonsense."""

    def __init__(
        self, models: Models, source: DecidingSource, guard: Guard, *, scorer: Scoring | None, pins: Pinning | None
    ) -> None:
        self._models, self._source, self._guard = models, source, guard
        self._scorer, self._pins = scorer, pins

    async def weigh(self, incoming: Incoming) -> Weighed:
        """Everything that one request is decided by."""
        deciding = self._deciding(incoming)
        tier = await stakes_of(self._guard.stakes, incoming, timeout_s=self._guard.stakes_timeout_s)
        try:
            route = self._unrouted(incoming, tier.stakes, deciding) or await self._routed(
                incoming, tier.stakes, deciding
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a router raises, the strong model answers
            LOG.error("The router broke (%s); the strong model answers.", type(error).__name__)
            route = all_strong("router_error")
        return Weighed(tier, deciding, route)

    async def by_bundle(self, bundle: RoutingBundle, incoming: Incoming, stakes: Stakes) -> Route:
        """What one bundle says of a routed request, in which nothing else has a say."""
        assert isinstance(incoming.asked, Routed)
        mismatch = bundle_mismatch(bundle, weak=self._models.weak.name, strong=self._models.strong.name)
        if mismatch is not None:
            return all_strong(mismatch)
        limits = Limits(stakes, self._guard.clock(), self._guard.router_timeout_s)
        scored: Scored = scored_alone if self._scorer is None else partial(_scored_with_others, self._scorer)
        return await decide_route(bundle, incoming.asked, incoming.conversation, limits, scored=scored)

    def _deciding(self, incoming: Incoming) -> Deciding:
        asked = incoming.asked
        router = asked.router if isinstance(asked, Routed) else None
        lot = incoming.key[1]
        found = _told(partial(self._source.deciding, router, incoming.domain, lot=lot), what="what decides")
        if not isinstance(found, Deciding) or not isinstance(found.recheck, Recheck) or found.arm not in ARMS:
            return SOURCE_ERROR
        return found if found.fault is None or isinstance(found.fault, str) else SOURCE_ERROR

    def _unrouted(self, incoming: Incoming, stakes: Stakes, deciding: Deciding) -> Route | None:
        """The route of a request that no router has a say in; None where it has one."""
        asked = incoming.asked
        if stakes is Stakes.CRITICAL:
            return all_strong("critical")  # also where the weak model was asked for by its own name
        if isinstance(asked, Direct) and asked.model == self._models.strong.name:
            return all_strong("asked_by_name")
        against = self._against_weak(incoming, stakes, deciding)
        if against is not None:
            return all_strong(against)
        if isinstance(asked, Routed):
            return None
        unreadable = incoming.conversation.unreadable
        if stakes.is_high and unreadable is not None:
            return all_strong(unreadable)  # what no check can read, none can verify
        return Route(ask_strong=False, probability=None, threshold=None, bundle=None, reasons=())

    def _against_weak(self, incoming: Incoming, stakes: Stakes, deciding: Deciding) -> str | None:
        """Why the weak model is not asked, whatever a router would say; None where nothing speaks against it."""
        if self._guard.max_calls < 2:
            return "call_cap"
        is_stopped = _told(partial(self._source.stopped, incoming.domain), what="the stop switch")
        if is_stopped is not False:
            return "stopped" if is_stopped is True else "source_error"
        if deciding is SOURCE_ERROR:
            return "source_error"
        fault = context_fault(incoming.body, incoming.conversation, self._models.weak.endpoint)
        if fault is not None:
            return f"weak_{fault}"
        if stakes.is_high and incoming.forces_tools:
            return "tools_required"
        return deciding.recheck_fault if stakes is not Stakes.LOW else None

    async def _routed(self, incoming: Incoming, stakes: Stakes, deciding: Deciding) -> Route:
        bundle = deciding.bundle
        if bundle is None:
            return all_strong(deciding.fault or "bundle_missing")
        if self._pins is not None:
            pinned = await self._is_pinned(self._pins, incoming)
            if pinned is not False:
                return all_strong("pinned_to_strong" if pinned is True else "pins_error")
        route = await self.by_bundle(bundle, incoming, stakes)
        if route.ask_strong:
            return route
        doubt = contained(partial(doubt_of, bundle, domain=incoming.domain, stakes=stakes))
        return route._replace(doubt=doubt)

    async def _is_pinned(self, pins: Pinning, incoming: Incoming) -> bool | None:
        try:
            asked = pins.is_pinned(incoming.key[0], is_first_turn=incoming.is_first_turn)
            return await in_time(asked, timeout_s=self._guard.pins_timeout_s)
        except Exception as error:  # noqa: BLE001 - not known is not free
            LOG.error("Whether a conversation is pinned could not be told (%s).", type(error).__name__)
            return None


async def _scored_with_others(
    scorer: Scoring, bundle: RoutingBundle, text: str, stratum: str | None, timeout_s: float
) -> float | None:
    found = await in_time(scorer.probability(bundle, text, stratum, timeout_s), timeout_s=timeout_s)
    return found if found is None or isinstance(found, float) else math.nan


def _told(work: Callable[[], T], *, what: str) -> T | None:
    """What it says; None where it broke."""
    try:
        return contained(work)
    except Exception as error:  # noqa: BLE001 - what is not known is decided toward the strong model
        LOG.error("The source could not tell %s (%s).", what, type(error).__name__)
        return None
