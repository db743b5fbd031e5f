import pytest
import sqlalchemy as sa

from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from labeling.judging.flags import FlagForm, raise_flag
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import next_task
from labeling.tables import FLAGS, ITEMS, PAIRS, QUEUE
from tests.labeling.conftest import PLAIN_RULES, want


@pytest.fixture
def task(imported, clock):
    store = imported(2)
    want(store, 2)
    for name in ("Dana", "Lee"):
        invite_expert(store, name, by="lead", now=clock())
    return next_task(store, "Dana", rules=PLAIN_RULES, now=clock())


def flag(store, task, clock, kind, text="", *, expert="Dana"):
    return raise_flag(store, FlagForm(task.assignment_id, kind, text), expert=expert, now=clock())


def test_a_flag_of_an_identifier_holds_the_pair_back_from_everyone_at_once(store, task, clock):
    lee = next_task(store, "Lee", rules=PLAIN_RULES, now=clock())
    assert flag(store, task, clock, "identifier", "in the second sentence")

    with store.connect() as connection:
        held = connection.execute(sa.select(ITEMS.c.id).where(ITEMS.c.phi_state == "held")).scalars().all()
        is_open = connection.execute(
            sa.select(QUEUE.c.is_open).join(PAIRS, PAIRS.c.id == QUEUE.c.pair_id).where(PAIRS.c.item_id.in_(held))
        ).scalars()
        assert list(is_open) == [False]
    assert held == [task.query.id]
    for name in ("Dana", "Lee"):
        assert next_task(store, name, rules=PLAIN_RULES, now=clock()).query.id != task.query.id
    assert lee.query.id == task.query.id


@pytest.mark.parametrize("kind", ["safety", "guideline_gap", "missing_context"])
def test_other_flags_leave_the_pair_in_hand(store, task, clock, kind):
    assert not flag(store, task, clock, kind)
    assert next_task(store, "Dana", rules=PLAIN_RULES, now=clock()).assignment_id == task.assignment_id


def test_the_ledger_keeps_the_kind_of_a_flag_and_not_its_words(store, task, clock):
    flag(store, task, clock, "safety", "the dose is tenfold")
    (event,) = Ledger(store).events(action="flag.raise")

    assert (event.actor, event.details["kind"], event.details["held"]) == ("Dana", "safety", False)
    assert "tenfold" not in str(event)


def test_a_flag_sent_twice_is_noted_once(store, task, clock):
    for _ in range(2):
        flag(store, task, clock, "safety", "the dose is tenfold")
    with store.connect() as connection:
        assert len(connection.execute(sa.select(FLAGS)).all()) == 1
    assert len(Ledger(store).events(action="flag.raise")) == 1


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("", "", "No kind of flag is chosen"),
        ("other", "  ", "needs words"),
        ("safety", "x" * 1001, "has 1001 characters"),
        ("identifier", "DOB 4/7/1961", "not what it is"),
    ],
)
def test_a_flag_that_says_too_little_or_too_much_is_refused(store, task, clock, kind, text, sentence):
    with pytest.raises(PreceptorError, match=sentence):
        flag(store, task, clock, kind, text)


def test_nobody_flags_anothers_pair(store, task, clock):
    with pytest.raises(AccessDenied):
        flag(store, task, clock, "safety", expert="Lee")
