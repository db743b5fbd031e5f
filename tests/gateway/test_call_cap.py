"""How often the two models may be asked for one request, and that every call is on record with what it cost."""

import pytest

from core.records import Stakes
from gateway.asking.upstream import UpstreamFailure
from gateway.loop import StrongFailed
from tests.gateway.conftest import FixedRouter, SaysCode
from tests.gateway.stub_upstream import StubUpstream, Told, body_of, loop_of

pytestmark = pytest.mark.anyio


class ReadsTokens(SaysCode):
    """The same check, which also wants log-probabilities."""

    needs_tokens = True


def recheck_that_reads_tokens():
    from gateway.deciding import FixedBundles
    from verifiers.assembling import Recheck

    return FixedBundles({"mf": FixedRouter()}, Recheck((ReadsTokens(),)))


async def test_the_weak_model_may_use_all_attempts_but_one_and_the_strong_model_what_is_left():
    weak, strong = StubUpstream("small", "wrong", n_attempts=1), StubUpstream("large")

    await loop_of(weak=weak, strong=strong, max_calls=4).answer(body_of())

    assert (weak.most, strong.most) == ([3], [3])


async def test_a_weak_stream_leaves_a_call_to_the_strong_model_too():
    weak = StubUpstream("small", UpstreamFailure("small", "status_503", status=503), n_attempts=2)
    strong = StubUpstream("large")

    answer = await loop_of(weak=weak, strong=strong, stakes=Stakes.LOW).answer(body_of(stream=True))
    await answer.events.aclose()

    assert (weak.most, strong.most) == ([2], [1])


async def test_attempts_of_the_weak_model_count_and_one_call_always_remains():
    weak = StubUpstream("small", UpstreamFailure("small", "status_503", status=503), n_attempts=2)
    strong = StubUpstream("large")

    reply = await loop_of(weak=weak, strong=strong).answer(body_of())

    assert (weak.most, strong.most) == ([2], [1])
    assert [(call.model, call.n_attempts) for call in reply.decision.calls] == [("small", 2), ("large", 1)]


async def test_a_call_that_an_open_circuit_turned_away_takes_nothing_and_costs_nothing():
    weak = StubUpstream("small", UpstreamFailure("small", "circuit_open"), n_attempts=0)
    strong = StubUpstream("large")

    reply = await loop_of(weak=weak, strong=strong).answer(body_of())

    assert strong.most == [3]
    assert (reply.decision.reasons, reply.decision.cost_usd) == (("weak_circuit_open",), 0.25)


@pytest.mark.parametrize("model", ["auto", "small"])
async def test_a_cap_of_one_call_leaves_it_to_the_strong_model(model):
    weak = StubUpstream("small")

    reply = await loop_of(weak=weak, max_calls=1, stakes=Stakes.LOW).answer(body_of(model))

    assert (reply.decision.answered_by, reply.decision.reasons, weak.asked) == ("large", ("call_cap",), [])


async def test_costs_are_summed_from_the_calls_and_one_that_is_not_known_makes_the_sum_unknown():
    both = await loop_of(weak=StubUpstream("small", "wrong", cost_usd=0.5)).answer(body_of())
    unknown = await loop_of(weak=StubUpstream("small", "wrong", cost_usd=None)).answer(body_of())

    assert both.decision.cost_usd == 0.75
    assert [call.cost_usd for call in both.decision.calls] == [0.5, 0.25]
    assert unknown.decision.cost_usd is None


async def test_a_failed_strong_call_is_on_record_beside_the_weak_one_that_was_held_back():
    strong, log = StubUpstream("large", RuntimeError("x")), Told()

    with pytest.raises(StrongFailed):
        await loop_of(weak=StubUpstream("small", "wrong"), strong=strong, parts={"decisions": log}).answer(body_of())

    (decision,) = log
    assert [(call.model, call.outcome) for call in decision.calls] == [("small", "ok"), ("large", "error")]
    assert (decision.answered_by, decision.verdict) == (None, "fail")
    assert decision.reasons == ("test.says:not_right", "strong_error")


@pytest.mark.parametrize(("max_calls", "n_weak"), [(3, 2), (2, 1)])
async def test_log_probabilities_that_are_refused_are_asked_for_again_only_within_the_cap(max_calls, n_weak):
    refusal = UpstreamFailure("small", "status_400", status=400)
    weak, strong = StubUpstream("small", refusal, "right"), StubUpstream("large")

    reply = await loop_of(weak=weak, strong=strong, source=recheck_that_reads_tokens(), max_calls=max_calls).answer(
        body_of()
    )

    assert len(weak.asked) == n_weak
    assert reply.decision.answered_by == ("small" if n_weak == 2 else "large")


async def test_a_strong_answer_after_a_weak_one_that_could_not_be_recorded_stays_within_the_cap():
    weak, strong, log = StubUpstream("small", n_attempts=2), StubUpstream("large"), Told(breaks=1)

    reply = await loop_of(weak=weak, strong=strong, parts={"decisions": log}).answer(body_of())

    assert strong.most == [1]
    assert (reply.decision.answered_by, [one.id for one in log]) == ("large", [reply.decision.id])
