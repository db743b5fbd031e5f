import json
import signal
import subprocess
import sys
import threading
import time

import anyio
import anyio.to_thread
import pytest
from click.testing import CliRunner
from fastapi import Request, Response

from core.errors import SettingsError
from core.store import open_store
from gateway.records.decision_log import DecisionLog
from gateway.serving.command import serve
from tests.gateway.conftest import Model, serving
from tests.gateway.served import Served, until

NAMED = "Meningitis due to sporotrichosis"


@pytest.fixture
def recorded(tmp_path):
    """The decision of a response, as it is on record."""

    def find(headers):
        engine = open_store(f"sqlite:///{tmp_path}/store.db")
        decision = DecisionLog(engine).find(headers["x-preceptor-decision-id"])
        engine.dispose()
        return decision

    return find


def test_the_server_starts_without_a_bundle_says_so_and_stops_on_a_signal(write_settings, recorded):
    with Served(write_settings()) as served:
        status, headers, body = served.ask(NAMED)
        low = {"x-preceptor-stakes": "low", "x-preceptor-debug": "1"}
        _, named, _ = served.ask(NAMED, model="auto:law", **low)
        ready = json.loads(served.get("/health/ready"))
        counts = served.get("/metrics")
        code = served.stop(signal.SIGINT)

    assert (status, headers["x-preceptor-model"], body["model"]) == (200, "large", "large")
    assert headers["x-preceptor-reason"] == named["x-preceptor-reason"] == "bundle_not_loaded"
    assert named["x-preceptor-stakes"] == "high"
    assert (ready["status"], ready["routing"]) == ("ready", "all_strong")
    assert 'preceptor_requests_total{arm="champion",decision="strong",domain="law",stakes="high"} 1.0' in counts
    assert (recorded(headers).answered_by, recorded(named).domain) == ("large", "law")
    assert code == 0
    assert "the strong model answers" in served.words()
    assert "sporotrichosis" not in served.words()


class GatedModel(Model):
    """An endpoint that answers once its gate is open."""

    def __init__(self):
        super().__init__("right, at last")
        self.gate = threading.Event()

    async def answer(self, request: Request) -> Response:
        answer = await super().answer(request)
        await anyio.to_thread.run_sync(self.gate.wait)
        return answer


def test_a_request_under_way_is_answered_and_on_record_when_the_server_is_told_to_stop(
    write_settings, endpoints, recorded
):
    model, answers = GatedModel(), []
    with serving(model.app) as url:
        pair = {"weak": {"name": "small", "base_url": endpoints[1]}, "strong": {"name": "large", "base_url": url}}
        with Served(write_settings(pair=pair)) as served:
            asking = threading.Thread(target=lambda: answers.append(served.ask(NAMED)))
            asking.start()
            until(lambda: model.requests)
            served.process.send_signal(signal.SIGTERM)
            until(lambda: "not_ready" in _ready_or_gone(served))
            model.gate.set()
            asking.join()
            code = served.process.wait(60)

    (status, headers, body) = answers[0]
    assert (status, body["choices"][0]["message"]["content"], code) == (200, "right, at last", 0)
    assert recorded(headers).answered_by == "large"


def _ready_or_gone(served):
    try:
        return served.get("/health/ready")
    except OSError as error:  # 503 has a body; a closed port has none
        return error.read().decode() if hasattr(error, "read") else "not_ready"


@pytest.mark.parametrize(
    ("sections", "options", "sentence"),
    [
        ({}, ["--host", "0.0.0.0"], "Set gateway.api_key_env, or listen on 127.0.0.1"),
        ({"gateway": {"api_key_env": "NO_SUCH_KEY"}}, [], "NO_SUCH_KEY, which is not set"),
        ({"pair": {"weak": {"name": "a"}, "strong": {"name": "b"}}}, [], "pair.weak.base_url is not set"),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_to_do(write_settings, sections, options, sentence):
    config = write_settings(**sections)

    result = CliRunner().invoke(serve, ["--config", str(config), "--port", "0", *options])

    assert isinstance(result.exception, SettingsError)
    assert sentence in str(result.exception)


def test_a_taken_port_is_named(write_settings, endpoints):
    port = endpoints[1].split(":")[2].split("/")[0]

    result = CliRunner().invoke(serve, ["--config", str(write_settings()), "--port", port])

    assert f"Cannot listen on 127.0.0.1:{port}" in str(result.exception)


def test_check_names_every_part_that_is_wrong_and_serves_nothing(write_settings):
    config = write_settings(pair={"weak": {"name": "a"}, "strong": {"name": "b", "base_url": "http://127.0.0.1:9/v1"}})

    result = CliRunner().invoke(serve, ["--config", str(config), "--check"])

    assert result.exit_code == 1
    assert "ok    listening: HTTP on 127.0.0.1:6060, 1 worker" in result.stdout
    assert "ok    store: sqlite, new" in result.stdout
    assert "FAULT models: pair.weak.base_url is not set" in result.stdout
    assert "FAULT bundle (champion):" in result.stdout
    assert "2 of these" in result.stderr


MEASURE = """
import json, os, signal, sys, threading, time, urllib.request
from pathlib import Path
from core.settings import load_settings
from gateway.serving.listening import listen
from gateway.serving.to_serve import ToServe
from gateway.serving.worker import serve

settings = load_settings(Path(sys.argv[1]))
heavy = ("torch", "transformers", "peft", "mlflow", "sklearn", "scipy", "pandas", "pyarrow")


def ask(port):
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Code this."}]}).encode()
    headers = {"content-type": "application/json", "x-preceptor-debug": "1"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return dict(response.headers)


def measure(port, figures):
    headers = ask(port)
    while headers.get("x-preceptor-reason", "").endswith("_loading"):
        time.sleep(0.1)
        headers = ask(port)
    status = Path("/proc/self/status").read_text()
    figures |= {
        "rss_mb": int(status.split("VmRSS:")[1].split()[0]) / 1024,
        "heavy": [name for name in heavy if name in sys.modules],
        "probability": headers.get("x-preceptor-probability"),
    }
    print(json.dumps(figures), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


with listen("127.0.0.1", 0) as listening:
    port = listening.getsockname()[1]

    def ready():
        figures = {"cpu_s": time.process_time(), "wall_s": time.time() - float(sys.argv[2])}
        threading.Thread(target=measure, args=(port, figures)).start()

    serve(ToServe(settings, settings.bundle_reference), listening, on_ready=ready)
"""


def test_a_gateway_that_routes_is_ready_in_five_seconds_takes_400_mb_and_loads_no_library_of_training(
    write_settings, endpoints, tmp_path, capsys
):
    from benchmarks.gateways.bundles import make_bundle

    bundle = make_bundle(tmp_path / "bundle", "minilm", threshold=0.5)
    pair = {"weak": {"name": "weak-model", "base_url": endpoints[1]}}
    pair["strong"] = {"name": "strong-model", "base_url": endpoints[3]}
    config = write_settings(pair=pair, gateway={"bundle": str(bundle)})

    command = [sys.executable, "-c", MEASURE, str(config), str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)

    figures = json.loads(done.stdout)
    took = f"ready after {figures['wall_s']:.1f} s ({figures['cpu_s']:.1f} s of CPU), {figures['rss_mb']:.0f} MB"
    with capsys.disabled():
        sys.stdout.write(f"\n{took}\n")
    assert figures["probability"] is not None, done.stderr
    assert figures["heavy"] == []
    assert figures["cpu_s"] < 5.0
    assert figures["rss_mb"] < 400
