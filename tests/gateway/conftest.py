"""Small real fakes: a router with fixed answers, model endpoints on loopback, and a gateway around them."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import uvicorn
import yaml
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from starlette.types import ASGIApp

from core.store import open_store
from gateway.api.app import Doors, create_app
from gateway.api.replies import event_stream
from gateway.asking.upstream import Endpoint, Upstream
from gateway.attempts import Models
from gateway.deciding import FixedBundles
from gateway.keys.door import OneKey
from gateway.loop import Guard, Reply, RoutingLoop
from gateway.parts import InThread
from gateway.records.decision_log import DecisionLog
from gateway.told import Told
from verifiers.assembling import Recheck
from verifiers.chain import CheckResult, Limits, Price
from verifiers.stakes.policy import StakesPolicy


class FixedRouter:
    """A bundle whose probability is the same for every text; it raises what it was given to raise."""

    weak, strong, sha256 = "small", "large", "f" * 64

    def __init__(self, probability=0.1, thresholds=None, certificate=None):
        self.probability = probability
        self.certificate = certificate
        self.thresholds = thresholds or {"default": 0.5}
        self.texts = []

    def probabilities(self, texts, strata=()):
        self.texts += texts
        self.strata = list(strata)
        if isinstance(self.probability, Exception):
            raise self.probability
        return np.full(len(texts), self.probability)


class SaysCode:
    """A check that passes exactly the answers that hold the word `right`."""

    id = "test.says"
    price = Price.FREE

    def judge(self, case):
        outcome = "pass" if "right" in case.answer else "fail"
        return CheckResult(check=self.id, outcome=outcome, reason="ok" if outcome == "pass" else "not_right")


SAYS_CODE = (SaysCode(),)
HIGH = StakesPolicy()


class Model:
    """An OpenAI-compatible endpoint that remembers what it was sent; `reply` overrides what it says."""

    def __init__(self, text):
        self.text, self.reply, self.status, self.requests = text, None, 200, []
        self.headers = []
        self.app = FastAPI()
        self.app.post("/v1/chat/completions")(self.answer)

    async def answer(self, request: Request) -> Response:
        self.requests.append(json.loads(await request.body()))
        self.headers.append(dict(request.headers))
        asked = self.requests[-1]
        reply = self.reply or completion(self.text, model=asked["model"])
        if asked.get("stream") and self.status == 200 and isinstance(reply, dict):
            usage = (asked.get("stream_options") or {}).get("include_usage", False)
            return Response(b"".join(event_stream(reply, include_usage=usage)), media_type="text/event-stream")
        content = reply if isinstance(reply, (str, bytes)) else json.dumps(reply)
        return Response(content, self.status, media_type="application/json")


def completion(text, **fields):
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "upstream-name",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
        **fields,
    }


@pytest.fixture
def anyio_backend() -> str:
    """Tests that are coroutines (`pytest.mark.anyio`) run on asyncio."""
    return "asyncio"


@contextmanager
def serving(app: ASGIApp, **options) -> Iterator[str]:
    """The app on a free loopback port, in a thread; `options` are uvicorn's."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", access_log=False, **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def endpoints() -> Iterator[tuple[Model, str, Model, str]]:
    small, large = Model("right, says small"), Model("right, says large")
    with serving(small.app) as small_url, serving(large.app) as large_url:
        yield small, small_url, large, large_url


@pytest.fixture
def models(endpoints) -> tuple[Model, Model]:
    """The weak and the strong endpoint, as new."""
    small, _, large, _ = endpoints
    for model, name in ((small, "small"), (large, "large")):
        model.text, model.reply, model.status = f"right, says {name}", None, 200
        model.requests.clear()
        model.headers.clear()
    return small, large


@pytest.fixture
def log(tmp_path) -> DecisionLog:
    engine = open_store(f"sqlite:///{tmp_path}/store.db")
    yield DecisionLog(engine)
    engine.dispose()


@pytest.fixture
def upstreams(endpoints, models) -> Models:
    """The pair, as the gateway asks it."""
    _, small_url, _, large_url = endpoints
    small = Endpoint(name="small", base_url=small_url, usd_per_million_input=1, usd_per_million_output=2, timeout_s=5)
    large = Endpoint(name="large", base_url=large_url, usd_per_million_input=10, usd_per_million_output=20, timeout_s=5)
    return Models(Upstream(small), Upstream(large))


@pytest.fixture
def make_loop(upstreams, log) -> Callable[..., RoutingLoop]:
    """A routing loop; what it does not name goes to its `Guard`."""

    def make(
        router="fixed", *, checks=SAYS_CODE, stakes=HIGH, decisions=log, limits=None, source=None, parts=None, **guard
    ):
        recheck = Recheck(tuple(checks), limits or Limits())
        return RoutingLoop(
            models=upstreams,
            source=source or FixedBundles({"mf": FixedRouter() if router == "fixed" else router}, recheck),
            guard=Guard(stakes=stakes, **guard),
            decisions=None if decisions is None else InThread(decisions),
            **(parts or {}),
        )

    return make


def answered(loop: RoutingLoop, told: Told | None = None, **body) -> Reply:
    """One request, answered on an event loop of its own."""

    async def answer():
        try:
            return await loop.answer(body, told or Told())
        finally:
            await loop.aclose()

    return asyncio.run(answer())


@pytest.fixture
def make_client(make_loop) -> Iterator[Callable[..., TestClient]]:
    """A client on a gateway that asks for all headers; arguments as for `make_loop`, `api_key` and `doors`."""
    opened = []

    def make(router="fixed", *, api_key=None, doors=None, **options):
        doors = (doors or Doors())._replace(**({"keys": OneKey(api_key)} if api_key else {}))
        app = create_app(make_loop(router, **options), doors=doors)
        client = TestClient(app, headers={"x-preceptor-debug": "1"})
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def ask():
    """Post one question and return the response."""

    def post(client, model="auto", headers=None, **body):
        body = {"messages": [{"role": "user", "content": "Code this."}], **body}
        return client.post("/v1/chat/completions", json={"model": model, **body}, headers=headers)

    return post


@pytest.fixture
def write_settings(tmp_path, endpoints, models):
    """A YAML of a gateway before the two endpoints; `sections` replace its own."""

    def write(**sections):
        values = {
            "name": "medical-coding",
            "folder": str(tmp_path / "runs"),
            "store_url": f"sqlite:///{tmp_path}/store.db",
            "mlflow": {"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"},
            "pair": {
                "weak": {"name": "small", "base_url": endpoints[1]},
                "strong": {"name": "large", "base_url": endpoints[3]},
            },
            "data": {"files": ["outcomes.jsonl"], "target_domains": ["law"]},
            "gateway": {"bundle": str(tmp_path / "no-bundle")},
            **sections,
        }
        path = tmp_path / "settings.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write
