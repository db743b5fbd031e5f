"""What HTTP itself may bring: methods, types, sizes, headers, strange JSON. Every refusal is OpenAI's error object."""

import json
import socket
import threading

import pytest

from gateway.api.app import Doors, create_app
from tests.gateway.conftest import serving

JSON = {"content-type": "application/json"}
QUESTION = '{"model": "auto", "messages": [{"role": "user", "content": "Code this."}]'


def error_of(response):
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def post(client, content, headers=JSON):
    return client.post("/v1/chat/completions", content=content, headers=headers)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/chat/completions/", "/v1/responses", "/chat/completions"])
def test_an_unknown_path_says_where_the_api_is(make_client, path):
    response = make_client().post(path, json={})

    assert (response.status_code, error_of(response)["code"]) == (404, "unknown_url")
    assert "base URL ends in /v1" in error_of(response)["message"]


def test_legacy_completions_name_what_to_use(make_client):
    response = make_client().post("/v1/completions", json={"model": "auto", "prompt": "Hi"})

    assert response.status_code == 404
    assert "/v1/chat/completions" in error_of(response)["message"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "OPTIONS, POST"),
        ("DELETE", "/v1/chat/completions", "OPTIONS, POST"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("PUT", "/health/live", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_refused_with_those_that_work(make_client, method, path, allow):
    response = make_client().request(method, path)

    assert (response.status_code, response.headers["allow"]) == (405, allow)
    assert allow in error_of(response)["message"]


def test_options_and_head_need_no_body(make_client):
    client = make_client()

    options, head = client.options("/v1/chat/completions"), client.head("/v1/models")

    assert (options.status_code, options.headers["allow"], options.content) == (204, "OPTIONS, POST", b"")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(client.get("/v1/models").content)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": ""},
        {},
        {**JSON, "content-encoding": "gzip"},
    ],
)
def test_a_body_that_is_not_declared_as_plain_json_is_refused(make_client, models, headers):
    response = post(make_client(), QUESTION + "}", headers)

    assert (response.status_code, error_of(response)["type"]) == (415, "invalid_request_error")
    assert models[0].requests == []


def test_json_with_a_charset_is_json(make_client):
    assert post(make_client(), QUESTION + "}", {"content-type": "application/json; charset=utf-8"}).status_code == 200


def test_a_body_of_exactly_the_largest_size_passes_and_one_byte_more_does_not(make_client, models):
    client = make_client(doors=Doors(max_request_bytes=1000))
    start = QUESTION + ', "x": "'

    fits = post(client, start + "a" * (1000 - len(start) - 2) + '"}')
    models[0].requests.clear()
    over = post(client, start + "a" * (1001 - len(start) - 2) + '"}')
    in_pieces = post(client, iter([start.encode(), b"a" * 1000, b'"}']))

    assert (fits.status_code, over.status_code, in_pieces.status_code) == (200, 413, 413)
    assert error_of(over)["code"] == error_of(in_pieces)["code"] == "request_too_large"
    assert "1,000 bytes" in error_of(over)["message"]
    assert models[0].requests == []


def test_a_client_that_announces_too_much_is_told_before_it_sends_it(make_loop):
    with serving(create_app(make_loop())) as url, connected(url) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 99999999999\r\n\r\n"
        )
        response = b""
        while b"request_too_large" not in response:
            piece = connection.recv(65536)
            assert piece
            response += piece

    assert response.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_comes_in_pieces_is_put_together(make_client, models):
    response = post(make_client(), (letter.encode() for letter in QUESTION + "}"))

    assert response.status_code == 200
    assert models[0].requests == [{**json.loads(QUESTION + "}"), "model": "small"}]


@pytest.mark.parametrize(("n_messages", "status"), [(10_000, 200), (10_001, 400)])
def test_more_messages_than_can_be_read_in_passing_are_refused(make_client, models, n_messages, status):
    body = json.dumps({"model": "large", "messages": [{"role": "user", "content": "a"}] * n_messages})

    response = post(make_client(), body)

    assert (response.status_code, len(models[1].requests)) == (status, status == 200)
    assert status == 200 or error_of(response)["param"] == "messages"


@pytest.mark.parametrize("depth", [199, 200, 600, 985, 990, 995, 100_000])
def test_no_depth_of_nesting_breaks_the_gateway(make_client, models, depth):
    response = post(make_client(), QUESTION + ', "x": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}")

    assert response.status_code == (200 if depth <= 200 else 400)
    assert len(models[0].requests) == (depth <= 200)


def test_many_objects_beside_one_another_are_not_deep(make_client, models):
    many = json.dumps([{"a": []}] * 5000)

    assert post(make_client(), QUESTION + f', "x": {many}' + "}").status_code == 200
    assert models[0].requests[0]["x"] == json.loads(many)


def test_of_a_key_written_twice_the_model_gets_the_one_that_was_read(make_client, models):
    response = post(make_client(), '{"model": "nothing", "messages": [], ' + QUESTION[1:] + ', "n": 5, "n": 1}')

    assert response.status_code == 200
    assert models[0].requests == [{**json.loads(QUESTION + "}"), "model": "small", "n": 1}]


@pytest.mark.parametrize(
    "field",
    [
        r'"x": "\ud800"',
        r'"\udfff": 1',
        '"x": ' + "9" * 4000,
        '"x": -1e308',
        '"metadata": {"stakes": ["\\ud800"]}',
        '"metadata": "no object"',
        '"metadata": {"age_years": "' + "[" * 5000 + '"}',
        '"tools": 3',
        '"stream_options": 7',
        '"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}',
        '"messages": [null, 3, {"role": null}, {"content": {"a": 1}}]',
        '"messages": [{"role": "user", "content": "\\ud800"}]',
        '"messages": [{"role": "\\ud800", "content": ["\\ud800", {"type": "text", "text": 5}]}]',
    ],
)
def test_strange_json_is_no_fault_of_the_gateways(make_client, field):
    for model in ("auto", "small"):
        response = post(make_client(), f"{QUESTION.replace('auto', model)}, {field}" + "}")

        assert response.status_code == 200
        json.loads(response.content)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (QUESTION + ', "x": ' + "9" * 5000 + "}", 400),
        (QUESTION + ', "x": -Infinity}', 400),
        (QUESTION + '}{"a": 1}', 400),
        (json.dumps({"model": "router-mf-0." + "0" * 500, "messages": [{}]}), 400),
        (json.dumps({"model": "\ud800", "messages": [{}]}), 404),
        (json.dumps({"model": "router-mf-\u0661", "messages": [{}]}), 400),
    ],
)
def test_what_cannot_be_read_is_the_clients_fault(make_client, content, status):
    response = post(make_client(), content)

    assert response.status_code == status
    assert error_of(response)["type"] == "invalid_request_error"


