import json

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from core.access import Actor, Role
from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from core.store import open_store, writing
from labeling.commands.group import label
from labeling.content.clearance import clear_item, exclude_item, held_items, mask_item, view_held
from labeling.content.importing import import_pairs
from labeling.tables import ANSWERS, CLEARANCES, FLAGS, ITEMS, PAIRS, PHI_FINDINGS, QUEUE, REDACTIONS
from tests.labeling.conftest import ONCE, STRONG, WEAK, row, write_rows

STEWARD = Actor("steward", frozenset({Role.STEWARD}))
LEAD = Actor("lead", frozenset({Role.LEAD}))
PHONE = "555-010-2233"
TEXT = f"Call {PHONE} about the fracture."


@pytest.fixture
def held(store, tmp_path, clock):
    """One item with a phone number in the question and in an answer."""
    answers = {WEAK: f"Call {PHONE}, code S72.001A.", STRONG: "Code S72.001A."}
    path = write_rows(tmp_path / "held.jsonl", [row(1, query=TEXT, answers=answers)])
    import_pairs(store, [path], by="lead", now=clock(), rules=ONCE)
    return store


def one(store, query):
    with store.connect() as connection:
        return connection.execute(query).scalar_one()


def question(store):
    return json.loads(one(store, sa.select(ITEMS.c.messages)))[0]["content"]


def is_open(store):
    return one(store, sa.select(QUEUE.c.is_open))


def test_a_cleared_item_is_offered_as_it_is_and_the_reason_is_kept(held, clock):
    clear_item(held, "task-001", reason="A number of the ministry.", by=STEWARD, now=clock())
    (event,) = Ledger(held).events(action="phi.clear")

    assert (question(held), is_open(held)) == (TEXT, True)
    assert one(held, sa.select(CLEARANCES.c.reason)) == "A number of the ministry."
    assert (event.actor, event.details["decision"], event.details["kinds"]) == ("steward", "as_it_is", "phone")
    assert "ministry" not in json.dumps(dict(event.details))


def test_clearing_as_it_is_needs_a_reason(held, clock):
    with pytest.raises(PreceptorError, match="needs a reason"):
        clear_item(held, "task-001", reason=" ", by=STEWARD, now=clock())
    assert not is_open(held)


def test_masking_takes_the_text_out_of_what_anyone_reads(held, clock):
    masked = mask_item(held, "task-001", by=STEWARD, now=clock())
    with held.connect() as connection:
        answers = set(connection.execute(sa.select(ANSWERS.c.text)).scalars())
        kept = connection.execute(sa.select(REDACTIONS.c.original).where(REDACTIONS.c.part != "messages")).scalar_one()

    assert masked == {"phone": 2}
    assert question(held) == "Call [PHONE-1] about the fracture."
    assert answers == {"Call [PHONE-1], code S72.001A.", "Code S72.001A."}
    assert is_open(held)
    assert kept == f"Call {PHONE}, code S72.001A."


def test_a_finding_that_identifies_nobody_stays_and_further_words_are_masked(held, clock):
    with held.connect() as connection:
        answer = connection.execute(sa.select(ANSWERS.c.id).where(ANSWERS.c.model == WEAK)).scalar_one()
    masked = mask_item(held, "task-001", kept=[(answer, 5)], also=["FRACTURE"], by=STEWARD, now=clock())

    assert masked == {"phone": 1, "unique_code": 1}
    assert question(held) == "Call [PHONE-1] about the [UNIQUE-CODE-1]."
    assert one(held, sa.select(ANSWERS.c.text).where(ANSWERS.c.id == answer)) == f"Call {PHONE}, code S72.001A."


def test_importing_a_masked_item_again_is_still_a_duplicate(held, clock, tmp_path):
    mask_item(held, "task-001", by=STEWARD, now=clock())
    again = import_pairs(held, [tmp_path / "held.jsonl"], by="lead", now=clock(), rules=ONCE)
    more = row(1, query=TEXT, answers={WEAK: f"Call {PHONE}, code S72.001A.", "third": "Code M80.05XA."})
    other = import_pairs(held, [write_rows(tmp_path / "more.jsonl", [more])], by="lead", now=clock())

    assert (again.n_new, again.n_duplicates) == (0, 1)
    assert (other.n_new, other.held) == (1, ())  # only the new answer is searched


