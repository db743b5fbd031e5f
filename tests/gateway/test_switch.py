"""The stop switch: on record before it counts, obeyed within a moment, and safe where its state is not known."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from sqlalchemy.exc import OperationalError

from core.access import Actor, Role
from core.cli import preceptor
from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from core.people import add_person, grant
from core.store import create_tables, open_store, writing
from gateway.bundles.switch import Stop, read_stops, resume, stop
from gateway.bundles.switch_state import SwitchState

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ANN = Actor("ann", frozenset({Role.LEAD}))
BOB = Actor("bob", frozenset({Role.APPROVER}))


@pytest.fixture
def engine(store_url):
    made = open_store(store_url)
    create_tables(made)
    yield made
    made.dispose()


def turn(engine, act, domain=None, by=BOB, reason="wrong codes"):
    with writing(engine) as connection:
        return act(connection, domain, by=by, reason=reason, now=NOW)


def test_a_stop_stands_in_the_store_and_in_the_ledger_until_it_is_ended(engine):
    assert turn(engine, stop, by=ANN)
    assert turn(engine, stop, "law", by=ANN)
    assert not turn(engine, stop, by=ANN)
    assert read_stops(engine) == (Stop(None, NOW, "ann", "wrong codes"), Stop("law", NOW, "ann", "wrong codes"))

    assert turn(engine, resume)
    assert not turn(engine, resume)
    assert [one.domain for one in read_stops(engine)] == ["law"]
    events = [(event.actor, event.action, event.subject) for event in Ledger(engine).events()]
    assert events == [
        ("ann", "gateway.stop", "all domains"),
        ("ann", "gateway.stop", "domain law"),
        ("bob", "gateway.resume", "all domains"),
    ]


@pytest.mark.parametrize("role", sorted(Role))
def test_five_roles_may_stop_and_only_those_that_promote_may_resume(tmp_path, role):
    engine = open_store(f"sqlite:///{tmp_path}/store.db")
    create_tables(engine)

    def may(act):
        try:
            turn(engine, act, by=Actor("eve", frozenset({role})))
        except AccessDenied:
            return False
        return True

    assert may(stop) == (role in {"engineer", "validator", "approver", "lead", "steward"})
    assert may(resume) == (role in {"engineer", "approver"})
    engine.dispose()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_stop_without_a_reason_or_with_a_novel_is_refused_and_changes_nothing(engine, reason):
    with pytest.raises(PreceptorError, match="Give one of 1 to 500"):
        turn(engine, stop, reason=reason)

    assert read_stops(engine) == ()


def running(state, story):
    async def all_of_it():
        await state.start()
        try:
            return await story()
        finally:
            await state.aclose()

    return asyncio.run(all_of_it())


async def until(condition):
    deadline = asyncio.get_running_loop().time() + 20
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.005)


def test_a_running_gateway_obeys_a_stop_and_its_end(engine):
    state = SwitchState(lambda: read_stops(engine), watch_s=0.02)

    async def story():
        before = state.is_stopped("law"), state.is_stopped(None)
        await asyncio.to_thread(turn, engine, stop, "law")
        await until(lambda: state.is_stopped("law"))
        during = state.is_stopped("tax"), state.is_stopped(None), state.stops_all, state.warnings()
        await asyncio.to_thread(turn, engine, resume, "law")
        await until(lambda: not state.is_stopped("law"))
        return before, during

    before, during = running(state, story)
    assert before == (False, False)
    assert during == (False, True, False, ("Weak answers of law are stopped since 2026-11-24 09:00:00 UTC.",))


def test_a_store_that_cannot_be_read_stops_everything_after_a_while_and_at_once_where_nothing_was_ever_read():
    answers, seconds = [()], [0.0]

    def read():
        if not answers:
            raise OperationalError("", {}, Exception())
        return answers[0]

    state = SwitchState(read, watch_s=0.005, patience_s=30, clock=lambda: seconds[0])

    async def story():
        found = [state.is_stopped("law")]
        answers.clear()
        await until(state.warnings)
        seconds[0] = 30.0
        found.append(state.is_stopped("law"))
        seconds[0] = 30.1
        found.append(state.is_stopped("law"))
        said = state.warnings()
        answers.append(())
        await until(lambda: not state.is_stopped("law"))
        return found, said

    found, said = running(state, story)
    assert found == [False, False, True]
    assert said == ("The stop switch cannot be read (OperationalError); all weak answers are stopped until it does.",)
    assert SwitchState(read).is_stopped("law") and SwitchState(read).stops_all


def run(*words):
    return CliRunner().invoke(preceptor, words, catch_exceptions=True)


@pytest.fixture
def store(tmp_path):
    return f"sqlite:///{tmp_path}/store.db"


def test_the_commands_stop_show_and_resume_and_name_the_next_one(store):
    stopped = run("stop", "--store", store, "--by", "ann", "--reason", "wrong codes", "--yes")
    again = run("stop", "--store", store, "--by", "ann", "--reason", "wrong codes", "--yes")
    shown = json.loads(run("stop", "--status", "--json", "--store", store).stdout)
    ended = run("resume", "--store", store, "--by", "bob", "--reason", "mended", "--yes")

    assert stopped.stdout == (
        f"Weak answers of all domains are stopped.\nNext: preceptor resume --store {store} --reason ...\n"
    )
    assert again.stdout.startswith("Weak answers of all domains were stopped already.")
    assert (shown["domain"], shown["by"], shown["reason"]) == (None, "ann", "wrong codes")
    assert ended.stdout == f"The stop of all domains has ended.\nNext: preceptor stop --status --store {store}\n"
    assert run("stop", "--status", "--store", store).stdout == "Nothing is stopped.\n"


def test_the_commands_ask_before_they_turn_and_refuse_what_would_stop_nothing(store):
    asked = CliRunner().invoke(preceptor, ["stop", "--store", store, "--reason", "x"], input="n\n")
    typo = run("stop", "--store", store, "--domain", "cardiolgy", "--reason", "x", "--yes")
    nothing = run("resume", "--store", store, "--reason", "x", "--yes")

    assert asked.exit_code == 1
    assert "names a domain 'cardiolgy'" in str(typo.exception)
    assert "There is no stop of all domains; stopped is nothing." in str(nothing.exception)
    assert run("stop", "--status", "--store", store).stdout == "Nothing is stopped.\n"


def test_on_a_store_with_an_admin_the_role_counts(store):
    engine = open_store(store)
    create_tables(engine)
    open_actor = Actor("root", at_open_command_line=True)
    with writing(engine) as connection:
        for name, role in (("lena", Role.LEAD), ("amy", Role.ADMIN)):
            add_person(connection, name, by=open_actor, now=NOW)
            grant(connection, name, role, by=open_actor, now=NOW)
    engine.dispose()

    assert run("stop", "--store", store, "--by", "lena", "--reason", "x", "--yes").exit_code == 0
    refused = run("resume", "--store", store, "--by", "lena", "--reason", "x", "--yes")
    assert "'lena' may not resume; it takes one of these roles: approver, engineer" in str(refused.exception)
