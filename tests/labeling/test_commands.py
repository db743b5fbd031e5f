import json

import pytest
from click.testing import CliRunner

from core.access import Role
from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from core.people import actor_of, add_person, grant
from core.store import open_store, writing
from labeling.commands.group import label
from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.offering import next_task
from tests.labeling.conftest import START, STRONG, WEAK, row, write_rows


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        done = CliRunner().invoke(label, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return invoke


@pytest.mark.parametrize("command", sorted(label.commands))
def test_help_ends_with_an_example(run, command):
    assert f"Example: preceptor label {command}" in run(command, "--help").output


def test_from_import_to_export(run, tmp_path, clock):
    write_rows(tmp_path / "pairs.jsonl", [row(number) for number in range(2)])
    dry = run("import", "pairs.jsonl", "--weak", WEAK, "--strong", STRONG, "--dry-run")
    done = run("import", "pairs.jsonl", "--weak", WEAK, "--strong", STRONG)
    link = run("invite", "Dana Ruiz")
    store = open_store("sqlite:///preceptor.db")
    task = next_task(store, "Dana Ruiz", now=clock())
    submit(store, Ballot(task.assignment_id, 0, Choice.BOTH_ACCEPTABLE), expert="Dana Ruiz", now=clock())
    store.dispose()
    status = json.loads(run("status", "--json").stdout)
    frozen = json.loads(run("freeze", "coding", "--json").stdout)
    exported = run("export", "coding@1", "--format", "lmarena")

    assert dry.stdout.startswith("Dry run: 2 rows, 2 new pairs")
    assert done.stdout.startswith("2 rows, 2 new pairs, 0 duplicates skipped.")
    assert link.stdout.startswith("http://127.0.0.1:8100/sign-in?token=")
    assert (status["n_judged"], status["experts"][0]["name"]) == (1, "Dana Ruiz")
    assert (frozen["dataset"], frozen["new"], frozen["counts"]["outcomes"]) == ("coding@1", True, 1)
    assert json.loads(exported.stdout)["winner"] == "tie"
    assert "1 rows; 0 have no place in this form." in exported.stderr


def test_a_store_that_is_no_database_is_refused_with_a_sentence(run):
    with pytest.raises(PreceptorError, match="is not a database URL"):
        run("status", "--store", "nonsense")


def test_a_change_of_the_overlap_asks_the_policy_and_is_an_event(run, tmp_path, monkeypatch):
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: None)
    rules = ("--weak", WEAK, "--strong", STRONG)
    run("import", str(write_rows(tmp_path / "pairs.jsonl", [row(0), row(1)])), *rules)
    run("serve", "--overlap", "3", "--by", "lea")
    store = open_store("sqlite:///preceptor.db")
    (event,) = Ledger(store).events(action="queue.overlap")
    with writing(store) as connection:
        ops = actor_of(connection, "ops", now=START, at_command_line=True)
        add_person(connection, "alex", by=ops, now=START)
        grant(connection, "alex", Role.ADMIN, by=ops, now=START)
    store.dispose()

    assert (event.actor, event.details) == ("lea", {"experts": 3, "pairs": 2})
    with pytest.raises(AccessDenied, match="'lea' may not select queue"):
        run("serve", "--overlap", "1", "--by", "lea")