def test_an_excluded_item_is_offered_to_nobody(held, clock):
    exclude_item(held, "task-001", by=STEWARD, now=clock())

    assert one(held, sa.select(ITEMS.c.phi_state)) == "excluded"
    assert not is_open(held)
    with pytest.raises(PreceptorError, match="is not held back, it is excluded"):
        clear_item(held, "task-001", reason="x", by=STEWARD, now=clock())


def test_every_look_is_an_event_without_the_text(held, clock):
    item = view_held(held, "task-001", by=STEWARD, now=clock())
    (event,) = Ledger(held).events(action="phi.view")

    assert item.texts[0].text[item.texts[0].findings[0].start : item.texts[0].findings[0].end] == PHONE
    assert (event.actor, event.subject, event.details) == ("steward", "task-001", {"findings": 2, "kinds": "phone"})


def test_nothing_of_a_finding_stands_in_the_ledger_or_among_the_findings(held, clock):
    view_held(held, "task-001", by=STEWARD, now=clock())
    mask_item(held, "task-001", also=["fracture"], by=STEWARD, now=clock())
    with held.connect() as connection:
        found = [tuple(row) for row in connection.execute(sa.select(PHI_FINDINGS))]

    assert found == [("task-001", "phone", 2)]
    told = json.dumps([event.__dict__ for event in Ledger(held).events()])
    assert PHONE not in told
    assert "fracture" not in told


@pytest.mark.parametrize(
    "act",
    [
        lambda store, now: view_held(store, "task-001", by=LEAD, now=now),
        lambda store, now: clear_item(store, "task-001", reason="x", by=LEAD, now=now),
        lambda store, now: mask_item(store, "task-001", by=LEAD, now=now),
        lambda store, now: exclude_item(store, "task-001", by=LEAD, now=now),
    ],
)
def test_only_a_steward_sees_and_clears(held, clock, act):
    with pytest.raises(AccessDenied, match="steward"):
        act(held, clock())
    assert not is_open(held)


def test_a_flag_of_an_identifier_is_settled_by_the_decision(imported, expert, clock):
    store = imported(1)
    dana = expert(store)
    with writing(store) as connection:
        pair = connection.execute(sa.select(PAIRS.c.id)).scalar_one()
        flag = {"id": "f", "pair_id": pair, "expert": dana.name, "kind": "identifier", "text": "in line 1", "at": "now"}
        connection.execute(FLAGS.insert().values(**flag))
        connection.execute(ITEMS.update().values(phi_state="held"))
    seen = view_held(store, "task-000", by=STEWARD, now=clock())
    mask_item(store, "task-000", also=["meningitis"], by=STEWARD, now=clock())

    assert seen.flags == ("in line 1",)
    assert "meningitis" not in question(store)
    assert one(store, sa.select(FLAGS.c.resolution)) == "masked"


def test_what_is_not_held_is_said(imported, clock):
    store = imported(1)

    with pytest.raises(PreceptorError, match="is not held back, it is clean"):
        clear_item(store, "task-000", reason="x", by=STEWARD, now=clock())
    with pytest.raises(PreceptorError, match="There is no item 'nothing'"):
        mask_item(store, "nothing", by=STEWARD, now=clock())


def test_masking_nothing_is_refused(imported, clock):
    store = imported(1)
    with writing(store) as connection:
        connection.execute(ITEMS.update().values(phi_state="held"))

    with pytest.raises(PreceptorError, match="nothing was masked"):
        mask_item(store, "task-000", by=STEWARD, now=clock())


def test_held_and_clear_by_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "pairs.jsonl", [row(number, query="SSN 123-45-6789") for number in (1,)])

    def run(*arguments):
        return CliRunner().invoke(label, arguments)

    imported = run("import", "pairs.jsonl")
    listed = run("held")
    shown = run("held", "--show", "task-001")
    asked = run("clear", "task-001")
    cleared = run("clear", "task-001", "--mask", "--yes")
    store = open_store("sqlite:///preceptor.db")
    with store.connect() as connection:
        left = held_items(connection)
    store.dispose()

    assert "Items held back: 1 (ssn in 1): task-001" in imported.stdout
    assert "task-001: ssn 1" in listed.stdout
    assert "SSN [ssn: 123-45-6789]" in shown.stdout
    assert asked.exit_code == 1
    assert "The search found ssn 1 times in 'task-001'" in asked.output
    assert cleared.stdout == "Masked: ssn 1.\n'task-001' is in the queue.\n"
    assert left == []
