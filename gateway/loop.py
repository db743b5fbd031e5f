"""The routing loop: weigh the request, ask the weak model where it may, recheck its answer, else ask the strong one.

What fails, fails toward the strong model, with its reason in the decision. A high-stakes weak answer leaves only when
every check passed and its decision is on record; at critical stakes the weak model is not asked, whatever name the
client wrote. No text of a request or an answer is logged or recorded, but where `Guard` says to keep some.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from core.errors import PreceptorError
from core.records import Decision
from gateway.answered import Reply as Reply
from gateway.answered import Streamed as Streamed
from gateway.answered import StrongFailed as StrongFailed
from gateway.api.replies import event_stream
from gateway.asking.stream_text import completion_of
from gateway.asking.upstream import Completion, UpstreamFailure, UpstreamStream
from gateway.attempts import Attempt, Models, Role, ask, open_stream
from gateway.bundles.beside import Beside
from gateway.certified import certificate_fault
from gateway.contained import in_thread, in_time
from gateway.deciding import DecidingSource
from gateway.guard import Guard as Guard
from gateway.incoming import Incoming, new_id
from gateway.model_names import Names
from gateway.parts import DecisionSink, Observer, Pinning, Scoring, ShadowSink
from gateway.records.recording import NOT_RECORDED, Records, decision_of
from gateway.routing import bundle_mismatch
from gateway.streaming import CLIENT_LEFT, Sending, at_once
from gateway.told import Told
from gateway.weak_answer import ask_weak
from gateway.weighing import Weighed, Weighing

LOG = logging.getLogger("preceptor.gateway")

NOTHING_TOLD = Told()

_NO_CONVERSATION = 0.999999
"""The lot of what belongs to no conversation: no canary takes it."""


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
        self._weighing = Weighing(models, source, self._guard, scorer=scorer, pins=pins)
        self._records = Records(self._guard, decisions, observers)
        self._pins = pins
        seconds = self._guard.record_timeout_s
        self._beside = None if shadows is None else Beside(self._weighing, source, shadows, timeout_s=seconds)

    @property
    def names(self) -> Names:
        """The names that work now."""
        return Names(self._models.weak.name, self._models.strong.name, self._source.routers, self._source.domains)

    async def answer(self, body: Mapping[str, Any], told: Told = NOTHING_TOLD) -> Reply | Streamed:
        """The loop: weigh, weak, recheck, strong; every answer and every failure leaves a decision.

        Args:
            body: OpenAI's request, with `model` and `messages`; with `stream` the answer comes as events.
            told: what came beside it.

        Raises:
            UnknownModel, BadThreshold: the request is at fault.
            StrongFailed: the strong model was asked and did not answer.
        """
        incoming = Incoming(body, told, names=self.names)
        tried = Attempt(self._guard.max_calls)
        weighed: Weighed | None = None
        try:
            weighed = await self._weighing.weigh(incoming)
            tried.reasons = weighed.route.reasons
            return await self._answered(incoming, weighed, tried)
        except asyncio.CancelledError:
            if not tried.is_settled:
                tried.held_back(CLIENT_LEFT)
                decision = decision_of(incoming, weighed, tried)
                self._records.later(self._records.settle(decision, incoming, tried, must_hold=False))
            raise

    async def decide(self, body: Mapping[str, Any], told: Told = NOTHING_TOLD) -> Decision:
        """What would be decided before any model is asked. It is not recorded.

        Raises:
            UnknownModel, BadThreshold: the request is at fault.
        """
        incoming = Incoming(body, told, names=self.names)
        weighed = await self._weighing.weigh(incoming)
        return decision_of(incoming, weighed, Attempt(self._guard.max_calls, reasons=weighed.route.reasons))

    async def warm_up(self) -> tuple[str, ...]:
        """Score one text with every router, so that the first request does not wait; says which cannot decide."""
        faults: list[str] = []
        for name in self._source.routers:
            deciding = self._source.deciding(name, None, lot=_NO_CONVERSATION)
            bundle = deciding.bundle
            if bundle is None:
                faults.append(f"{name}: {deciding.fault or 'bundle_missing'}")
                continue
            mismatch = bundle_mismatch(bundle, weak=self._models.weak.name, strong=self._models.strong.name)
            if mismatch is None and bundle.certificate is not None:
                mismatch = certificate_fault(bundle.certificate, bundle.thresholds, now=self._guard.clock())
            if mismatch is not None:
                faults.append(f"{name}: {mismatch}")
            try:
                await in_thread(partial(bundle.probabilities, ["Warm up."]), timeout_s=60.0)
            except Exception as error:  # noqa: BLE001 - its requests will go to the strong model
                faults.append(f"{name}: {type(error).__name__}")
                sentence = str(error) if isinstance(error, PreceptorError) else "not one of ours"
                LOG.warning("Router %s broke while warming up (%s: %s)", name, type(error).__name__, sentence)
        return tuple(faults)

    async def aclose(self) -> None:
        """Write what is still to be written, and close the connections of this event loop."""
        await self._records.drained()
        await self._models.weak.aclose()
        await self._models.strong.aclose()

    async def _answered(self, incoming: Incoming, weighed: Weighed, tried: Attempt) -> Reply | Streamed:
        if not weighed.route.ask_strong:
            if incoming.wants_stream and not weighed.is_rechecked:
                stream = await self._opened("weak", incoming, tried)
                if stream is not None:
                    tried.verdict = "skipped"
                    return self._streamed(stream, incoming, weighed, tried)
            else:
                await ask_weak(self._models.weak, incoming, weighed, tried)
        if tried.completion is not None:
            holds = weighed.stakes.is_high
            recorded = await self._settled(incoming, weighed, tried, must_hold=holds)
            if not holds or NOT_RECORDED not in recorded.reasons:
                return self._whole(recorded, incoming, tried.completion)
            # Not on record, so it does not leave. A late record may yet be written; what counts has an id of its own.
            tried.held_back(NOT_RECORDED)
            incoming.id, tried.is_settled = new_id(), False
        self._pin(incoming, weighed, tried)
        if incoming.wants_stream:
            stream = await self._opened("strong", incoming, tried)
            if stream is not None:
                return self._streamed(stream, incoming, weighed, tried)
        else:
            await self._ask_strong(incoming, tried)
        recorded = await self._settled(incoming, weighed, tried, must_hold=False)
        if tried.completion is None:
            assert tried.failure is not None
            raise StrongFailed(recorded, tried.failure)
        return self._whole(recorded, incoming, tried.completion)

    async def _ask_strong(self, incoming: Incoming, tried: Attempt) -> None:
        strong = self._models.strong
        answer = await ask(strong, incoming.body, tried, most=max(1, tried.n_left))
        if isinstance(answer, UpstreamFailure):
            tried.held_back(f"strong_{answer.kind}")
            tried.failure = answer
        else:
            tried.leaves("strong", answer.model, answer)

    async def _opened(self, role: Role, incoming: Incoming, tried: Attempt) -> UpstreamStream | None:
        model = self._models.weak if role == "weak" else self._models.strong
        most = tried.n_left - 1 if role == "weak" else max(1, tried.n_left)
        stream = await open_stream(model, incoming.body, tried, most=most)
        if isinstance(stream, UpstreamFailure):
            tried.held_back(f"{role}_{stream.kind}")
            tried.failure = stream
            return None
        tried.leaves(role, model.name)
        return stream

    def _streamed(self, stream: UpstreamStream, incoming: Incoming, weighed: Weighed, tried: Attempt) -> Streamed:
        tried.is_settled = True  # from here on the stream's end says what goes on record
        finished: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        keeps = self._records.keeps_texts(weighed.stakes)

        async def ended(stream: UpstreamStream, kind: str | None, events: list[bytes]) -> None:
            tried.calls = (*tried.calls, stream.call)
            if kind is not None:
                tried.reasons = (*tried.reasons, kind if kind == CLIENT_LEFT else f"{tried.role}_{kind}")
            if keeps:
                tried.completion = Completion(stream.model, completion_of(events), None, 0.0, stream.call)
            decision = await self._settled(incoming, weighed, tried, must_hold=False)
            if not finished.done():
                finished.set_result(decision)

        sending = Sending(stream, ended, self._records.later, collects=keeps)
        return Streamed(sending, decision_of(incoming, weighed, tried), finished)

    def _whole(self, decision: Decision, incoming: Incoming, completion: Completion) -> Reply | Streamed:
        body = {**completion.body, "model": completion.model}
        if not incoming.wants_stream:
            return Reply(body, decision)
        finished: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        finished.set_result(decision)
        return Streamed(at_once(event_stream(body, include_usage=incoming.wants_usage)), decision, finished)

    async def _settled(self, incoming: Incoming, weighed: Weighed, tried: Attempt, *, must_hold: bool) -> Decision:
        tried.is_settled = True
        decision = decision_of(incoming, weighed, tried)
        recorded = await self._records.settle(decision, incoming, tried, must_hold=must_hold)
        is_final = not must_hold or NOT_RECORDED not in recorded.reasons
        if self._beside is not None and is_final:
            self._records.later(self._beside.score(incoming, recorded))
        return recorded

    def _pin(self, incoming: Incoming, weighed: Weighed, tried: Attempt) -> None:
        """Keep the conversation with the strong model, where the router or a check said that it is needed."""
        by_router = not {"above_threshold", "pinned_to_strong"}.isdisjoint(weighed.route.reasons)
        is_needed = by_router or tried.verdict in ("fail", "cannot_decide")
        if self._pins is not None and is_needed:
            self._records.later(self._pinned(self._pins, incoming.key[0]))

    async def _pinned(self, pins: Pinning, conversation_sha256: str) -> None:
        try:
            await in_time(pins.pin(conversation_sha256), timeout_s=self._guard.pins_timeout_s)
        except Exception as error:  # noqa: BLE001 - its next turn is decided anew
            LOG.error("A conversation was not pinned (%s).", type(error).__name__)
