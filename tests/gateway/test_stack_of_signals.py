"""The stack of signals that settings name: it is asked, it decides, and it counts in what a certificate is bound to."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.errors import DataError
from core.model_settings import ModelSettings
from core.records import Query, messages_of
from core.suspicion_stack import StackedSignal, SuspicionStack
from core.verifier_settings import VerifierSettings
from gateway.wiring import _gauge_of
from verifiers.assembling import recheck_of, verifier_policy
from verifiers.case import Case
from verifiers.chain import CheckOutcome
from verifiers.doubt.asking import Bill


def stack_of(*names, intercept=0.0):
    signals = tuple(StackedSignal(name=name, weight=1.0, center=0.0, spread=1.0) for name in names)
    return SuspicionStack(signals=signals, intercept=intercept)


@pytest.fixture
def settings(tmp_path):
    def make(stack, **more):
        path = tmp_path / "stack.json"
        path.write_text(stack.model_dump_json())
        return VerifierSettings(pack="finance", stack=path, stack_tau=0.4, **more)

    return make


def case_of(**facts):
    return Case(query=Query(id="q", messages=messages_of("2 + 2?")), answer="4", facts=facts)


def last_check(verifiers, bundle=None, **resources):
    gauge = _gauge_of(bundle, verifiers, resources)
    checks = recheck_of(verifiers, resources={**resources, "gauge": gauge}).checks
    return next(check for check in checks if check.id == "doubt.suspicion")


@pytest.mark.parametrize(("second", "outcome"), [("4", CheckOutcome.PASS), ("5", CheckOutcome.FAIL)])
def test_a_stack_that_settings_name_decides_by_its_tau(settings, second, outcome):
    check = last_check(settings(stack_of("second")), reads_facts=True)

    assert check.judge(case_of(second_answer=second)).outcome is outcome


def test_router_and_classifier_of_the_bundle_are_signals(settings):
    bundle = SimpleNamespace(
        suspicion=object(),
        suspicions=lambda pairs: np.full(len(pairs), 0.25),
        probabilities=lambda texts: np.full(len(texts), 0.75),
    )
    gauge = _gauge_of(bundle, settings(stack_of("router", "classifier")), {})

    measured = gauge.measure(case_of(), [], Bill())

    assert measured.evidence == {"router": 0.75, "classifier": 0.25}
    assert measured.suspicion == pytest.approx(0.5)


def test_a_bundle_without_a_classifier_leaves_its_signal_missing_and_passes_nothing(settings):
    bundle = SimpleNamespace(suspicion=None, probabilities=lambda texts: np.zeros(len(texts)))
    check = last_check(settings(stack_of("classifier", intercept=-20.0)), bundle)

    assert check.judge(case_of()).reason == "suspicion_unknown"


def test_another_stack_is_another_policy(settings):
    one = verifier_policy(settings(stack_of("second")))
    other = verifier_policy(settings(stack_of("second", intercept=-1.0)))

    assert one["stack"] == other["stack"]
    assert one["files_sha256"]["stack"] != other["files_sha256"]["stack"]


def test_a_stack_that_is_not_there_stops_the_start(settings):
    verifiers = settings(stack_of("second")).model_copy(update={"stack": Path("gone.json")})

    with pytest.raises(DataError, match=r"gone\.json"):
        _gauge_of(None, verifiers, {})


def test_the_judge_is_asked_from_the_suspicion_that_settings_say(settings):
    judge = ModelSettings(name="sage", base_url="http://127.0.0.1:9/v1")
    verifiers = settings(stack_of("second"), judge=judge, judge_from=0.1)
    gauge = _gauge_of(None, verifiers, {"reads_facts": True})

    checks = recheck_of(verifiers, resources={"gauge": gauge, "reads_facts": True}).checks
    asked = next(check for check in checks if check.id == "doubt.judge")

    assert asked.judge(case_of(second_answer="4")).reason == "not_suspicious"
    assert asked.judge(case_of(second_answer="5")).reason == "no_judge"
