import math

import pytest

from core.endpoint import Endpoint
from core.errors import SettingsError
from tests.verifiers.doubt.endpoint_server import Model, listening
from verifiers.chain import CheckOutcome, Limits, run_chain
from verifiers.doubt.asking import Given
from verifiers.doubt.endpoint_ask import EndpointAsk
from verifiers.doubt.samples import SelfAgreement
from verifiers.doubt.second_model import SecondModelAgrees

FOUR = "The answer is 4."


def saying(*texts, cost_usd=0.001):
    """An Ask that gives these texts in turn."""
    left = list(texts)
    return lambda messages, options: Given(left.pop(0), cost_usd)


def endpoint(url, **more):
    return Endpoint("m", url, usd_per_million_input=1.0, usd_per_million_output=100.0, **more)


def test_samples_that_agree_pass_and_their_cost_is_counted(case):
    result = SelfAgreement(n_samples=3, weak=saying("4", "4.0", "so 4")).judge(case(FOUR, "2 + 2?"))

    assert (result.outcome, result.calls) == (CheckOutcome.PASS, 3)
    assert result.cost_usd == pytest.approx(0.003)
    assert result.evidence == {"disagreement": 0.0, "n_samples": 3}


def test_samples_that_disagree_leave_the_answer_undecided(case):
    result = SelfAgreement(n_samples=3, weak=saying("4", "5", "6")).judge(case(FOUR, "2 + 2?"))

    assert (result.outcome, result.reason) == (CheckOutcome.CANNOT_DECIDE, "samples_disagree")
    assert result.evidence["disagreement"] == pytest.approx(2 / 3)


def test_each_sample_is_asked_with_a_temperature_and_a_seed_of_its_own(case):
    asked = []

    def weak(messages, options):
        asked.append((messages[-1].content, dict(options)))
        return Given("4", 0.0)

    SelfAgreement(n_samples=2, temperature=0.5, weak=weak).judge(case(FOUR, "2 + 2?"))

    assert asked == [("2 + 2?", {"temperature": 0.5, "seed": 1}), ("2 + 2?", {"temperature": 0.5, "seed": 2})]


def test_a_second_model_that_says_otherwise_leaves_the_answer_undecided(case):
    other = SecondModelAgrees(second=saying("5")).judge(case(FOUR, "2 + 2?"))
    same = SecondModelAgrees(second=saying("It is 4")).judge(case(FOUR, "2 + 2?"))

    assert (other.outcome, other.reason) == (CheckOutcome.CANNOT_DECIDE, "models_disagree")
    assert same.outcome is CheckOutcome.PASS


def test_facts_stand_in_for_asking_only_where_that_is_allowed(case):
    row = case(FOUR, "2 + 2?", samples=["4", "4"], second_answer="4")

    assert SelfAgreement(n_samples=2, reads_facts=True).judge(row).outcome is CheckOutcome.PASS
    assert SecondModelAgrees(reads_facts=True).judge(row).outcome is CheckOutcome.PASS
    assert SelfAgreement(n_samples=2).judge(row).reason == "no_weak_model"
    assert SecondModelAgrees().judge(row).reason == "no_second_model"


@pytest.mark.parametrize("fact", ["4", [], [4], {"a": "4"}])
def test_a_fact_that_is_no_list_of_texts_is_no_sample(case, fact):
    result = SelfAgreement(reads_facts=True).judge(case(FOUR, "2 + 2?", samples=fact))

    assert (result.outcome, result.reason) == (CheckOutcome.CANNOT_DECIDE, "no_weak_model")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (None, "asked_malformed_reply"),
        (Given(None), "asked_malformed_reply"),
        (Given("4", math.nan), "asked_malformed_cost"),
        (Given("4", -1.0), "asked_malformed_cost"),
        (Given("4", is_cut=True), "asked_unfinished_reply"),
    ],
)
def test_what_is_no_reply_is_an_error_and_never_a_pass(case, reply, reason):
    result = SecondModelAgrees(second=lambda messages, options: reply).judge(case(FOUR, "2 + 2?"))

    assert (result.outcome, result.reason, result.calls) == (CheckOutcome.ERROR, reason, 1)


def test_a_callable_that_breaks_is_an_error_without_its_message(case):
    def broken(messages, options):
        raise RuntimeError("the patient's name is in here")

    result = SecondModelAgrees(second=broken).judge(case(FOUR, "2 + 2?"))

    assert (result.outcome, result.reason, result.cost_usd) == (CheckOutcome.ERROR, "asked_runtimeerror", None)
    assert "patient" not in result.model_dump_json()


