"""What can be read beside answers: models, routings, decisions, embeddings, health, counts, the description itself."""

import json

import pytest
from starlette.testclient import TestClient

from core.call_record import CallRecord
from gateway.api.app import Doors, create_app
from gateway.api.doors import Health
from gateway.api.leaving import LeavingApp
from gateway.asking.upstream import Embeddings, UpstreamFailure
from gateway.bundles.slots import Report
from gateway.keys.door import Admitted, OneKey
from gateway.serving.building import health_of
from tests.gateway.conftest import FixedRouter

QUESTION = [{"role": "user", "content": "Code this."}]


def test_a_model_is_found_by_any_name_that_works(make_client):
    client = make_client()

    found = client.get("/v1/models/router-mf-0.37")

    assert found.json() == {"id": "router-mf-0.37", "object": "model", "created": 0, "owned_by": "preceptor"}
    assert client.get("/v1/models/large").status_code == 200
    assert client.get("/v1/models/vendor%2Fmodel").json()["error"]["code"] == "model_not_found"
    assert client.get("/v1/models/router-mf-7").json()["error"]["code"] == "invalid_threshold"


def test_a_routing_says_who_would_be_asked_first_and_asks_nobody(make_client, models, log):
    client = make_client(FixedRouter(0.25, thresholds={"default": 0.5, "law": 0.2}), doors=Doors(decisions=log))

    weak = client.post("/v1/route", json={"messages": QUESTION}).json()
    strong = client.post("/v1/route", json={"model": "auto:law", "messages": QUESTION}).json()

    assert (weak["decision"], weak["model"], weak["reasons"]) == ("weak", "small", [])
    assert (weak["requested_model"], weak["probability"], weak["threshold"]) == ("auto", 0.25, 0.5)
    assert (weak["domain"], weak["stratum"], weak["stakes"]) == (None, None, "high")
    assert (weak["rules"], weak["bundle"], weak["arm"]) == (["policy.default"], "f" * 64, "champion")
    assert (strong["decision"], strong["model"], strong["reasons"]) == ("strong", "large", ["above_threshold"])
    assert (strong["domain"], strong["stratum"], strong["threshold"]) == ("law", "law/high", 0.2)
    assert models[0].requests == models[1].requests == []


@pytest.mark.parametrize(
    ("model", "headers", "decision", "reasons"),
    [
        ("small", {}, "weak", []),
        ("large", {}, "strong", ["asked_by_name"]),
        ("router-mf-0.9", {}, "weak", []),
        ("router-mf-0.1", {}, "strong", ["above_threshold"]),
        ("auto", {"x-preceptor-stakes": "critical"}, "strong", ["critical"]),
    ],
)
def test_a_routing_is_what_an_answer_then_does(make_client, ask, model, headers, decision, reasons):
    client = make_client(FixedRouter(0.1))

    routing = client.post("/v1/route", json={"model": model, "messages": QUESTION}, headers=headers).json()
    answer = ask(client, model, headers=headers)

    assert (routing["decision"], routing["reasons"]) == (decision, reasons)
    assert answer.headers["x-preceptor-model"] == routing["model"] == ("small" if decision == "weak" else "large")
    assert answer.headers.get("x-preceptor-reason", "") == ",".join(reasons)


def test_a_routing_without_a_bundle_says_so(make_client):
    routing = make_client(None).post("/v1/route", json={"messages": QUESTION}).json()

    assert (routing["decision"], routing["reasons"], routing["bundle"]) == ("strong", ["bundle_missing"], None)
    assert (routing["probability"], routing["threshold"]) == (None, None)


class RouterByLength(FixedRouter):
    """Long questions need the strong model."""

    def probabilities(self, texts, strata=()):
        return super().probabilities(texts) * 0 + [min(1.0, len(text) / 100) for text in texts]


def test_a_batch_is_routed_in_its_order(make_client):
    questions = [{"messages": [{"role": "user", "content": "x" * n}]} for n in range(1, 101)]

    answer = make_client(RouterByLength()).post("/v1/route", json={"batch": questions}).json()

    assert answer["object"] == "list"
    assert [one["probability"] for one in answer["data"]] == [n / 100 for n in range(1, 101)]
    assert [one["decision"] for one in answer["data"]] == ["weak"] * 49 + ["strong"] * 51


@pytest.mark.parametrize(
    ("batch", "status", "param"),
    [
        ([], 400, "batch"),
        ("auto", 400, "batch"),
        ([{"messages": QUESTION}] * 257, 400, "batch"),
        ([{"messages": QUESTION}, 3], 400, "batch.1"),
        ([{"messages": QUESTION}, {"messages": []}], 400, "batch.1.messages"),
        ([{"messages": QUESTION}, {"messages": QUESTION, "model": "gpt-4"}], 404, "batch.1.model"),
        ([{"messages": QUESTION, "model": "router-mf-7"}], 400, "batch.0.model"),
    ],
)
def test_a_fault_in_a_batch_is_told_with_its_place(make_client, batch, status, param):
    response = make_client().post("/v1/route", json={"batch": batch})

    assert (response.status_code, response.json()["error"]["param"]) == (status, param)


