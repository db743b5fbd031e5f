"""What keeps a request from the weak model before any model is asked, and in which order."""

import asyncio

import pytest

from core.records import Stakes
from gateway.asking.upstream import Endpoint
from gateway.bundles.rechecks import NoRecheck
from gateway.deciding import Deciding, FixedBundles
from gateway.told import Told as Beside
from tests.gateway.conftest import SAYS_CODE, FixedRouter
from tests.gateway.stub_upstream import StubUpstream, Told, body_of, loop_of
from verifiers.assembling import Recheck

pytestmark = pytest.mark.anyio

TURNS = [
    {"role": "user", "content": "Code this."},
    {"role": "assistant", "content": "J45"},
    {"role": "user", "content": "Sure?"},
]


class Source(FixedBundles):
    """Decides with one bundle, and says what it was given to say."""

    def __init__(self, *, deciding=None, is_stopped=False, router=None, checks=SAYS_CODE):
        super().__init__({"mf": FixedRouter() if router is None else router}, Recheck(tuple(checks)), ("law",))
        self._says, self._is_stopped, self.asked = deciding, is_stopped, []

    def deciding(self, router, domain, *, lot):
        self.asked.append((router, domain, lot))
        if isinstance(self._says, Exception):
            raise self._says
        return super().deciding(router, domain, lot=lot) if self._says is None else self._says

    def stopped(self, domain):
        if isinstance(self._is_stopped, Exception):
            raise self._is_stopped
        return domain in self._is_stopped if isinstance(self._is_stopped, tuple) else self._is_stopped


async def decided(body=None, told=None, **options):
    weak = StubUpstream("small")
    reply = await loop_of(weak=weak, **options).answer(body or body_of(), told or Beside())
    assert (weak.asked == []) == (reply.decision.answered_by == "large")
    return reply.decision.answered_by, reply.decision.reasons


@pytest.mark.parametrize("stakes", [Stakes.LOW, Stakes.HIGH])
@pytest.mark.parametrize("model", ["auto", "router-mf-1.0", "auto:law", "small"])
async def test_the_stop_switch_keeps_every_weak_answer_back_also_one_asked_for_by_name(model, stakes):
    assert await decided(body_of(model), source=Source(is_stopped=True), stakes=stakes) == ("large", ("stopped",))


async def test_the_stop_switch_of_a_domain_stops_no_other():
    source = Source(is_stopped=("law",))

    assert (await decided(body_of("auto:law"), source=source))[1] == ("stopped",)
    assert (await decided(body_of("auto"), source=source))[0] == "small"


async def test_the_strong_model_asked_for_by_its_name_has_that_reason_whatever_is_stopped():
    assert await decided(body_of("large"), source=Source(is_stopped=True)) == ("large", ("asked_by_name",))


@pytest.mark.parametrize(
    "broken",
    [
        {"deciding": RuntimeError("x")},
        {"deciding": "a bundle"},
        {"deciding": Deciding(FixedRouter(), None)},
        {"is_stopped": RuntimeError("x")},
        {"is_stopped": None},
        {"is_stopped": 0},
    ],
)
@pytest.mark.parametrize("model", ["auto", "small"])
async def test_a_source_that_cannot_tell_leaves_it_to_the_strong_model(broken, model):
    found = await decided(body_of(model), source=Source(**broken), stakes=Stakes.LOW)

    assert found == ("large", ("source_error",))


@pytest.mark.parametrize(("stakes", "answered"), [(Stakes.LOW, "small"), (Stakes.HIGH, "large")])
async def test_without_its_recheck_only_what_needs_none_goes_to_the_weak_model(stakes, answered):
    deciding = Deciding(FixedRouter(), Recheck((NoRecheck("recheck_loading"),)))

    found = await decided(source=Source(deciding=deciding), stakes=stakes)

    assert found == (answered, () if answered == "small" else ("recheck_loading",))


async def test_the_fault_of_a_bundle_is_the_reason():
    deciding = Deciding(None, Recheck(SAYS_CODE), "bundle_expired")

    assert await decided(source=Source(deciding=deciding)) == ("large", ("bundle_expired",))


async def test_the_arm_that_decided_is_on_record_and_a_conversation_keeps_its_lot():
    source, log = Source(deciding=Deciding(FixedRouter(), Recheck(SAYS_CODE), arm="canary")), Told()
    loop = loop_of(source=source, parts={"decisions": log})
    await loop.answer(body_of())
    await loop.answer(body_of() | {"messages": TURNS})
    await loop.answer(body_of("small"))

    assert [decision.arm for decision in log] == ["canary", "canary", "champion"]  # no bundle decided the last one
    lots = {lot for _, _, lot in source.asked}
    assert len(lots) == 1
    assert 0 <= lots.pop() < 1
    assert len({decision.conversation_sha256 for decision in log}) == 1


def small_window():
    return StubUpstream("small", endpoint=Endpoint(name="small", base_url="http://127.0.0.1:9/v1", context_window=100))


@pytest.mark.parametrize("model", ["auto", "small"])
async def test_what_may_not_fit_into_the_weak_model_goes_to_the_strong_one(model):
    long = body_of(model) | {"messages": [{"role": "user", "content": "Code this. " * 100}]}

    reply = await loop_of(weak=small_window(), stakes=Stakes.LOW).answer(long)

    assert (reply.decision.answered_by, reply.decision.reasons) == ("large", ("weak_context_window",))


