import re
import threading

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from core.access import Actor, Role
from core.errors import AccessDenied, PreceptorError
from core.labeling_settings import LabelingSettings
from core.ledger import Ledger
from core.signatures import signature_fault, signatures_of
from core.store import create_tables, open_store, writing
from labeling.app import create_app
from labeling.judging.ballots import Choice, JudgingRules, Severity, SideMark
from labeling.judging.flags import FlagForm, raise_flag
from labeling.judging.submitting import retract, submit
from labeling.quality.adjudicating import Finding, adjudicate
from labeling.quality.cases import case_of, is_swapped_for
from labeling.quality.disagreements import disagreements
from labeling.quality.rulings import RULING_KIND, ErrorClass, last_rulings
from labeling.queueing.offering import next_task
from labeling.tables import ADJUDICATIONS, FLAGS, ITEMS, JUDGEMENTS
from tests.labeling.browsing import signed_in
from tests.labeling.conftest import PLAIN, PLAIN_RULES, STRONG, WEAK, want
from tests.labeling.judged_stores import ballot_of, enrol

SAM = Actor("sam", frozenset({Role.SENIOR}))
RULES = JudgingRules("never", ("wrong code",), ("wrong",))


@pytest.fixture
def one_pair(imported, clock):
    """One pair that two experts are to judge."""
    store = imported(1)
    want(store, 2)
    enrol(store, ["Dana", "Lee"], now=clock())
    return store


def vote(store, clock, expert, choice, **fields):
    """Judge the pair in hand; `dear_better` and `cheap_better` name the better answer whichever side it stands on."""
    task = next_task(store, expert, rules=PLAIN_RULES, now=clock())
    dear_left = task.left.startswith("Dear")
    sides = {"dear_better": dear_left, "cheap_better": not dear_left}
    if choice in sides:
        choice = Choice.LEFT_BETTER if sides[choice] else Choice.RIGHT_BETTER
    if "dear_ok" in fields or "cheap_ok" in fields:
        dear, cheap = fields.pop("dear_ok", None), fields.pop("cheap_ok", None)
        fields |= {"left_acceptable": dear if dear_left else cheap, "right_acceptable": cheap if dear_left else dear}
    submit(store, ballot_of(task, Choice(choice), **fields), expert=expert, rules=RULES, now=clock())
    return task


def waiting(store):
    with store.connect() as connection:
        return [(one.reasons, one.n_experts) for one in disagreements(connection)]


def the_pair(store):
    with store.connect() as connection:
        return connection.execute(sa.select(JUDGEMENTS.c.pair_id)).scalars().first()


def finding(pair_id, choice=Choice.BOTH_ACCEPTABLE, *, edition=0, left=None, right=None, reason="The record says so."):
    return Finding(pair_id, edition, choice, left, right, reason, ErrorClass.SLIP)


@pytest.mark.parametrize(
    ("dana", "lee", "differ"),
    [
        (("dear_better", {}), ("cheap_better", {}), True),
        (("dear_better", {}), ("both_acceptable", {}), True),
        (("dear_better", {"dear_ok": True, "cheap_ok": True}), ("both_acceptable", {}), False),
        (("dear_better", {"dear_ok": False, "cheap_ok": False}), ("neither_acceptable", {}), False),
        (("dear_better", {}), ("dear_better", {"dear_ok": True, "cheap_ok": False}), False),
    ],
)
def test_experts_differ_on_what_may_be_released_or_on_which_is_better(one_pair, clock, dana, lee, differ):
    vote(one_pair, clock, "Dana", dana[0], **dana[1])
    assert waiting(one_pair) == []
    vote(one_pair, clock, "Lee", lee[0], **lee[1])

    assert waiting(one_pair) == ([(("conflict",), 2)] if differ else [])


def test_a_difference_waits_until_all_who_are_wanted_have_judged(one_pair, clock):
    want(one_pair, 3)
    vote(one_pair, clock, "Dana", "dear_better")
    vote(one_pair, clock, "Lee", "cheap_better")
    assert waiting(one_pair) == []
    want(one_pair, 2)

    assert waiting(one_pair) == [(("conflict",), 2)]


