"""What README and the help examples say really runs: in order, on a small world, with the settings in configs/."""

import json
import re
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.store import open_store
from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import next_task
from tests.pipeline.conftest import command, world_rows
from tests.repo.test_docs import command_lines, examples

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LISTEN = ("preceptor serve", "preceptor label serve")
"""Commands that serve until they are stopped; tests/gateway and tests/labeling start them."""
MODELS = {"cheap": "cheap-coder", "dear": "careful-coder"}


def pair(number: int, weak: str, strong: str, **fields: object) -> dict[str, object]:
    """A row for the judging screen."""
    answers = {weak: f"M10.{number}", strong: f"M10.{number} gout"}
    return {"id": f"task-{number}", "query": f"Code diagnosis number {number}.", "answers": answers, **fields}


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Path:
    """A working folder as README has it: configs/ of the repository, and demo-work/ with files of the demo's form."""
    folder = tmp_path_factory.mktemp("town")
    shutil.copytree(ROOT / "configs", folder / "configs")
    outcomes = [
        {
            **row,
            "domain": {"coding": "mental-health"}.get(row["domain"], row["domain"]),
            "results": {MODELS[name]: graded for name, graded in row["results"].items()},
        }
        for row in world_rows()
    ]
    write(folder / "demo-work" / "outcomes.jsonl", outcomes)
    write(folder / "demo-work" / "pairs.jsonl", [pair(number, *MODELS.values()) for number in range(3)])
    shutil.copy(empty_mlflow, folder / "demo-work" / "mlflow.db")
    held = pair(9, "coder-small", "coder-large", id="claim-0042", query="Code gout, call 555-123-4567 or MRN 00123456.")
    write(folder / "clinic" / "pairs.jsonl", [pair(1, "coder-small", "coder-large"), held])
    write(folder / "demo-work" / "queries.jsonl", [{"query": "Injury by noodles"}])
    write(folder / "demo-work" / "answers.jsonl", [{"id": "1", "query": "Code gout.", "answer": "Code: M10.9"}])
    return folder


def run(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a documented line word for word in `folder`; what it printed on stdout."""
    monkeypatch.chdir(folder)
    return command(*shlex.split(line)[1:]).stdout


def judge_all(store_url: str, expert: str) -> None:
    """What an expert does between `label serve` and `label freeze`."""
    store, now = open_store(store_url), datetime.now(UTC)
    invite_expert(store, expert, by="lead", now=now)
    while task := next_task(store, expert, now=now):
        submit(store, Ballot(task.assignment_id, task.revision, Choice.LEFT_BETTER), expert=expert, now=now)
    store.dispose()


@pytest.fixture(scope="module")
def readme(town: Path) -> dict[str, str]:
    """README's commands, run in README's order; what each printed."""
    printed = {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for page, line in command_lines():
            if page != "README.md" or line.startswith(LISTEN):
                continue
            if line.startswith("preceptor label freeze"):
                judge_all(f"sqlite:///{town}/demo-work/preceptor.db", "YOU")
            if line.startswith("preceptor rollback"):  # there must be a version to go back to
                run("preceptor run configs/medical_coding.yaml --from register", town, monkeypatch)
                second = re.sub(r"medical-coding \d+", "medical-coding 4", next(x for x in printed if "promote" in x))
                run(second, town, monkeypatch)
            printed[line] = run(line, town, monkeypatch)
    return printed


def said(printed: dict[str, str], start: str) -> str:
    return next(text for line, text in printed.items() if line.startswith(start))


def test_every_command_of_readme_runs_in_readme_s_order(readme, town):
    figures = json.loads(said(readme, "preceptor evaluate"))

    assert len(readme) >= 8
    assert figures["apgr"]["low"] <= figures["apgr"]["estimate"] <= figures["apgr"]["high"]
    assert "nothing -> version 2" in said(readme, "preceptor promote")
    assert "version 4 -> version 2" in said(readme, "preceptor rollback")
    assert "chain intact" in said(readme, "preceptor ledger verify")
    assert (town / "datasets" / "medical-coding@1" / "outcomes.jsonl").is_file()


IN_ORDER = (
    "calibrate",
    "run",
    "label import",
    "label held",
    "label clear",
    "label invite",
    "label status",
    "label freeze",
    "label export",
    "learn-curve",
    "evaluate",
    "score",
    "promote",
    "rollback",
    "verify",
    "ledger",
)


def test_every_help_example_runs_as_it_stands(readme, town, monkeypatch):
    lines = {line for path, line in examples() if path not in LISTEN}
    done = []
    for start in IN_ORDER:
        for line in sorted(line for line in lines if line.startswith(f"preceptor {start} ")):
            is_label = start.startswith("label")
            folder = town if "configs/" in line else town / ("clinic" if is_label else "demo-work")
            if start == "label freeze":
                judge_all(f"sqlite:///{town}/clinic/preceptor.db", "Dana Ruiz")
            if start == "promote":  # the example's version 2 is champion since README's rollback
                run(re.sub(r"medical-coding \d+", "medical-coding 4", line), folder, monkeypatch)
            run(line, folder, monkeypatch)
            done.append(line)

    assert set(done) == lines
    assert 0 <= float((town / "demo-work" / "scores.txt").read_text()) <= 1
    assert json.loads((town / "demo-work" / "verdicts.jsonl").read_text())["id"] == "1"
    assert (town / "clinic" / "preferences.jsonl").read_text().count("\n") == 2
