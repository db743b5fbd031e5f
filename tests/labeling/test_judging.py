import threading

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from core.records import Mark, Stakes, Verdict
from core.store import writing
from labeling.judging.ballots import FREE, Ballot, Choice, JudgingRules, Severity, SideMark, check_ballot, verdict_of
from labeling.judging.rendering import render_answer
from labeling.judging.submitting import Receipt, judgements_where, retract, submit
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import last_judged, next_task, progress_of
from labeling.tables import JUDGEMENTS, RETRACTIONS


def ballot(task, choice=Choice.LEFT_BETTER, **fields):
    return Ballot(assignment_id=task.assignment_id, revision=task.revision, choice=choice, **fields)


@pytest.fixture
def dana(imported, clock):
    store = imported(4)
    invite_expert(store, "Dana", by="lead", now=clock())
    invite_expert(store, "Lee", by="lead", now=clock())
    return "Dana"


def judgements(store):
    with store.connect() as connection:
        return connection.execute(sa.select(JUDGEMENTS).order_by(JUDGEMENTS.c.at)).all()


def test_a_judgement_and_its_event_are_written_together(store, dana, clock):
    task = next_task(store, dana, now=clock())
    receipt = submit(store, ballot(task, left_acceptable=True, reason="B42.81 includes it"), expert=dana, now=clock())

    saved = judgements(store)[0]
    event = Ledger(store).events(action="judge.submit")[0]
    assert receipt is Receipt.SAVED
    assert (event.actor, event.subject, event.details["verdict"]) == (dana, saved.id, saved.verdict)
    assert "B42.81" not in str(event.details)


def test_when_the_event_cannot_be_written_the_judgement_is_not_either(store, dana, clock, monkeypatch):
    def refuse(*_, **__):
        raise PreceptorError("The ledger is full.")

    task = next_task(store, dana, now=clock())
    monkeypatch.setattr("labeling.judging.submitting.append_in", refuse)

    with pytest.raises(PreceptorError, match="full"):
        submit(store, ballot(task), expert=dana, now=clock())
    assert judgements(store) == []


def test_a_ballot_sent_twice_counts_once(store, dana, clock):
    task = next_task(store, dana, now=clock())

    assert submit(store, ballot(task), expert=dana, now=clock()) is Receipt.SAVED
    assert submit(store, ballot(task), expert=dana, now=clock()) is Receipt.ALREADY_SAVED
    assert len(judgements(store)) == 1
    assert len(Ledger(store).events(action="judge.submit")) == 1


def test_of_two_tabs_the_first_verdict_stands(store, dana, clock):
    task = next_task(store, dana, now=clock())
    submit(store, ballot(task, Choice.BOTH_ACCEPTABLE), expert=dana, now=clock())

    assert submit(store, ballot(task, Choice.LEFT_BETTER), expert=dana, now=clock()) is Receipt.EARLIER_STANDS
    assert [row.verdict for row in judgements(store)] == ["both_acceptable"]