def test_who_cannot_judge_and_who_raises_a_flag_call_an_adjudicator(one_pair, clock):
    task = vote(one_pair, clock, "Dana", "cannot_judge", reason="The operative note is missing.")
    assert waiting(one_pair) == [(("cannot_judge",), 1)]
    raise_flag(one_pair, FlagForm(task.assignment_id, "safety", "The dose is wrong."), expert="Dana", now=clock())

    assert waiting(one_pair) == [(("cannot_judge", "flag"), 1)]


def test_a_retracted_judgement_calls_nobody(one_pair, clock):
    vote(one_pair, clock, "Dana", "cannot_judge", reason="The operative note is missing.")
    with one_pair.connect() as connection:
        judgement = connection.execute(sa.select(JUDGEMENTS.c.id)).scalar()
    retract(one_pair, judgement, expert="Dana", now=clock())

    assert waiting(one_pair) == []


def test_an_identifier_is_the_steward_s_and_a_held_item_is_shown_to_nobody(one_pair, clock):
    vote(one_pair, clock, "Dana", "dear_better")
    task = vote(one_pair, clock, "Lee", "cheap_better")
    raise_flag(one_pair, FlagForm(task.assignment_id, "identifier", "A name stands there."), expert="Lee", now=clock())

    assert waiting(one_pair) == []
    with one_pair.connect() as connection, pytest.raises(PreceptorError, match="held back or left out"):
        case_of(connection, the_pair(one_pair), actor=SAM)


def test_a_ruling_closes_a_pair_until_a_new_flag_and_resolves_its_flags(one_pair, clock):
    task = vote(one_pair, clock, "Dana", "dear_better")
    vote(one_pair, clock, "Lee", "cheap_better")
    raise_flag(one_pair, FlagForm(task.assignment_id, "guideline_gap", "Not covered."), expert="Dana", now=clock())
    ruling = adjudicate(one_pair, finding(the_pair(one_pair)), actor=SAM, now=clock())

    assert waiting(one_pair) == []
    with one_pair.connect() as connection:
        flag = connection.execute(sa.select(FLAGS)).one()
    assert (flag.resolved_by, flag.resolution) == ("sam", f"ruling {ruling.id}")
    raise_flag(one_pair, FlagForm(task.assignment_id, "safety", "Look again."), expert="Dana", now=clock())
    assert waiting(one_pair) == [(("flag",), 2)]


def test_nobody_rules_on_an_item_that_they_judged_or_hold(one_pair, clock):
    vote(one_pair, clock, "Dana", "dear_better")
    next_task(one_pair, "Lee", rules=PLAIN_RULES, now=clock())
    pair = the_pair(one_pair)

    for name in ("Dana", "lee"):
        with pytest.raises(AccessDenied, match="judged this item"):
            adjudicate(one_pair, finding(pair), actor=Actor(name, frozenset({Role.SENIOR})), now=clock())
    with pytest.raises(AccessDenied, match="may not adjudicate"):
        adjudicate(one_pair, finding(pair), actor=Actor("cid", frozenset({Role.ANNOTATOR})), now=clock())
    with one_pair.connect() as connection:
        assert last_rulings(connection) == {}


def test_the_adjudicator_sees_votes_marks_and_reasons_by_neutral_sides_and_no_names(one_pair, clock):
    marks = (SideMark("left", 0, "wrong", Severity.MAJOR),)
    shown = vote(one_pair, clock, "Dana", "dear_better", reason="Specific.", reason_codes=("wrong code",), marks=marks)
    vote(one_pair, clock, "Lee", "cheap_better", seconds=3.0)
    with one_pair.connect() as connection:
        case = case_of(connection, the_pair(one_pair), actor=SAM)

    dear_left = case.left.startswith("Dear")
    by_reason = {vote.reason: vote for vote in case.votes}
    assert by_reason["Specific."].choice is (Choice.LEFT_BETTER if dear_left else Choice.RIGHT_BETTER)
    assert by_reason[""].choice is (Choice.RIGHT_BETTER if dear_left else Choice.LEFT_BETTER)
    (mark,) = case.marks
    assert getattr(case, mark.side) == shown.left
    assert [vote.letter for vote in case.votes] == ["A", "B"]
    assert [vote.is_fast for vote in case.votes if not vote.reason] == [True]
    assert not any(name in repr(case) for name in ("Dana", "Lee", WEAK, STRONG))


