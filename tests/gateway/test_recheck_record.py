"""What the recheck reads of a request and a reply, what it asks of models, and what stays on record."""

import math

import pytest

from core.endpoint import Endpoint
from core.records import Stakes
from core.settings import RunSettings
from gateway.wiring import recheck_for
from tests.gateway.conftest import FixedRouter, completion
from tests.gateway.test_routing_loop import header
from verifiers.chain import CheckResult, Limits, Price
from verifiers.doubt.endpoint_ask import EndpointAsk
from verifiers.doubt.logprobs import AnswerLogprobs
from verifiers.doubt.second_model import SecondModelAgrees
from verifiers.stakes.policy import StakesPolicy


class Reads:
    """A check that passes and tells what it read as evidence."""

    id, price, needs_tokens = "test.reads", Price.FREE, False

    def __init__(self):
        self.cases = []

    def judge(self, case):
        self.cases.append(case)
        return CheckResult(check=self.id, outcome="pass", reason="ok", evidence={"n_facts": len(case.facts)})


class Doubting(FixedRouter):
    """A bundle with a classifier of weak answers."""

    def __init__(self, suspicion, tau=0.4):
        super().__init__(0.1)
        self._suspicion, self._tau, self.pairs, self.tau_strata = suspicion, tau, [], []

    def tau(self, stratum):
        self.tau_strata.append(stratum)
        return self._tau

    def suspicions(self, pairs):
        self.pairs += pairs
        return [self._suspicion] * len(pairs)


def logprobs(*pairs):
    content = [
        {"token": text, "logprob": math.log(p), "top_logprobs": [{"token": "other", "logprob": math.log(1 - p)}]}
        for text, p in pairs
    ]
    choice = {"index": 0, "message": {"role": "assistant", "content": "".join(text for text, _ in pairs)}}
    return completion("", choices=[{**choice, "finish_reason": "stop", "logprobs": {"content": content}}])


def decision_of(log, response):
    return log.find(header(response, "decision-id"))


def test_metadata_and_the_reply_schema_are_facts_and_the_upstream_gets_the_request_as_it_was(make_client, models, ask):
    reads = Reads()
    schema = {"type": "object"}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    metadata = {"source": "Clause 2", "age_years": "61", "second_answer": "right"}

    ask(make_client(checks=(reads,)), metadata=metadata, response_format=form)

    assert reads.cases[0].facts == {"source": "Clause 2", "age_years": 61, "schema": schema}
    assert (models[0].requests[0]["metadata"], models[0].requests[0]["response_format"]) == (metadata, form)


def test_log_probabilities_are_asked_for_where_a_check_reads_them_and_taken_out_of_the_reply(make_client, models, ask):
    models[0].reply = logprobs(("4", 0.9), ("2", 0.95))

    response = ask(make_client(checks=(AnswerLogprobs(),)))

    assert (models[0].requests[0]["logprobs"], models[0].requests[0]["top_logprobs"]) == (True, 2)
    assert header(response, "model") == "small"
    assert response.json()["choices"][0]["logprobs"] is None


def test_an_unsure_token_sends_the_query_to_the_strong_model(make_client, models, ask, log):
    models[0].reply = logprobs(("4", 0.9), ("2", 0.2))

    response = ask(make_client(checks=(AnswerLogprobs(),)))

    assert (header(response, "model"), header(response, "reason")) == ("large", "doubt.logprobs:model_unsure")
    assert "logprobs" not in models[1].requests[0]


def test_a_client_that_wants_no_log_probabilities_is_obeyed(make_client, models, ask):
    response = ask(make_client(checks=(AnswerLogprobs(),)), logprobs=False)

    assert models[0].requests[0]["logprobs"] is False
    assert header(response, "reason") == "doubt.logprobs:no_logprobs"


def test_an_endpoint_that_refuses_log_probabilities_is_asked_without(make_client, models, ask):
    models[0].status = 400

    ask(make_client(checks=(AnswerLogprobs(),)))

    assert ["logprobs" in request for request in models[0].requests] == [True, False]


def test_the_decision_holds_each_check_and_no_text(make_client, models, ask, log):
    models[0].text = "wrong, says John Doe"

    response = ask(make_client(checks=(Reads(),)))
    decision = decision_of(log, response)

    assert [(check.check, check.outcome, check.reason) for check in decision.checks] == [("test.reads", "pass", "ok")]
    assert decision.checks[0].evidence == {"n_facts": 0}
    assert decision.checks[0].elapsed_ms >= 0
    assert "John" not in decision.model_dump_json()


def second_at(url):
    return SecondModelAgrees(second=EndpointAsk.of(Endpoint("second", url, usd_per_million_input=1_000)))


