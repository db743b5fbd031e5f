import dataclasses
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from core.records import Judgement, Mark
from labeling.judging.ballots import Choice
from labeling.judging.drafts import draft_of, save_draft
from labeling.judging.form import JudgingForm, form_of
from labeling.judging.own_work import judged_today, own_pace, reopen
from labeling.judging.submitting import judgements_where, retract, submit
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import next_task
from labeling.tables import ASSIGNMENTS, DRAFTS, JUDGEMENTS, RETRACTIONS

LEASE = timedelta(hours=1)


@pytest.fixture
def dana(imported, clock):
    store = imported(3)
    invite_expert(store, "Dana", by="lead", now=clock())
    invite_expert(store, "Lee", by="lead", now=clock())
    return "Dana"


@pytest.fixture
def task(store, dana, clock):
    return next_task(store, dana, now=clock())


@pytest.fixture
def form(task):
    return JudgingForm(assignment=task.assignment_id, revision="0", verdict="left_better", reason="half a th")


def keep(store, form, clock, *, expert="Dana", **changes):
    return save_draft(store, form.model_copy(update=changes), expert=expert, lease=LEASE, now=clock())


def kept(store, task, revision=0):
    with store.connect() as connection:
        return draft_of(connection, task.assignment_id, revision=revision)


def test_a_draft_comes_back_as_it_was_entered(store, task, form, clock):
    entered = form.model_copy(update={"mark": ("left:0:major:wrong",), "reason_code": ("style",), "strength": "2"})
    saved = keep(store, entered, clock)

    assert saved.edition == 1
    assert kept(store, task).form == entered.model_copy(update={"edition": "1"})


def test_a_draft_from_a_stale_edition_does_not_overwrite_a_newer_one(store, task, form, clock):
    keep(store, form, clock)
    newer = keep(store, form, clock, edition="1", reason="a whole thought")
    stale = keep(store, form, clock, edition="1", reason="from the other tab")

    assert newer.edition == 2
    assert stale is None
    assert kept(store, task).form.reason == "a whole thought"


def test_a_draft_renews_the_lease(store, task, form, clock):
    clock.skip(timedelta(minutes=40))
    keep(store, form, clock)
    with store.connect() as connection:
        lease_until = connection.execute(sa.select(ASSIGNMENTS.c.lease_until)).scalar_one()

    assert lease_until > (clock.moment + timedelta(minutes=59)).isoformat()


def test_a_draft_is_no_judgement_and_no_event(store, task, form, clock):
    n_events = len(Ledger(store).events())
    keep(store, form, clock)

    assert len(Ledger(store).events()) == n_events
    with store.connect() as connection:
        assert connection.execute(sa.select(JUDGEMENTS)).all() == []


def test_nobody_writes_anothers_draft(store, task, form, clock):
    with pytest.raises(AccessDenied, match="not offered to you"):
        keep(store, form, clock, expert="Lee")
    assert kept(store, task) is None


def test_a_draft_that_is_too_long_is_refused(store, form, clock):
    with pytest.raises(PreceptorError, match="Keep them under 40000"):
        keep(store, form, clock, reason="x" * 40_001)


def test_the_draft_goes_when_the_judgement_is_saved_and_does_not_come_back(store, task, form, clock):
    keep(store, form, clock)
    submit(store, form.ballot(), expert="Dana", now=clock())

    assert keep(store, form, clock, edition="1") is None
    with store.connect() as connection:
        assert connection.execute(sa.select(DRAFTS)).all() == []


def test_an_undone_judgement_comes_back_as_it_was_filled_in(store, task, form, clock):
    sent = form.model_copy(update={"left_acceptable": "yes", "right_acceptable": "no", "strength": "3"})
    submit(store, sent.ballot(), expert="Dana", now=clock())
    with store.connect() as connection:
        (judgement,) = judgements_where(connection, JUDGEMENTS.c.expert == "Dana")
    retract(store, judgement.id, expert="Dana", now=clock())

    again = kept(store, task, revision=1).form
    shown = {"assignment": task.assignment_id, "revision": "1", "edition": "1"}
    assert again == sent.model_copy(update=shown)
    assert form_of(judgement).verdict == Choice.LEFT_BETTER


@pytest.mark.parametrize("swapped", [False, True])
def test_a_judgement_is_shown_again_by_the_sides_that_were_seen(swapped):
    judgement = Judgement(
        id="j",
        pair_id="p",
        expert="Dana",
        verdict="first_better",
        first_acceptable=True,
        second_acceptable=None,
        swapped=swapped,
        marks=(Mark(answer="second", sentence=4, category="wrong", severity="minor"),),
        at="2026-11-24T09:00:00Z",
    )
    form = form_of(judgement)

    better, other = ("right", "left") if swapped else ("left", "right")
    assert form.verdict == f"{better}_better"
    assert (form.left_acceptable, form.right_acceptable) == (("", "yes") if swapped else ("yes", ""))
    assert form.mark == (f"{other}:4:minor:wrong",)


