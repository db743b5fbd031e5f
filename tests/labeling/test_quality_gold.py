from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from core.access import Actor, Role
from core.errors import AccessDenied, DataError
from core.ledger import Ledger
from core.reading import Row
from labeling.judging.ballots import FREE, Choice
from labeling.judging.submitting import submit
from labeling.quality.gold import rates
from labeling.quality.own_checks import own_known, own_repeats
from labeling.quality.setting_gold import set_gold
from labeling.queueing.dealing import OfferRules
from labeling.queueing.offering import next_task
from labeling.tables import ANSWERS, GOLD, PAIRS, QUEUE
from tests.labeling.conftest import PLAIN_RULES, STRONG, WEAK
from tests.labeling.judged_stores import Simulated, ballot_of, enrol, judge_all

LEAD = Actor("lead", at_open_command_line=True)
ONLY_GOLD = OfferRules(gold_rate=1.0, repeat_rate=0.0)


def a_row(number, place="gold.jsonl:1", **fields):
    return Row(place, {"item": f"task-{number:03}", "verdict": "strong_better", **fields})


def known(store):
    with store.connect() as connection:
        return connection.execute(sa.select(GOLD).order_by(GOLD.c.pair_id)).all()


def better_is_first(store, row):
    """Whether the verdict of a row of gold names the strong model's answer."""
    with store.connect() as connection:
        first = connection.execute(
            sa.select(ANSWERS.c.model)
            .join(PAIRS, PAIRS.c.first_answer_id == ANSWERS.c.id)
            .where(PAIRS.c.id == row.pair_id)
        ).scalar()
    return (first == STRONG) == (row.verdict == "first_better")


@pytest.mark.parametrize("verdict", ["strong_better", STRONG])
def test_a_verdict_by_tier_or_by_model_is_stored_in_the_pair_s_own_order(imported, clock, verdict):
    store = imported(6)
    set_gold(store, [a_row(n, f"g:{n}", verdict=verdict) for n in range(6)], by=LEAD, now=clock())

    assert {row.verdict for row in known(store)} == {"first_better", "second_better"}
    assert all(better_is_first(store, row) for row in known(store))


def test_acceptability_is_stored_in_the_pair_s_own_order(imported, clock):
    store = imported(6)
    rows = [a_row(n, f"g:{n}", acceptable={"weak": False, STRONG: True}) for n in range(6)]
    set_gold(store, rows, by=LEAD, now=clock())

    for row in known(store):
        better, other = (row.first_acceptable, row.second_acceptable)[:: 1 if row.verdict == "first_better" else -1]
        assert (better, other) == (True, False)


def test_gold_leaves_the_work_and_the_ledger_keeps_no_explanation(imported, clock):
    store = imported(3)
    explanation = "The manifestation has a code of its own."
    report = set_gold(store, [a_row(0, explanation=explanation)], by=LEAD, now=clock())

    assert report.n_set == {"hidden": 1}
    with store.connect() as connection:
        (row,) = connection.execute(sa.select(QUEUE.c.stream, QUEUE.c.is_open).where(QUEUE.c.stream == "gold")).all()
    assert tuple(row) == ("gold", False)
    (event,) = Ledger(store).events(action="gold.set")
    assert event.details["hidden"] == 1
    assert "manifestation" not in str(event.details)


def test_the_same_file_twice_changes_nothing_and_another_truth_is_refused(imported, clock):
    store = imported(2)
    set_gold(store, [a_row(0)], by=LEAD, now=clock())
    again = set_gold(store, [a_row(0)], by=LEAD, now=clock())

    assert (dict(again.n_set), again.n_unchanged) == ({}, 1)
    assert len(Ledger(store).events(action="gold.set")) == 1
    with pytest.raises(DataError, match="was set before, and differs"):
        set_gold(store, [a_row(0, verdict="weak_better")], by=LEAD, now=clock())


def test_a_pair_that_someone_was_offered_is_refused_and_nothing_of_the_file_is_kept(imported, clock):
    store = imported(3)
    enrol(store, ["Dana"], now=clock())
    task = next_task(store, "Dana", rules=PLAIN_RULES, now=clock())
    rows = [Row(f"g:{n}", {"item": f"task-{n:03}", "verdict": "strong_better"}) for n in range(3)]

    with pytest.raises(DataError, match=f"g:{int(task.query.id[-3:])}: the pair was judged by an expert or is in hand"):
        set_gold(store, rows, by=LEAD, now=clock())
    assert known(store) == []