def test_letters_follow_no_expert_from_pair_to_pair(imported, clock):
    store = imported(12)
    want(store, 2)
    enrol(store, ["Dana", "Lee"], now=clock())
    for _ in range(12):
        vote(store, clock, "Dana", "dear_better", reason="from the first")
        vote(store, clock, "Lee", "cheap_better")
    with store.connect() as connection:
        pairs = [one.pair_id for one in disagreements(connection)]
        letters = {case_of(connection, pair, actor=SAM).votes[0].reason for pair in pairs}
        sides = {is_swapped_for(pair, "sam") for pair in pairs}

    assert len(pairs) == 12
    assert letters == {"from the first", ""}
    assert sides == {True, False}


def test_a_ruling_is_kept_in_the_pair_s_order_with_its_event_and_without_its_words(one_pair, clock):
    vote(one_pair, clock, "Dana", "dear_better")
    vote(one_pair, clock, "Lee", "cheap_better")
    pair = the_pair(one_pair)
    given = finding(pair, Choice.LEFT_BETTER, left=True, right=False, reason="Only the left one is specific.")
    ruling = adjudicate(one_pair, given, actor=SAM, now=clock())

    better = "second_better" if is_swapped_for(pair, "sam") else "first_better"
    assert str(ruling.verdict) == better
    assert ruling.qualities == ((0.0, 1.0) if is_swapped_for(pair, "sam") else (1.0, 0.0))
    (event,) = Ledger(one_pair).events(action="adjudicate")
    assert (event.actor, event.details["pair"], event.details["verdict"]) == ("sam", pair, better)
    assert "specific" not in str(event.details)
    with one_pair.connect() as connection:
        assert last_rulings(connection) == {pair: ruling}


@pytest.mark.parametrize(
    ("choice", "fields", "sentence"),
    [
        (Choice.LEFT_BETTER, {}, "Say of both answers whether they are acceptable"),
        (Choice.LEFT_BETTER, {"left": False, "right": True}, "marked not acceptable while the other one is"),
        (Choice.BOTH_ACCEPTABLE, {"left": False}, "You chose 'both acceptable'"),
        (Choice.BOTH_ACCEPTABLE, {"reason": "  "}, "A ruling needs a reason"),
        (Choice.BOTH_ACCEPTABLE, {"reason": "MRN 00482913 says so."}, "patient's mrn"),
    ],
)
def test_a_finding_that_contradicts_itself_is_refused(tmp_path, choice, fields, sentence, clock):
    store = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    create_tables(store)
    with pytest.raises(PreceptorError, match=sentence):
        adjudicate(store, finding("pair", choice, **fields), actor=SAM, now=clock())
    store.dispose()