def test_of_many_equal_submits_at_once_one_counts(store, dana, clock):
    task = next_task(store, dana, now=clock())
    now, receipts = clock(), []
    threads = [
        threading.Thread(target=lambda: receipts.append(submit(store, ballot(task), expert=dana, now=now)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(receipts) == [Receipt.ALREADY_SAVED] * 7 + [Receipt.SAVED]
    assert len(judgements(store)) == 1
    assert Ledger(store).verify() == len(Ledger(store).events())


def test_undo_is_an_event_and_brings_the_pair_back(store, dana, clock):
    task = next_task(store, dana, now=clock())
    submit(store, ballot(task), expert=dana, now=clock())
    next_task(store, dana, now=clock())
    judgement = judgements(store)[0].id

    assert retract(store, judgement, expert=dana, now=clock())
    again = next_task(store, dana, now=clock())
    assert (again.assignment_id, again.revision) == (task.assignment_id, 1)
    assert (again.left, again.right) == (task.left, task.right)
    assert len(judgements(store)) == 1
    assert [event.subject for event in Ledger(store).events(action="judge.retract")] == [judgement]


def test_undo_sent_twice_counts_once(store, dana, clock):
    submit(store, ballot(next_task(store, dana, now=clock())), expert=dana, now=clock())
    judgement = judgements(store)[0].id

    assert retract(store, judgement, expert=dana, now=clock())
    assert not retract(store, judgement, expert=dana, now=clock())
    assert len(Ledger(store).events(action="judge.retract")) == 1


def test_a_ballot_for_an_undone_revision_does_not_come_back_to_life(store, dana, clock):
    task = next_task(store, dana, now=clock())
    submit(store, ballot(task), expert=dana, now=clock())
    retract(store, judgements(store)[0].id, expert=dana, now=clock())

    assert submit(store, ballot(task), expert=dana, now=clock()) is Receipt.OUT_OF_DATE
    assert len(judgements(store)) == 1


def test_a_pair_can_be_judged_anew_after_undo(store, dana, clock):
    submit(store, ballot(next_task(store, dana, now=clock())), expert=dana, now=clock())
    retract(store, judgements(store)[0].id, expert=dana, now=clock())
    again = next_task(store, dana, now=clock())
    receipt = submit(store, ballot(again, Choice.NEITHER_ACCEPTABLE), expert=dana, now=clock())

    assert receipt is Receipt.SAVED
    assert [row.revision for row in judgements(store)] == [0, 1]
    with store.connect() as connection:
        assert last_judged(connection, dana) == judgements(store)[1].id


def test_nobody_votes_or_undoes_for_another(store, dana, clock):
    task = next_task(store, dana, now=clock())

    with pytest.raises(AccessDenied, match="not offered to you"):
        submit(store, ballot(task), expert="Lee", now=clock())
    submit(store, ballot(task), expert=dana, now=clock())
    with pytest.raises(AccessDenied, match="not yours to undo"):
        retract(store, judgements(store)[0].id, expert="Lee", now=clock())


def test_a_vote_is_stored_by_answer_not_by_side(store, dana, clock):
    for _ in range(4):
        task = next_task(store, dana, now=clock())
        left = "Dear words" in task.left
        choice = Choice.LEFT_BETTER if left else Choice.RIGHT_BETTER
        submit(
            store,
            ballot(task, choice, **{"left_acceptable" if left else "right_acceptable": True}),
            expert=dana,
            now=clock(),
        )

    with store.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT j.verdict, j.first_acceptable, j.second_acceptable, first.model AS first "
                "FROM label_judgement j JOIN label_pair p ON p.id = j.pair_id "
                "JOIN label_answer first ON first.id = p.first_answer_id"
            )
        ).all()
    for row in rows:
        strong_first = row.first == "minilm-coder"
        assert row.verdict == ("first_better" if strong_first else "second_better")
        assert bool(row.first_acceptable if strong_first else row.second_acceptable) is True
        assert (row.second_acceptable if strong_first else row.first_acceptable) is None


def test_verdicts_about_both_carry_both_marks(store, dana, clock):
    submit(store, ballot(next_task(store, dana, now=clock()), Choice.BOTH_ACCEPTABLE), expert=dana, now=clock())
    submit(store, ballot(next_task(store, dana, now=clock()), Choice.NEITHER_ACCEPTABLE), expert=dana, now=clock())

    assert [(bool(row.first_acceptable), bool(row.second_acceptable)) for row in judgements(store)] == [
        (True, True),
        (False, False),
    ]


@pytest.mark.parametrize(
    ("choice", "fields", "sentence"),
    [
        (Choice.CANNOT_JUDGE, {"reason": "  "}, "needs a reason"),
        (Choice.BOTH_ACCEPTABLE, {"left_acceptable": False}, "marked an answer not acceptable"),
        (Choice.NEITHER_ACCEPTABLE, {"right_acceptable": True}, "marked an answer acceptable"),
        (Choice.LEFT_BETTER, {"left_acceptable": False, "right_acceptable": True}, "The better answer is marked"),
        (Choice.RIGHT_BETTER, {"left_acceptable": True, "right_acceptable": False}, "The better answer is marked"),
        (Choice.LEFT_BETTER, {"reason": "x" * 4001}, "The reason has 4001 characters"),
        (Choice.LEFT_BETTER, {"reason": "DOB 1/2/1960"}, "patient's date of birth"),
    ],
)
def test_a_ballot_that_contradicts_itself_is_refused(choice, fields, sentence):
    with pytest.raises(PreceptorError, match=sentence):
        check_ballot(Ballot("a", 0, choice, **fields), FREE, stakes=Stakes.LOW)


RULES = JudgingRules("high_stakes", reason_codes=("wrong code",), mark_categories=("wrong",))


@pytest.mark.parametrize("choice", [Choice.LEFT_BETTER, Choice.RIGHT_BETTER, Choice.NEITHER_ACCEPTABLE])
def test_with_high_stakes_a_verdict_needs_a_reason_ticked_or_written(choice):
    with pytest.raises(PreceptorError, match="high stakes, so the verdict needs a reason"):
        check_ballot(Ballot("a", 0, choice), RULES, stakes=Stakes.HIGH)
    check_ballot(Ballot("a", 0, choice, reason_codes=("wrong code",)), RULES, stakes=Stakes.HIGH)
    check_ballot(Ballot("a", 0, choice, reason="See the index."), RULES, stakes=Stakes.HIGH)
    check_ballot(Ballot("a", 0, choice), RULES, stakes=Stakes.LOW)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason_codes": ("made up",)}, "'made up' is no reason of this project"),
        ({"marks": (SideMark("left", 0, "made up", Severity.MAJOR),)}, "'made up' is no mark"),
        ({"marks": (SideMark("middle", 0, "wrong", Severity.MAJOR),)}, "do not come from the judging page"),
        ({"choice": Choice.BOTH_ACCEPTABLE, "strength": 2}, "A strength belongs to a better answer"),
    ],
)
def test_a_ballot_says_only_what_the_project_knows(fields, sentence):
    fields = {"choice": Choice.LEFT_BETTER, **fields}
    with pytest.raises(PreceptorError, match=sentence):
        check_ballot(Ballot("a", 0, **fields), RULES, stakes=Stakes.LOW)


