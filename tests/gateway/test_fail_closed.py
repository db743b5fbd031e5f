"""Whatever breaks, and however often: no high-stakes weak answer leaves unless every check passed it."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.call_record import CallRecord
from core.records import Stakes
from gateway.asking.upstream import Completion, Endpoint, UpstreamFailure
from gateway.attempts import Models
from gateway.deciding import FixedBundles
from gateway.loop import Guard, RoutingLoop, StrongFailed
from gateway.told import Told
from tests.gateway.conftest import FixedRouter, SaysCode, completion
from verifiers.assembling import Recheck
from verifiers.chain import CheckResult, Price
from verifiers.stakes.policy import StakesPolicy

ONE_LOOP = asyncio.Runner()
"""One event loop for all examples: 2,000 loops, each with threads of its own, cost more than what is tested."""

WRONG = ("wrong", "", None, [], 3, "Right")
BREAKS = (RuntimeError("x"), TimeoutError(), ValueError(), MemoryError(), KeyError("x"), RecursionError())
MALFORMED = (None, True, 1, float("nan"), "pass", {"outcome": "pass"})


class FakeUpstream:
    """An upstream in the process: raises or answers what it was given."""

    def __init__(self, name, result):
        self.name, self._result = name, result
        self.endpoint = Endpoint(name=name, base_url="http://127.0.0.1:9/v1")

    async def complete(self, body, *, max_attempts=None):
        if isinstance(self._result, BaseException):
            raise self._result
        return Completion(self.name, self._result, 0.0, 1.0, CallRecord(model=self.name, cost_usd=0.0))

    async def aclose(self):
        pass


class Injected:
    """A check that returns or raises what it was given."""

    id = "test.injected"
    price = Price.FREE

    def __init__(self, result):
        self._result = result

    def judge(self, case):
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def result_of(outcome, check="test.injected"):
    return CheckResult(check=check, outcome=outcome, reason="r")


routers = st.one_of(
    st.none(),
    st.builds(FixedRouter, st.sampled_from([*BREAKS, np.nan, np.inf, -1.0, 2.0, 0.0, 0.1, 0.9])),
    st.builds(FixedRouter, st.just(0.1), st.sampled_from([{"default": None}, {"law": 0.5}, {"default": np.nan}])),
)
texts = st.sampled_from(["right", *WRONG])
weak_replies = st.one_of(
    st.sampled_from(BREAKS),
    st.builds(UpstreamFailure, st.just("small"), st.sampled_from(["timeout", "status_500"])),
    st.builds(completion, texts),
    st.builds(
        lambda text, reason: completion("", choices=[{"message": {"content": text}, "finish_reason": reason}]),
        texts,
        st.sampled_from(["stop", "length", "tool_calls", "content_filter", None]),
    ),
    st.builds(lambda a, b: completion("", choices=[{"message": {"content": text}} for text in (a, b)]), texts, texts),
    st.sampled_from([{}, {"choices": None}, {"choices": [{}]}, {"choices": [{"message": None}]}, {"choices": []}]),
)
injected = st.one_of(
    st.sampled_from([*BREAKS, *MALFORMED]),
    st.sampled_from([result_of(outcome) for outcome in ("pass", "fail", "cannot_decide", "error")]),
    st.just(result_of("pass", "another")),
)
strong_replies = st.sampled_from([completion("strong"), UpstreamFailure("large", "timeout"), RuntimeError("x")])


@pytest.fixture(scope="module", autouse=True)
def _loop_is_closed():
    yield
    ONE_LOOP.close()


@settings(max_examples=2000, deadline=None)
@given(routers, weak_replies, st.lists(injected, max_size=2), strong_replies, st.sampled_from(["auto", "small"]))
def test_no_unverified_high_stakes_weak_answer_leaves(router, weak, results, strong, model):
    loop = RoutingLoop(
        models=Models(FakeUpstream("small", weak), FakeUpstream("large", strong)),
        source=FixedBundles({"mf": router}, Recheck((SaysCode(), *map(Injected, results)))),
        guard=Guard(stakes=StakesPolicy(default=Stakes.HIGH)),
    )

    async def answer():
        return await loop.answer({"model": model, "messages": [{"role": "user", "content": "Q"}]}, Told(stakes="low"))

    try:
        reply = ONE_LOOP.run(answer())
    except StrongFailed:
        return
    if reply.decision.answered_by == "small":
        assert reply.decision.verdict == "pass"
        assert all(
            choice["message"]["content"] == "right" and choice.get("finish_reason") in (None, "stop")
            for choice in reply.body["choices"]
        )
        assert all(isinstance(result, CheckResult) and result.outcome == "pass" for result in results)
    else:
        assert reply.text == "strong"


@pytest.mark.parametrize("stop", [asyncio.CancelledError, KeyboardInterrupt])
def test_a_stop_from_outside_is_not_swallowed(stop):
    loop = RoutingLoop(
        models=Models(FakeUpstream("small", stop()), FakeUpstream("large", completion("strong"))),
        source=FixedBundles({"mf": FixedRouter()}),
    )

    with pytest.raises(stop):
        asyncio.run(loop.answer({"model": "auto", "messages": [{"role": "user", "content": "Q"}]}))