def test_a_decision_is_shown_as_it_stands_on_record(make_client, ask, log, models):
    client = make_client(doors=Doors(decisions=log))
    identifier = ask(client).headers["x-preceptor-decision-id"]

    shown = client.get(f"/v1/decisions/{identifier}").json()

    assert shown.pop("object") == "decision"
    assert shown == log.find(identifier).model_dump(mode="json")
    assert (shown["answered_by"], shown["verdict"]) == ("small", "pass")
    assert "Code this." not in json.dumps(shown)


class TwoKeys:
    """A door for two clients, each known by what it sends."""

    async def admit(self, authorization):
        return Admitted(authorization.removeprefix("Bearer "))

    async def aclose(self):
        pass


def test_a_decision_is_shown_to_the_key_that_asked_and_to_no_other(make_client, ask, log):
    client = make_client(doors=Doors(keys=TwoKeys(), decisions=log))
    mine, other = {"authorization": "Bearer mine"}, {"authorization": "Bearer other"}
    identifier = ask(client, headers=mine).headers["x-preceptor-decision-id"]

    hidden = client.get(f"/v1/decisions/{identifier}", headers=other)
    missing = client.get("/v1/decisions/dec_none", headers=other)

    assert client.get(f"/v1/decisions/{identifier}", headers=mine).status_code == 200
    assert (hidden.status_code, hidden.json()) == (404, missing.json())


class BrokenLog:
    """A record that cannot be read."""

    def find(self, identifier):
        raise OSError(f"secret place of {identifier}")


def test_a_record_that_cannot_be_read_is_a_503_that_tells_nothing_of_the_store(make_client, caplog):
    response = make_client(doors=Doors(decisions=BrokenLog())).get("/v1/decisions/dec_1")

    assert (response.status_code, response.json()["error"]["code"]) == (503, "store_unavailable")
    assert "secret" not in response.text + caplog.text


class Embeds:
    """An endpoint that embeds, or fails as it is told to."""

    def __init__(self, failure=None):
        self.failure, self.bodies = failure, []

    async def embeddings(self, body):
        self.bodies.append(body)
        if self.failure is not None:
            raise self.failure
        return Embeddings(b'{"object": "list", "data": [ ], "new": 1.0}', CallRecord(model="small"))


def test_embeddings_are_passed_on_and_back_as_they_are(make_client):
    embeds, body = Embeds(), {"model": "embedder", "input": ["a", [1, 2]], "dimensions": 3, "future": None}

    response = make_client(doors=Doors(embeddings=embeds)).post("/v1/embeddings", json=body)

    assert embeds.bodies == [body]
    assert response.content == b'{"object": "list", "data": [ ], "new": 1.0}'
    assert response.headers["content-type"] == "application/json"


class Charges:
    """A door that lets everybody in and keeps what they are charged for."""

    def __init__(self):
        self.charged = []

    async def admit(self, authorization):
        return Admitted("key-1")

    def charge_call(self, key_id, call):
        self.charged.append((key_id, call))

    async def aclose(self):
        pass


def test_embeddings_are_charged_to_the_key_that_asked_also_where_they_failed(make_client):
    door, call = Charges(), CallRecord(model="small", outcome="timeout", cost_usd=0.25)

    for embeds in (Embeds(), Embeds(UpstreamFailure("small", "timeout", call=call))):
        make_client(doors=Doors(keys=door, embeddings=embeds)).post("/v1/embeddings", json={"input": "a"})

    assert door.charged == [("key-1", CallRecord(model="small")), ("key-1", call)]


def test_embeddings_that_are_off_name_the_setting(make_client):
    response = make_client().post("/v1/embeddings", json={"model": "m", "input": "a"})

    assert response.status_code == 404
    assert "gateway.embeddings" in response.json()["error"]["message"]


