"""Aliases on an MLflow server over HTTP: followed with its library, and kept in force while it is away."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime

import pytest

from gateway.bundles.references import References
from gateway.bundles.watching import Watching
from gateway.bundles.watching_plan import Plan
from models.bundle_files import bundle_sha256
from tests.gateway.word_bundle import Shelf

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:mlflow.*"),
]
CHAMPION = "models:/coding@champion"
NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Server:
    """An MLflow server on loopback that can be ended and started again."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url, self.process = f"http://127.0.0.1:{self.port}", None

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        command += ["--artifacts-destination", f"{self.folder}/kept"]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=1):
                    return
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None
                time.sleep(0.2)

    def stop(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=60)
            self.process = None


@pytest.fixture
def server(empty_mlflow, tmp_path):
    shutil.copy(empty_mlflow, tmp_path / "server.db")
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


def seen(watching, is_seen):
    deadline = time.monotonic() + 120
    while not ((found := watching.look(now=NOW).references.get(CHAMPION)) and is_seen(found)):
        assert time.monotonic() < deadline, found
        watching.wake.wait(0.05)
        watching.wake.clear()
    return found


def test_a_promotion_on_a_server_is_followed_and_a_server_that_is_away_changes_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    shelf = Shelf(tmp_path, server.url)
    for threshold in (0.3, 0.4):
        shelf.add_words(threshold)
    shelf.promote(1)
    watching = Watching(Plan.of(shelf.settings, References(CHAMPION)))
    seen(watching, lambda one: one.version == 1 and one.folder)
    shelf.promote(2)
    second = seen(watching, lambda one: one.version == 2 and one.folder)

    server.stop()
    away = watching.look(now=NOW)
    server.start()
    back = watching.look(now=NOW)
    shelf.promote(None)
    missing = watching.look(now=NOW).references[CHAMPION]
    watching.close()

    assert second.sha256 == bundle_sha256(tmp_path / "bundle-0.4")
    assert (away.references[CHAMPION], away.away_since) == (second, NOW)
    assert (back.references[CHAMPION], back.away_since) == (second, None)
    assert missing.fault == "bundle_unknown"
    assert "has no alias 'champion'" in missing.sentence
