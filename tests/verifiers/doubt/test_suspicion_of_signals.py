import math

import numpy as np
import pytest

from core.records import Query, messages_of
from core.suspicion_stack import SIGNALS, StackedSignal, SuspicionStack
from verifiers.case import Case, Token
from verifiers.chain import CheckOutcome, CheckResult, Price, run_chain
from verifiers.doubt.asking import AskingFailed, Bill, Given
from verifiers.doubt.gauge import FunctionGauge, Sources, StackGauge, gather, length_signal, signals_of
from verifiers.doubt.second_model import SecondModelAgrees
from verifiers.doubt.suspicion import SuspicionIsLow


def stack_of(*names, missing_weight=None):
    signals = (StackedSignal(name=n, weight=1.0, center=0.0, spread=1.0, missing_weight=missing_weight) for n in names)
    return SuspicionStack(signals=tuple(signals), intercept=0.0)


def case_of(answer="The answer is 4.", tokens=(), **facts):
    return Case(query=Query(id="q", messages=messages_of("2 + 2?")), answer=answer, tokens=tokens, facts=facts)


def saying(text):
    return lambda messages, options: Given(text, 0.001)


def soft(check):
    return CheckResult(check=check, outcome=CheckOutcome.CANNOT_DECIDE, reason="excludes1")


@pytest.mark.parametrize(
    ("suspicion", "outcome", "reason"),
    [(0.3, "pass", "ok"), (0.30001, "fail", "suspicious"), (math.nan, "cannot_decide", "suspicion_unknown")],
)
def test_an_answer_passes_iff_its_suspicion_is_at_most_tau(suspicion, outcome, reason):
    result = SuspicionIsLow(tau=0.3, gauge=FunctionGauge(lambda case: suspicion)).judge(case_of())

    assert (result.outcome.value, result.reason) == (outcome, reason)
    assert result.suspicion == (None if math.isnan(suspicion) else suspicion)


@pytest.mark.parametrize("value", [1.5, -0.1, math.inf, None, "0.1", True])
def test_what_is_no_probability_is_not_a_small_suspicion(value):
    result = SuspicionIsLow(tau=1.0, gauge=FunctionGauge(lambda case: value)).judge(case_of())

    assert result.outcome is CheckOutcome.CANNOT_DECIDE


def test_without_a_gauge_nothing_passes():
    assert SuspicionIsLow(tau=1.0).judge(case_of()).reason == "no_gauge"


def test_only_signals_that_matter_are_asked_for():
    asked = []

    def second(messages, options):
        asked.append("second")
        return Given("4", 0.001)

    def weak(messages, options):
        asked.append("weak")
        return Given("4", 0.001)

    sources = Sources(weak=weak, n_samples=3, second=second, router=lambda case: 0.25)
    gauge = StackGauge(stack_of("second", "router"), sources)
    bill = Bill()
    gauge.measure(case_of(), [], bill)

    assert (asked, bill.calls, gauge.most_calls) == (["second"], 1, 1)
    assert StackGauge(stack_of("samples", "second"), sources).most_calls == 4
    assert not gauge.needs_tokens and StackGauge(stack_of("logprob_least"), sources).needs_tokens


def test_every_signal_lies_between_0_and_1_and_rises_with_doubt():
    tokens = (Token(text="The answer is 4.", logprob=math.log(0.25), runner_up=math.log(0.2)),)
    sources = Sources(
        router=lambda case: 0.25,
        classifier=lambda case: 0.75,
        weak=saying("5"),
        n_samples=2,
        second=saying("4"),
    )
    found = gather(case_of(tokens=tokens), sources, wanted=frozenset(SIGNALS) - {"soft_findings"}, bill=Bill())

    assert found == {
        "classifier": 0.75,
        "length": pytest.approx(math.log(5) / math.log(2001)),
        "logprob_least": pytest.approx(0.75),
        "logprob_margin": pytest.approx(0.95),
        "logprob_mean": pytest.approx(0.75),
        "router": 0.25,
        "samples": 1.0,
        "second": 0.0,
    }


def test_a_signal_without_a_source_is_missing_and_not_zero():
    found = gather(case_of(), Sources(), wanted=frozenset(SIGNALS) - {"length", "soft_findings"}, bill=Bill())

    assert len(found) == 7
    assert all(math.isnan(value) for value in found.values())


def test_a_signal_that_was_never_missing_in_the_fit_leaves_suspicion_unknown():
    check = SuspicionIsLow(tau=1.0, gauge=StackGauge(stack_of("second"), Sources()))

    assert check.judge(case_of()).reason == "suspicion_unknown"


def test_soft_findings_and_disagreement_are_read_off_the_chain():
    second = SecondModelAgrees(second=saying("5"), limit=1.0).judge(case_of())
    earlier = [soft("icd10cm.excludes1"), soft("icd10cm.age"), soft("doubt.logprobs"), second]

    assert signals_of(earlier) == {"soft_findings": 2 / 3, "second": 1.0}


def test_a_chain_asks_the_second_model_once_for_both_checks():
    asked = []

    def second(messages, options):
        asked.append(1)
        return Given("4", 0.001)

    gauge = StackGauge(stack_of("second"), Sources(second=second))
    verdict = run_chain([SecondModelAgrees(second=second), SuspicionIsLow(tau=0.5, gauge=gauge)], case_of())

    assert (verdict.outcome, len(asked), verdict.calls) == (CheckOutcome.PASS, 1, 1)


def test_a_failed_call_of_a_signal_is_an_error_with_its_calls():
    def broken(messages, options):
        raise AskingFailed("status_500")

    check = SuspicionIsLow(tau=1.0, gauge=StackGauge(stack_of("second"), Sources(second=broken)))
    result = check.judge(case_of())

    assert (result.outcome, result.reason, result.calls) == (CheckOutcome.ERROR, "asked_status_500", 1)


def test_length_grows_with_the_logarithm_of_the_words():
    assert length_signal("one two three") == pytest.approx(math.log(4) / math.log(2001))
    assert length_signal("word " * 5000) == 1.0


def test_it_runs_after_the_free_checks_and_before_the_judge():
    assert SuspicionIsLow().price is Price.CHEAP


def test_a_stack_is_the_same_after_a_journey_through_json():
    stack = stack_of("second", "router", missing_weight=0.5)
    again = SuspicionStack.model_validate_json(stack.model_dump_json())

    columns = {"second": np.array([0.1, np.nan]), "router": np.array([np.nan, 0.3])}
    assert again == stack
    assert again.apply(columns).tolist() == stack.apply(columns).tolist()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "second", "weight": -1.0}, "can only raise suspicion"),
        ({"name": "gut_feeling", "weight": 1.0}, "is no signal"),
        ({"name": "second", "weight": math.nan}, "finite"),
        ({"name": "second", "weight": 1.0, "spread": 0.0}, "greater than 0"),
    ],
)
def test_a_stack_that_contradicts_itself_is_refused(fields, why):
    with pytest.raises(ValueError, match=why):
        StackedSignal(**{"center": 0.0, "spread": 1.0, **fields})


def test_a_signal_stands_once():
    with pytest.raises(ValueError, match="stands twice"):
        stack_of("second", "second")


def test_length_may_lower_suspicion():
    assert StackedSignal(name="length", weight=-1.0, center=0.0, spread=1.0).weight == -1.0
