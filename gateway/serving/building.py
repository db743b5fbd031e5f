"""From settings to a gateway that can be served: the one place that knows all its parts. It opens no socket.

What the settings get wrong is raised here, before a request is taken; what the world gets wrong later sends requests
to the strong model.
"""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

from gateway.api.leaving import LeavingApp
from gateway.serving.to_serve import ToServe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from core.model_settings import PairModelSettings
    from core.settings import RunSettings
    from gateway.api.doors import Health
    from gateway.asking.upstream import Upstream
    from gateway.attempts import Models
    from gateway.bundles.live_bundles import LiveBundles
    from gateway.bundles.slots import Report
    from gateway.guard import Guard, TextSink
    from gateway.loop import RoutingLoop
    from gateway.parts import Shadowed, ShadowSink
    from gateway.records.metrics import Metrics

LOG = logging.getLogger("preceptor.gateway")

SHOW_EVERY_S = 1.0
"""Between two looks of the metrics at what stands."""

_HOLDS_NOTHING_BACK = ("canary", "shadow")

READY_S = 4.0
"""How long the first bundles are waited for; without them the strong model answers."""


class Gateway:
    """A gateway built from settings: `app` answers requests between `start` and `aclose`."""

    def __init__(self, what: ToServe) -> None:
        """Build every part.

        Raises:
            SettingsError: an endpoint, a key or a policy cannot be used.
            PreceptorError: the store does not answer, or was made by another release.
        """
        from core.store import open_store
        from gateway.api.app import Doors, create_app
        from gateway.bundles.shadowing import ShadowLog
        from gateway.keys.door import LOOPBACK_HOSTS
        from gateway.keys.from_settings import door_of
        from gateway.loop import RoutingLoop
        from gateway.pins import Pins
        from gateway.records.decision_log import DecisionLog
        from gateway.records.decision_writer import DecisionWriter
        from gateway.records.metrics import Metrics
        from gateway.records.texts import TextLog
        from gateway.scoring import Scorer

        settings = what.settings
        self._models = models_of(settings)
        self._engine = open_store(settings.store_url)
        log = DecisionLog(self._engine)
        door = door_of(settings.gateway, self._engine, n_workers=what.n_workers)
        self._writer, self._scorer = DecisionWriter(log), Scorer()
        self._pins = Pins(self._engine, settings.gateway.pin_s)
        self._source = _source_of(what, self._engine)
        self._metrics = Metrics(lambda: self._loop.names)
        shadows = None if settings.gateway.shadow is None else ShadowLog(self._engine)
        texts = TextLog(self._engine) if settings.gateway.keep_texts else None
        self._loop = RoutingLoop(
            models=self._models,
            source=self._source,
            guard=_guard_of(settings, self._engine, texts),
            decisions=self._writer,
            observers=(self._metrics.observe, *(() if door is None else (door.charge,))),
            scorer=self._scorer,
            pins=self._pins,
            shadows=None if shadows is None else CountedShadows(shadows, self._metrics),
        )
        # What is written behind the answers, and must be before the store is let go.
        logs = (("decisions", self._writer), ("scores of the shadow", shadows), ("texts", texts))
        self._logs = {name: one for name, one in logs if one is not None}
        embeds = settings.gateway.embeddings
        doors = Doors(
            keys=door,
            metrics=self._metrics,
            decisions=log,
            embeddings=None if embeds == "off" else getattr(self._models, embeds),
            max_request_bytes=settings.gateway.limits.max_request_bytes,
            metrics_without_key=settings.gateway.host in LOOPBACK_HOSTS,
            health=self._health,
        )
        self.app = LeavingApp(create_app(self._loop, doors=doors))
        self._showing: asyncio.Task[None] | None = None

    @property
    def loop(self) -> "RoutingLoop":
        """What answers requests, for a program that asks it without HTTP."""
        return self._loop

    @property
    def source(self) -> "LiveBundles":
        """What decides."""
        return self._source

    async def start(self) -> None:
        """Load what decides, and follow it from now on."""
        await self._source.start()
        if not await self._source.ready(timeout_s=READY_S):
            LOG.warning("Bundles are still being loaded; until they are, the strong model answers.")
        self._show()
        self._showing = asyncio.create_task(self._show_on(), name="metrics")

    async def aclose(self) -> None:
        """Write everything that is not yet written, and let go of the store. After the app has stopped."""
        if self._showing is not None:
            self._showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._showing
        await self._source.aclose()
        await asyncio.gather(*(asyncio.to_thread(self._end_log, *one) for one in self._logs.items()))
        await asyncio.gather(asyncio.to_thread(self._pins.close), asyncio.to_thread(self._scorer.close))
        self._engine.dispose()

    def _end_log(self, name: str, log: "EndingLog") -> None:
        if not log.close():
            LOG.error("The store does not answer: the last %s are not in it.", name)

    def _health(self) -> "Health":
        return health_of(self._source.reports(), self._source.warnings(), is_all_stopped=self._source.is_all_stopped)

    def _show(self) -> None:
        self._metrics.show_models(self._models)
        self._metrics.show_bundles(self._source.reports(), stopped=self._source.stopped)

    async def _show_on(self) -> None:
        while True:
            await asyncio.sleep(SHOW_EVERY_S)
            try:
                self._show()
            except Exception as error:  # noqa: BLE001 - counting must not end serving
                LOG.error("The metrics could not look at what stands (%s).", type(error).__name__)


