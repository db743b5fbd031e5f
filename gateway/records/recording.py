"""Puts decisions on record, tells those who watch, keeps texts where settings ask for it; a request never breaks of it.

What is written here outlives a client that leaves: it runs in tasks of its own, which `drained` waits for.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from core.records import Decision, Stakes
from gateway.attempts import Attempt
from gateway.contained import contained, in_thread, in_time
from gateway.guard import Guard
from gateway.incoming import Incoming
from gateway.parts import DecisionSink, Observer
from gateway.records.keeping import needs_a_person
from gateway.weighing import Weighed

LOG = logging.getLogger("preceptor.gateway")

NOT_RECORDED = "decision_not_recorded"

T = TypeVar("T")


def decision_of(incoming: Incoming, weighed: Weighed | None, tried: Attempt) -> Decision:
    """What was decided of a request so far; one that was not weighed yet counts as high."""
    route = None if weighed is None else weighed.route
    bundle = None if route is None else route.bundle
    return Decision(
        id=incoming.id,
        at=datetime.now(UTC),
        requested_model=incoming.body["model"],
        answered_by=tried.answered_by,
        bundle=bundle,
        probability=None if route is None else route.probability,
        threshold=None if route is None else route.threshold,
        domain=incoming.domain,
        stakes=Stakes.HIGH if weighed is None else weighed.stakes,
        verdict=tried.verdict,
        reasons=tried.reasons,
        cost_usd=tried.cost_usd,
        latency_ms=incoming.elapsed_ms,
        query_sha256=incoming.query_sha256,
        checks=tried.checks,
        rules=() if weighed is None else weighed.tier.rules,
        policy_sha256=None if weighed is None else weighed.tier.policy_sha256,
        calls=tried.calls,
        arm="champion" if weighed is None or bundle is None else weighed.deciding.arm,
        is_streamed=incoming.wants_stream,
        key_id=incoming.told.key_id,
        task_sha256=incoming.task_sha256,
        conversation_sha256=incoming.key[0],
    )


class Records:
    """Where a request's decision ends up.

    Args:
        guard: how long that may take, and what is kept with texts.
        decisions: where decisions are recorded; None records none.
        observers: told of each final decision.
    """

    def __init__(self, guard: Guard, decisions: DecisionSink | None, observers: Sequence[Observer]) -> None:
        self._guard, self._decisions, self._observers = guard, decisions, tuple(observers)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def settle(self, decision: Decision, incoming: Incoming, tried: Attempt, *, must_hold: bool) -> Decision:
        """Record a decision and tell of it, also where the caller is cancelled meanwhile; returns it as recorded.

        Where the store failed, the reasons say so, and the log holds its id and reasons. With `must_hold` nobody else
        is told of a decision that is not on record, for it is not the last word.
        """
        return await asyncio.shield(self.later(self._settle(decision, incoming, tried, must_hold=must_hold)))

    def keeps_texts(self, stakes: Stakes) -> bool:
        """Whether the text of an answer to a request of these stakes may be kept."""
        return self._guard.texts is not None or (self._guard.unresolved is not None and stakes.is_high)

    def later(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run it beside what asks, to its end."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drained(self) -> None:
        """Wait for what this event loop still has to write, as long as that may take."""
        here = asyncio.get_running_loop()
        tasks = [task for task in tuple(self._tasks) if task.get_loop() is here and task is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks, timeout=2 * self._guard.record_timeout_s)

    async def _settle(self, decision: Decision, incoming: Incoming, tried: Attempt, *, must_hold: bool) -> Decision:
        recorded = await self._recorded(decision)
        if recorded is not decision and must_hold:
            return recorded
        for observer in self._observers:
            try:
                contained(partial(observer, recorded))
            except Exception as error:  # noqa: BLE001 - the answer is decided already
                LOG.error("An observer of decision %s broke (%s).", recorded.id, type(error).__name__)
        await self._keep(recorded, incoming, tried)
        return recorded

    async def _recorded(self, decision: Decision) -> Decision:
        if self._decisions is None:
            return decision
        try:
            await in_time(self._decisions.record(decision), timeout_s=self._guard.record_timeout_s)
        except Exception as error:  # noqa: BLE001 - a failing store loses no request
            LOG.error(
                "Decision %s was not recorded (%s): answered by %s, reasons %s.",
                *(decision.id, type(error).__name__, decision.answered_by, ",".join(decision.reasons) or "none"),
            )
            reasons = tuple(dict.fromkeys((*decision.reasons, NOT_RECORDED)))
            return decision.model_copy(update={"reasons": reasons})
        return decision

    async def _keep(self, decision: Decision, incoming: Incoming, tried: Attempt) -> None:
        """Keep what a person must look at, and all texts where settings say so; what is not taken is lost."""
        work = []
        if self._guard.unresolved is not None and needs_a_person(decision):
            query = incoming.query(decision.stakes)
            work.append(partial(self._guard.unresolved.keep, query, decision, tried))
        if self._guard.texts is not None:
            answer = None if tried.completion is None else tried.completion.body
            work.append(partial(self._guard.texts.keep, decision.id, incoming.body, answer))
        for keep in work:
            try:
                await in_thread(keep, timeout_s=self._guard.record_timeout_s)
            except Exception as error:  # noqa: BLE001 - the answer is decided already
                LOG.error("The texts of decision %s were not kept (%s).", decision.id, type(error).__name__)
