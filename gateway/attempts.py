"""One request's calls of the two models, within its cap: the weak model where the route allows it, else the strong one.

The strong model is asked with the client's own messages and parameters, whatever the weak one said before. The last
call of the cap is always the strong model's.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from core.call_record import CallRecord
from core.check_record import CheckRecord
from gateway.asking.upstream import Completion, Upstream, UpstreamFailure, UpstreamStream

LOG = logging.getLogger("preceptor.gateway")


Role = Literal["weak", "strong"]


class Models(NamedTuple):
    """The two models of the pair."""

    weak: Upstream
    strong: Upstream


@dataclass
class Attempt:
    """What has come of a request so far. It grows; when a client leaves, this is what goes on record.

    `weak` is the weak model's completion where it gave one, whether it left or not; `completion` and `answered_by` are
    of the answer that leaves.
    """

    max_calls: int
    reasons: tuple[str, ...] = ()
    role: Role | None = None
    answered_by: str | None = None
    completion: Completion | None = None
    failure: UpstreamFailure | None = None
    weak: Completion | None = None
    verdict: str | None = None
    checks: tuple[CheckRecord, ...] = ()
    recheck_cost_usd: float | None = 0.0
    calls: tuple[CallRecord, ...] = ()
    is_settled: bool = False
    """Its decision is on its way to the record, or a stream will bring it there."""

    @property
    def is_weak(self) -> bool:
        """Whether it is the weak model's answer that leaves."""
        return self.role == "weak"

    @property
    def n_left(self) -> int:
        """Calls that the cap leaves."""
        return self.max_calls - sum(call.n_attempts for call in self.calls)

    @property
    def cost_usd(self) -> float | None:
        """What all calls cost together; unknown when one of them is, or when there was none."""
        costs = [0.0 if call.n_attempts == 0 else call.cost_usd for call in self.calls]
        if not costs or None in costs or self.recheck_cost_usd is None:
            return None
        return sum(cost for cost in costs if cost is not None) + self.recheck_cost_usd

    def leaves(self, role: Role, model: str, completion: Completion | None = None) -> None:
        """It is this model's answer that leaves."""
        self.role, self.answered_by, self.completion, self.failure = role, model, completion, None

    def held_back(self, *reasons: str) -> None:
        """No answer leaves, for these reasons beside those before."""
        self.role = self.answered_by = self.completion = None
        self.reasons = tuple(dict.fromkeys((*self.reasons, *reasons)))


async def ask(
    upstream: Upstream, body: Mapping[str, Any], tried: Attempt, *, most: int
) -> Completion | UpstreamFailure:
    """A whole answer in at most so many attempts; the call is on record, also where it broke or the client left."""
    with _OnRecord(upstream, tried) as made:
        answer = await upstream.complete(body, max_attempts=most)
        made.call = answer.call
        return answer
    return made.failed


async def open_stream(
    upstream: Upstream, body: Mapping[str, Any], tried: Attempt, *, most: int
) -> UpstreamStream | UpstreamFailure:
    """A stream whose first event is there. One that does not open is on record; one that does, its reader records."""
    with _OnRecord(upstream, tried) as made:
        stream = await upstream.open_stream(body, max_attempts=most)
        made.call = None
        return stream
    return made.failed


class _OnRecord:
    """Turns what a call raises into a failure, and puts the call on record. Lets only stops from outside through."""

    def __init__(self, upstream: Upstream, tried: Attempt) -> None:
        self._name, self._tried, self._started_s = upstream.name, tried, time.perf_counter()
        self.call: CallRecord | None = None
        self._failure: UpstreamFailure | None = None

    @property
    def failed(self) -> UpstreamFailure:
        """What it failed of; made here where the call broke, for most calls succeed."""
        return self._failure or UpstreamFailure(self._name, "error")

    def __enter__(self) -> "_OnRecord":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if error is None:
            self._add(self.call)
            return False
        if isinstance(error, UpstreamFailure):
            self._failure = error
            self._add(error.call)
            return True
        if isinstance(error, (Exception, SystemExit)):  # a broken upstream is a failed one
            LOG.error("Asking %s broke (%s).", self._name, type(error).__name__)
            self._add(self._record("error"))
            return True
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self._add(self._record("client_left"))
        return False

    def _record(self, outcome: str) -> CallRecord:
        latency_ms = (time.perf_counter() - self._started_s) * 1000
        return CallRecord(model=self._name, outcome=outcome, latency_ms=latency_ms)

    def _add(self, call: CallRecord | None) -> None:
        if call is not None:
            self._tried.calls = (*self._tried.calls, call)
