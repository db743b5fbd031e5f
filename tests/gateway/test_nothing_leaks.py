"""What is secret of a request is found in sealed texts alone: not in logs, metrics, tables, errors, ledger or files.

Two hundred requests of all kinds, good and bad, go through a gateway built from settings with everything switched on,
while every logger tells all it has.
"""

import asyncio
import json
import logging
import random
import re
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx2
import pytest
import uvicorn

from core.access import Actor, Role
from core.ledger import Ledger
from core.sealing import secret_key
from core.store import create_tables, open_store, writing
from gateway.keys.limiter import KeyLimits
from gateway.keys.store import WantedKey, create_key
from gateway.records.texts import view_text
from gateway.serving.building import Gateway
from gateway.serving.to_serve import ToServe
from tests.gateway.word_bundle import settings_of, word_bundle

N_REQUESTS = 200
STEWARD = Actor("sam", frozenset({Role.STEWARD, Role.ENGINEER}))
JSON = {"content-type": "application/json"}
MARK = re.compile(rb"CANARY[-A-Za-z0-9]*")


@contextmanager
def served(settings, bundle):
    """The base URL of a gateway built from the settings, on a loop and a thread of its own."""
    ready, base = threading.Event(), []

    async def serve():
        gateway = Gateway(ToServe(settings, str(bundle)))
        config = uvicorn.Config(gateway.app, port=0, log_config=None, log_level="debug", access_log=False)
        server = uvicorn.Server(config)
        servers.append(server)
        await gateway.start()
        running = asyncio.ensure_future(server.serve())
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        base.append(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
        ready.set()
        await running
        await gateway.aclose()

    servers: list[uvicorn.Server] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        while not ready.wait(0.05):
            assert thread.is_alive(), "the gateway did not start"
        yield base[0]
    finally:
        for server in servers:
            server.should_exit = True
        thread.join()


@pytest.fixture
def settings(tmp_path, endpoints, models, monkeypatch):
    monkeypatch.setenv("UPSTREAM_KEY", "CANARY-upstream-key")
    _, small, _, large = endpoints
    bundle = word_bundle(tmp_path / "bundle", threshold=0.9)
    prices = {"usd_per_million_input": 1, "usd_per_million_output": 2, "max_retries": 0, "break_after": 1000}
    return settings_of(
        tmp_path,
        pair={
            "weak": {"name": "small", "base_url": small, "api_key_env": "UPSTREAM_KEY", **prices},
            "strong": {"name": "large", "base_url": large, "api_key_env": "UPSTREAM_KEY", **prices},
        },
        verifiers={"stakes": "low"},
        gateway={
            "bundle": str(bundle),
            "shadow": str(word_bundle(tmp_path / "shadow", threshold=0.2)),
            "keys": "store",
            "keep_texts": True,
            "embeddings": "weak",
            "limits": {"requests_per_minute": 100_000, "usd_per_day": 1000, "max_concurrent": 100},
        },
    )


def made_key(settings, name, **limits):
    engine = open_store(settings.store_url)
    create_tables(engine)
    with writing(engine) as connection:
        _, made = create_key(connection, WantedKey(name, KeyLimits(**limits)), by=STEWARD, now=moment())
    engine.dispose()
    return made


def moment():
    return datetime.now(UTC)


def secret_headers(number, key):
    return {
        "authorization": f"Bearer {key}",
        "x-session-id": f"CANARY-session-{number}",
        "x-preceptor-task": f"CANARY-task-{number}",
        "cookie": f"CANARY-cookie-{number}=1",
        "x-other": f"CANARY-header-{number}",
        "user-agent": f"CANARY-agent-{number}",
        **({"x-preceptor-stakes": "high"} if number % 3 == 0 else {}),
        **({"x-preceptor-debug": "1"} if number % 2 == 0 else {}),
    }


def good_body(number, rng):
    """A request in one of many forms; every text in it is marked."""
    content = f"CANARY-prompt-{number} about gout"
    body = {
        "model": rng.choice(["auto", "auto:coding", "router-mf-0.3", "small", "large"]),
        "messages": [
            {"role": "system", "content": f"CANARY-system-{number}"},
            {"role": "user", "content": content},
        ],
        "user": f"CANARY-user-{number}",
        "metadata": {"note": f"CANARY-metadata-{number}"},
    }
    kind = number % 5
    if kind == 1:
        body["stream"] = True
    elif kind == 2:
        body["tools"] = [{"type": "function", "function": {"name": f"CANARY-tool-{number}", "parameters": {}}}]
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": f'"CANARY-args-{number}"'}}
        body["messages"] += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": f"CANARY-result-{number}"},
        ]
    elif kind == 3:
        image = {"type": "image_url", "image_url": {"url": f"https://example.org/CANARY-image-{number}"}}
        body["messages"][1]["content"] = [{"type": "text", "text": content}, image]
    elif kind == 4:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": f"CANARY-schema-{number}"}}
    return body