def test_strength_codes_marks_and_times_are_kept_by_answer(store, dana, clock):
    task = next_task(store, dana, now=clock())
    n_left = len(render_answer(task.left).sentences)
    sent = ballot(
        task,
        strength=2,
        reason_codes=("wrong code",),
        marks=(SideMark("left", n_left - 1, "wrong", Severity.CRITICAL),),
        active_ms=1500,
        wall_ms=2500,
    )
    submit(store, sent, expert=dana, rules=RULES, now=clock())

    with store.connect() as connection:
        (saved,) = judgements_where(connection, JUDGEMENTS.c.expert == dana)
    assert (saved.strength, saved.reason_codes, saved.active_ms, saved.wall_ms) == (2, ("wrong code",), 1500, 2500)
    assert saved.marks == (
        Mark(answer="second" if saved.swapped else "first", sentence=n_left - 1, category="wrong", severity="critical"),
    )
    assert "wrong code" not in str(Ledger(store).events(action="judge.submit")[0].details)


def test_a_mark_on_a_sentence_that_the_answer_does_not_have_is_refused(store, dana, clock):
    task = next_task(store, dana, now=clock())
    mark = SideMark("right", 99, "wrong", Severity.MINOR)

    with pytest.raises(PreceptorError, match="a mark names sentence 100"):
        submit(store, ballot(task, marks=(mark,)), expert=dana, rules=RULES, now=clock())
    assert judgements(store) == []


@given(st.sampled_from(Choice), st.booleans())
def test_mirroring_the_sides_and_the_choice_gives_the_same_verdict(choice, swapped):
    mirror = {Choice.LEFT_BETTER: Choice.RIGHT_BETTER, Choice.RIGHT_BETTER: Choice.LEFT_BETTER}.get(choice, choice)

    assert verdict_of(choice, swapped=swapped) is verdict_of(mirror, swapped=not swapped)
    assert verdict_of(choice, swapped=swapped) in Verdict


def test_the_database_itself_refuses_a_second_judgement_of_a_revision(store, dana, clock):
    submit(store, ballot(next_task(store, dana, now=clock())), expert=dana, now=clock())
    copy = {**judgements(store)[0]._mapping, "id": "copy"}

    with pytest.raises(sa.exc.IntegrityError), writing(store) as connection:
        connection.execute(JUDGEMENTS.insert().values(**copy))


def test_a_retraction_of_nothing_is_refused(store, dana, clock):
    with pytest.raises(sa.exc.IntegrityError), writing(store) as connection:
        connection.execute(RETRACTIONS.insert().values(judgement_id="none", at="now"))


def test_progress_counts_what_is_judged_and_what_is_left(store, dana, clock):
    submit(store, ballot(next_task(store, dana, now=clock())), expert=dana, now=clock())
    with store.connect() as connection:
        progress = progress_of(connection, dana, now=clock())

    assert (progress.judged, progress.judged_today, progress.total) == (1, 1, 4)