def test_of_two_rulings_at_once_the_second_is_refused(one_pair, clock):
    vote(one_pair, clock, "Dana", "dear_better")
    vote(one_pair, clock, "Lee", "cheap_better")
    pair, now, refusals = the_pair(one_pair), clock(), []

    def send(name):
        try:
            adjudicate(one_pair, finding(pair), actor=Actor(name, frozenset({Role.SENIOR})), now=now)
        except PreceptorError as error:
            refusals.append(str(error))

    threads = [threading.Thread(target=send, args=(name,)) for name in ("sam", "sid", "sue", "sol")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with one_pair.connect() as connection:
        assert connection.execute(sa.select(ADJUDICATIONS.c.edition)).scalars().all() == [0]
    assert len(refusals) == 3
    assert all("ruled on this pair meanwhile" in refusal for refusal in refusals)


def test_a_later_edition_stands_above_an_earlier_one(one_pair, clock):
    vote(one_pair, clock, "Dana", "dear_better")
    vote(one_pair, clock, "Lee", "cheap_better")
    pair = the_pair(one_pair)
    adjudicate(one_pair, finding(pair), actor=SAM, now=clock())
    with pytest.raises(PreceptorError, match="meanwhile"):
        adjudicate(one_pair, finding(pair), actor=SAM, now=clock())
    second = adjudicate(one_pair, finding(pair, Choice.NEITHER_ACCEPTABLE, edition=1), actor=SAM, now=clock())

    with one_pair.connect() as connection:
        assert last_rulings(connection) == {pair: second}
        assert [str(one.verdict) for one in case_of(connection, pair, actor=SAM).earlier] == [
            "both_acceptable",
            "neither_acceptable",
        ]


def test_a_signed_ruling_verifies_and_a_changed_one_does_not(one_pair, clock):
    vote(one_pair, clock, "Dana", "dear_better")
    vote(one_pair, clock, "Lee", "cheap_better")
    signed_in(one_pair, "sam", (Role.SENIOR,), clock())
    ruling = adjudicate(one_pair, finding(the_pair(one_pair)), actor=SAM, signing_method="password", now=clock())

    with one_pair.connect() as connection:
        (signature,) = signatures_of(connection, RULING_KIND, ruling.id)
        assert signature_fault(connection, signature, ruling.signed_record) is None
        forged = ruling.model_copy(update={"reason": "Another reason."})
        assert "content changed since" in signature_fault(connection, signature, forged.signed_record)
        stored = connection.execute(sa.select(ADJUDICATIONS.c.signature_id)).scalar()
    assert stored == signature.id


class Senior:
    """A signed-in senior without JavaScript."""

    def __init__(self, store, clock, settings=PLAIN):
        self.http = TestClient(create_app(store, settings=settings, clock=clock))
        self.http.cookies.set("preceptor_session", signed_in(store, "Sam", (Role.SENIOR,), clock()))

    def rule(self, pair, **fields):
        page = self.http.get(f"/adjudicate/{pair}").text.split("<main")[1]
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        return self.http.post(f"/adjudicate/{pair}", data={**hidden, **fields})


FORM = {"verdict": "both_acceptable", "error_class": "ambiguous", "reason": "Either code is allowed."}


def test_by_forms_alone_a_senior_rules_on_a_pair(one_pair, clock):
    marks = (SideMark("left", 0, "wrong", Severity.MAJOR),)
    vote(one_pair, clock, "Dana", "dear_better", marks=marks)
    vote(one_pair, clock, "Lee", "cheap_better")
    sam, pair = Senior(one_pair, clock), the_pair(one_pair)
    assert f'href="/adjudicate/{pair}"' in sam.http.get("/adjudicate").text
    page = sam.http.get(f"/adjudicate/{pair}").text

    assert len(re.findall(r'class="sentence marked" data-mark="[AB]: wrong, major" data-sentence="0"', page)) == 1
    assert not any(name in page for name in ("Dana", "Lee", WEAK, STRONG))
    assert "Why experts did not agree is not chosen yet" in sam.rule(pair, **{**FORM, "error_class": ""}).text
    assert "The ruling is noted." in sam.rule(pair, **FORM).text
    assert "Nothing waits for you." in sam.http.get("/adjudicate").text


def test_where_rulings_are_signed_a_senior_without_a_proof_does_not_rule(one_pair, clock):
    vote(one_pair, clock, "Dana", "dear_better")
    vote(one_pair, clock, "Lee", "cheap_better")
    sam = Senior(one_pair, clock, LabelingSettings(sign_adjudications=True))
    refused = sam.rule(the_pair(one_pair), **FORM, sign_password="guessed")

    assert refused.status_code == 403
    with one_pair.connect() as connection:
        assert last_rulings(connection) == {}


def test_a_senior_who_judged_the_item_gets_no_look_at_the_votes(one_pair, clock):
    signed_in(one_pair, "Sam", (Role.SENIOR, Role.ANNOTATOR), clock())
    vote(one_pair, clock, "Sam", "dear_better")
    vote(one_pair, clock, "Lee", "cheap_better")
    sam = Senior(one_pair, clock)

    assert sam.http.get(f"/adjudicate/{the_pair(one_pair)}").status_code == 403
    assert "someone else rules on these" in sam.http.get("/adjudicate").text


def test_excluded_items_wait_for_nobody(one_pair, clock):
    vote(one_pair, clock, "Dana", "dear_better")
    vote(one_pair, clock, "Lee", "cheap_better")
    with writing(one_pair) as connection:
        connection.execute(ITEMS.update().values(phi_state="excluded"))

    assert waiting(one_pair) == []
