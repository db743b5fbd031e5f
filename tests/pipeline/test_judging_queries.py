"""`preceptor calibrate` over real HTTP on loopback, with a judge that errs in every way that judges do."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from core.errors import DataError
from core.ledger import Ledger
from core.outcomes import read_outcomes
from core.records import Source
from core.screening import identifier_screen
from core.store import open_store
from pipeline.judge_rows import rows_to_judge
from tests.pipeline.conftest import command
from tests.pipeline.judge_server import Models, serving

ROOT = Path(__file__).parents[2]


@pytest.fixture
def models():
    with serving(Models()) as served:
        yield served


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def query_file(tmp_path, n, **fields):
    return write(
        tmp_path / "queries.jsonl", [{"id": f"q{i}", "query": f"Code {i}.", "stakes": "low"} | fields for i in range(n)]
    )


def settings_file(tmp_path, models, *, data_class="synthetic", **judge):
    def model(name):
        return {"name": name, "base_url": models.url, "usd_per_million_input": 1e5, "usd_per_million_output": 2e5}

    settings = {
        "name": "judged",
        "store_url": f"sqlite:///{tmp_path / 'store.db'}",
        "pair": {"weak": model("small"), "strong": model("large")},
        "judge": model("judge") | judge,
        "data": {"files": ["unused.jsonl"], "target_domains": ["general"]},
        "labeling": {"data_class": data_class},
        "mlflow": {"tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}"},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def calibrate(tmp_path, models, *words, n=6, check=True, **judge):
    queries = tmp_path / "queries.jsonl"
    if not queries.exists():
        query_file(tmp_path, n)
    config = settings_file(tmp_path, models, **judge)
    done = command("calibrate", config, "--queries", queries, "--yes", "--json", *words, check=check)
    return json.loads(done.stdout) if check else done


def outcomes(tmp_path):
    return {one.query.id: one for one in read_outcomes([tmp_path / "queries.judged.jsonl"])}


def test_decided_rows_become_outcomes_of_a_judge_and_every_answer_is_paid_once(models, tmp_path):
    models.wrong_small, models.wrong_large = {"Code 1.", "Code 2."}, {"Code 2.", "Code 3."}
    report = calibrate(tmp_path, models)
    again = calibrate(tmp_path, models)
    found = outcomes(tmp_path)

    assert {name: (one.results["small"].quality, one.results["large"].quality) for name, one in found.items()} == {
        "q0": (1, 1),
        "q1": (0, 1),
        "q2": (0, 0),
        "q3": (1, 0),
        "q4": (1, 1),
        "q5": (1, 1),
    }
    assert {one.source for one in found.values()} == {Source.JUDGE}
    assert found["q0"].results["small"].cost_usd == 2.0
    assert (report["n"], report["n_harms"], report["consistency"]["estimate"]) == (6, 1, 1.0)
    assert report["spent_usd"] == 2.0 * (6 + 6 + 12)
    assert again == report
    assert Counter(models.asked.values()) == {1: 12, 2: 6}  # both models once, the judge in both orders


def test_what_the_judge_says_badly_is_asked_again_and_then_undecided_never_a_pass(models, tmp_path):
    models.faults = {"Code 0.": "bad_once", "Code 1.": "bad", "Code 2.": "refuses", "Code 3.": "first"}
    report = calibrate(tmp_path, models)

    assert set(outcomes(tmp_path)) == {"q0", "q4", "q5"}
    assert {why: n for why, n in report["n_by_outcome"].items() if n} == {
        "decided": 3,
        "unreadable": 2,
        "orders_disagree": 1,
    }
    assert [models.asked["judge", f"Code {i}."] for i in range(5)] == [4, 6, 6, 2, 2]
    assert report["n_preferred_first_twice"] == 1
    assert (report["consistency"]["estimate"], round(report["consistency"]["low"], 3)) == (0.75, 0.194)


def test_what_stands_on_disk_is_read_again_without_a_key(models, tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "secret")
    report = calibrate(tmp_path, models, api_key_env="JUDGE_KEY")
    monkeypatch.delenv("JUDGE_KEY")

    assert calibrate(tmp_path, models, api_key_env="JUDGE_KEY") == report


def test_a_busy_judge_is_waited_for(models, tmp_path, monkeypatch):
    monkeypatch.setattr("core.asking.LONGEST_WAIT_S", 0.01)
    models.faults = {"Code 0.": [429, 503], "Code 1.": [429]}
    report = calibrate(tmp_path, models)

    assert report["n_by_outcome"]["decided"] == 6


def test_a_judge_that_cannot_be_reached_writes_nothing_unless_told_to_go_on(models, tmp_path):
    models.faults = {"Code 0.": [400, 400]}
    done = calibrate(tmp_path, models, check=False)
    models.faults = {"Code 0.": [400, 400]}
    was_written = (tmp_path / "queries.judged.jsonl").exists()
    report = calibrate(tmp_path, models, "--skip-failed")

    assert done.returncode == 1
    assert "1 rows are open, and no outcomes were written" in done.stderr
    assert not was_written
    assert (report["n_by_outcome"]["unanswered"], set(outcomes(tmp_path))) == (1, {"q1", "q2", "q3", "q4", "q5"})


def test_the_judge_sees_neither_names_nor_style_and_is_asked_at_temperature_zero(models, tmp_path):
    calibrate(tmp_path, models, n=1)
    judged = [body for body in models.requests if body["model"] == "judge"]

    assert len(judged) == 2
    for body in judged:
        given = json.loads(body["messages"][1]["content"])
        assert {given["first_answer"], given["second_answer"]} == {
            "[model] says in short, [model]: right",
            "[model] says in full, [model]: right",
        }
        assert body["temperature"] == 0


def test_the_cost_is_told_before_and_a_no_sends_nothing(models, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    queries, config = query_file(tmp_path, 3), settings_file(tmp_path, models)
    dry = command("calibrate", config, "--queries", queries, "--dry-run")
    refused = command("calibrate", config, "--queries", queries, check=False)

    assert "small: 3 to ask" in dry.stderr
    assert "judge: 6 to ask" in dry.stderr
    assert "USD in all" in dry.stderr
    assert refused.returncode == 1
    assert not models.asked


def test_the_cap_holds_over_answers_and_verdicts_and_a_higher_one_goes_on(models, tmp_path):
    query_file(tmp_path, 3)
    done = calibrate(tmp_path, models, "--max-usd", "1", check=False)
    before = sum(models.asked.values())
    report = calibrate(tmp_path, models, "--max-usd", "10000")

    assert "stopped at the cap of 1.0000 USD with 3 rows open" in done.stderr
    assert before == 0
    assert report["n_by_outcome"]["decided"] == 3


def test_answers_that_stand_in_the_rows_are_not_asked_for(models, tmp_path):
    answers = {"small": "wrong", "large": {"text": "right", "cost_usd": 0.5}}
    query_file(tmp_path, 2, answers=answers)
    report = calibrate(tmp_path, models)

    assert {model for model, _ in models.asked} == {"judge"}
    assert (report["n_harms"], outcomes(tmp_path)["q0"].results["large"].cost_usd) == (2, 0.5)


def test_three_votes_ask_three_times_in_each_order(models, tmp_path):
    report = calibrate(tmp_path, models, n=1, votes=3)

    assert models.asked["judge", "Code 0."] == 6
    assert report["votes"] == 3


def test_no_text_of_a_row_stands_in_log_ledger_or_report(models, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    query_file(tmp_path, 2, query="Nonpareil gout.")
    calibrate(tmp_path, models)
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    (event,) = Ledger(store).events(action="judge.run")
    store.dispose()

    assert "Nonpareil" not in caplog.text
    assert "Nonpareil" not in (tmp_path / "queries.judged.report.json").read_text()
    assert set(event.details) == {"rows", "decided", "task_sha256", "spent_usd"}
    assert event.subject == "judge"


def test_two_equal_answers_are_compared_once_and_say_nothing_about_the_order(models, tmp_path):
    query_file(tmp_path, 2, answers={"small": "right", "large": "right"})
    report = calibrate(tmp_path, models)

    assert models.asked["judge", "Code 0."] == 1
    assert (report["n_by_outcome"]["decided"], report["consistency"]) == (2, None)


@pytest.mark.parametrize("data_class", ["limited", "identified"])
def test_texts_of_patients_go_to_no_judge_that_may_not_see_them(data_class, models, tmp_path):
    done = calibrate(
        tmp_path, models, n=1, check=False, data_class=data_class, base_url="https://models.example.org/v1"
    )

    assert done.returncode == 1
    assert "set judge.may_see_identified: true" in done.stderr
    assert not models.asked


def test_a_text_with_an_identifier_is_not_sent_to_a_judge_elsewhere(models, tmp_path):
    answers = {"small": "wrong", "large": "Call 555-010-2233 to be right"}
    query_file(tmp_path, 1, answers=answers)
    done = calibrate(tmp_path, models, check=False, data_class="deidentified", base_url="http://192.0.2.1/v1")

    assert "no answer of 'judge' (identifier_found)" in done.stderr
    assert not models.asked


def test_without_an_installed_screen_every_text_counts_as_holding_an_identifier(monkeypatch):
    installed = identifier_screen()
    monkeypatch.setattr("core.screening.entry_points", lambda **_: ())

    assert (installed("Code gout."), identifier_screen()("Code gout.")) == (False, True)


def test_every_bad_row_is_named(tmp_path):
    rows = [{"id": "a"}, {"id": "b", "query": "?", "answers": ["x"]}, {"id": "b", "query": "!"}]

    with pytest.raises(DataError, match=r"2 faults.*\n.*:1: no query.*\n.*:2: answers are an object"):
        rows_to_judge(write(tmp_path / "q.jsonl", rows), ("small", "large"))


def test_settings_without_a_judge_say_where_to_name_one(models, tmp_path):
    config = settings_file(tmp_path, models)
    settings = yaml.safe_load(config.read_text())
    del settings["judge"]
    config.write_text(yaml.safe_dump(settings))
    done = command("calibrate", config, "--queries", query_file(tmp_path, 1), check=False)

    assert "The settings name no judge. Add `judge:`" in done.stderr


@pytest.mark.slow
def test_a_judging_that_was_killed_goes_on_and_pays_nothing_twice(models, tmp_path):
    models.pause_s = 0.05
    queries, config = query_file(tmp_path, 12), settings_file(tmp_path, models)
    verdicts = tmp_path / "queries.verdicts.jsonl"
    killed = subprocess.Popen(
        [sys.executable, "-m", "core.cli", "calibrate", config, "--queries", queries, "--yes", "--parallel", "2"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not verdicts.exists() or verdicts.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(timeout=10)
    n_kept = verdicts.read_bytes().count(b"\n")
    with verdicts.open("ab") as file:
        file.write(b'{"model": "judge", "messa')  # as a kill within a write leaves it
    models.pause_s = 0.0
    report = calibrate(tmp_path, models)

    assert 5 <= n_kept < 24
    assert report["n_by_outcome"]["decided"] == 12
    assert sum(models.asked.values()) <= 12 + 12 + 24 + 2  # two were under way when the kill came