def models_of(settings: "RunSettings") -> "Models":
    """The two models of the pair.

    Raises:
        SettingsError: one has no address, or its key is not in the environment.
    """
    from gateway.attempts import Models

    return Models(_upstream("weak", settings.pair.weak), _upstream("strong", settings.pair.strong))


def _upstream(role: str, model: "PairModelSettings") -> "Upstream":
    from core.errors import SettingsError
    from gateway.asking.upstream import Endpoint, Upstream

    if model.base_url is None:
        raise SettingsError(f"pair.{role}.base_url is not set. Name the OpenAI-compatible endpoint of {model.name}.")
    return Upstream(Endpoint.model_validate(model.model_dump(exclude={"may_see_identified"})))


def _guard_of(settings: "RunSettings", engine: "Engine", texts: "TextSink | None") -> "Guard":
    from gateway.guard import Guard
    from gateway.records.keeping import UnresolvedLog
    from verifiers.stakes.sources import policy_in_force

    weak, strong = settings.pair.weak.name, settings.pair.strong.name
    keeps = settings.gateway.keep_unresolved
    return Guard(
        stakes=policy_in_force(settings.verifiers, settings.data.target_domains),
        max_calls=settings.gateway.max_calls,
        unresolved=UnresolvedLog(engine, weak=weak, strong=strong) if keeps else None,
        texts=texts,
    )


def _source_of(what: ToServe, engine: "Engine") -> "LiveBundles":
    from functools import partial

    from gateway.bundles.admission import Admission
    from gateway.bundles.live_bundles import Following, LiveBundles
    from gateway.bundles.rechecks import Rechecks
    from gateway.bundles.references import References
    from gateway.bundles.switch import read_stops
    from gateway.bundles.switch_state import SwitchState
    from gateway.wiring import recheck_for

    settings = what.settings
    watch_s = settings.gateway.watch_s
    references = References.of(settings.gateway, what.reference)
    return LiveBundles(
        settings.router.family,
        following=Following(references, pointer_file=what.pointer_file, watch_s=watch_s),
        admission=Admission(settings),
        rechecks=Rechecks(partial(recheck_for, settings)),
        switch=SwitchState(partial(read_stops, engine), watch_s=watch_s),
        domains=settings.data.target_domains,
    )


def health_of(reports: "Sequence[Report]", warnings: "Sequence[str]", *, is_all_stopped: bool) -> "Health":
    """What is told of readiness: `auto` is decided where the champion decides and not everything is stopped.

    A canary or a shadow that is not there keeps nothing back: the champion decides in its place.
    """
    from gateway.api.doors import Health

    faults = [one for one in reports if one.fault is not None]
    said = {report.reference: f"{', '.join(report.parts)}: {report.fault}" for report in faults}
    holding = [one for one in faults if any(part not in _HOLDS_NOTHING_BACK for part in one.parts)]
    beside = [said[one.reference] for one in faults if one not in holding]
    reasons = [*(("stopped",) * is_all_stopped), *(said[one.reference] for one in holding)]
    is_routed = not is_all_stopped and not any("champion" in one.parts for one in holding)
    return Health(is_routed, reasons, [*beside, *warnings])


class EndingLog(Protocol):
    """A log with a thread that writes."""

    def close(self) -> bool:
        """Write what waits, and end the thread; False: it is not done in time."""
        ...


class CountedShadows:
    """Hands scores of a shadow on, counted."""

    def __init__(self, shadows: "ShadowSink", metrics: "Metrics") -> None:
        self._shadows, self._metrics = shadows, metrics

    async def record(self, shadowed: "Shadowed") -> None:
        """Count one, and hand it on."""
        self._metrics.observe_shadow(shadowed)
        await self._shadows.record(shadowed)
