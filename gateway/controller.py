"""The routing loop: route, ask the weak model, recheck its answer, escalate to the strong model.

What fails, fails toward the strong model, with its reason in the decision. A high-stakes weak answer leaves only when
every check passed; at critical stakes the weak model is not asked, whatever name the client wrote. No text of a request
or an answer is logged or recorded.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, Protocol

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from core import fingerprint
from core.errors import PreceptorError, UpstreamError
from core.records import Decision, Query, Stakes
from gateway.certified import RoutingBundle, certificate_fault
from gateway.chat_request import check_chat_request
from gateway.conversation import Conversation, read_conversation
from gateway.model_names import Direct, Names, Routed, domains_of, parse_model_name
from gateway.recheck import recheck
from gateway.routing import Limits, Route, all_strong, bundle_mismatch, decide_route
from gateway.staking import stakes_of
from gateway.upstream import Completion, Upstream, UpstreamFailure
from verifiers.chain import Check
from verifiers.stakes.policy import StakesPolicy

LOG = logging.getLogger("preceptor.gateway")


class DecisionSink(Protocol):
    """Where decisions are recorded; `gateway.decision_log.DecisionLog` is one."""

    def record(self, decision: Decision) -> None:
        """Append one decision; raising is allowed and loses no request."""


class Guard(NamedTuple):
    """What stands between a weak answer and the client: checks, stakes, the clock, and how long each part may take."""

    checks: Sequence[Check] = ()
    stakes: StakesPolicy = StakesPolicy()
    stakes_timeout_s: float = 5.0
    router_timeout_s: float = 5.0
    check_timeout_s: float = 10.0
    record_timeout_s: float = 5.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


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


class Controller:
    """Answers chat completions with the cheaper model where it may.

    `routers` maps the name in `router-NAME-0.3` to a bundle, or to None where the bundle could not be loaded; the first
    one decides `auto`. `domains` are further names for `auto:DOMAIN`, beside those of the first bundle's thresholds.
    """

    def __init__(
        self,
        *,
        weak: Upstream,
        strong: Upstream,
        routers: Mapping[str, RoutingBundle | None],
        guard: Guard | None = None,
        decisions: DecisionSink | None = None,
        domains: Sequence[str] = (),
    ) -> None:
        self._weak, self._strong, self._decisions = weak, strong, decisions
        self._guard = guard or Guard()
        self._routers = dict(routers)
        first = next(iter(self._routers.values()), None)
        strata = domains_of(list(first.thresholds)) if first is not None else ()
        self.names = Names(weak.name, strong.name, tuple(self._routers), tuple(dict.fromkeys((*strata, *domains))))
        self._portal: BlockingPortal | None = None
        self._sync = ExitStack()
        self._lock = threading.Lock()

    async def acompletion(self, *, stakes: str | None = None, **body: Any) -> Reply:  # noqa: ANN401 - OpenAI's own
        """Answer one request with OpenAI's parameters; `stakes` may raise the tier, never lower it.

        `stream` is answered whole.

        Raises:
            RequestFault, UnknownModel, BadThreshold: the request is at fault.
            StrongFailed: the strong model was asked and did not answer.
        """
        check_chat_request(body)
        return await self.answer(body, stakes_header=stakes)

    def completion(self, *, stakes: str | None = None, **body: Any) -> Reply:  # noqa: ANN401 - OpenAI's own
        """The same, for callers without an event loop. Call `close` when done."""
        with self._lock:
            if self._portal is None:
                self._portal = self._sync.enter_context(start_blocking_portal())
            portal = self._portal
        reply: Reply = portal.call(partial(self.acompletion, stakes=stakes, **body))
        return reply

    async def answer(self, body: Mapping[str, Any], *, stakes_header: str | None) -> Reply:
        """The loop: route, weak, recheck, strong; every answer and every failure leaves a decision."""
        started = time.perf_counter()
        asked = parse_model_name(body["model"], names=self.names)
        conversation = read_conversation(body["messages"])
        domain = asked.domain if isinstance(asked, Routed) else None
        told = await stakes_of(
            *(self._guard.stakes, conversation, body),
            domain=domain,
            header=stakes_header,
            timeout_s=self._guard.stakes_timeout_s,
        )
        stakes = told.stakes
        route = await self._route(asked, conversation, stakes)
        query = Query(id=f"dec_{uuid.uuid4().hex}", messages=conversation.messages, stakes=stakes)
        attempt = await self._ask(_whole(body), route, query)
        decision = Decision(
            id=query.id,
            at=datetime.now(UTC),
            requested_model=body["model"],
            answered_by=attempt.completion.model if attempt.completion else None,
            bundle=route.bundle,
            probability=route.probability,
            threshold=route.threshold,
            domain=domain,
            stakes=stakes,
            verdict=attempt.verdict,
            reasons=attempt.reasons,
            cost_usd=attempt.cost_usd,
            latency_ms=(time.perf_counter() - started) * 1000,
            query_sha256=fingerprint.of_text(conversation.text),
            rules=told.rules,
            policy_sha256=told.policy_sha256,
        )
        decision = await self._record(decision)
        if attempt.completion is None:
            assert attempt.failure is not None
            raise StrongFailed(decision, attempt.failure)
        return Reply({**attempt.completion.body, "model": attempt.completion.model}, decision)

    async def warm_up(self) -> tuple[str, ...]:
        """Score one text with every router, so that the first request does not wait; says which cannot decide."""
        faults: list[str] = []
        for name, bundle in self._routers.items():
            if bundle is None:
                faults.append(f"{name}: bundle_missing")
                continue
            mismatch = bundle_mismatch(bundle, weak=self._weak.name, strong=self._strong.name)
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
        await self._weak.aclose()
        await self._strong.aclose()

    def close(self) -> None:
        """Close what `completion` opened."""
        with self._lock:
            if self._portal is not None:
                self._portal.call(self.aclose)
                self._portal = None
            self._sync.close()

    async def _route(self, asked: Direct | Routed, conversation: Conversation, stakes: Stakes) -> Route:
        if stakes is Stakes.CRITICAL:
            return all_strong("critical")  # also where the weak model was asked for by its own name
        if isinstance(asked, Direct):
            ask_strong = asked.model == self._strong.name
            reasons = ("asked_by_name",) if ask_strong else ()
            return Route(ask_strong, probability=None, threshold=None, bundle=None, reasons=reasons)
        name = asked.router or next(iter(self._routers), None)
        bundle = self._routers[name] if name is not None else None
        if bundle is None:
            return all_strong("bundle_missing")
        try:
            mismatch = bundle_mismatch(bundle, weak=self._weak.name, strong=self._strong.name)
            if mismatch is not None:
                return all_strong(mismatch)
            limits = Limits(stakes, self._guard.clock(), self._guard.router_timeout_s)
            return await decide_route(bundle, asked, conversation, limits)
        except Exception as error:  # noqa: BLE001 - whatever a router raises, the strong model answers
            LOG.error("The router broke (%s); the strong model answers.", type(error).__name__)
            return all_strong("router_error")

    async def _ask(self, body: Mapping[str, Any], route: Route, query: Query) -> "_Attempt":
        reasons, costs, verdict = list(route.reasons), list[float | None](), None
        if not route.ask_strong:
            weak = await _try(self._weak, body)
            if isinstance(weak, UpstreamFailure):
                reasons.append(f"weak_{weak.kind}")
            else:
                costs.append(weak.cost_usd)
                released, verdict, why = await self._recheck(query, weak.body)
                if released:
                    return _Attempt(weak, None, verdict, tuple(reasons), _sum(costs))
                reasons.extend(why)
        strong = await _try(self._strong, body)
        if isinstance(strong, UpstreamFailure):
            return _Attempt(None, strong, verdict, (*reasons, f"strong_{strong.kind}"), _sum(costs))
        return _Attempt(strong, None, verdict, tuple(reasons), _sum([*costs, strong.cost_usd]))

    async def _recheck(self, query: Query, completion: dict[str, Any]) -> tuple[bool, str, tuple[str, ...]]:
        """Whether the weak answer may leave, the verdict, and the reasons against it."""
        if query.stakes is Stakes.LOW:
            return True, "skipped", ()
        try:
            with anyio.fail_after(self._guard.check_timeout_s):
                work = partial(recheck, self._guard.checks, query, completion)
                verdict = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
            return verdict.releases(query.stakes), verdict.outcome.value, verdict.reasons
        except Exception as error:  # noqa: BLE001 - an answer that could not be rechecked does not leave
            LOG.error("The recheck broke (%s); the strong model answers.", type(error).__name__)
            return False, "error", ("chain:timeout" if isinstance(error, TimeoutError) else "chain:error",)

    async def _record(self, decision: Decision) -> Decision:
        """The decision as recorded; where the store failed, it says so, and the log holds its id and reasons."""
        if self._decisions is None:
            return decision
        try:
            with anyio.fail_after(self._guard.record_timeout_s):
                await anyio.to_thread.run_sync(self._decisions.record, decision, abandon_on_cancel=True)
        except Exception as error:  # noqa: BLE001 - a failing store loses no request
            LOG.error(
                "Decision %s was not recorded (%s): answered by %s, reasons %s.",
                *(decision.id, type(error).__name__, decision.answered_by, ",".join(decision.reasons) or "none"),
            )
            return decision.model_copy(update={"reasons": (*decision.reasons, "decision_not_recorded")})
        return decision


class _Attempt(NamedTuple):
    completion: Completion | None
    failure: UpstreamFailure | None
    verdict: str | None
    reasons: tuple[str, ...]
    cost_usd: float | None


async def _try(upstream: Upstream, body: Mapping[str, Any]) -> Completion | UpstreamFailure:
    try:
        return await upstream.complete(body)
    except UpstreamFailure as failure:
        return failure
    except Exception as error:  # noqa: BLE001 - a broken upstream is a failed one
        LOG.error("Asking %s broke (%s).", upstream.name, type(error).__name__)
        return UpstreamFailure(upstream.name, "error")


def _whole(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request for one whole answer, since an answer is rechecked before its first word leaves."""
    if not body.get("stream"):
        return body
    return {key: value for key, value in body.items() if key not in ("stream", "stream_options")}


def _sum(costs: Sequence[float | None]) -> float | None:
    """What all calls cost together; unknown when one of them is, or when there was none."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if costs and len(known) == len(costs) else None
