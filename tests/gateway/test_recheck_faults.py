"""Faults, one stage at a time, in a gateway whose every other stage would let the weak answer leave.

The stages: stakes policy, router, the bundle's classifier and its threshold, the weak model, checks of each price, the
models that checks ask, the stack of signals, the judge, and the store of decisions.
"""

import asyncio
import copy
import random
import time
from collections import Counter

import numpy as np
import pytest

from core.judge_proof import JudgeProof, StratumProof
from core.records import Stakes
from gateway.asking.upstream import UpstreamFailure
from gateway.attempts import Models
from gateway.deciding import FixedBundles
from gateway.loop import Guard, RoutingLoop, StrongFailed
from gateway.parts import InThread
from tests.gateway.conftest import FixedRouter, SaysCode, completion
from tests.gateway.test_fail_closed import FakeUpstream
from verifiers.assembling import Recheck
from verifiers.chain import CheckResult, Limits, Price
from verifiers.doubt.asking import Given
from verifiers.doubt.gauge import FunctionGauge
from verifiers.doubt.judge import JudgeAccepts
from verifiers.doubt.samples import SelfAgreement
from verifiers.doubt.second_model import SecondModelAgrees
from verifiers.doubt.suspicion import SuspicionIsLow
from verifiers.stakes.policy import StakesPolicy

RAISED = (
    *(ValueError("x"), TimeoutError(), KeyError("x"), OSError(), MemoryError(), RecursionError(), StopIteration()),
    *(SystemExit(1), GeneratorExit(), asyncio.CancelledError(), UnicodeDecodeError("utf-8", b"", 0, 1, "x")),
)
LATE = "late"
NOT_NUMBERS = (None, "0.1", [], [0.1, 0.1], {"p": 0.1}, np.nan, np.inf, -np.inf, -0.1, 1.1, object())
NO_RESULTS = (None, True, 1, float("nan"), "pass", {"outcome": "pass"}, object(), [])
NO_COMPLETIONS = (
    {},
    {"choices": None},
    {"choices": [{}]},
    {"choices": [{"message": None}]},
    {"choices": []},
    None,
    "x",
)
NO_REPLIES = (None, "right", 3, Given(""), Given("right", cost_usd=float("nan")), Given(None), object(), b"right")
NO_GRADES = (
    "",
    "pass",
    "{",
    "{}",
    "[true]",
    '{"is_correct": true}',
    '{"is_correct": "yes"}',
    "NaN",
    "null",
    "ok " * 999,
)
LIMITS = Limits(check_timeout_s=0.25, timeouts_s={})
BROKEN_OFF = (SystemExit, GeneratorExit, asyncio.CancelledError)


def act(fault, *, healthy=None):
    """Raise the fault, be late, or return it."""
    if isinstance(fault, BaseException):
        raise copy.copy(fault)
    if fault is LATE:
        time.sleep(0.3)
        return healthy
    return fault


class Router(FixedRouter):
    """A bundle with a classifier of weak answers; its faults are injected."""

    def __init__(self, faults):
        super().__init__(0.1)
        self.faults = faults

    def probabilities(self, texts, strata=()):
        return act(self.faults["router"]) if "router" in self.faults else np.full(len(texts), 0.1)

    def tau(self, stratum):
        return act(self.faults["tau"]) if "tau" in self.faults else 0.5

    def suspicions(self, pairs):
        fault = self.faults.get("suspicions", 0.2)
        return [act(fault)] if not isinstance(fault, list) else fault


class Injected:
    """A check of some price that does what it was told."""

    def __init__(self, price, faults):
        self.id, self.price, self._faults = f"test.{price}", price, faults

    def judge(self, case):
        passed = CheckResult(check=self.id, outcome="pass", reason="ok")
        return act(self._faults[self.id], healthy=passed) if self.id in self._faults else passed


class Policy:
    """A policy that says low of every request, and whose rules break as injected."""

    def __init__(self, fault):
        self._fault, self._whole = fault, StakesPolicy(default=Stakes.LOW)

    @property
    def rules(self):
        return act(self._fault)

    def __getattr__(self, name):
        return getattr(self._whole, name)


class Sink:
    """A store that takes decisions, or does not."""

    def __init__(self, faults):
        self._faults, self.n_taken = faults, 0

    def record(self, decision):
        if "sink" in self._faults:
            act(self._faults["sink"])
        self.n_taken += 1


def ask_of(name, faults, healthy):
    def ask(messages, options):
        return act(faults[name], healthy=healthy) if name in faults else healthy

    return ask


def forged(check, **fields):
    told = {"check": check, "outcome": "pass", "reason": "ok", "evidence": {}, "suspicion": None}
    return CheckResult.model_construct(**(told | {"calls": 0, "cost_usd": 0.0, "elapsed_ms": None} | fields))


def results_for(check):
    """Whatever a check may return that is no pass of its own."""
    other = [CheckResult(check=check, outcome=outcome, reason="r") for outcome in ("fail", "cannot_decide", "error")]
    return (
        *(*RAISED, *NO_RESULTS, *other, CheckResult(check="another", outcome="pass", reason="ok")),
        *(forged(check, suspicion=np.nan), forged(check, outcome="Pass"), forged(check, outcome="not_run")),
        *(forged(check, cost_usd=np.inf), forged(check, calls=-1), forged(check, evidence={"x": np.nan})),
    )


