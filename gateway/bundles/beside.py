"""Scores requests with a bundle that decides none, after their answers; holds up nobody, and only logs what breaks."""

import asyncio
import logging

from core.records import Decision
from gateway.certified import RoutingBundle
from gateway.contained import contained, in_time
from gateway.deciding import DecidingSource
from gateway.incoming import Incoming
from gateway.model_names import Routed
from gateway.parts import Shadowed, ShadowSink
from gateway.routing import Route, all_strong
from gateway.weighing import Weighing

LOG = logging.getLogger("preceptor.gateway")

AFTER_S = 0.05
"""The answer is on its way before anything is scored beside it."""

MAX_WAITING = 64
"""Requests that may wait to be scored; under more load the others are left out, and the log says how many."""


class Beside:
    """Scores what was decided, once more.

    Args:
        weighing: says what a bundle says.
        source: which bundle scores beside.
        sink: where that goes.
        timeout_s: how long the sink may take.
    """

    def __init__(self, weighing: Weighing, source: DecidingSource, sink: ShadowSink, *, timeout_s: float) -> None:
        self._weighing, self._source, self._sink, self._timeout_s = weighing, source, sink, timeout_s
        self._n_waiting = 0
        self._n_left_out = 0

    async def score(self, incoming: Incoming, decision: Decision) -> None:
        """What the other bundle would have done, into the sink. Never raises but when it is cancelled."""
        if not isinstance(incoming.asked, Routed):
            return
        if self._n_waiting >= MAX_WAITING:
            self._n_left_out += 1
            return
        self._n_waiting += 1
        try:
            await asyncio.sleep(AFTER_S)
            await self._score(incoming, decision)
        except Exception as error:  # noqa: BLE001 - nothing waits for it
            LOG.error("Decision %s was not scored beside (%s).", decision.id, type(error).__name__)
        finally:
            self._n_waiting -= 1
            if self._n_left_out and self._n_waiting == 0:
                LOG.warning("%d requests were not scored beside: there were too many at once.", self._n_left_out)
                self._n_left_out = 0

    async def _score(self, incoming: Incoming, decision: Decision) -> None:
        bundle = contained(lambda: self._source.shadow(incoming.domain))
        if bundle is None:
            return
        route = await self._route(bundle, incoming, decision)
        shadowed = Shadowed(
            decision_id=decision.id,
            at=decision.at,
            bundle=bundle.sha256,
            probability=route.probability,
            threshold=route.threshold,
            ask_strong=route.ask_strong,
            reasons=route.reasons,
        )
        await in_time(self._sink.record(shadowed), timeout_s=self._timeout_s)

    async def _route(self, bundle: RoutingBundle, incoming: Incoming, decision: Decision) -> Route:
        try:
            scored = self._weighing.by_bundle(bundle, incoming, decision.stakes)
            return await in_time(scored, timeout_s=self._timeout_s)
        except Exception as error:  # noqa: BLE001 - that it breaks is what a report must say
            LOG.error("The bundle that scores beside broke (%s).", type(error).__name__)
            return all_strong("router_error", bundle=bundle.sha256)
