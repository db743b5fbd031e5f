"""The routing loop: route, ask the weak model, recheck its answer, escalate to the strong model.

What fails, fails toward the strong model, with its reason in the decision. A high-stakes weak answer leaves only when
every check passed; at critical stakes the weak model is not asked, whatever name the client wrote. No text of a request
or an answer is logged or recorded, but where `Guard.unresolved` keeps what a person must look at.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

from core import fingerprint
from core.errors import PreceptorError, UpstreamError
from core.records import Decision, Query, Stakes
from gateway.attempts import Attempt, Models, attempt, strong_instead
from gateway.certified import certificate_fault
from gateway.contained import contained, in_thread, in_time
from gateway.conversation import Conversation, read_conversation
from gateway.deciding import Deciding, DecidingSource
from gateway.doubt_of_bundle import doubt_of
from gateway.facts import facts_of
from gateway.keeping import UnresolvedSink, needs_a_person
from gateway.model_names import Direct, Names, Routed, parse_model_name
from gateway.parts import DecisionSink, Observer, Pinning, Scoring, ShadowSink
from gateway.recheck import Asked
from gateway.routing import Limits, Route, all_strong, bundle_mismatch, decide_route
from gateway.staking import stakes_of
from gateway.told import Told
from gateway.upstream import UpstreamFailure
from verifiers.stakes.policy import StakesPolicy

LOG = logging.getLogger("preceptor.gateway")

NOTHING_TOLD = Told()


class Guard(NamedTuple):
    """What stands between a weak answer and the client beside the recheck: stakes, the clock, and each part's time."""

    stakes: StakesPolicy = StakesPolicy()
    stakes_timeout_s: float = 5.0
    router_timeout_s: float = 5.0
    record_timeout_s: float = 5.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    max_calls: int = 3
    """Calls of the two models for one request, attempts counted; the last one is the strong model's."""
    unresolved: UnresolvedSink | None = None
    """Keeps what a person must look at; None keeps nothing."""


class Reply(NamedTuple):
    """OpenAI's completion object, and the decision behind it."""

    body: dict[str, Any]
    decision: Decision

    @property
    def text(self) -> str:
        """The first choice's text; empty when it holds none."""
        return self.body["choices"][0]["message"].get("content") or ""


class StrongFailed(UpstreamError):
    """The strong model, the last resort, did not answer."""

    def __init__(self, decision: Decision, failure: UpstreamFailure) -> None:
        self.decision, self.failure = decision, failure
        super().__init__(str(failure))


