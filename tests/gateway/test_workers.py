import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
import yaml

from core.store import create_tables, open_store
from gateway.tables import DECISIONS, SPENDING
from tests.gateway.served import Served, post, said, until

MEMBER = """
import os, select, signal, sys
number, ready, lifeline = map(int, sys.argv[2:5])
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
with open(sys.argv[1], "a") as notes:
    notes.write(f"{number}\\n")
if os.path.exists(sys.argv[1] + ".refuse"):
    sys.exit(78)
os.write(ready, b"r")
os.close(ready)
while not told and not select.select([lifeline], [], [], 0.02)[0]:
    pass  # the lifeline can be read once the parent is gone
"""

PARENT = """
import socket, sys
from gateway.serving.workers import Times, Told, Workers

listening = socket.create_server(("127.0.0.1", 0))
told = Told(on_ready=lambda: print("ready", flush=True), on_end=lambda number: print(f"ended {number}", flush=True))
command = [sys.executable, "-c", sys.argv[1], sys.argv[2]]
raise SystemExit(Workers(command, listening, 2, told=told, times=Times(pauses_s=(0.0, 0.0))).run())
"""


@pytest.fixture
def parent(tmp_path):
    """A parent of two small workers, which note their number when they start."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, MEMBER, str(tmp_path / "notes")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate(timeout=30)


def children(pid):
    found = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def starts(tmp_path):
    return sorted((tmp_path / "notes").read_text().split())


def test_a_worker_that_is_killed_is_started_again_under_its_number(parent, tmp_path):
    assert parent.stdout.readline() == "ready\n"
    first = children(parent.pid)

    os.kill(first[0], signal.SIGKILL)

    assert parent.stdout.readline() in ("ended 0\n", "ended 1\n")
    until(lambda: len(starts(tmp_path)) == 3)
    until(lambda: len(children(parent.pid)) == 2)
    assert first[1] in children(parent.pid)


def test_hangup_starts_all_workers_anew_and_terminate_ends_them(parent, tmp_path):
    assert parent.stdout.readline() == "ready\n"
    first = set(children(parent.pid))

    parent.send_signal(signal.SIGHUP)
    assert [parent.stdout.readline() for _ in first] == ["ended 0\n", "ended 1\n"]
    until(lambda: starts(tmp_path) == ["0", "0", "1", "1"])
    until(lambda: len(children(parent.pid)) == 2)
    assert not first & set(children(parent.pid))
    parent.send_signal(signal.SIGTERM)

    assert parent.wait(30) == 0


def test_settings_that_no_worker_can_serve_are_tried_once(tmp_path):
    (tmp_path / "notes.refuse").touch()
    command = [sys.executable, "-c", PARENT, MEMBER, str(tmp_path / "notes")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert starts(tmp_path) == ["0", "1"]


@pytest.fixture
def served(tmp_path, endpoints, models, postgres_url):
    """Two workers on PostgreSQL, whose clients need keys of the store; and a key."""
    engine = open_store(postgres_url)
    create_tables(engine)
    prices = {"usd_per_million_input": 1.0, "usd_per_million_output": 2.0}
    values = {
        "name": "medical-coding",
        "folder": str(tmp_path / "runs"),
        "store_url": postgres_url,
        "mlflow": {"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"},
        "pair": {
            "weak": {"name": "small", "base_url": endpoints[1], **prices},
            "strong": {"name": "large", "base_url": endpoints[3], **prices},
        },
        "data": {"files": ["outcomes.jsonl"], "target_domains": ["law"]},
        "gateway": {"bundle": str(tmp_path / "no-bundle"), "keys": "store", "workers": 2},
    }
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(values))
    with Served(config) as served:
        yield served, {"authorization": f"Bearer {_made_key(engine)}"}, engine
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.slow
def test_every_answer_of_two_workers_is_on_record_though_one_is_killed_and_it_comes_back(served):
    served, key, engine = served
    served.ready()
    answers, killed = [], threading.Event()
    before = served.workers()

    def ask(number):
        if number == 60:
            os.kill(before[0], signal.SIGKILL)
            killed.set()
        try:
            body = {"model": "auto:law", "messages": said(f"Code this: {number}.")}
            status, headers, _ = post(f"{served.url}/chat/completions", body, 60, key)
        except OSError:  # it was with the worker that was killed
            return
        answers.append((status, headers["x-preceptor-decision-id"]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(200)))
    until(lambda: len(served.workers()) == 2 and before[0] not in served.workers())
    until(lambda: 'preceptor_bundle_decides{part="champion"} 0.0' in _counts(served, key))
    code = served.stop()

    with engine.connect() as connection:
        on_record = connection.execute(sa.select(DECISIONS.c.id, DECISIONS.c.cost_usd)).all()
        spent = connection.execute(sa.select(sa.func.sum(SPENDING.c.cost_usd))).scalar_one()
        n_counted = connection.execute(sa.select(sa.func.sum(SPENDING.c.n_requests))).scalar_one()
    assert len(before) == 2
    assert {status for status, _ in answers} == {200}
    assert len(answers) >= 200 - 8  # at most those that the killed worker had under way
    assert {identifier for _, identifier in answers} <= {identifier for identifier, _ in on_record}
    assert len(on_record) <= 200
    assert code == 0
    # A worker that is killed takes what it had not yet written of its keys' spending: that of about a second.
    assert spent <= sum(cost for _, cost in on_record) + 1e-9
    assert n_counted >= 100


@pytest.mark.postgres
@pytest.mark.slow
def test_spending_and_counts_of_two_workers_add_up_and_hangup_loses_no_request(served):
    served, key, engine = served
    served.ready()
    before, statuses = served.workers(), []

    def ask(number):
        if number == 50:
            served.process.send_signal(signal.SIGHUP)
        body = {"model": "auto:law", "messages": said(f"Code this: {number}.")}
        statuses.append(post(f"{served.url}/chat/completions", body, 60, key)[0])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(200)))
    until(lambda: len(served.workers()) == 2 and not set(before) & set(served.workers()))
    counts = _counts(served, key)
    served.stop()

    with engine.connect() as connection:
        costs = connection.execute(sa.select(DECISIONS.c.cost_usd)).scalars().all()
        spent = connection.execute(sa.select(sa.func.sum(SPENDING.c.cost_usd))).scalar_one()
        n_counted = connection.execute(sa.select(sa.func.sum(SPENDING.c.n_requests))).scalar_one()
    assert statuses == [200] * 200
    assert len(costs) == n_counted == 200
    assert spent == pytest.approx(sum(costs)) == pytest.approx(200 * 0.002)
    assert 'preceptor_requests_total{arm="champion",decision="strong",domain="law",stakes="high"} 200.0' in counts


def _made_key(engine):
    from core.access import Actor
    from core.store import writing
    from gateway.keys.limiter import KeyLimits
    from gateway.keys.store import WantedKey, create_key

    ann = Actor("ann", at_open_command_line=True)
    with writing(engine) as connection:
        _, key = create_key(connection, WantedKey("test", KeyLimits()), by=ann, now=datetime.now(UTC))
    return key


def _counts(served, key):
    import urllib.request

    request = urllib.request.Request(served.url.removesuffix("/v1") + "/metrics", headers=key)
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read().decode()