@pytest.mark.parametrize("name", ["x-preceptor-stakes", "x-session-id", "x-conversation-id", "x-preceptor-task"])
def test_a_header_that_cannot_be_read_is_named(make_client, ask, name):
    client = make_client()

    for value in ("a" * 201, "", " ", "tab\there", b"caf\xe9"):
        response = ask(client, headers={name: value})
        error = error_of(response)
        assert (response.status_code, error["param"], error["code"]) == (400, name, "invalid_header")


def test_a_header_that_came_twice_is_refused_so_that_none_overrides_another(make_client):
    headers = [*JSON.items(), ("x-preceptor-stakes", "critical"), ("X-Preceptor-Stakes", "low")]

    response = post(make_client(), QUESTION + "}", headers)

    assert (response.status_code, error_of(response)["param"]) == (400, "x-preceptor-stakes")


def test_debug_is_a_switch(make_client, ask):
    client = make_client()

    assert ask(client, headers={"x-preceptor-debug": "yes please"}).status_code == 400
    assert "x-preceptor-threshold" in ask(client, headers={"x-preceptor-debug": "true"}).headers
    assert "x-preceptor-threshold" not in ask(client, headers={"x-preceptor-debug": "0"}).headers


def test_few_headers_tell_the_decision_and_the_rest_comes_on_request(make_client, ask, models):
    models[0].text = "wrong"
    client = make_client()

    few = ask(client, headers={"x-preceptor-debug": "0"}).headers
    all_of_them = ask(client, headers={"x-preceptor-debug": "1"}).headers

    ours = {name: value for name, value in few.items() if name.startswith("x-preceptor-")}
    assert set(ours) == {f"x-preceptor-{name}" for name in ("decision-id", "model", "decision", "reason")}
    assert (ours["x-preceptor-model"], ours["x-preceptor-decision"]) == ("large", "escalated")
    assert ours["x-preceptor-reason"] == "test.says:not_right"
    assert few["x-request-id"] == ours["x-preceptor-decision-id"]
    assert all_of_them["x-preceptor-probability"] == "0.100000"
    assert all_of_them["x-preceptor-verdict"] == "fail"


@pytest.mark.parametrize("header", ["x-preceptor-skip", "x-preceptor-verify", "x-preceptor-model", "x-litellm-timeout"])
def test_no_header_lets_an_unchecked_answer_leave(make_client, ask, models, header):
    models[0].text = "wrong"
    client = make_client()

    for value in ("0", "off", "low", "small"):
        response = ask(client, headers={header: value, "x-preceptor-stakes": "low"})
        assert response.headers["x-preceptor-model"] == "large"
        assert response.headers["x-preceptor-stakes"] == "high"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://elsewhere.example", 403),
        ("http://elsewhere.example:6060", 403),
        ("null", 403),
        ("http://[bad", 403),
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:8080", 200),
        ("http://[::1]:8080", 200),
    ],
)
def test_without_keys_a_page_of_another_machine_may_not_spend_what_the_gateway_spends(make_client, origin, status):
    response = post(make_client(), QUESTION + "}", {**JSON, "origin": origin})

    assert response.status_code == status


def test_with_keys_a_page_may_ask_that_holds_one(make_client):
    headers = {**JSON, "origin": "https://elsewhere.example", "authorization": "Bearer k"}

    assert post(make_client(api_key="k"), QUESTION + "}", headers).status_code == 200


def connected(url):
    host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


NOTHING_YET = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
)
HALF = NOTHING_YET + b"{"


@pytest.mark.parametrize("sent", [NOTHING_YET, HALF])
def test_a_body_that_does_not_come_to_its_end_is_given_up(make_loop, monkeypatch, sent):
    monkeypatch.setattr("gateway.api.http_call.BODY_TIMEOUT_S", 0.2)
    with serving(create_app(make_loop())) as url, connected(url) as connection:
        connection.sendall(sent)
        response = b"".join(iter(lambda: connection.recv(65536), b""))

    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"request_timeout" in response  # and the connection was closed, else there would be no end of it


def test_a_client_that_leaves_before_its_body_is_whole_breaks_nothing(make_loop, models, caplog):
    left = threading.Event()

    class Counts:
        def began(self):
            pass

        def ended(self, path, status):
            if status == 499:
                left.set()

    with serving(create_app(make_loop(), doors=Doors(metrics=Counts()))) as url:
        with connected(url) as connection:
            connection.sendall(HALF)
        assert left.wait(60)

    assert models[0].requests == []
    assert caplog.text == ""