def ask(client, number, keys, rng):
    """One request of one of many kinds; its response."""
    key = keys["plain"]
    headers, body = secret_headers(number, key), good_body(number, rng)
    chat = "/v1/chat/completions"
    match number % 20:
        case 10:
            return client.post(
                chat, json=body, headers={**headers, "authorization": f"Bearer pk_x_CANARY-wrong-{number}"}
            )
        case 11:
            return client.post(chat, json=body, headers={**headers, "authorization": f"CANARY-scheme {key}"})
        case 12:
            return client.post(chat, content=b'{"model": "CANARY-broken', headers={**headers, **JSON})
        case 13:
            return client.post(chat, json={**body, "model": f"CANARY-model-{number}"}, headers=headers)
        case 14:
            return client.post(chat, json={**body, "model": f"router-mf-CANARY{number}"}, headers=headers)
        case 15:
            return client.post("/v1/route", json=body, headers=headers)
        case 16:
            return client.get(f"/v1/CANARY-path-{number}?q=CANARY-query", headers=headers)
        case 17:
            return client.post(chat, json={"messages": f"CANARY-messages-{number}", "model": "auto"}, headers=headers)
        case 18:
            return client.post(chat, json=body, headers={**headers, "authorization": f"Bearer {keys['spent']}"})
        case 19:
            return client.get(f"/v1/decisions/CANARY-decision-{number}", headers=headers)
    return client.post(f"{chat}?q=CANARY-query-{number}", json=body, headers=headers)


def vary(number, small, large):
    """What the models say next: mostly answers, sometimes nonsense, and errors that tell of the key."""
    refusal = {"error": {"message": "Wrong key: CANARY-upstream-key", "type": "invalid_request_error", "code": "x"}}
    for model in (small, large):
        model.text, model.reply, model.status = f"CANARY-answer-{number} by a model", None, 200
    match number % 7:
        case 1:
            small.status, small.reply = 500, f"CANARY-failure-{number}"
        case 2:
            small.reply = f"CANARY-nonsense-{number}"
        case 3:
            large.status, large.reply = 500, {"error": {"message": f"CANARY-down-{number}"}}
        case 4:
            for model in (small, large):
                model.status, model.reply = 401, refusal


@pytest.mark.slow
def test_nothing_secret_of_two_hundred_requests_is_found_anywhere_but_sealed(
    settings, models, tmp_path, caplog, capfd, endpoints
):
    rng = random.Random(7)
    small, large = models
    for own in ("httpx2", "httpcore2"):  # the test's own client
        caplog.set_level(logging.CRITICAL, own)
    for talkative in ("sqlalchemy", "aiohttp", "asyncio", "uvicorn", "preceptor", "alembic"):
        caplog.set_level(logging.DEBUG, talkative)
    with caplog.at_level(logging.DEBUG):
        keys = {"plain": made_key(settings, "plain"), "spent": made_key(settings, "spent", requests_per_minute=1)}
        with served(settings, settings.gateway.bundle) as base, httpx2.Client(base_url=base, timeout=60) as client:
            responses = []
            for number in range(N_REQUESTS):
                vary(number, small, large)
                responses.append(ask(client, number, keys, rng))
            vary(0, small, large)
            headers = {"authorization": f"Bearer {keys['plain']}"}
            decided = [
                r.headers["x-preceptor-decision-id"] for r in responses if "x-preceptor-decision-id" in r.headers
            ]
            shown = [client.get(f"/v1/decisions/{one}", headers=headers) for one in decided]
            metrics = client.get("/metrics", headers=headers)
            health = client.get("/health/ready")
    engine = open_store(settings.store_url)
    ledger = repr(Ledger(engine).events())
    with writing(engine) as connection:
        looked = view_text(connection, decided[0], key=secret_key(engine), by=STEWARD, now=moment())
    engine.dispose()

    # The requests did what they were to do: marked texts went through, and were kept, sealed.
    statuses = {response.status_code for response in responses}
    assert {200, 400, 401, 404, 429} <= statuses
    assert 500 not in statuses
    assert "CANARY-prompt" in json.dumps(small.requests) and "CANARY-prompt" in json.dumps(large.requests)
    assert any("CANARY-answer" in response.text for response in responses)
    assert "CANARY-prompt-" in json.dumps(looked.request)
    assert len(decided) > 100
    assert [one.status_code for one in shown].count(404) == 1  # the other key's decision is not for this one
    assert any(record.name.startswith("sqlalchemy") for record in caplog.records)

    told = capfd.readouterr()
    tokens = [made.split("_", 2)[2] for made in keys.values()]
    places = {
        "logs": caplog.text + repr([record.args for record in caplog.records]),
        "output": told.out + told.err,
        "metrics": metrics.text + health.text,
        "decisions": "".join(one.text for one in shown),
        "ledger": ledger,
        "errors": "".join(response.text for response in responses if response.status_code >= 400),
        "headers": repr([response.headers for response in responses]),
    }
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        places[str(path)] = path.read_bytes().decode("latin-1")
    found = {place: sorted({mark.decode() for mark in MARK.findall(text.encode())}) for place, text in places.items()}
    assert {place: marks for place, marks in found.items() if marks} == {}
    assert [place for place, text in places.items() if any(token in text for token in tokens)] == []