def test_an_embedding_endpoints_own_words_come_back_where_the_client_can_act_on_them(make_client):
    slow_down = {"error": {"message": "Slow down.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    limited = UpstreamFailure("small", "status_429", status=429, envelope=slow_down, retry_after_s=2.2)
    dead = UpstreamFailure("small", "timeout")

    first, second = (
        make_client(doors=Doors(embeddings=Embeds(failure))).post("/v1/embeddings", json={"input": "a"})
        for failure in (limited, dead)
    )

    assert (first.status_code, first.json(), first.headers["retry-after"]) == (429, slow_down, "3")
    assert (second.status_code, second.json()["error"]["code"]) == (502, "upstream_failed")


class Counted:
    """Counts that were counted elsewhere."""

    def __init__(self, text=b"preceptor_requests_total 1.0\n"):
        self.text, self.over = text, []

    def began(self):
        self.over.append("began")

    def ended(self, path, status):
        self.over.append((path, status))

    def exposition(self):
        if isinstance(self.text, Exception):
            raise self.text
        return self.text


def test_counts_are_shown_in_prometheus_text_format(make_client):
    response = make_client(doors=Doors(metrics=Counted())).get("/metrics")

    assert response.text == "preceptor_requests_total 1.0\n"
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_counts_need_the_key_unless_the_server_says_that_only_its_machine_reaches_it(make_client):
    doors = Doors(keys=OneKey("k"), metrics=Counted())

    shut, open_ = make_client(doors=doors), make_client(doors=doors._replace(metrics_without_key=True))

    assert shut.get("/metrics").status_code == 401
    assert shut.get("/metrics", headers={"authorization": "Bearer k"}).status_code == 200
    assert open_.get("/metrics").status_code == 200


def test_counts_that_cannot_be_read_are_a_503(make_client):
    assert make_client(doors=Doors(metrics=Counted(OSError("disk")))).get("/metrics").status_code == 503
    assert make_client().get("/metrics").status_code == 404


def test_every_request_is_counted_under_the_servers_own_path_and_status(make_client, ask):
    counted = Counted()
    client = make_client(doors=Doors(metrics=counted))

    ask(client)
    ask(client, "unknown")
    ask(client, stream=True)
    client.get("/v1/decisions/secret")
    client.delete("/v1/models")
    client.get("/secret")

    assert counted.over[::2] == ["began"] * 6
    assert counted.over[1::2] == [
        ("/v1/chat/completions", 200),
        ("/v1/chat/completions", 404),
        ("/v1/chat/completions", 200),
        ("/v1/decisions/{id}", 404),
        ("/v1/models", 405),
        ("other", 404),
    ]


def test_readiness_tells_what_cannot_decide_now(make_client):
    healths = [
        Health(is_routed=False, reasons=["mf: certificate_expired"]),
        Health(is_routed=True, warnings=["The registry is away."]),
    ]
    client = make_client(doors=Doors(health=lambda: healths.pop(0)))

    told = [client.get("/health/ready").json() for _ in range(2)]

    ready = {"status": "ready"}
    assert told == [
        {**ready, "routing": "all_strong", "reasons": ["mf: certificate_expired"], "warnings": []},
        {**ready, "routing": "routed", "reasons": [], "warnings": ["The registry is away."]},
    ]


def report(parts, fault):
    return Report("/".join(parts), parts, None, None, fault, None, ends_soon=False)


@pytest.mark.parametrize(
    ("reports", "is_all_stopped", "told"),
    [
        ([report(("champion",), None)], False, Health(is_routed=True, warnings=["Away."])),
        (
            [report(("champion",), "bundle_unknown")],
            False,
            Health(is_routed=False, reasons=["champion: bundle_unknown"], warnings=["Away."]),
        ),
        ([report(("champion",), None)], True, Health(is_routed=False, reasons=["stopped"], warnings=["Away."])),
        (
            [report(("domain law",), "bundle_loading")],
            False,
            Health(is_routed=True, reasons=["domain law: bundle_loading"], warnings=["Away."]),
        ),
        ([report(("canary", "shadow"), "x")], False, Health(is_routed=True, warnings=["canary, shadow: x", "Away."])),
        (
            [report(("champion", "canary"), "x")],
            False,
            Health(is_routed=False, reasons=["champion, canary: x"], warnings=["Away."]),
        ),
    ],
)
def test_auto_is_said_to_be_routed_where_the_champion_decides_and_not_all_is_stopped(reports, is_all_stopped, told):
    found = health_of(reports, ["Away."], is_all_stopped=is_all_stopped)

    assert (found.is_routed, [*found.reasons], [*found.warnings]) == (told.is_routed, [*told.reasons], [*told.warnings])


def test_a_server_that_leaves_is_not_ready_where_any_client_looks(make_loop):
    app = LeavingApp(create_app(make_loop()))
    with TestClient(app) as client:
        before = [client.get(path).status_code for path in ("/health", "/health/ready")]
        app.is_leaving = True
        after = [client.get(path).status_code for path in ("/health", "/health/ready")]

    assert (before, after) == ([200, 200], [503, 503])


def test_health_asks_for_no_key_and_nothing_else_is_open(make_client):
    client = make_client(doors=Doors(keys=OneKey("k"), metrics=Counted()))
    described = client.get("/openapi.json").json()["paths"]

    answered = {
        (method, path): client.request(method, path.replace("{", "").replace("}", "")).status_code
        for path, methods in described.items()
        for method in methods
    }

    assert {path for (_, path), status in answered.items() if status == 200} == {"/health/live", "/health/ready"}
    assert {status for status in answered.values() if status != 200} == {401}


def test_a_weak_model_that_was_asked_in_vain_makes_an_answer_escalated(make_client, ask, models):
    client = make_client()

    right = ask(client)
    routed = ask(make_client(FixedRouter(0.9)))
    models[0].status = 400
    failed = ask(client)
    models[0].status, models[0].text = 200, "wrong"
    wrong = ask(client)

    decisions = [response.headers["x-preceptor-decision"] for response in (right, routed, failed, wrong)]
    assert decisions == ["weak", "strong", "escalated", "escalated"]


def test_an_answer_that_nobody_gave_names_nobody(make_client, ask, models):
    models[1].status = 500

    headers = ask(make_client(FixedRouter(0.9))).headers

    assert "x-preceptor-decision" not in headers
    assert "x-preceptor-model" not in headers
    assert headers["x-preceptor-decision-id"].startswith("dec_")
