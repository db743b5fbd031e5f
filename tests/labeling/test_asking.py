"""Asking over real HTTP on loopback: a small OpenAI-compatible server that fails when it is told to."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
import uvicorn
from click.testing import CliRunner

from core.answer_file import AnswerFile
from core.asking import Asking, AskRules
from core.endpoint import Endpoint
from core.errors import PreceptorError, SettingsError
from core.ledger import Ledger
from core.store import open_store
from labeling.commands.group import label
from labeling.content.questions import questions_in
from labeling.content.sources import Source
from labeling.tables import ANSWERS, PAIRS
from tests.labeling.conftest import write_rows

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Models:
    """Both models behind one server: answers are 10 tokens in and 5 out; what fails is told in `failing`."""

    def __init__(self):
        self.asked = Counter()
        self.failing = {}
        """Per question, what the next tries meet: a status, `drop` or `garbled`."""
        self.pause_s = 0.0
        self.starts = []

    async def __call__(self, scope, receive, send):
        assert scope["type"] == "http"
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = json.loads(body)
        question = asked["messages"][-1]["content"]
        self.asked[asked["model"], question] += 1
        self.starts.append(time.monotonic())
        await asyncio.sleep(self.pause_s)
        script = self.failing.get(question, [])
        fault = script.pop(0) if script else 200
        choice = {
            "message": {"role": "assistant", "content": f"{asked['model']} on {question}"},
            "finish_reason": "stop",
        }
        reply = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}).encode()
        if fault == "garbled":
            fault, reply = 200, b"<html>"
        status = 200 if fault == "drop" else fault
        headers = [(b"content-length", str(len(reply)).encode()), (b"retry-after", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if fault == "drop":
            await send({"type": "http.response.body", "body": reply[:5], "more_body": True})
            raise ConnectionResetError
        await send({"type": "http.response.body", "body": reply})


@pytest.fixture
def models():
    served = Models()
    config = uvicorn.Config(served, host="127.0.0.1", port=0, log_level="critical", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    served.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield served
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()


def query_file(tmp_path, n):
    return write_rows(
        tmp_path / "queries.jsonl", [{"id": f"q{number}", "query": f"Code {number}."} for number in range(n)]
    )


def endpoint(models, name="small", **fields):
    return Endpoint(name, models.url, usd_per_million_input=1e5, usd_per_million_output=2e5, timeout_s=5, **fields)


def ask(models, tmp_path, *, n=4, rules=None, endpoints=None):
    """Ask `n` questions of two models; an answer costs 10 * 0.1 + 5 * 0.2 = 2 dollars."""
    questions, _ = questions_in(Source((query_file(tmp_path, n),), answered={}), data_class="synthetic")
    rules = rules or AskRules(data_class="synthetic", first_wait_s=0.01)
    with AnswerFile(tmp_path / "answers.jsonl") as file:
        asking = Asking(file, rules, random.Random(1), lambda: NOW)
        return asyncio.run(asking.ask_all(endpoints or [endpoint(models), endpoint(models, "large")], questions))


def test_every_question_is_asked_once_of_each_model_and_paid_for_once(models, tmp_path):
    first = ask(models, tmp_path)
    again = ask(models, tmp_path)

    assert (first.n_given, first.n_known, first.spent_usd) == (8, 0, 16.0)
    assert (again.n_given, again.n_known, again.spent_usd) == (0, 8, 16.0)
    assert set(models.asked.values()) == {1}


def test_what_may_pass_is_tried_again_until_an_answer_comes(models, tmp_path):
    models.failing = {"Code 0.": [429, 503], "Code 1.": ["drop", 500], "Code 2.": ["garbled"]}
    report = ask(models, tmp_path, endpoints=[endpoint(models)])

    assert (report.n_given, report.failures) == (4, ())
    assert models.asked == {("small", f"Code {n}."): tries for n, tries in enumerate((3, 3, 2, 1))}


def test_a_question_that_fails_is_reported_and_holds_up_no_other(models, tmp_path):
    models.failing = {"Code 1.": [500] * 3, "Code 2.": [400]}
    rules = AskRules(data_class="synthetic", n_tries=3, first_wait_s=0.01)
    report = ask(models, tmp_path, endpoints=[endpoint(models)], rules=rules)

    place = tmp_path / "queries.jsonl"
    assert [(one.place, one.kind) for one in report.failures] == [
        (f"{place}:2", "status_500"),
        (f"{place}:3", "status_400"),
    ]
    assert report.n_given == 2
    assert models.asked["small", "Code 2."] == 1


def test_a_refused_key_stops_the_asking_at_once(models, tmp_path):
    models.failing = {f"Code {n}.": [401] for n in range(50)}
    rules = AskRules(data_class="synthetic", n_parallel=2)
    report = ask(models, tmp_path, n=50, endpoints=[endpoint(models)], rules=rules)

    assert report.stopped == "status_401 of 'small'"
    assert sum(models.asked.values()) <= 2
    assert report.n_open >= 48


def test_the_cap_is_never_overrun_and_a_higher_one_goes_on_from_there(models, tmp_path):
    rules = AskRules(data_class="synthetic", max_tokens=5, max_usd=8.0)
    capped = ask(models, tmp_path, n=10, endpoints=[endpoint(models)], rules=rules)
    more = ask(
        models, tmp_path, n=10, endpoints=[endpoint(models)], rules=AskRules(data_class="synthetic", max_usd=200)
    )

    assert (capped.stopped, capped.spent_usd <= 8.0, capped.n_given) == ("cap", True, 3)
    assert capped.n_open == 10 - capped.n_given
    assert (more.n_given, more.spent_usd) == (10 - capped.n_given, 20.0)
    assert set(models.asked.values()) == {1}


def test_the_rate_spaces_the_requests(models, tmp_path):
    rules = AskRules(data_class="synthetic", requests_per_minute=1200)
    ask(models, tmp_path, n=8, endpoints=[endpoint(models)], rules=rules)

    assert models.starts[-1] - models.starts[0] >= 0.8 * 7 * 60 / 1200


def test_two_runs_at_once_are_refused(models, tmp_path):
    with AnswerFile(tmp_path / "answers.jsonl"), pytest.raises(PreceptorError, match="in use by another run"):
        ask(models, tmp_path)
    assert not models.asked


def test_texts_with_identifiers_are_not_sent_off_this_machine(tmp_path):
    rows = [{"id": "q", "query": "Call 555-010-2233 about the fracture."}]
    questions, _ = questions_in(
        Source((write_rows(tmp_path / "q.jsonl", rows),), answered={}), data_class="deidentified"
    )
    with AnswerFile(tmp_path / "answers.jsonl") as file:
        asking = Asking(file, AskRules(), random.Random(1), lambda: NOW)
        report = asyncio.run(asking.ask_all([Endpoint("far", "http://192.0.2.1/v1")], questions))

    assert [one.kind for one in report.failures] == ["identifier_found"]


@pytest.mark.parametrize("data_class", ["limited", "identified"])
def test_identified_texts_leave_only_where_the_settings_say_so(data_class):
    far = Endpoint("far", "https://models.example.org/v1")
    agreed = Endpoint("far", "https://models.example.org/v1", may_see_identified=True)
    near = Endpoint("near", "http://127.0.0.1:8101/v1")

    assert not far.may_be_sent(data_class, has_findings=False)
    assert agreed.may_be_sent(data_class, has_findings=True)
    assert near.may_be_sent(data_class, has_findings=True)


def settings_file(tmp_path, models, **fields):
    def model(name):
        return {"name": name, "base_url": models.url, "usd_per_million_input": 1e5, "usd_per_million_output": 2e5}

    settings = {
        "name": "asked",
        "store_url": f"sqlite:///{tmp_path / 'store.db'}",
        "pair": {"weak": {**model("small"), **fields}, "strong": model("large")},
        "data": {"files": ["unused.jsonl"], "target_domains": ["general"]},
        "labeling": {"data_class": "synthetic"},
    }
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(settings))
    return path


def run(*arguments):
    done = CliRunner().invoke(label, ["import", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def rows_of(tmp_path, table):
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    with store.connect() as connection:
        rows = connection.execute(sa.select(table)).all()
    store.dispose()
    return rows


def test_a_dry_run_tells_the_price_and_asks_nobody(models, tmp_path):
    done = run(query_file(tmp_path, 3), "--ask", "--config", settings_file(tmp_path, models), "--dry-run", "--json")
    report = json.loads(done.stdout)

    assert [(one["model"], one["n_calls"]) for one in report["estimated_cost"]] == [("small", 3), ("large", 3)]
    assert report["estimated_cost"][0]["cost_usd"] > 0
    assert not models.asked


def test_without_a_yes_nothing_is_sent(models, tmp_path):
    done = run(query_file(tmp_path, 3), "--ask", "--config", settings_file(tmp_path, models))

    assert done.exit_code == 1
    assert "Send them?" in done.stderr
    assert not models.asked


def test_asked_answers_are_imported_with_their_costs(models, tmp_path):
    done = run(query_file(tmp_path, 3), "--ask", "--yes", "--config", settings_file(tmp_path, models))
    answers = rows_of(tmp_path, ANSWERS)

    assert "3 rows, 3 new pairs" in done.stdout
    assert {(one.model, one.text, one.cost_usd) for one in answers if one.item_id == "q1"} == {
        ("small", "small on Code 1.", 2.0),
        ("large", "large on Code 1.", 2.0),
    }
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    (event,) = Ledger(store).events(action="item.ask")
    store.dispose()
    assert (event.subject, event.details) == ("small,large", {"answers": 6, "failed": 0, "spent_usd": "12.000000"})


def test_an_answer_that_is_missing_keeps_all_out_unless_failed_ones_are_skipped(models, tmp_path):
    models.failing = {"Code 1.": [400, 400]}
    files = (query_file(tmp_path, 3), "--ask", "--yes", "--config", settings_file(tmp_path, models))
    with pytest.raises(PreceptorError, match=r"2 answers are missing, nothing was imported.*--skip-failed"):
        run(*files)
    n_before = len(rows_of(tmp_path, PAIRS))
    models.failing = {"Code 1.": [400, 400]}
    done = run(*files, "--skip-failed")

    assert n_before == 0
    assert "1 rows left out, since a model gave no answer" in done.stdout
    assert len(rows_of(tmp_path, PAIRS)) == 2
    assert models.asked["small", "Code 0."] == 1


def test_the_cap_says_how_to_go_on(models, tmp_path):
    with pytest.raises(PreceptorError, match=r"stopped at the cap of 3\.0000 USD .* higher --max-usd"):
        run(query_file(tmp_path, 3), "--ask", "--yes", "--config", settings_file(tmp_path, models), "--max-usd", "3")


def test_identified_texts_refuse_an_endpoint_elsewhere(models, tmp_path):
    config = settings_file(tmp_path, models, base_url="https://models.example.org/v1")

    with pytest.raises(SettingsError, match=r"pair\.weak\.may_see_identified: true"):
        run(query_file(tmp_path, 1), "--ask", "--yes", "--config", config, "--data-class", "identified")


def test_a_run_that_was_killed_goes_on_and_asks_nothing_twice_that_was_answered(models, tmp_path):
    models.pause_s = 0.03
    queries, config = query_file(tmp_path, 40), settings_file(tmp_path, models)
    command = [sys.executable, "-m", "core.cli", "label", "import", queries, "--ask", "--yes", "--config", config]
    answers = tmp_path / "store.answers.jsonl"
    killed = subprocess.Popen(
        [*map(str, command), "--parallel", "2"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not answers.exists() or answers.read_bytes().count(b"\n") < 10:
        assert time.monotonic() < deadline and killed.poll() is None
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(timeout=10)
    kept = [json.loads(line) for line in answers.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    with answers.open("ab") as file:
        file.write(b'{"model": "small", "messages_sha')  # as a kill within a write leaves it
    models.pause_s = 0.0
    done = run(queries, "--ask", "--yes", "--config", config)

    assert 10 <= len(kept) < 80
    assert "40 rows, 40 new pairs" in done.stdout
    for one in kept:
        assert models.asked[one["model"], one["text"].split(" on ")[1]] == 1
    assert sum(models.asked.values()) <= 80 + 4  # two workers a model were waiting when the kill came