def test_a_second_model_that_agrees_lets_the_answer_leave_and_its_cost_counts(make_client, endpoints, models, ask, log):
    models[0].text = models[1].text = "It is 42."

    response = ask(make_client(checks=(second_at(endpoints[3]),), limits=Limits(check_timeout_s=30, max_cost_usd=2)))
    decision = decision_of(log, response)

    assert header(response, "model") == "small"
    assert models[1].requests[0]["model"] == "second"
    # 1000 prompt tokens: $0.001 and 500 completion tokens: $0.001 of the weak model; $1 of the second.
    assert decision.cost_usd == pytest.approx(0.002 + 1.0)
    assert (decision.checks[0].calls, decision.checks[0].cost_usd) == (1, 1.0)


def test_a_second_model_that_costs_more_than_the_cap_has_not_passed(make_client, endpoints, models, ask):
    models[0].text = models[1].text = "It is 42."

    response = ask(make_client(checks=(second_at(endpoints[3]),), limits=Limits(check_timeout_s=30, max_cost_usd=0.5)))

    assert header(response, "reason") == "doubt.second_model:over_budget"


def test_no_call_is_made_beyond_the_cap(make_client, endpoints, models, ask):
    ask(make_client(checks=(second_at(endpoints[3]),), limits=Limits(max_calls=0)))

    assert [request["model"] for request in models[1].requests] == ["large"]


@pytest.mark.parametrize(("suspicion", "answered"), [(0.4, "small"), (0.41, "large"), (math.nan, "large")])
@pytest.mark.parametrize("stakes", [Stakes.LOW, Stakes.STANDARD, Stakes.HIGH])
def test_the_bundles_classifier_is_obeyed_at_every_tier_it_speaks_of(
    make_client, models, ask, suspicion, answered, stakes
):
    bundle = Doubting(suspicion)

    response = ask(make_client(bundle, stakes=StakesPolicy(default=stakes)))

    assert header(response, "model") == answered
    assert bundle.pairs == [("Code this.", "right, says small")]
    assert bundle.tau_strata == [f"default/{stakes}"]
    if answered == "large":
        assert header(response, "reason") == "bundle.suspicion:suspicious"


def test_a_bundle_that_asks_for_no_doubt_at_low_stakes_lets_the_answer_leave_unchecked(make_client, models, ask):
    response = ask(make_client(Doubting(0.9, tau=None), stakes=StakesPolicy(default=Stakes.LOW)))

    assert (header(response, "model"), header(response, "verdict")) == ("small", "skipped")


def test_the_strong_model_is_asked_with_the_clients_own_messages(make_client, models, ask):
    models[0].text = "wrong"
    messages = [{"role": "system", "content": "You code."}, {"role": "user", "content": "Q"}]

    ask(make_client(), messages=messages, temperature=0.3)

    assert models[1].requests[0] == {**models[0].requests[0], "model": "large"}
    assert models[1].requests[0]["messages"] == messages


class ForgetsOnce:
    """A store that fails on weak answers alone."""

    def __init__(self):
        self.taken = []

    def record(self, decision):
        if decision.answered_by == "small":
            raise OSError
        self.taken.append(decision)


def test_a_high_stakes_answer_that_is_not_on_record_does_not_leave(make_client, ask):
    store = ForgetsOnce()

    response = ask(make_client(decisions=store))

    assert header(response, "model") == "large"
    assert [decision.id for decision in store.taken] == [header(response, "decision-id")]
    assert store.taken[0].reasons == ("decision_not_recorded",)


def test_at_low_stakes_a_failing_store_costs_no_strong_call(make_client, models, ask):
    response = ask(make_client(decisions=ForgetsOnce(), stakes=StakesPolicy(default=Stakes.LOW)))

    assert header(response, "model") == "small"
    assert models[1].requests == []


def test_settings_wire_the_models_that_they_name(endpoints, models):
    settings = RunSettings.model_validate(
        {
            "name": "claims",
            "pair": {"weak": {"name": "small", "base_url": endpoints[1]}, "strong": {"name": "large"}},
            "data": {"files": ["x.jsonl"], "target_domains": ["law"]},
            "verifiers": {
                "pack": "legal",
                "n_samples": 2,
                "second": {"name": "other", "base_url": endpoints[3], "timeout_s": 7},
                "judge": {"name": "grader", "base_url": endpoints[3], "timeout_s": 9},
            },
        }
    )

    recheck = recheck_for(settings, None)

    assert [check.id for check in recheck.checks][-3:] == ["doubt.samples", "doubt.second_model", "doubt.judge"]
    assert recheck.limits.timeout_s("doubt.second_model") >= 7
    assert recheck.limits.timeout_s("doubt.judge") >= 2 * 9
