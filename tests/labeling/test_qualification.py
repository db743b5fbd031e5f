import re

import pytest
import sqlalchemy as sa

from core.access import Actor
from core.errors import AccessDenied, PreceptorError
from core.labeling_settings import LabelingSettings
from core.ledger import Ledger
from core.reading import Row
from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.quality.qualification import answer, hand_in, is_qualified, next_of_set, standing_of
from labeling.quality.setting_gold import set_gold
from labeling.queueing.offering import next_task
from labeling.tables import JUDGEMENTS, QUALIFICATIONS, QUEUE, counts
from tests.labeling.conftest import PLAIN_RULES
from tests.labeling.judged_stores import ballot_of, enrol

LEAD = Actor("lead", at_open_command_line=True)
SETTINGS = LabelingSettings(qualification_required=True, pass_share=0.75, qualification_tries=2)
WHY = "The meninges have a code of their own."


@pytest.fixture
def with_set(imported, clock):
    """Eight pairs: one for practice, a set of four, three of work; strong is right everywhere."""
    store = imported(8)
    kinds = ["practice", *["qualification"] * 4]
    rows = [
        Row(f"set.jsonl:{n}", {"item": f"task-{n:03}", "verdict": "strong_better", "kind": kind, "explanation": WHY})
        for n, kind in enumerate(kinds)
    ]
    set_gold(store, rows, by=LEAD, now=clock())
    enrol(store, ["Dana"], now=clock())
    return store


def right_choice(task):
    return Choice.LEFT_BETTER if task.left.startswith("Dear") else Choice.RIGHT_BETTER


def go_through(store, clock, n_right, *, practice=False):
    """Answer what is offered, so many right and the rest wrong; returns what was shown on the left, by question."""
    shown = {}
    n = 0
    while (task := next_of_set(store, "Dana", SETTINGS, now=clock())) is not None:
        shown[task.query.id] = task.left
        is_right = n < n_right or (practice and n == 0)
        choice = right_choice(task) if is_right else Choice.NEITHER_ACCEPTABLE
        answer(store, ballot_of(task, choice), expert="Dana", now=clock())
        n += 1
    return shown


def standing(store):
    with store.connect() as connection:
        return standing_of(connection, "Dana", SETTINGS)


def test_practice_comes_first_and_says_what_is_right_after_each_pair(with_set, clock):
    assert standing(with_set).stage == "practice"
    task = next_of_set(with_set, "Dana", SETTINGS, now=clock())
    feedback = answer(with_set, ballot_of(task, Choice.NEITHER_ACCEPTABLE), expert="Dana", now=clock())

    assert not feedback.was_right
    assert feedback.known.explanation == WHY
    assert standing(with_set).stage == "set"


def test_the_set_says_nothing_of_single_pairs(with_set, clock):
    practice = next_of_set(with_set, "Dana", SETTINGS, now=clock())
    answer(with_set, ballot_of(practice, Choice.NEITHER_ACCEPTABLE), expert="Dana", now=clock())
    counted = next_of_set(with_set, "Dana", SETTINGS, now=clock())

    assert answer(with_set, ballot_of(counted, right_choice(counted)), expert="Dana", now=clock()) is None


def test_who_passes_may_judge_and_the_ledger_knows_what_they_acknowledged(with_set, clock):
    go_through(with_set, clock, 4)
    with with_set.connect() as connection:
        assert not is_qualified(connection, "Dana", SETTINGS)
        assert is_qualified(connection, "Dana", LabelingSettings())
    attempt = hand_in(with_set, SETTINGS, expert="Dana", now=clock())

    assert (attempt.n_right, attempt.n, attempt.is_passed) == (3, 4, True)
    with with_set.connect() as connection:
        assert is_qualified(connection, "Dana", SETTINGS)
    (event,) = Ledger(with_set).events(action="qualification.hand_in")
    assert (event.actor, event.details["n_right"], event.details["passed"]) == ("Dana", 3, True)
    assert len(event.details["statement_sha256"]) == 64