class RoutingLoop:
    """Answers chat completions with the cheaper model where it may.

    Args:
        models: the pair.
        source: what decides a request.
        guard: what stands between a weak answer and the client.
        decisions: where decisions are recorded; None records none.
        observers: told of each final decision.
        scorer: scores texts for all requests; None: each in a thread of its own.
        pins: which conversations stay with the strong model; None: none does.
        shadows: where the scores of a bundle go that decides nothing; None: nothing is scored beside.
    """

    def __init__(  # noqa: PLR0913 - its parts, each by its name
        self,
        *,
        models: Models,
        source: DecidingSource,
        guard: Guard | None = None,
        decisions: DecisionSink | None = None,
        observers: Sequence[Observer] = (),
        scorer: Scoring | None = None,
        pins: Pinning | None = None,
        shadows: ShadowSink | None = None,
    ) -> None:
        self._models, self._source, self._guard = models, source, guard or Guard()
        self._decisions, self._observers = decisions, tuple(observers)
        self._scorer, self._pins, self._shadows = scorer, pins, shadows

    @property
    def names(self) -> Names:
        """The names that work now."""
        return Names(self._models.weak.name, self._models.strong.name, self._source.routers, self._source.domains)

    async def answer(self, body: Mapping[str, Any], told: Told = NOTHING_TOLD) -> Reply:
        """The loop: route, weak, recheck, strong; every answer and every failure leaves a decision.

        Raises:
            UnknownModel, BadThreshold: the request is at fault.
            StrongFailed: the strong model was asked and did not answer.
        """
        started = time.perf_counter()
        asked = parse_model_name(body["model"], names=self.names)
        conversation = read_conversation(body["messages"])
        domain = asked.domain if isinstance(asked, Routed) else None
        tier = await stakes_of(
            *(self._guard.stakes, conversation, body),
            domain=domain,
            header=told.stakes,
            timeout_s=self._guard.stakes_timeout_s,
        )
        stakes = tier.stakes
        router = asked.router if isinstance(asked, Routed) else None
        deciding = self._source.deciding(router, domain, lot=1.0)
        route = await self._route(asked, conversation, stakes, deciding)
        about = {} if domain is None else {"domain": domain}
        query = Query(id=f"dec_{uuid.uuid4().hex}", messages=conversation.messages, stakes=stakes, **about)
        whole = _whole(body)
        asked_of = Asked(query, facts_of(body), route.doubt)
        tried = await attempt(self._models, whole, route, asked=asked_of, recheck=deciding.recheck)
        decision = Decision(
            id=query.id,
            at=datetime.now(UTC),
            requested_model=body["model"],
            answered_by=tried.completion.model if tried.completion else None,
            bundle=route.bundle,
            probability=route.probability,
            threshold=route.threshold,
            domain=domain,
            stakes=stakes,
            verdict=tried.verdict,
            reasons=tried.reasons,
            cost_usd=tried.cost_usd,
            latency_ms=(time.perf_counter() - started) * 1000,
            query_sha256=fingerprint.of_text(conversation.text),
            rules=tier.rules,
            policy_sha256=tier.policy_sha256,
            checks=tried.checks,
            arm=deciding.arm,
            key_id=told.key_id,
        )
        recorded = await self._record(decision)
        if recorded is not decision and tried.is_weak and stakes.is_high:
            # Not on record, so it does not leave. A late record may yet be written; what counts has an id of its own.
            tried = await strong_instead(self._models.strong, whole, tried._replace(reasons=recorded.reasons))
            recorded = await self._record(_decided_again(decision, tried, started=started))
        self._observe(recorded)
        await self._keep(query, recorded, tried)
        if tried.completion is None:
            assert tried.failure is not None
            raise StrongFailed(recorded, tried.failure)
        return Reply({**tried.completion.body, "model": tried.completion.model}, recorded)

    async def warm_up(self) -> tuple[str, ...]:
        """Score one text with every router, so that the first request does not wait; says which cannot decide."""
        faults: list[str] = []
        for name in self._source.routers:
            bundle, _, fault, _ = self._source.deciding(name, None, lot=1.0)
            if bundle is None:
                faults.append(f"{name}: {fault or 'bundle_missing'}")
                continue
            mismatch = bundle_mismatch(bundle, weak=self._models.weak.name, strong=self._models.strong.name)
            if mismatch is None and bundle.certificate is not None:
                mismatch = certificate_fault(bundle.certificate, bundle.thresholds, now=self._guard.clock())
            if mismatch is not None:
                faults.append(f"{name}: {mismatch}")
            try:
                await anyio.to_thread.run_sync(bundle.probabilities, ["Warm up."])
            except Exception as error:  # noqa: BLE001 - its requests will go to the strong model
                faults.append(f"{name}: {type(error).__name__}")
                sentence = str(error) if isinstance(error, PreceptorError) else "not one of ours"
                LOG.warning("Router %s broke while warming up (%s: %s)", name, type(error).__name__, sentence)
        return tuple(faults)

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        await self._models.weak.aclose()
        await self._models.strong.aclose()

    async def _route(
        self, asked: Direct | Routed, conversation: Conversation, stakes: Stakes, deciding: Deciding
    ) -> Route:
        if stakes is Stakes.CRITICAL:
            return all_strong("critical")  # also where the weak model was asked for by its own name
        if isinstance(asked, Direct):
            ask_strong = asked.model == self._models.strong.name
            if not ask_strong and stakes.is_high and conversation.unreadable is not None:
                return all_strong(conversation.unreadable)  # what no check can read, none can verify
            reasons = ("asked_by_name",) if ask_strong else ()
            return Route(ask_strong, probability=None, threshold=None, bundle=None, reasons=reasons)
        bundle = deciding.bundle
        if bundle is None:
            return all_strong(deciding.fault or "bundle_missing")
        try:
            mismatch = bundle_mismatch(bundle, weak=self._models.weak.name, strong=self._models.strong.name)
            if mismatch is not None:
                return all_strong(mismatch)
            limits = Limits(stakes, self._guard.clock(), self._guard.router_timeout_s)
            doubt = contained(partial(doubt_of, bundle, domain=asked.domain, stakes=stakes))
            return (await decide_route(bundle, asked, conversation, limits))._replace(doubt=doubt)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a router raises, the strong model answers
            LOG.error("The router broke (%s); the strong model answers.", type(error).__name__)
            return all_strong("router_error")

    async def _record(self, decision: Decision) -> Decision:
        """The decision as recorded; where the store failed, it says so, and the log holds its id and reasons."""
        if self._decisions is None:
            return decision
        try:
            await in_time(self._decisions.record(decision), timeout_s=self._guard.record_timeout_s)
        except Exception as error:  # noqa: BLE001 - a failing store loses no request
            LOG.error(
                "Decision %s was not recorded (%s): answered by %s, reasons %s.",
                *(decision.id, type(error).__name__, decision.answered_by, ",".join(decision.reasons) or "none"),
            )
            reasons = tuple(dict.fromkeys((*decision.reasons, "decision_not_recorded")))
            return decision.model_copy(update={"reasons": reasons})
        return decision

    def _observe(self, decision: Decision) -> None:
        for observer in self._observers:
            try:
                contained(partial(observer, decision))
            except Exception as error:  # noqa: BLE001 - the answer is decided already
                LOG.error("An observer of decision %s broke (%s).", decision.id, type(error).__name__)

    async def _keep(self, query: Query, decision: Decision, tried: Attempt) -> None:
        """Keep what a person must look at; a store that does not take it loses no request."""
        if self._guard.unresolved is None or not needs_a_person(decision):
            return
        try:
            keep = partial(self._guard.unresolved.keep, query, decision, tried)
            await in_thread(keep, timeout_s=self._guard.record_timeout_s)
        except Exception as error:  # noqa: BLE001 - the answer is decided already
            LOG.error("Decision %s was not kept for a person (%s).", decision.id, type(error).__name__)


def _decided_again(decision: Decision, tried: Attempt, *, started: float) -> Decision:
    """The decision of what was tried since, under an id of its own."""
    changed = {
        "id": f"dec_{uuid.uuid4().hex}",
        "answered_by": tried.completion.model if tried.completion else None,
        "reasons": tried.reasons,
        "cost_usd": tried.cost_usd,
        "latency_ms": (time.perf_counter() - started) * 1000,
    }
    return decision.model_copy(update=changed)


def _whole(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request for one whole answer, since an answer is rechecked before its first word leaves."""
    if not body.get("stream"):
        return body
    return {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
