import threading
import time

import numpy as np
import pytest

from core.records import Stakes
from gateway.conversation import read_conversation
from tests.gateway.conftest import FixedRouter, completion
from verifiers.chain import Limits, Price
from verifiers.stakes.policy import StakesPolicy

LOW = StakesPolicy(default=Stakes.LOW)


def header(response, name):
    return response.headers.get(f"x-preceptor-{name}")


def test_below_the_threshold_the_weak_model_answers_once_its_answer_passed(make_client, models, ask):
    response = ask(make_client(FixedRouter(0.1)))

    assert response.status_code == 200
    assert response.json()["model"] == header(response, "model") == "small"
    assert response.json()["choices"][0]["message"]["content"] == "right, says small"
    assert (header(response, "probability"), header(response, "threshold")) == ("0.100000", "0.500000")
    assert (header(response, "verdict"), header(response, "reason")) == ("pass", None)
    assert header(response, "bundle") == "f" * 64
    assert models[1].requests == []


@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_at_or_above_the_threshold_the_strong_model_answers(make_client, models, ask, probability):
    response = ask(make_client(FixedRouter(probability)))

    assert (header(response, "model"), header(response, "reason")) == ("large", "above_threshold")
    assert models[0].requests == []


def test_a_threshold_in_the_name_overrules_the_bundles(make_client, ask):
    client = make_client(FixedRouter(0.6))

    assert header(ask(client, "router-mf-0.7"), "model") == "small"
    assert header(ask(client, "router-mf-0.6"), "model") == "large"
    assert header(ask(client, "auto"), "model") == "large"


def test_each_domain_has_its_threshold_and_a_domain_without_one_goes_to_the_strong_model(make_client, ask):
    thresholds = {"default": 0.9, "law": 0.7, "tax/high": 0.3, "oncology": None, "cardiology/low": 0.9}
    client = make_client(FixedRouter(0.6, thresholds))

    answered = {name: header(ask(client, f"auto:{name}"), "model") for name in ("law", "tax", "oncology", "cardiology")}

    assert answered == {"law": "small", "tax": "large", "oncology": "large", "cardiology": "large"}


def test_a_weak_answer_that_fails_a_check_is_replaced_by_the_strong_one(make_client, models, ask):
    models[0].text = "wrong"

    response = ask(make_client())

    assert response.json()["choices"][0]["message"]["content"] == "right, says large"
    assert (header(response, "model"), header(response, "verdict")) == ("large", "fail")
    assert header(response, "reason") == "test.says:not_right"


def test_at_low_stakes_the_check_is_skipped_and_the_client_can_ask_for_it(make_client, models, ask):
    models[0].text = "wrong"
    client = make_client(stakes=LOW)

    skipped = ask(client)
    raised = ask(client, headers={"x-preceptor-stakes": "high"})

    assert (header(skipped, "model"), header(skipped, "verdict")) == ("small", "skipped")
    assert (header(raised, "model"), header(raised, "verdict")) == ("large", "fail")


def test_a_client_cannot_lower_the_stakes(make_client, models, ask):
    models[0].text = "wrong"

    assert header(ask(make_client(), headers={"x-preceptor-stakes": "low"}), "model") == "large"


@pytest.mark.parametrize("name", ["auto", "router-mf-1.0", "small", "large"])
def test_at_critical_stakes_the_strong_model_answers_whatever_the_name(make_client, models, ask, name):
    response = ask(make_client(stakes=LOW), name, headers={"x-preceptor-stakes": "critical"})

    assert (header(response, "model"), header(response, "stakes")) == ("large", "critical")
    assert header(response, "reason") == "critical"
    assert models[0].requests == []


def test_at_standard_stakes_an_answer_leaves_undecided_but_not_failed(make_client, models, ask):
    client = make_client(stakes=StakesPolicy(default=Stakes.STANDARD))
    models[0].reply = completion(
        "right", choices=[{"index": 0, "message": {"content": "right"}, "finish_reason": "length"}]
    )
    undecided = ask(client)
    models[0].reply, models[0].text = None, "wrong"
    failed = ask(client)

    assert (header(undecided, "model"), header(undecided, "verdict")) == ("small", "cannot_decide")
    assert (header(failed, "model"), header(failed, "verdict")) == ("large", "fail")


def test_a_model_asked_for_by_name_answers_and_a_weak_one_is_rechecked(make_client, models, ask):
    client = make_client(None)

    assert header(ask(client, "large"), "reason") == "asked_by_name"
    assert header(ask(client, "small"), "model") == "small"
    models[0].text = "wrong"
    assert header(ask(client, "small"), "model") == "large"


@pytest.mark.parametrize(
    ("router", "reason"),
    [
        (None, "bundle_missing"),
        (FixedRouter(RuntimeError("secret")), "router_error"),
        (FixedRouter(np.nan), "probability_not_in_0_1"),
        (FixedRouter(np.inf), "probability_not_in_0_1"),
        (FixedRouter(-0.1), "probability_not_in_0_1"),
        (FixedRouter(0.1, {"default": None}), "no_threshold"),
        (FixedRouter(0.1, {"default": np.nan}), "no_threshold"),
        (FixedRouter(0.1, {"law": 0.5}), "no_threshold"),
    ],
)
def test_a_router_that_cannot_decide_leaves_it_to_the_strong_model(make_client, ask, router, reason):
    response = ask(make_client(router))

    assert response.status_code == 200
    assert (header(response, "model"), header(response, "reason")) == ("large", reason)


