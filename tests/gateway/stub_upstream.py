"""Model endpoints in the process, and a routing loop around two of them."""

import asyncio
from datetime import UTC, datetime

from core.call_record import CallRecord
from core.records import Stakes
from gateway.api.replies import event_stream
from gateway.asking.upstream import Completion, Endpoint, UpstreamFailure
from gateway.attempts import Models
from gateway.deciding import FixedBundles
from gateway.loop import Guard, RoutingLoop
from tests.gateway.conftest import SAYS_CODE, FixedRouter, completion
from verifiers.assembling import Recheck
from verifiers.stakes.policy import StakesPolicy

MESSAGES = [{"role": "user", "content": "Code this."}]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class StubStream:
    """Gives its events one by one; an exception among them is raised, an `asyncio.Event` is waited for."""

    def __init__(self, model, events, cost_usd):
        self.model, self._events, self._cost_usd = model, list(events), cost_usd
        self.call = CallRecord(model=model, outcome="underway")
        self.is_closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        while self._events:
            event = self._events.pop(0)
            if isinstance(event, asyncio.Event):
                await event.wait()
            elif isinstance(event, BaseException):
                kind = event.kind if isinstance(event, UpstreamFailure) else "error"
                self.call = CallRecord(model=self.model, outcome=kind)
                raise event
            else:
                return event
        self.call = CallRecord(model=self.model, n_input=10, n_output=5, cost_usd=self._cost_usd, first_token_ms=1.0)
        raise StopAsyncIteration

    async def aclose(self):
        self.is_closed = True
        if self.call.outcome == "underway":
            self.call = CallRecord(model=self.model, outcome="client_left")


class StubUpstream:
    """Answers what it was given: a text, a completion, an exception, or several of them one after the other.

    `events` is what a stream of it holds; unset, the same answer as events. It remembers what it was asked.
    """

    def __init__(self, name, *results, events=None, cost_usd=0.25, endpoint=None, n_attempts=1):
        self.name, self.endpoint = name, endpoint or Endpoint(name=name, base_url="http://127.0.0.1:9/v1")
        self._results, self._events, self._cost_usd = list(results) or [f"right, says {name}"], events, cost_usd
        self._n_attempts = n_attempts
        self.asked, self.most, self.streams = [], [], []

    async def complete(self, body, *, max_attempts=None):
        result = self._next(body, max_attempts)
        call = CallRecord(model=self.name, n_attempts=self._n_attempts, cost_usd=self._cost_usd)
        return Completion(self.name, result, self._cost_usd, 1.0, call)

    async def open_stream(self, body, *, max_attempts=None):
        result = self._next(body, max_attempts)
        events = event_stream(result, include_usage=False) if self._events is None else self._events
        self.streams.append(StubStream(self.name, events, self._cost_usd))
        return self.streams[-1]

    async def aclose(self):
        pass

    def _next(self, body, most):
        self.asked.append(body)
        self.most.append(most)
        result = self._results.pop(0) if len(self._results) > 1 else self._results[0]
        if isinstance(result, UpstreamFailure):
            result.call = CallRecord(model=self.name, outcome=result.kind, n_attempts=self._n_attempts)
        if isinstance(result, BaseException):
            raise result
        return completion(result) if isinstance(result, str) else result


class Told(list):
    """A sink of decisions that keeps them in memory; `breaks` raises instead, as often as it is long."""

    def __init__(self, *, breaks=0):
        super().__init__()
        self.breaks = breaks

    async def record(self, decision):
        if self.breaks:
            self.breaks -= 1
            raise OSError("disk full")
        self.append(decision)


def loop_of(*, weak=None, strong=None, router=None, stakes=Stakes.HIGH, source=None, parts=None, **guard):
    """A routing loop without a network; what is not named is as healthy as can be."""
    models = Models(weak or StubUpstream("small"), strong or StubUpstream("large"))
    source = source or FixedBundles({"mf": FixedRouter() if router is None else router}, Recheck(SAYS_CODE))
    policy = stakes if isinstance(stakes, StakesPolicy) else StakesPolicy(default=stakes, domains={"law": stakes})
    return RoutingLoop(models=models, source=source, guard=Guard(stakes=policy, **guard), **(parts or {}))


def body_of(model="auto", **fields):
    return {"model": model, "messages": MESSAGES, **fields}


async def read(streamed):
    """The events of a stream to its end, and its final decision."""
    events = [event async for event in streamed.events]
    return events, await asyncio.wait_for(streamed.finished, 10)


def said(events):
    """The text that events say."""
    return "".join(choice["message"]["content"] or "" for choice in _completion(events)["choices"])


def _completion(events):
    from gateway.asking.stream_text import completion_of

    return completion_of(events)