def test_a_cost_that_one_reply_does_not_tell_is_not_known(case):
    costs = [0.001, None, 0.001]
    weak = lambda messages, options: Given("4", costs.pop(0))  # noqa: E731

    assert SelfAgreement(n_samples=3, weak=weak).judge(case(FOUR, "2 + 2?")).cost_usd is None


@pytest.mark.parametrize("n", [-1, 21, True, 2.5])
def test_a_number_of_samples_out_of_range_is_refused(n):
    with pytest.raises(SettingsError, match="0 to 20 samples"):
        SelfAgreement(n_samples=n)


def test_no_sample_asked_for_is_no_agreement(case):
    result = SelfAgreement(n_samples=0, weak=saying()).judge(case(FOUR, "2 + 2?"))

    assert (result.outcome, result.reason) == (CheckOutcome.CANNOT_DECIDE, "no_weak_model")


@pytest.mark.parametrize("temperature", [0, -1, 2.5, "hot", float("nan")])
def test_a_temperature_at_which_samples_say_nothing_is_refused(temperature):
    with pytest.raises(SettingsError, match="temperature"):
        SelfAgreement(temperature=temperature)


def test_more_samples_than_the_caps_allow_are_not_asked_for(case):
    def never(messages, options):
        raise AssertionError

    verdict = run_chain([SelfAgreement(n_samples=9, weak=never)], case(FOUR, "2 + 2?"), limits=Limits(max_calls=8))

    assert verdict.reasons == ("doubt.samples:over_budget",)


def test_an_endpoint_is_asked_over_http_and_charged_by_its_tokens(case):
    with listening(Model("It is 4.")) as url:
        check = SecondModelAgrees(second=EndpointAsk.of(endpoint(url), max_tokens=50))
        result = check.judge(case(FOUR, "2 + 2?"))

    assert (result.outcome, result.calls) == (CheckOutcome.PASS, 1)
    assert result.cost_usd == pytest.approx((1000 * 1.0 + 10 * 100.0) / 1e6)


def test_the_request_holds_the_query_and_nothing_of_the_weak_answer(case):
    model = Model("It is 4.")
    with listening(model) as url:
        SecondModelAgrees(second=EndpointAsk.of(endpoint(url), max_tokens=50)).judge(case(FOUR, "2 + 2?"))

    assert model.requests == [
        {"model": "m", "messages": [{"role": "user", "content": "2 + 2?"}], "temperature": 0, "max_tokens": 50}
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (500, "asked_status_500"),
        (401, "asked_status_401"),
        (b"not json", "asked_malformed_reply"),
        (b'{"choices": []}', "asked_malformed_reply"),
        (b"[" * 100_000, "asked_malformed_reply"),
        ("  ", "asked_empty_answer"),
    ],
)
def test_an_endpoint_that_gives_no_answer_is_an_error(case, said, reason):
    with listening(Model(said)) as url:
        result = SecondModelAgrees(second=EndpointAsk.of(endpoint(url))).judge(case(FOUR, "2 + 2?"))

    assert (result.outcome, result.reason) == (CheckOutcome.ERROR, reason)


def test_an_endpoint_that_is_too_slow_is_an_error(case):
    model = Model()
    model.pause_s = 5.0
    with listening(model) as url:
        check = SelfAgreement(n_samples=2, weak=EndpointAsk.of(endpoint(url, timeout_s=0.2)))
        result = check.judge(case(FOUR, "2 + 2?"))
        model.pause_s = 0.0

    assert (result.outcome, result.reason, result.calls) == (CheckOutcome.ERROR, "asked_timeout", 1)


def test_a_reply_that_was_cut_off_is_an_error(case):
    model = Model("It is 4")
    model.finish_reason = "length"
    with listening(model) as url:
        result = SecondModelAgrees(second=EndpointAsk.of(endpoint(url))).judge(case(FOUR, "2 + 2?"))

    assert (result.outcome, result.reason) == (CheckOutcome.ERROR, "asked_unfinished_reply")


def test_an_endpoint_out_of_reach_is_an_error(case):
    result = SecondModelAgrees(second=EndpointAsk.of(endpoint("http://127.0.0.1:9/v1"))).judge(case(FOUR, "2 + 2?"))

    assert result.outcome is CheckOutcome.ERROR
    assert result.reason.startswith("asked_unreachable")
