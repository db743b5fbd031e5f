import json

import pytest

from core.errors import SettingsError
from core.records import Query, Stakes, messages_of
from core.suspicion_stack import StackedSignal, SuspicionStack
from verifiers.case import Case
from verifiers.catalogue import make_check
from verifiers.chain import CheckOutcome, run_chain
from verifiers.doubt import CHECKS
from verifiers.doubt.asking import Given
from verifiers.doubt.gauge import Sources, StackGauge
from verifiers.doubt.rubric import CRITERIA


def case_of(stakes=Stakes.STANDARD):
    return Case(query=Query(id="q", messages=messages_of("2 + 2?"), stakes=stakes), answer="4")


def saying(text):
    return lambda messages, options: Given(text, 0.001)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_that_a_pack_names_is_made_without_anything_and_passes_nothing(name):
    check = make_check(name, {}, beside=None)

    assert check.id == name
    assert run_chain([check], case_of()).outcome is CheckOutcome.CANNOT_DECIDE


@pytest.mark.parametrize(
    ("name", "resource"),
    [("doubt.samples", "weak"), ("doubt.second_model", "reads_facts"), ("doubt.judge", "proof")],
)
def test_a_pack_cannot_hand_in_what_the_program_must(name, resource):
    with pytest.raises(SettingsError, match=f"has no option {resource}"):
        make_check(name, {resource: True}, beside=None)


def test_a_whole_chain_of_doubts_lets_an_agreed_answer_leave_and_counts_each_call_once():
    stack = SuspicionStack(
        signals=(
            StackedSignal(name="second", weight=1.0, center=0.0, spread=1.0),
            StackedSignal(name="samples", weight=1.0, center=0.0, spread=1.0),
        ),
        intercept=0.0,
    )
    second, weak = saying("It is 4"), saying("4")
    resources = {
        "second": second,
        "weak": weak,
        "judge": saying(json.dumps(dict.fromkeys(CRITERIA, True))),
        "gauge": StackGauge(stack, Sources(weak=weak, n_samples=2, second=second)),
    }
    options = {"doubt.samples": {"n_samples": 2}, "doubt.judge": {"band": [0.0, 0.5]}, "doubt.suspicion": {"tau": 0.3}}
    names = ("doubt.judge", "doubt.suspicion", "doubt.samples", "doubt.second_model")
    checks = [make_check(name, options.get(name, {}), beside=None, resources=resources) for name in names]

    verdict = run_chain(checks[::-1], case_of())

    assert {one.check: (one.outcome.value, one.calls) for one in verdict.results} == {
        "doubt.second_model": ("pass", 1),
        "doubt.samples": ("pass", 2),
        "doubt.suspicion": ("pass", 0),
        "doubt.judge": ("pass", 1),
    }
    assert verdict.cost_usd == pytest.approx(0.004)
