"""What README and the help examples say really runs: in order, on a small world, with the settings in configs/."""

import json
import re
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.store import open_store
from gateway.records.decision_log import DecisionLog
from gateway.records.texts import TextLog
from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import next_task
from tests.gateway.made_decision import made_decision
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
    """A working folder as README has it: the repository's configs/ and examples/, and demo-work/ of the demo's form."""
    folder = tmp_path_factory.mktemp("town")
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copytree(ROOT / "examples" / "verify", folder / "examples" / "verify")
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
    models = ("coder-small", "coder-large")
    held = pair(9, *models, id="claim-0042", query="Code gout, call 555-123-4567 or MRN 00123456.")
    write(folder / "clinic" / "pairs.jsonl", [pair(1, *models), pair(2, *models), held])
    same = {"answers": dict.fromkeys(models, "M10.4")}
    write(folder / "clinic" / "later.jsonl", [pair(3, *models), pair(4, *models, **same)])
    write(folder / "clinic" / "known.jsonl", [{"item": "task-2", "verdict": "strong_better"}])
    (folder / "clinic" / "coding.md").write_text("Code what the note says.\n", encoding="utf-8")
    write(folder / "demo-work" / "queries.jsonl", [{"query": "Injury by noodles"}])
    asked = [{"query": f"Bill claim {n}.", "stakes": "high"} for n in range(200)]
    asked += [{"query": f"Say hello {n} times.", "stakes": "low"} for n in range(40)]
    write(folder / "demo-work" / "stakes.jsonl", asked)
    write(folder / "demo-work" / "answers.jsonl", [{"id": "1", "query": "Code gout.", "answer": "Code: M10.9"}])
    graded = {"lexical-coder": {"quality": 1.0}}
    write(folder / "demo-work" / "graded.jsonl", [{"id": "1", "query": "Code gout.", "results": graded}])
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
    assert "figures.total                pass 3, fail 1" in said(readme, "preceptor verify")
    assert "finance_held_out.yaml" in said(readme, "preceptor policy test")
    assert (town / "datasets" / "medical-coding@1" / "outcomes.jsonl").is_file()


IN_ORDER = (
    *("plan", "calibrate", "run", "learn-curve", "evaluate", "score"),
    *("label import", "label held", "label clear", "label guideline", "label gold", "label invite", "label status"),
    *("label freeze", "label export", "label agreement", "label ties", "label select", "label meter", "label diff"),
    *("prioritise", "feedback"),
    *("people add", "people verify", "people qualify", "people grant", "people revoke"),
    *("people invite", "people list", "people retire"),
    *("key create", "key list", "key revoke", "decision show", "decision prune"),
    *("shadow", "stop", "resume"),
    *("promote", "rollback", "verify", "policy test", "policy fit", "measure"),
    *("ledger keygen", "ledger anchor", "ledger verify", "ledger list", "ledger export"),
    *("store status", "store upgrade"),
)


def between(start: str, town: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens before the examples that begin so: experts judge, more work comes in, files change hands."""
    clinic = town / "clinic"
    store_url = f"sqlite:///{clinic}/preceptor.db"
    match start:
        case "label freeze":
            judge_all(store_url, "Dana Ruiz")
        case "label ties":
            run("preceptor label import later.jsonl --weak coder-small --strong coder-large", clinic, monkeypatch)
        case "label diff":  # version 2 is the one with what came in later
            judge_all(store_url, "Dana Ruiz")
            run("preceptor label freeze cardiology", clinic, monkeypatch)
        case "feedback":
            shutil.copytree(clinic / "datasets" / "cardiology@1", town / "datasets" / "cardiology@1")
        case "decision show":  # the gateway has kept it
            store = open_store(f"sqlite:///{town}/demo-work/preceptor.db")
            DecisionLog(store).record(made_decision(id="dec_6f1d0c4be2a94d0f8c1b7a5e3d920f44"))
            texts = TextLog(store)
            texts.keep("dec_6f1d0c4be2a94d0f8c1b7a5e3d920f44", {"model": "auto"}, {"choices": []})
            assert texts.close()
        case "promote":  # the example's version 2 is champion since README's rollback
            other = "preceptor promote medical-coding 4 --to champion --by ann --approved-by bob"
            run(other, town / "demo-work", monkeypatch)


@pytest.fixture(scope="module")
def shown(readme: dict[str, str], town: Path) -> dict[str, str]:
    """The examples of the help, each run where its files are, in the order of `IN_ORDER`; what each printed."""
    lines = {line for path, line in examples() if path not in LISTEN}
    printed = {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for start in IN_ORDER:
            between(start, town, monkeypatch)
            for line in sorted(line for line in lines if line.startswith(f"preceptor {start} ")):
                work = town / ("clinic" if start.startswith("label") else "demo-work")
                printed[line] = run(line, town if re.search(r"\b(?:configs|demo-work)/", line) else work, monkeypatch)
    return printed


def test_every_help_example_runs_as_it_stands(shown, town):
    assert set(shown) == {line for path, line in examples() if path not in LISTEN}
    assert 0 <= float((town / "demo-work" / "scores.txt").read_text()) <= 1
    assert json.loads((town / "demo-work" / "verdicts.jsonl").read_text())["id"] == "1"


def test_the_examples_of_labeling_tell_one_story(shown, town):
    def told(start: str) -> str:
        return said(shown, f"preceptor label {start}")

    assert list(json.loads(told("held"))["held"]) == ["claim-0042"]
    assert told("guideline").startswith("Version 1 is in force")
    assert told("gold") == "Pairs set: 1 hidden. Unchanged: 0.\n"
    assert (town / "clinic" / "preferences.jsonl").read_text().count("\n") == 2
    assert [json.loads(row)["id"] for row in (town / "clinic" / "ties.jsonl").read_text().splitlines()] == ["task-4"]
    assert told("select").startswith("2 of 2 waiting items are in the audit stream.")
    assert told("diff").startswith("cardiology@1 to cardiology@2: pairs 2 added, 0 removed, 0 judged differently, ")


def test_the_examples_tell_what_was_kept(shown, town):
    assert said(shown, "preceptor prioritise").startswith("3 queries scored by medical-coding ")
    assert said(shown, "preceptor feedback").startswith("2 of 2 judgements on 2 pairs are new in MLflow.")
    people = [json.loads(line) for line in said(shown, "preceptor people list").splitlines()]
    assert {one["name"]: one["roles"] for one in people} == {
        "Dana Ruiz": ["annotator"],
        "Lee Okafor": ["annotator", "senior"],
        "YOU": ["annotator"],
    }
    assert len(list((town / "demo-work" / "anchors").iterdir())) == 1
    assert "1 anchor holds" in said(shown, "preceptor ledger verify --anchors")
    assert said(shown, "preceptor store upgrade").endswith("already: nothing to do.\n")


def test_the_examples_of_the_gateway_tell_of_its_keys_and_decisions(shown):
    made, listed = said(shown, "preceptor key create"), said(shown, "preceptor key list --json")

    assert made.startswith(f"pk_{json.loads(listed)['id']}_")
    assert made.strip() not in listed
    assert '"model": "auto"' in said(shown, "preceptor decision show")
    assert said(shown, "preceptor decision prune").startswith("The texts of 0 decisions")