GRADES = '{"answers_the_query": true, "is_correct": true, "invents_nothing": true, "is_safe_to_act_on": true}'
STAGES = {
    "router": (*RAISED, *NOT_NUMBERS),
    "tau": tuple(fault for fault in (*RAISED, "x", np.nan, -0.1, [], object())),
    "suspicions": (*RAISED, *NOT_NUMBERS[2:5], None, "x", np.nan, np.inf, -0.1, 1.1, [0.1, 0.1], object()),
    "weak": (
        *(*RAISED[:7], SystemExit(1), UpstreamFailure("small", "timeout"), UpstreamFailure("small", "malformed_reply")),
        *NO_COMPLETIONS,
        *(completion(text) for text in ("wrong", "", None, 3, ["right"])),
        *(
            completion("", choices=[{"message": {"content": "right"}, "finish_reason": reason}])
            for reason in ("length", "tool_calls", "content_filter", 3)
        ),
        completion("", choices=[{"message": {"content": text}} for text in ("right", "wrong")]),
    ),
    **{f"test.{price}": results_for(f"test.{price}") for price in Price},
    "second": (*RAISED, *NO_REPLIES, Given("another thing")),
    "samples": (*RAISED, *NO_REPLIES, Given("another thing")),
    "judge": (*RAISED, *NO_REPLIES, *map(Given, NO_GRADES), Given(GRADES.replace("true", "false", 1))),
    "gauge": (*RAISED, None, [], np.nan, np.inf, -0.1, 1.1, 0.9, object()),
    "policy": (*RAISED, None, 3, [object()], LATE),
    "sink": RAISED,
}
"""What is injected where."""


def proof_of(stratum):
    counts = {"n": 200, "n_undecided": 0, "n_bad": 100, "n_caught": 100, "n_good": 100, "n_cleared": 100}
    return StratumProof(stratum=stratum, **counts, sensitivity_low=0.97, specificity_low=0.97)


PROOF = JudgeProof(judge="grader", task_sha256=JudgeAccepts().task_sha256, strata=(proof_of("general/high"),))


def loop_with(faults, sink, stakes=Stakes.HIGH):
    asks = {name: ask_of(name, faults, Given("right")) for name in ("second", "samples")}
    judge = ask_of("judge", faults, Given(GRADES))
    gauge = FunctionGauge(lambda case: act(faults["gauge"]) if "gauge" in faults else 0.1)
    checks = (
        *(SaysCode(), *(Injected(price, faults) for price in Price)),
        SecondModelAgrees(second=asks["second"]),
        SelfAgreement(weak=asks["samples"], n_samples=2),
        SuspicionIsLow(gauge=gauge),
        JudgeAccepts(judge=judge, judge_name="grader", proof=PROOF),
    )
    weak = faults.get("weak", completion("right"))
    policy = StakesPolicy(default=stakes)
    if "policy" in faults:
        policy = Policy(faults["policy"])
        weak = completion("wrong")
    return RoutingLoop(
        models=Models(FakeUpstream("small", weak), FakeUpstream("large", completion("strong"))),
        source=FixedBundles({"mf": Router(faults)}, Recheck(checks, LIMITS)),
        guard=Guard(policy, *(0.25,) * 3),
        decisions=InThread(sink),
    )


async def answered_by(faults, stakes=Stakes.HIGH):
    loop = loop_with(faults, Sink(faults), stakes)
    try:
        reply = await loop.answer({"model": "auto", "messages": [{"role": "user", "content": "Q"}]})
    except StrongFailed as failed:
        return failed.decision.answered_by
    return reply.decision.answered_by


@pytest.mark.parametrize(
    ("stakes", "expected"), [(Stakes.STANDARD, "small"), (Stakes.HIGH, "small"), (Stakes.CRITICAL, "large")]
)
def test_without_a_fault_the_weak_answer_leaves_except_at_critical_stakes(stakes, expected):
    assert asyncio.run(answered_by({}, stakes)) == expected


def accepted(n_faults, stakes, seed):
    """How often the weak answer left, by stage, of so many seeded faults."""
    rng = random.Random(seed)
    left = Counter()

    async def run():
        for number in range(n_faults):
            stage = list(STAGES)[number % len(STAGES)]
            fault = LATE if rng.random() < 0.002 and stage not in ("weak", "tau") else rng.choice(STAGES[stage])
            if await answered_by({stage: fault}, stakes) != "large":
                left[f"{stage}: {fault!r:.60}"] += 1

    asyncio.run(run())
    return left


@pytest.mark.slow
def test_of_ten_thousand_faults_none_lets_a_high_stakes_weak_answer_leave():
    assert accepted(10_000, Stakes.HIGH, seed=1) == {}


def test_of_a_thousand_faults_none_lets_a_high_stakes_weak_answer_leave():
    assert accepted(1_000, Stakes.HIGH, seed=3) == {}


def test_no_fault_lets_a_critical_weak_answer_leave():
    assert accepted(1_000, Stakes.CRITICAL, seed=2) == {}
