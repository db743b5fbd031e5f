"""The journey through the commands, on a small world: run, resume, evaluate, score, promote, roll back, verify."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipeline.conftest import command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def journey(world: Path) -> dict:
    """A run that was killed with SIGKILL while it trained, and then run again."""
    run = [sys.executable, "-c", "from core.cli import main; main()", "run", str(world / "run.yaml")]
    running = subprocess.Popen(run, stderr=subprocess.PIPE, text=True)
    seen = ""
    deadline = time.monotonic() + 120
    while "- train" not in seen:
        line = running.stderr.readline()
        assert line and time.monotonic() < deadline, seen
        seen += line
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    running.stderr.close()
    killed_run = json.loads((world / "runs" / "small-world" / "mlflow_run.json").read_text())
    again = command("run", world / "run.yaml", "--json")
    return {"killed": killed_run, "stderr": again.stderr, **json.loads(again.stdout)}


def where(world: Path) -> list[str]:
    return ["--tracking-uri", f"sqlite:///{world / 'mlflow.db'}"]


def ledger(world: Path) -> list[str]:
    return ["--store", f"sqlite:///{world / 'preceptor.db'}"]


def test_a_killed_run_goes_on_where_it_stopped_under_the_same_mlflow_run(journey):
    assert journey["ran"] == ["train", "calibrate", "suspect", "certify", "evaluate", "register", "promote"]
    assert "embed: inputs unchanged" in journey["stderr"]
    assert journey["registered"]["run_id"] == journey["killed"]["run_id"]


def test_the_adapted_router_beats_the_base_with_an_interval_above_zero(journey):
    evaluation = journey["evaluation"]

    assert evaluation["better_than"]["base"]["low"] > 0
    assert set(evaluation["routers"]) == {
        "adapted", "base", "random", "prompt_length", "topic_prior", "tfidf_ridge",
    }  # fmt: skip


def test_a_second_run_changes_nothing(journey, world):
    again = command("run", world / "run.yaml", "--json")

    assert json.loads(again.stdout)["ran"] == []


def test_a_dry_run_says_what_would_run_and_why(journey, world):
    plan = command("run", world / "run.yaml", "--dry-run", "--from", "evaluate", "--json")

    assert [(item["stage"], item["runs"]) for item in json.loads(plan.stdout)["stages"]][4:8] == [
        ("calibrate", False),
        ("suspect", False),
        ("certify", False),
        ("evaluate", True),
    ]


def test_evaluate_prints_figures_with_intervals_and_the_floors_on_the_same_rows(journey, world):
    result = command(
        "evaluate", "--bundle", "models:/small-world@challenger", "--data", world / "outcomes.jsonl",
        "--domain", "coding", "--resamples", 300, "--json", *where(world),
    )  # fmt: skip
    figures = json.loads(result.stdout)

    for name in ("apgr", "cpt50", "cpt80"):
        assert figures[name]["low"] <= figures[name]["estimate"] <= figures[name]["high"]
    assert set(figures["floors"]) == {"random", "prompt_length", "topic_prior", "tfidf_ridge"}
    assert figures["apgr"]["low"] > 0.5
    assert figures["n"] == 140
    parts = json.loads((world / "runs" / "small-world" / "split" / "parts.json").read_text())
    assert figures["n_trained_rows"] == parts[140:].count("train") + parts[140:].count("calibrate") > 0
    assert f"{figures['n_trained_rows']} of 140 rows have questions that the bundle was trained" in result.stderr


def test_evaluate_names_the_models_that_the_data_hold(journey, world):
    result = command(
        "evaluate", "--bundle", "models:/small-world@challenger", "--data", world / "outcomes.jsonl",
        "--weak", "gpt-9", *where(world), check=False,
    )  # fmt: skip

    assert result.returncode == 1
    assert "no outcome of model 'gpt-9'; the rows have cheap, dear" in result.stderr


def test_score_writes_one_probability_a_line_in_the_order_of_the_input(journey, world, tmp_path):
    (tmp_path / "queries.jsonl").write_text('{"query": "Injury by noodles"}\n{"query": "Injury by rickshaw"}\n')
    command(
        "score", "--bundle", "models:/small-world@challenger", "--input", tmp_path / "queries.jsonl",
        "--output", tmp_path / "scores.txt", *where(world),
    )  # fmt: skip
    food, vehicle = (float(line) for line in (tmp_path / "scores.txt").read_text().splitlines())

    assert 0 <= vehicle < food <= 1  # two words that no row holds; in this specialty the cheap model fails on foods


def test_score_refuses_a_file_with_a_bad_row_and_writes_nothing(journey, world, tmp_path):
    (tmp_path / "queries.jsonl").write_text('{"query": "gout"}\n{"text": "gout"}\n')
    result = command(
        "score", "--bundle", "models:/small-world@challenger", "--input", tmp_path / "queries.jsonl",
        "--output", tmp_path / "scores.txt", *where(world), check=False,
    )  # fmt: skip

    assert result.returncode == 1
    assert "queries.jsonl:2: no query" in result.stderr
    assert not (tmp_path / "scores.txt").exists()


def test_promotion_and_rollback_move_the_alias_and_the_ledger_shows_an_edit(journey, world):
    first, name = journey["registered"]["adapted"], "small-world"
    signed = ["--by", "ann", "--approved-by", "bob", *where(world), *ledger(world)]
    refused = command("promote", name, journey["registered"]["base"], *signed, check=False)
    assert (refused.returncode, "could not run" in refused.stderr) == (1, True)
    command("promote", name, first, *signed)
    moved = command("run", world / "run.yaml", "--from", "register", "--json")
    second = json.loads(moved.stdout)["registered"]["adapted"]
    command("promote", name, second, *signed)
    back = command("rollback", name, "--by", "ann", *where(world), *ledger(world), "--json")

    assert json.loads(back.stdout)["version_after"] == first
    assert "chain intact" in command("ledger", "verify", *ledger(world)).stdout

    with sqlite3.connect(world / "preceptor.db") as connection:
        connection.execute("DROP TRIGGER ledger_event_no_update")
        connection.execute("UPDATE ledger_event SET actor = 'bnn' WHERE actor = 'ann' AND action = 'release.promote'")
    connection.close()
    broken = command("ledger", "verify", *ledger(world), check=False)
    assert broken.returncode == 1
    assert "its content does not match its hash" in broken.stderr