def test_a_router_returning_too_many_probabilities_does_not_decide(make_client, ask):
    router = FixedRouter()
    router.probabilities = lambda texts, strata=(): np.zeros(2)

    assert header(ask(make_client(router)), "reason") == "probability_not_in_0_1"


def test_a_bundle_for_another_pair_does_not_decide(make_client, ask):
    router = FixedRouter()
    router.weak = "another"

    assert header(ask(make_client(router)), "reason") == "bundle_for_another_pair"


def test_a_slow_router_is_not_waited_for(make_client, ask):
    router = FixedRouter()
    release = threading.Event()
    client = make_client(router, router_timeout_s=0.05)
    router.probabilities = lambda texts, strata=(): np.full(
        1, 0.1 * release.wait(10)
    )  # slow once the gateway has warmed up

    started = time.perf_counter()
    response = ask(client)
    release.set()

    assert header(response, "reason") == "router_timeout"
    assert time.perf_counter() - started < 5


class SlowCheck:
    """A check that waits until it is released, then passes."""

    id = "test.slow"
    price = Price.FREE

    def __init__(self):
        self.release = threading.Event()

    def judge(self, case):
        self.release.wait(10)
        raise RuntimeError


def test_a_slow_check_is_not_waited_for_and_its_answer_does_not_leave(make_client, ask):
    slow = SlowCheck()

    response = ask(make_client(checks=(slow,), limits=Limits(check_timeout_s=0.05)))
    slow.release.set()

    assert (header(response, "model"), header(response, "verdict")) == ("large", "error")
    assert header(response, "reason") == "chain:timeout"


def test_without_checks_nothing_is_verified(make_client, ask):
    response = ask(make_client(checks=()))

    assert (header(response, "model"), header(response, "reason")) == ("large", "chain:no_checks")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"message": {"content": None, "tool_calls": [{"id": "1"}]}}, "gateway.text:tool_calls"),
        ({"message": {"content": None}}, "gateway.text:no_text"),
        ({"message": {"content": ["right"]}}, "gateway.text:no_text"),
        ({"message": {"content": "right"}, "finish_reason": "length"}, "gateway.text:unfinished"),
        ({"message": {"content": "right", "refusal": "no"}}, "gateway.text:refusal"),
    ],
)
def test_what_is_not_finished_text_cannot_be_verified(make_client, models, ask, fields, reason):
    models[0].reply = completion("", choices=[{"index": 0, **fields}])

    response = ask(make_client())

    assert (header(response, "model"), header(response, "verdict")) == ("large", "cannot_decide")
    assert header(response, "reason") == reason


def test_each_of_several_choices_must_pass(make_client, models, ask):
    choices = [{"index": index, "message": {"content": text}} for index, text in enumerate(["right", "wrong"])]
    models[0].reply = completion("", choices=choices)

    assert header(ask(make_client(), n=2), "verdict") == "fail"


@pytest.mark.parametrize(
    ("status", "reply", "reason"),
    [
        (500, None, "weak_status_500"),
        (429, None, "weak_status_429"),
        (400, None, "weak_status_400"),
        (200, "not json", "weak_malformed_reply"),
        (200, "[]", "weak_malformed_reply"),
        (200, '{"choices": []}', "weak_malformed_reply"),
        (200, '{"choices": [{"message": null}]}', "weak_malformed_reply"),
        (200, '{"choices": [{"message": {"content": "right"}}], "x": NaN}', "weak_malformed_reply"),
    ],
)
def test_a_weak_model_that_fails_is_replaced_by_the_strong_one(make_client, models, ask, status, reply, reason):
    models[0].status, models[0].reply = status, reply

    response = ask(make_client())

    assert (header(response, "model"), header(response, "reason")) == ("large", reason)


def test_the_router_reads_the_turns_of_the_user_the_last_one_first(make_client, ask):
    router = FixedRouter()
    messages = [
        {"role": "system", "content": "You code."},
        {"role": "user", "content": [{"type": "text", "text": "First."}, {"type": "text", "text": "Then."}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": "Last."},
    ]
    client = make_client(router)

    ask(client, messages=messages)

    assert router.texts[-1] == "Last.\n\nuser: First.\nThen."


def test_a_picture_cannot_be_routed(make_client, ask):
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]}]

    assert header(ask(make_client(), messages=messages), "reason") == "content_not_text"


def test_a_lone_surrogate_is_routed_like_any_text(make_client, ask):
    client = make_client()

    response = client.post(
        "/v1/chat/completions",
        content=rb'{"model": "auto", "messages": [{"role": "user", "content": "\ud800"}]}',
        headers={"content-type": "application/json"},
    )

    assert header(response, "model") == "small"


@pytest.mark.parametrize("messages", [[None], ["hi"], [{"content": "no role"}], [{"role": "user", "content": 3}]])
def test_messages_that_nobody_understands_are_left_to_the_strong_model(messages):
    assert read_conversation(messages).unreadable == "messages_not_understood"
