"""Whatever models say or break, no check of this folder passes an answer on what it could not read."""

import json
import math
import random

import pytest

from core.records import Query, Stakes, messages_of
from core.suspicion_stack import StackedSignal, SuspicionStack
from verifiers.case import Case
from verifiers.chain import CheckOutcome, run_chain
from verifiers.doubt.asking import AskingFailed, Given
from verifiers.doubt.gauge import FunctionGauge, Sources, StackGauge
from verifiers.doubt.judge import JudgeAccepts
from verifiers.doubt.rubric import CRITERIA
from verifiers.doubt.samples import SelfAgreement
from verifiers.doubt.second_model import SecondModelAgrees
from verifiers.doubt.suspicion import SuspicionIsLow

N = 2000
STACK = SuspicionStack(
    signals=(StackedSignal(name="second", weight=1.0, center=0.0, spread=1.0),), intercept=-20.0
)  # so sure of every answer that only a missing signal can stop it

FAULTS = [
    TimeoutError,
    ConnectionResetError,
    MemoryError,
    RecursionError,
    UnicodeDecodeError,
    lambda: AskingFailed("status_503"),
    lambda: ValueError(float("nan")),
    None,
    math.nan,
    "",
    b"4",
    {"text": "4"},
    Given(None),
    Given(4),
    Given("4", math.nan),
    Given("4", math.inf),
    Given("4", "0.1"),
    Given("4", is_cut=True),
]


def breaking(fault):
    def ask(messages, options):
        if fault is UnicodeDecodeError:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "secret")
        made = fault() if callable(fault) else fault
        if isinstance(made, BaseException):
            raise made
        return made

    return ask


def broken_checks(fault):
    ask = breaking(fault)
    return [
        SelfAgreement(n_samples=2, limit=1.0, weak=ask),
        SecondModelAgrees(limit=1.0, second=ask),
        SuspicionIsLow(tau=1.0, gauge=StackGauge(STACK, Sources(second=ask))),
        SuspicionIsLow(tau=1.0, gauge=FunctionGauge(lambda case: ask((), {}))),
        JudgeAccepts(judge=ask),
        JudgeAccepts(band=(0.5, 0.9), judge=ask, gauge=StackGauge(STACK, Sources(second=ask))),
    ]


@pytest.mark.parametrize("stakes", [Stakes.STANDARD, Stakes.HIGH])
def test_no_fault_of_a_model_passes_an_answer(stakes):
    rng = random.Random(0)
    case = Case(query=Query(id="q", messages=messages_of("2 + 2?"), stakes=stakes), answer="4")
    passed = []
    for _ in range(N // 6):
        fault = rng.choice(FAULTS)
        for check in broken_checks(fault):
            verdict = run_chain([check], case)
            if verdict.outcome is CheckOutcome.PASS:
                passed.append((check.id, fault))

    assert passed == []


def test_a_model_that_answers_rightly_passes_through_the_same_checks():
    case = Case(query=Query(id="q", messages=messages_of("2 + 2?"), stakes=Stakes.STANDARD), answer="4")

    outcomes = [run_chain([check], case).outcome for check in broken_checks(Given("4", 0.0))]

    # The function's gauge is no number, and a judge that says 4 is not read.
    assert [one.value for one in outcomes] == ["pass", "pass", "pass", "cannot_decide", "cannot_decide", "pass"]


def test_mangled_verdicts_of_a_judge_never_pass():
    rng = random.Random(1)
    fine = json.dumps(dict.fromkeys(CRITERIA, True))
    case = Case(query=Query(id="q", messages=messages_of("2 + 2?"), stakes=Stakes.STANDARD), answer="4")
    passed = []
    for _ in range(N):
        place = rng.randrange(len(fine))
        how = rng.randrange(3)
        mangled = fine[:place] + ("" if how == 0 else rng.choice('{}[]":,x0 ') if how == 1 else fine[place] * 2)
        mangled += fine[place + 1 :]
        if _says_the_same(mangled, fine):
            continue
        if JudgeAccepts(judge=breaking(Given(mangled, 0.0))).judge(case).outcome is CheckOutcome.PASS:
            passed.append(mangled)

    assert passed == []


def _says_the_same(mangled, fine):
    """White space may come and go between the parts of a JSON object."""
    try:
        return json.loads(mangled) == json.loads(fine) and mangled.count('"') == fine.count('"')
    except ValueError:
        return False