TOOLS = [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("choice", "answered"),
    [
        ({"tool_choice": "required"}, "large"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "large"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": TOOLS}}}, "large"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": TOOLS}}}, "small"),
        ({"function_call": {"name": "f"}}, "large"),
        ({"tool_choice": "auto"}, "small"),
        ({"tool_choice": "none"}, "small"),
        ({}, "small"),
    ],
)
async def test_a_forced_tool_call_goes_straight_to_the_strong_model_at_high_stakes(choice, answered):
    body = body_of(tools=TOOLS, **choice)

    assert (await decided(body))[0] == answered
    assert (await decided(body, stakes=Stakes.LOW))[0] == "small"


async def test_rules_of_stakes_read_what_is_told_of_tools():
    from verifiers.stakes.policy import StakesPolicy, rules_of

    rule = {"id": "fin.pay", "owner": "risk", "when": {"words": ["wire transfer"]}, "tier": "critical"}
    policy = StakesPolicy(default=Stakes.LOW, rules=rules_of({"rules": [rule]}, where="here").rules)
    tools = [{"type": "function", "function": {"name": "pay", "description": "Makes a wire transfer."}}]

    assert (await decided(body_of(), stakes=policy))[0] == "small"
    assert await decided(body_of(tools=tools), stakes=policy) == ("large", ("critical",))


@pytest.mark.parametrize(
    ("least", "expected", "rules"),
    [
        ("critical", Stakes.CRITICAL, ("policy.key", "policy.default")),
        ("high", Stakes.HIGH, ("policy.key", "policy.default")),
        ("low", Stakes.LOW, ("policy.default", "policy.key")),
        ("nobody defined this", Stakes.HIGH, ("policy.key", "policy.default")),
    ],
)
async def test_a_key_may_raise_the_stakes_of_all_it_asks_and_never_lower_them(least, expected, rules):
    told = Beside(least_stakes=least)

    low = (await loop_of(stakes=Stakes.LOW).answer(body_of(), told)).decision
    high = (await loop_of(stakes=Stakes.HIGH).answer(body_of(), told)).decision

    assert (low.stakes, low.rules) == (expected, rules)
    assert high.stakes >= Stakes.HIGH


async def test_who_asked_and_for_what_task_is_on_record_as_hashes():
    log = Told()
    loop = loop_of(parts={"decisions": log})
    for key, task in (("key-1", "claim 7"), ("key-1", "claim 7"), ("key-2", "claim 7"), ("key-1", None)):
        await loop.answer(body_of(), Beside(task=task, key_id=key))

    assert [decision.key_id for decision in log] == ["key-1", "key-1", "key-2", "key-1"]
    first, again, other_key, none = (decision.task_sha256 for decision in log)
    assert (first == again, first != other_key, none, len(first)) == (True, True, None, 64)
    assert "claim" not in str(log)


async def test_deciding_alone_asks_nobody_and_records_nothing():
    weak, strong, log = StubUpstream("small"), StubUpstream("large"), Told()
    loop = loop_of(
        weak=weak, strong=strong, router=FixedRouter(0.9), parts={"decisions": log, "observers": [log.append]}
    )

    decision = await loop.decide(body_of("router-mf-0.95"))
    to_strong = await loop.decide(body_of())

    assert (weak.asked, strong.asked, log) == ([], [], [])
    assert (decision.reasons, decision.answered_by, decision.verdict) == ((), None, None)
    assert (decision.probability, decision.threshold, to_strong.reasons) == (0.9, 0.95, ("above_threshold",))


class HangingScorer:
    """Never answers."""

    async def probability(self, bundle, text, stratum, timeout_s):
        await asyncio.Event().wait()


class SaysScorer:
    """Says or raises one thing."""

    def __init__(self, *, says):
        self.says = says

    async def probability(self, bundle, text, stratum, timeout_s):
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says


@pytest.mark.parametrize(
    ("scorer", "reason"),
    [
        (HangingScorer(), "router_timeout"),
        (SaysScorer(says=None), "router_timeout"),
        (SaysScorer(says=float("nan")), "probability_not_in_0_1"),
        (SaysScorer(says=1.5), "probability_not_in_0_1"),
        (SaysScorer(says=False), "probability_not_in_0_1"),
        (SaysScorer(says="0.1"), "probability_not_in_0_1"),
        (SaysScorer(says=RuntimeError("x")), "router_error"),
        (SaysScorer(says=SystemExit(1)), "router_error"),
        (SaysScorer(says=asyncio.CancelledError()), "router_error"),
    ],
)
async def test_a_scorer_that_says_no_probability_leaves_it_to_the_strong_model(scorer, reason):
    found = await decided(parts={"scorer": scorer}, stakes=Stakes.LOW, router_timeout_s=0.05)

    assert found == ("large", (reason,))


async def test_a_scorer_scores_for_the_loop():
    assert (await decided(parts={"scorer": SaysScorer(says=0.1)}))[0] == "small"
    assert await decided(parts={"scorer": SaysScorer(says=0.9)}) == ("large", ("above_threshold",))
