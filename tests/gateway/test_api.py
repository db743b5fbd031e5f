import hashlib
import json
import logging

import pytest
import sqlalchemy as sa

from core.records import Decision, Stakes
from tests.gateway.conftest import FixedRouter, completion
from verifiers.stakes.policy import StakesPolicy


@pytest.mark.parametrize("model", ["auto", "router-mf-0.5", "large"])
def test_every_parameter_but_the_model_reaches_the_upstream_untouched(make_client, models, model):
    body = {
        "model": model,
        "messages": [
            {"role": "user", "content": "Code this.", "name": "a", "cache": {"x": None}},
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}],
            },
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "3"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
        "max_completion_tokens": 7,
        "temperature": 0.30000000000000004,
        "reasoning_effort": "high",
        "stream": False,
        "logprobs": True,
        "top_logprobs": 2,
        "n": 3,
        "seed": -1,
        "stop": None,
        "parallel_tool_calls": False,
        "metadata": {"case": "1"},
        "a_field_of_the_future": {"ünï": [1, None, {}], "big": 12345678901234567890},
    }

    response = make_client(FixedRouter(0.9)).post("/v1/chat/completions", json=body)

    assert response.status_code == 200
    assert models[1].requests == [{**body, "model": "large"}]


def test_every_parameter_reaches_the_weak_model_too(make_client, models, ask):
    body = {"temperature": 0, "seed": 7, "reasoning_effort": "low", "logit_bias": {"50256": -100}, "future": [None]}

    ask(make_client(), **body)

    assert models[0].requests == [
        {"model": "small", "messages": [{"role": "user", "content": "Code this."}], **body},
    ]


def test_unknown_fields_of_the_reply_survive_and_model_names_who_answered(make_client, models, ask):
    for model, name in zip(models, ("small", "large"), strict=True):
        model.reply = completion("right", system_fingerprint="fp", service_tier=None, future={"x": 1})

        assert ask(make_client(stakes=StakesPolicy(default=Stakes.LOW)), name).json() == {**model.reply, "model": name}


def test_the_clients_key_is_not_sent_upstream(make_client, models, ask):
    ask(make_client(), headers={"authorization": "Bearer client-key"})

    assert "authorization" not in models[0].headers[0]


def test_an_unknown_model_name_lists_the_names_that_work(make_client, ask):
    response = ask(make_client(), "gpt-4")

    error = response.json()["error"]
    assert response.status_code == 404
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "model", "model_not_found")
    assert "auto, router-mf-0.5, small, large" in error["message"]


def test_a_threshold_above_one_is_a_bad_request(make_client, ask):
    response = ask(make_client(), "router-mf-1.5")

    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_threshold")


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ("", None),
        ("[]", None),
        ("{", None),
        ('{"model": "auto", "messages": [{"role": "user", "content": "x"}], "x": NaN}', None),
        ('{"model": "auto", "messages": [{"role": "user", "content": "x"}], "x": 1e999}', None),
        ("[" * 100_000, None),
        (b"\xff", None),
        ('{"messages": [{"role": "user", "content": "x"}]}', "model"),
        ('{"model": 3, "messages": [{"role": "user", "content": "x"}]}', "model"),
        ('{"model": "auto"}', "messages"),
        ('{"model": "auto", "messages": "hi"}', "messages"),
        ('{"model": "auto", "messages": []}', "messages"),
    ],
)
def test_a_body_that_is_no_request_is_refused_in_openais_envelope(make_client, content, param):
    headers = {"content-type": "application/json"}

    response = make_client().post("/v1/chat/completions", content=content, headers=headers)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_a_strong_model_that_fails_is_a_502_with_the_decision(make_client, models, ask, log):
    models[1].status = 500

    response = ask(make_client(FixedRouter(0.9)))

    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_failed"
    assert response.headers["x-preceptor-reason"] == "above_threshold,strong_status_500"
    assert log.find(response.headers["x-preceptor-decision-id"]).answered_by is None


def test_what_the_client_can_mend_keeps_the_upstreams_words(make_client, models, ask):
    models[1].status, models[1].reply = 429, {"error": {"message": "slow down", "type": "rate_limit"}}

    response = ask(make_client(), "large")

    assert (response.status_code, response.json()) == (429, models[1].reply)


