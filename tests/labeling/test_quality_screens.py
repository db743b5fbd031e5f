"""The quality, adjudication, guideline and qualification screens in a real browser: reachable, quiet, one-handed."""

from datetime import timedelta

import numpy as np
import pytest

from core.access import Actor, Role
from core.labeling_settings import LabelingSettings
from core.reading import Row
from labeling.judging.ballots import Ballot, Choice, JudgingRules, Severity, SideMark
from labeling.judging.flags import FlagForm, raise_flag
from labeling.judging.submitting import submit
from labeling.quality.disagreements import disagreements
from labeling.quality.guideline import Draft, propose, publish
from labeling.quality.rulings import last_rulings
from labeling.quality.setting_gold import set_gold
from labeling.queueing.dealing import OfferRules
from labeling.queueing.offering import next_task
from tests.labeling.browsing import audit, store_url  # noqa: F401 - SQLite alone in this module
from tests.labeling.conftest import PLAIN_RULES, want
from tests.labeling.judged_stores import Simulated, enrol, judge_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LEAD = Actor("lead", at_open_command_line=True)
BOB = Actor("bob", at_open_command_line=True)
TEXT = "# What counts\n\n- Code what is documented.\n\n| error | severity |\n|---|---|\n| wrong chapter | critical |\n"
WITH_CHECKS = OfferRules(gold_rate=0.2, repeat_rate=0.1, repeat_after=timedelta(0))
VIEWS = [(1280, "light"), (360, "dark"), (320, "light")]


@pytest.fixture
def team_store(imported, clock):
    """Judged under two guidelines by experts of whom one favours a side; one pair is flagged, a proposal waits."""
    store = imported(24)
    want(store, 2)
    publish(store, Draft(TEXT, "First version."), by=LEAD, approved_by=BOB, now=clock())
    kinds = ["hidden"] * 4 + ["practice"] + ["qualification"] * 2
    rows = [
        Row(f"g:{n}", {"item": f"task-{n:03}", "verdict": "strong_better", "kind": kind, "explanation": "By B42.81."})
        for n, kind in enumerate(kinds)
    ]
    set_gold(store, rows, by=LEAD, now=clock())
    team = [Simulated("Dana Ruiz"), Simulated("Lee Park"), Simulated("Max Stone", skill=0.0, left=0.4, seconds=9)]
    rng = np.random.default_rng(1)
    judge_all(store, team, clock, rng=rng, rules=WITH_CHECKS, at_most=20)
    publish(store, Draft(TEXT + "\nFlag doubts.\n", "Doubts are flagged."), by=LEAD, approved_by=BOB, now=clock())
    propose(store, Draft(TEXT + "\nNever guess.\n", "Guessing is wrong."), by=LEAD, now=clock())
    judge_all(store, team, clock, rng=rng, rules=WITH_CHECKS)
    want(store, 3)
    enrol(store, ["Zoe Kim"], now=clock())
    task = next_task(store, "Zoe Kim", rules=PLAIN_RULES, now=clock())
    marks = (SideMark("left", 0, "wrong", Severity.MAJOR), SideMark("right", 0, "unclear", Severity.MINOR))
    ballot = Ballot(
        task.assignment_id, 0, Choice.NEITHER_ACCEPTABLE, reason="Neither fits.", marks=marks, active_ms=900
    )
    submit(store, ballot, expert="Zoe Kim", rules=JudgingRules("never", (), ("wrong", "unclear")), now=clock())
    raise_flag(store, FlagForm(task.assignment_id, "guideline_gap", "Not covered."), expert="Zoe Kim", now=clock())
    return store


def flagged(store):
    with store.connect() as connection:
        return next(one.pair_id for one in disagreements(connection) if "flag" in one.reasons)


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_no_screen_of_quality_has_a_violation_an_error_or_a_request_elsewhere(visit, team_store, width, scheme):
    settings = LabelingSettings(reason_required="never", sign_adjudications=True, qualification_required=True)
    screens = [
        ("Lea", (Role.LEAD, Role.ANNOTATOR), ["/quality", "/guideline", "/guideline?version=1", "/qualification"]),
        ("Sam", (Role.SENIOR,), ["/adjudicate", f"/adjudicate/{flagged(team_store)}", "/guideline"]),
    ]
    for name, roles, paths in screens:
        one = visit(team_store, paths[0], name=name, roles=roles, width=width, scheme=scheme, settings=settings)
        for path in paths:
            one.goto(path)
            assert (path, audit(one.page)) == (path, [])
        assert one.is_quiet()


def test_model_names_never_reach_the_browser_of_who_adjudicates(visit, team_store):
    one = visit(team_store, f"/adjudicate/{flagged(team_store)}", name="Sam", roles=(Role.SENIOR,))
    one.goto("/adjudicate")

    sent = " ".join(one.seen.bodies)
    assert "lexical-coder" not in sent
    assert "minilm-coder" not in sent
    assert not any(name in sent for name in ("Dana", "Lee Park", "Max", "Zoe"))


def test_a_senior_rules_by_keyboard_alone(visit, team_store):
    pair = flagged(team_store)
    page = visit(team_store, f"/adjudicate/{pair}", name="Sam", roles=(Role.SENIOR,), scripts=False).page
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        reached.append(here)
        if here in ("left-yes", "right-yes", "left_better", "class-ambiguous"):
            page.keyboard.press("Space")
        if here == "reason":
            page.keyboard.type("The left one is more specific.")
        if here == "Give the ruling":
            page.keyboard.press("Enter")
            break
    page.wait_for_url("**/adjudicate?after=ruled")

    with team_store.connect() as connection:
        ruling = last_rulings(connection)[pair]
    assert (str(ruling.error_class), ruling.first_acceptable, ruling.second_acceptable) == ("ambiguous", True, True)


def test_who_judges_reads_a_new_guideline_first_and_goes_on_to_judge(visit, team_store):
    page = visit(team_store, "/judge", settings=LabelingSettings(reason_required="never")).page
    assert page.url.endswith("/guideline")
    page.get_by_role("button", name="I have read version 2").click()

    assert page.url.endswith("/judge")


def test_who_judges_does_not_see_their_own_row(visit, team_store):
    senior = visit(team_store, "/quality", name="Dana Ruiz", roles=(Role.ANNOTATOR, Role.SENIOR)).page
    lead = visit(team_store, "/quality", name="Ines", roles=(Role.LEAD,)).page

    assert senior.get_by_role("rowheader", name="Dana Ruiz").count() == 0
    assert senior.get_by_role("rowheader", name="Lee Park").count() > 0
    assert lead.get_by_role("rowheader", name="Dana Ruiz").count() > 0