def test_a_pair_of_the_audit_is_refused(imported, clock):
    store = imported(1)
    with store.begin() as connection:
        connection.execute(QUEUE.update().values(stream="audit"))

    with pytest.raises(DataError, match="a drawing chose the pair for the audit stream"):
        set_gold(store, [a_row(0)], by=LEAD, now=clock())


FAULTS = [
    ({"verdict": "left_better"}, "verdict is 'left_better'"),
    ({"item": "task-999"}, "the store has no pairs of item 'task-999'"),
    ({"item": None}, "the row names neither an item nor a pair"),
    ({"kind": "secret"}, "kind is 'secret'"),
    ({"verdict": "both_acceptable", "acceptable": {WEAK: False}}, "verdict 'both_acceptable' contradicts"),
    ({"acceptable": {"gpt": True}}, "'acceptable' names a model that is neither"),
    ({"acceptable": "yes"}, "'acceptable' is not an object"),
    ({"kind": "practice"}, "a practice pair needs an explanation"),
    ({"explanation": "MRN 00482913 says so."}, "the explanation seems to hold a patient's mrn"),
    ({"comment": "x"}, "'comment' is no field"),
]


def test_every_row_that_is_not_understood_is_named_with_its_place(imported, clock):
    store = imported(len(FAULTS))
    rows = [a_row(n, f"g:{n}", **fields) for n, (fields, _) in enumerate(FAULTS)]

    with pytest.raises(DataError) as refused:
        set_gold(store, rows, by=LEAD, now=clock())
    assert len(refused.value.faults) == len(FAULTS)
    for n, (fault, (_, words)) in enumerate(zip(refused.value.faults, FAULTS, strict=True)):
        assert fault.startswith(f"g:{n}: {words}")
    assert known(store) == []


def test_a_pair_named_twice_is_a_fault(imported, clock):
    store = imported(1)

    with pytest.raises(DataError, match="g:2: g:1 names the same pair"):
        set_gold(store, [a_row(0, "g:1"), a_row(0, "g:2")], by=LEAD, now=clock())


def test_an_annotator_sets_no_gold(imported, clock):
    with pytest.raises(AccessDenied):
        set_gold(imported(1), [a_row(0)], by=Actor("cid", frozenset({Role.ANNOTATOR})), now=clock())


@pytest.fixture
def judged_gold(imported, clock):
    """Twelve hidden pairs of which Dana finds nine; on the tenth she says the same of both answers in other words."""
    store = imported(12)
    rows = [a_row(n, f"g:{n}", acceptable={"weak": True, "strong": True}) for n in range(12)]
    set_gold(store, rows, by=LEAD, now=clock())
    enrol(store, ["Dana"], now=clock())
    for n in range(12):
        task = next_task(store, "Dana", rules=ONLY_GOLD, now=clock())
        dear_left = task.left.startswith("Dear")
        choice = Choice.LEFT_BETTER if dear_left == (n < 9) else Choice.RIGHT_BETTER
        if n == 9:
            choice = Choice.BOTH_ACCEPTABLE
        submit(store, ballot_of(task, choice), expert="Dana", rules=FREE, now=clock())
    return store


def test_right_is_the_known_verdict_or_the_known_acceptability_of_both(judged_gold):
    with judged_gold.connect() as connection:
        found = rates(connection)["Dana"]

    assert (found.n_right, found.n) == (10, 12)
    assert str(found.share) == "0.833 [0.516, 0.979]"


def test_an_expert_is_told_of_whole_fives_and_a_day_late(judged_gold, clock):
    with judged_gold.connect() as connection:
        assert own_known(connection, "Dana", now=clock()) is None
        clock.skip(timedelta(days=1))
        told = own_known(connection, "Dana", now=clock())

    assert (told.n_right, told.n) == (10, 10)


def test_an_expert_is_told_of_repeats_in_whole_fives_too(imported, clock):
    store = imported(7)
    rules = OfferRules(gold_rate=0, repeat_rate=1.0, repeat_after=timedelta(0))
    judge_all(store, [Simulated("Dana", skill=1.0)], clock, rng=np.random.default_rng(0), rules=rules, at_most=13)
    with store.connect() as connection:
        assert own_repeats(connection, "Dana", now=clock()) is None
        clock.skip(timedelta(days=1))
        told = own_repeats(connection, "Dana", now=clock())

    assert (told.n_right, told.n) == (5, 5)