def test_an_upstreams_word_on_the_gateways_own_key_is_not_passed_on(make_client, models, ask):
    models[1].status, models[1].reply = 401, {"error": {"message": "Incorrect API key provided: sk-secret"}}

    response = ask(make_client(), "large")

    assert response.status_code == 502
    assert "secret" not in response.text


def test_a_stream_is_answered_as_one_whole_answer_after_the_recheck(make_client, models, ask):
    models[0].text = "wrong"

    response = ask(make_client(), stream=True, stream_options={"include_usage": True})

    events = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    chunks = [json.loads(event) for event in events[:-1]]
    assert events[-1] == "[DONE]"
    assert response.headers["x-preceptor-model"] == "large"
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:2]] == ["right, says large", None]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:2]] == [None, "stop"]
    assert (chunks[2]["choices"], chunks[2]["usage"]["total_tokens"]) == ([], 1500)
    assert "stream" not in models[0].requests[0]


def test_the_models_listed_all_work(make_client, ask):
    client = make_client()

    names = [model["id"] for model in client.get("/v1/models").json()["data"]]

    assert names == ["auto", "router-mf-0.5", "small", "large"]
    assert {ask(client, name).status_code for name in names} == {200}


def test_a_key_is_asked_for_where_one_is_set_and_health_stays_open(make_client, ask):
    client = make_client(api_key="right-key")

    assert ask(client).status_code == 401
    assert ask(client, headers={"authorization": "Bearer wrong"}).json()["error"]["code"] == "invalid_api_key"
    assert ask(client, headers={"authorization": "right-key"}).status_code == 401
    assert ask(client, headers={"authorization": "Bearer right-key"}).status_code == 200
    assert client.get("/v1/models").status_code == 401
    assert client.get("/health/live").status_code == 200


def test_readiness_says_when_the_strong_model_answers_all(make_client):
    assert make_client().get("/health/ready").json() == {
        "status": "ready",
        "routing": "routed",
        "reasons": [],
        "warnings": [],
    }
    assert make_client(None).get("/health/ready").json() == {
        "status": "ready",
        "routing": "all_strong",
        "reasons": ["mf: bundle_missing"],
        "warnings": [],
    }


def test_an_unknown_path_is_answered_in_openais_envelope(make_client):
    response = make_client().post("/v1/completions", json={})

    assert (response.status_code, response.json()["error"]["type"]) == (404, "invalid_request_error")


def test_every_answer_has_a_decision_on_record_without_its_text(make_client, models, ask, log, tmp_path):
    models[0].text = "wrong, secret answer"

    response = ask(make_client(), messages=[{"role": "user", "content": "secret question"}])

    decision = log.find(response.headers["x-preceptor-decision-id"])
    assert isinstance(decision, Decision)
    assert (decision.requested_model, decision.answered_by, decision.verdict) == ("auto", "large", "fail")
    assert decision.reasons == ("test.says:not_right",)
    assert decision.query_sha256 == hashlib.sha256(b"secret question").hexdigest()
    # 1,000 tokens in, 500 out: small 1 x 1 + 0.5 x 2 = 2 USD a thousand such calls, large ten times that
    assert decision.cost_usd == pytest.approx(0.002 + 0.020)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    assert b"secret" not in stored


class BrokenStore:
    """A store that takes nothing."""

    def record(self, decision):
        raise sa.exc.OperationalError("secret statement", {}, Exception("gone"))


def test_a_failing_store_loses_no_request_and_leaves_a_logged_reason(make_client, ask, caplog):
    response = ask(make_client(decisions=BrokenStore()))

    assert response.status_code == 200
    assert response.headers["x-preceptor-reason"] == "decision_not_recorded"
    assert response.headers["x-preceptor-decision-id"] in caplog.text
    assert "secret" not in caplog.text


def test_no_text_and_no_key_is_logged_whatever_fails(make_client, models, ask, caplog):
    caplog.set_level(logging.DEBUG, logger="preceptor")
    models[0].text = models[1].text = "secret answer"
    models[0].status = 500
    client = make_client(FixedRouter(RuntimeError("secret question")), api_key="secret-key")

    for model in ("auto", "small", "large", "router-mf-0.5", "secret-name"):
        ask(
            client,
            model,
            messages=[{"role": "user", "content": "secret question"}],
            headers={"authorization": "Bearer secret-key"},
        )

    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text