def test_a_second_try_shows_the_sides_swapped_and_a_third_is_not_given(with_set, clock):
    first = go_through(with_set, clock, 2)
    assert not hand_in(with_set, SETTINGS, expert="Dana", now=clock()).is_passed
    second = go_through(with_set, clock, 0)
    assert not hand_in(with_set, SETTINGS, expert="Dana", now=clock()).is_passed

    assert len(second) == 4
    assert all(second[item] != first[item] for item in second)
    assert standing(with_set).stage == "exhausted"
    assert next_of_set(with_set, "Dana", SETTINGS, now=clock()) is None
    with pytest.raises(PreceptorError, match="0 tries are left"):
        hand_in(with_set, SETTINGS, expert="Dana", now=clock())


def test_a_try_is_not_handed_in_twice_or_half_done(with_set, clock):
    with pytest.raises(PreceptorError, match="0 of 4 pairs of the set are answered"):
        hand_in(with_set, SETTINGS, expert="Dana", now=clock())
    go_through(with_set, clock, 5)
    hand_in(with_set, SETTINGS, expert="Dana", now=clock())
    with pytest.raises(PreceptorError, match="nothing to hand in"):
        hand_in(with_set, SETTINGS, expert="Dana", now=clock())

    with with_set.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(QUALIFICATIONS)).scalar() == 1


def test_what_was_answered_to_qualify_never_counts_as_work(with_set, clock):
    go_through(with_set, clock, 5)

    with with_set.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(JUDGEMENTS)).scalar() == 5
        assert connection.execute(sa.select(JUDGEMENTS.c.id).where(counts())).all() == []


def test_pairs_of_the_set_are_never_offered_as_work(with_set, clock):
    offered = set()
    while (task := next_task(with_set, "Dana", rules=PLAIN_RULES, now=clock())) is not None:
        offered.add(task.query.id)
        submit(with_set, ballot_of(task, Choice.BOTH_ACCEPTABLE), expert="Dana", now=clock())

    assert offered == {"task-005", "task-006", "task-007"}
    with with_set.connect() as connection:
        of_set = connection.execute(sa.select(QUEUE.c.is_open).where(QUEUE.c.stream == "qualification")).scalars()
        assert list(of_set) == [False] * 5


def test_an_answer_for_another_s_pair_or_for_work_is_refused(with_set, clock):
    enrol(with_set, ["Lee"], now=clock())
    task = next_of_set(with_set, "Dana", SETTINGS, now=clock())
    work = next_task(with_set, "Lee", rules=PLAIN_RULES, now=clock())

    with pytest.raises(AccessDenied, match="not offered to you"):
        answer(with_set, ballot_of(task, Choice.LEFT_BETTER), expert="Lee", now=clock())
    with pytest.raises(PreceptorError, match="does not come from the qualification"):
        answer(with_set, Ballot(work.assignment_id, 0, Choice.LEFT_BETTER), expert="Lee", now=clock())


def test_the_judging_screen_sends_who_must_qualify_to_the_qualification(with_set, expert):
    dana = expert(with_set, settings=LabelingSettings(qualification_required=True, guideline_required=False))

    assert str(dana.http.get("/judge").url).endswith("/qualification")
    assert "Practice, pair 1 of 1" in dana.http.get("/qualification").text


def test_without_scripts_an_expert_qualifies_by_forms_alone(with_set, expert):
    dana = expert(with_set, settings=SETTINGS)

    def send(path, **fields):
        page = dana.http.get("/qualification").text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.split("<main")[1]))
        return dana.http.post(path, data={**hidden, **fields})

    def vote():
        page = dana.http.get("/qualification").text
        left_is_dear = page.index("Dear words") < page.index("Cheap words")
        return send("/qualification", verdict="left_better" if left_is_dear else "right_better").text

    assert "That is right" in vote()
    for _ in range(4):
        vote()
    assert "All 4 pairs are answered" in dana.http.get("/qualification").text
    assert "The statement is not ticked" in send("/qualification/hand-in").text
    assert "You passed: 4 of 4 right" in send("/qualification/hand-in", acknowledged="yes").text
    assert str(dana.http.get("/judge").url).endswith("/judge")
