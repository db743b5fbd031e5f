"""The official client against a real gateway before two real endpoints, all on loopback."""

import openai
import pytest

from gateway.app import Doors, create_app
from gateway.keys import OneKey
from tests.gateway.conftest import FixedRouter, serving
from verifiers.packs import checks_of

MESSAGES = [{"role": "user", "content": "Meningitis due to sporotrichosis"}]


class RouterByLength(FixedRouter):
    """Long questions need the strong model."""

    def probabilities(self, texts, strata=()):
        return super().probabilities(texts) * 0 + [min(1.0, len(text) / 100) for text in texts]


@pytest.fixture
def client(make_loop):
    app = create_app(
        make_loop(RouterByLength(), checks=checks_of("medical_coding")), doors=Doors(keys=OneKey("team-key"))
    )
    with serving(app) as url, openai.OpenAI(base_url=url, api_key="team-key", max_retries=0) as client:
        yield client


def test_a_right_code_is_answered_by_the_weak_model_and_an_invented_one_by_the_strong(client, models):
    small, large = models
    large.text = "Code: B42.81\nRationale: the tabular list names it."

    small.text = "Code: B42.81"
    right = client.chat.completions.create(model="auto", messages=MESSAGES, extra_body={"future": 1})
    small.text = "Code: B42.83"
    invented = client.chat.completions.create(model="router-mf-0.9", messages=MESSAGES)

    assert (right.model, right.choices[0].message.content) == ("small", "Code: B42.81")
    assert (invented.model, invented.choices[0].message.content) == ("large", large.text)
    assert small.requests[0]["future"] == 1


def test_the_decision_stands_in_the_headers(client, models):
    models[0].text = "Code: E11"

    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=MESSAGES, extra_headers={"x-preceptor-debug": "1"}
    )

    assert raw.headers["x-preceptor-model"] == "large"
    assert raw.headers["x-preceptor-reason"] == "icd10cm.billable:code_not_billable"
    assert raw.headers["x-preceptor-verdict"] == "fail"


def test_streaming_works_with_the_clients_own_loop(client):
    long = [{"role": "user", "content": "x" * 90}]

    stream = client.chat.completions.create(
        model="auto", messages=long, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "right, says large"
    assert chunks[-1].usage.total_tokens == 1500


def test_errors_are_the_clients_own_exceptions(client, models):
    with pytest.raises(openai.NotFoundError, match="router-mf-0\\.5"):
        client.chat.completions.create(model="gpt-4", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError, match="number in"):
        client.chat.completions.create(model="router-mf-7", messages=MESSAGES)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").chat.completions.create(model="auto", messages=MESSAGES)
    models[1].status = 500
    with pytest.raises(openai.InternalServerError, match="status_500"):
        client.chat.completions.create(model="large", messages=MESSAGES)


def test_the_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["auto", "router-mf-0.5", "small", "large"]
