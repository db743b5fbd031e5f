"""The door of the API: who is refused hears it in OpenAI's words, who comes in leaves, none goes past its domains."""

import pytest

from core.records import Stakes
from gateway.api.app import Doors
from gateway.keys.door import Admitted, NotAdmitted
from tests.gateway.conftest import FixedRouter
from verifiers.stakes.policy import StakesPolicy

JSON = {"content-type": "application/json"}


def error_of(response):
    return response.json()["error"]


def post(client, content):
    return client.post("/v1/chat/completions", content=content, headers=JSON)


class Refuses:
    """A door that refuses everybody in one way."""

    def __init__(self, **fields):
        self.fields = fields

    async def admit(self, authorization):
        raise NotAdmitted(**self.fields)

    async def aclose(self):
        pass


@pytest.mark.parametrize(
    ("status", "code", "kind", "header"),
    [
        (429, "rate_limit_exceeded", "requests", ("retry-after", "7")),
        (429, "insufficient_quota", "insufficient_quota", ("x-should-retry", "false")),
        (401, "invalid_api_key", "invalid_request_error", ("www-authenticate", "Bearer")),
        (503, "keys_unavailable", "api_error", ("retry-after", "7")),
    ],
)
def test_a_door_that_refuses_is_heard_in_openais_words(make_client, models, status, code, kind, header):
    door = Refuses(status=status, code=code, message="Not now.", kind=kind, retry_after_s=7)
    client = make_client(doors=Doors(keys=door))

    for response in (post(client, "not even JSON"), client.get("/v1/models"), client.post("/v1/route", json={})):
        error = error_of(response)
        assert (response.status_code, error["code"], error["type"]) == (status, code, kind)
        assert response.headers[header[0]] == header[1]
    assert models[0].requests == []


class CountsThoseInside:
    """A door that lets everybody in and knows how many are inside."""

    def __init__(self, domains=None, least_stakes=None):
        self.inside = 0
        self.let_in = 0
        self._about = {"domains": domains, "least_stakes": least_stakes}

    async def admit(self, authorization):
        self.inside += 1
        self.let_in += 1
        return Admitted("key-1", release=self._leaves, **self._about)

    def _leaves(self):
        self.inside -= 1

    async def aclose(self):
        pass


def test_whoever_came_in_leaves_however_the_request_ends(make_client, models, ask):
    door = CountsThoseInside()
    client = make_client(doors=Doors(keys=door, max_request_bytes=1000))

    ask(client)
    ask(client, stream=True)
    ask(client, "unknown")
    post(client, "{")
    post(client, "a" * 2000)
    models[1].status = 500
    ask(client, "large")

    assert (door.let_in, door.inside) == (6, 0)


def test_the_key_stands_in_the_decision_and_raises_the_stakes_whatever_the_client_writes(make_client, ask, log):
    low = StakesPolicy(default=Stakes.LOW)
    plain = make_client(stakes=low, doors=Doors(keys=CountsThoseInside()))
    careful = make_client(stakes=low, doors=Doors(keys=CountsThoseInside(least_stakes="critical")))

    found = [
        log.find(ask(client, headers={"x-preceptor-stakes": "low"}).headers["x-preceptor-decision-id"])
        for client in (plain, careful)
    ]

    assert [one.key_id for one in found] == ["key-1", "key-1"]
    assert [one.stakes for one in found] == [Stakes.LOW, Stakes.CRITICAL]
    assert [one.answered_by for one in found] == ["small", "large"]
    routing = careful.post("/v1/route", json={"messages": [{"role": "user", "content": "Code this."}]}).json()
    assert (routing["stakes"], routing["decision"]) == ("critical", "strong")


def test_a_key_for_one_domain_asks_in_that_domain_alone(make_client, ask, models):
    router = FixedRouter(thresholds={"default": 0.5, "law": 0.5, "tax": 0.5})
    client = make_client(router, doors=Doors(keys=CountsThoseInside(domains=frozenset({"law"}))))

    for name in ("auto:law", "router-mf-0.3:law"):
        assert ask(client, name).status_code == 200
    for name in ("auto", "auto:tax", "router-mf-0.3", "router-mf-0.3:tax", "small", "large"):
        response = ask(client, name)
        assert (response.status_code, error_of(response)["code"]) == (403, "domain_not_allowed")
        assert "auto:law" in error_of(response)["message"]
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["auto:law", "router-mf-0.5:law"]
    assert client.get("/v1/models/auto:law").status_code == 200
    assert client.get("/v1/models/auto:tax").status_code == 404
    for response in (ask(client, "none"), client.get("/v1/models/none")):
        assert response.status_code == 404
        assert "auto:law" in error_of(response)["message"] and "tax" not in error_of(response)["message"]