@pytest.mark.parametrize(
    ("fields", "marks"),
    [
        ({"mark": ["left:3:major:wrong", "left:3:minor:unclear"]}, [("left", 3, "minor", "unclear")]),
        ({"mark": ["right:0:critical:wrong: by far"]}, [("right", 0, "critical", "wrong: by far")]),
        (
            {"left_sentence": ["2", ""], "left_severity": ["major", ""], "left_category": ["unsafe", ""]},
            [("left", 1, "major", "unsafe")],
        ),
        ({"right_sentence": ["0", "x", "²"], "right_severity": ["major"], "right_category": ["unsafe"]}, []),
    ],
)
def test_marks_are_read_from_the_scripts_fields_and_from_the_plain_ones(fields, marks):
    read = JudgingForm.of_fields(fields).side_marks()

    assert [(one.side, one.sentence, one.severity, one.category) for one in read] == marks


@pytest.mark.parametrize("mark", ["left", "middle:1:major:wrong", "left:x:major:wrong", "left:²:major:wrong"])
def test_a_mark_that_our_page_did_not_make_is_refused(mark):
    with pytest.raises(PreceptorError, match="does not come from the judging page"):
        JudgingForm(mark=(mark,)).side_marks()


def test_a_mark_without_kind_or_severity_says_which_sentence_it_is():
    with pytest.raises(PreceptorError, match="sentence 5 of the left answer lacks its kind or its severity"):
        JudgingForm.of_fields({"left_sentence": ["5"]}).side_marks()


def judge_one(store, clock, *, active_ms="", choice="left_better"):
    task = next_task(store, "Dana", now=clock())
    form = JudgingForm(assignment=task.assignment_id, revision=str(task.revision), verdict=choice, active_ms=active_ms)
    submit(store, form.ballot(), expert="Dana", now=clock())
    with store.connect() as connection:
        return connection.execute(sa.select(JUDGEMENTS.c.id).order_by(JUDGEMENTS.c.at.desc())).scalars().first()


def test_todays_judgements_are_listed_by_the_sides_that_were_seen(store, dana, clock):
    judge_one(store, clock, choice="right_better")
    judge_one(store, clock, choice="both_acceptable")
    with store.connect() as connection:
        listed = judged_today(connection, dana, now=clock())

    assert [one.choice for one in listed] == [Choice.BOTH_ACCEPTABLE, Choice.RIGHT_BETTER]
    assert all(one.asked.startswith("Code diagnosis number") for one in listed)


def test_a_change_keeps_its_reason_in_the_store_and_a_hash_in_the_ledger(store, dana, clock):
    judgement = judge_one(store, clock)
    reopen(store, judgement, expert=dana, reason=" misread it ", now=clock())
    with store.connect() as connection:
        reason = connection.execute(sa.select(RETRACTIONS.c.reason)).scalar_one()
    (event,) = Ledger(store).events(action="judge.retract")

    assert reason == "misread it"
    assert "misread" not in json.dumps(dict(event.details))


def test_yesterdays_judgement_is_not_changed(store, dana, clock):
    judgement = judge_one(store, clock)
    clock.skip(timedelta(days=1))

    with pytest.raises(AccessDenied, match="of today"):
        reopen(store, judgement, expert=dana, reason="misread it", now=clock())
    with store.connect() as connection:
        assert judged_today(connection, dana, now=clock()) == []


def test_anothers_judgement_is_not_changed(store, dana, clock):
    judgement = judge_one(store, clock)

    with pytest.raises(AccessDenied):
        reopen(store, judgement, expert="Lee", reason="misread it", now=clock())


def test_the_pace_counts_days_and_takes_the_median_time_at_work(store, dana, clock):
    judge_one(store, clock, active_ms="30000")
    clock.skip(timedelta(days=1))
    judge_one(store, clock, active_ms="50000")
    judge_one(store, clock)
    with store.connect() as connection:
        pace = own_pace(connection, dana, now=clock())

    assert (pace.n, pace.n_today, pace.median_active_s) == (3, 2, 40.0)
    assert [n for _, n in pace.days] == [0] * 12 + [1, 2]
    assert dict(pace.choices)[Choice.LEFT_BETTER] == 3


def test_before_any_judgement_there_is_no_pace(store, dana, clock):
    with store.connect() as connection:
        pace = own_pace(connection, dana, now=clock())

    assert dataclasses.astuple(pace)[0] == 0
    assert pace.median_active_s is None
