import json
import os
import re
import signal
import subprocess
import sys

import httpx2
import pytest
import yaml
from click.testing import CliRunner

from core.errors import SettingsError
from gateway.commands import serve

MESSAGES = [{"role": "user", "content": "Meningitis due to sporotrichosis"}]


@pytest.fixture
def write_settings(tmp_path, endpoints, models):
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
            "data": {"files": ["outcomes.jsonl"], "target_domains": ["medical_coding"]},
            "verifiers": {"pack": "medical_coding"},
            "gateway": {"bundle": str(tmp_path / "no-bundle")},
            **sections,
        }
        path = tmp_path / "settings.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


def test_the_server_starts_without_a_bundle_says_so_and_stops_on_a_signal(write_settings):
    path = write_settings()
    command = [sys.executable, "-c", "from core.cli import main; main()", "serve", "--config", path, "--port", "0"]

    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if match := re.search(r"Serving on (\S+)", line):
                break
        try:
            reply = httpx2.post(
                f"{match[1]}/chat/completions", json={"model": "auto", "messages": MESSAGES}, timeout=30
            )
            named = httpx2.post(
                f"{match[1]}/chat/completions",
                json={"model": "auto:medical_coding", "messages": MESSAGES},
                headers={"x-preceptor-stakes": "low"},
                timeout=30,
            )
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.stderr.read()

    assert "the strong model answers all" in "".join(said)
    assert (reply.status_code, reply.headers["x-preceptor-model"]) == (200, "large")
    assert reply.headers["x-preceptor-reason"] == named.headers["x-preceptor-reason"] == "bundle_missing"
    assert named.headers["x-preceptor-stakes"] == "high"
    assert "sporotrichosis" not in "".join(said) + rest
    assert json.loads(reply.text)["model"] == "large"


@pytest.mark.parametrize(
    ("sections", "options", "sentence"),
    [
        ({}, ["--host", "0.0.0.0"], "Set gateway.api_key_env, or listen on 127.0.0.1"),
        ({"gateway": {"api_key_env": "NO_SUCH_KEY"}}, [], "NO_SUCH_KEY, which is not set"),
        ({"pair": {"weak": {"name": "a"}, "strong": {"name": "b"}}}, [], "pair.weak.base_url is not set"),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_to_do(write_settings, sections, options, sentence):
    result = CliRunner().invoke(serve, ["--config", str(write_settings(**sections)), *options])

    assert isinstance(result.exception, SettingsError)
    assert sentence in str(result.exception)


def test_a_taken_port_is_named(write_settings, endpoints):
    port = endpoints[1].split(":")[2].split("/")[0]

    result = CliRunner().invoke(serve, ["--config", str(write_settings()), "--port", port])

    assert f"Cannot listen on 127.0.0.1:{port}" in str(result.exception)
