import json
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from fastapi.testclient import TestClient

from assurance.agreement_figures import Measure
from core.access import Actor, Role
from core.reading import Row
from core.store import writing
from labeling.app import create_app
from labeling.commands.group import label
from labeling.judging.ballots import Choice
from labeling.judging.submitting import submit
from labeling.quality.agreeing import agreements
from labeling.quality.label_columns import PURPOSES, read_labels
from labeling.quality.raters import others_verdict
from labeling.quality.report import quality_report
from labeling.quality.setting_gold import set_gold
from labeling.queueing.dealing import OfferRules
from labeling.queueing.offering import next_task
from labeling.tables import ITEMS, JUDGEMENTS, PAIRS
from tests.labeling.browsing import signed_in
from tests.labeling.conftest import PLAIN_RULES, want
from tests.labeling.judged_stores import Simulated, ballot_of, enrol, judge_all

LEAD = Actor("lead", at_open_command_line=True)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def judge_by(store, clock, expert, plan, **fields):
    """Judge what is offered by the plan's verdict for each question; `dear` and `cheap` name the better answer."""
    enrol(store, [expert], now=clock())
    while (task := next_task(store, expert, rules=PLAIN_RULES, now=clock())) is not None:
        said = plan[task.query.id]
        dear_left = task.left.startswith("Dear")
        sides = {"dear": Choice.LEFT_BETTER if dear_left else Choice.RIGHT_BETTER}
        sides["cheap"] = Choice.RIGHT_BETTER if dear_left else Choice.LEFT_BETTER
        choice = sides.get(said) or Choice(said)
        reason = "Missing." if choice is Choice.CANNOT_JUDGE else ""
        submit(store, ballot_of(task, choice, reason=reason, **fields), expert=expert, now=clock())


def plan(*verdicts):
    return {f"task-{n:03}": verdict for n, verdict in enumerate(verdicts)}


def report_of(store):
    with store.connect() as connection:
        return quality_report(connection, pass_share=0.8)


@pytest.fixture
def two_experts(imported, clock):
    """Dana and Lee on six pairs: four times of one mind."""
    store = imported(6)
    want(store, 2)
    both, neither, cannot = "both_acceptable", "neither_acceptable", "cannot_judge"
    judge_by(store, clock, "Dana", plan("dear", "dear", "cheap", both, neither, "dear"))
    judge_by(store, clock, "Lee", plan("dear", "dear", "cheap", both, both, cannot))
    return store


def test_agreement_is_on_verdicts_and_leaves_out_who_cannot_judge(two_experts):
    found = report_of(two_experts).overall

    assert (found.n_pairs, found.verdict.n_items) == (6, 5)
    assert found.verdict.figures[Measure.RAW].estimate == pytest.approx(4 / 5)


def test_strength_is_ordinal_and_neither_has_no_place_on_it(two_experts):
    found = report_of(two_experts).overall

    assert found.n_on_scale == 4
    assert found.strength.estimate == 1.0


def test_release_of_the_weak_answer_is_agreed_on_apart_from_the_strong_one(two_experts):
    found = report_of(two_experts).overall

    # weak: Dana no no yes yes no, Lee no no yes yes yes; strong: yes yes no yes no against yes yes no yes yes
    assert found.weak_release.figures[Measure.RAW].estimate == pytest.approx(4 / 5)
    assert found.strong_release.figures[Measure.RAW].estimate == pytest.approx(4 / 5)


def test_strata_stand_apart_and_say_why_a_figure_has_no_value(imported, clock):
    store = imported(4)
    want(store, 2)
    judge_by(store, clock, "Dana", plan("dear", "dear", "dear", "cheap"))
    judge_by(store, clock, "Lee", plan("dear", "dear", "dear", "cheap"))
    report = report_of(store)

    by_stratum = {one.stratum: one for one in report.agreements}
    assert set(by_stratum) == {None, "infectious/high", "infectious/low"}
    assert sum(one.n_pairs for one in report.agreements[1:]) == 4
    assert all(one.notes for one in report.agreements)
    assert report.release.sentence.startswith("Nothing is released.") or "no interval" in report.release.sentence


def test_nothing_judged_makes_an_empty_report(store):
    report = report_of(store)

    assert (report.n_judgements, report.raters.raters, report.days, report.by_version) == (0, (), (), ())
    assert report.overall.verdict.n_items == 0
    assert report.release.scope.value == "nothing"


def test_an_expert_is_compared_with_the_others_and_never_with_themselves(two_experts):
    with two_experts.connect() as connection:
        work = read_labels(connection).work
    reference = others_verdict(work, {})

    other = {(work.pair[k], work.expert[k]): work.verdict[k] for k in range(len(work))}
    for k in range(len(work)):
        theirs = other[work.pair[k], 1 - work.expert[k]]
        assert reference[k] == (-1 if theirs == 4 else theirs)


def test_a_ruling_stands_above_the_others(two_experts):
    with two_experts.connect() as connection:
        work = read_labels(connection).work
    ruled = others_verdict(work, dict.fromkeys(work.pairs, 3))

    assert set(ruled.tolist()) == {3}


def test_the_confusion_names_tiers_whatever_the_pair_s_order(two_experts):
    confusion = report_of(two_experts).raters.confusion

    # strong, strong, weak, both: equal, each counted from both experts; neither beside both, and both beside neither
    assert confusion.tolist() == [[4, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 1], [0, 0, 1, 0]]


def test_repeats_are_compared_in_the_answers_own_terms_and_count_for_nothing_else(imported, clock, rng):
    store = imported(5)
    rules = OfferRules(gold_rate=0, repeat_rate=1.0, repeat_after=timedelta(0))
    judge_all(store, [Simulated("Dana", skill=1.0)], clock, rng=rng, rules=rules, at_most=8)
    with store.connect() as connection:
        labels = read_labels(connection)
    report = report_of(store)

    n_repeats = int(np.sum(labels.purpose == PURPOSES.index("repeat")))
    (dana,) = report.raters.raters
    assert n_repeats >= 3
    assert (dana.again.n_same, dana.again.n_repeats) == (n_repeats, n_repeats)
    assert dana.n == report.n_judgements == 8 - n_repeats


def test_hidden_gold_shows_with_the_expert_and_counts_as_no_work(imported, clock, rng):
    store = imported(6)
    rows = [Row(f"g:{n}", {"item": f"task-{n:03}", "verdict": "strong_better"}) for n in range(3)]
    set_gold(store, rows, by=LEAD, now=clock())
    rules = OfferRules(gold_rate=1.0, repeat_rate=0)
    judge_all(store, [Simulated("Dana", skill=1.0)], clock, rng=rng, rules=rules)
    report = report_of(store)

    (dana,) = report.raters.raters
    assert (dana.gold.n_right, dana.gold.n, report.n_judgements) == (3, 3, 3)


def test_a_pair_without_tiers_has_a_left_preference_and_no_win_rate(imported, clock, rng):
    store = imported(4)
    judge_all(store, [Simulated("Dana", skill=0.0)], clock, rng=rng)
    with writing(store) as connection:
        connection.execute(PAIRS.update().values(strong=None, weak=None))
    sides = report_of(store).raters.sides

    assert sides.of_strong is None
    assert sides.effect.n_left + sides.effect.n_right == 4


def test_the_report_is_the_same_at_every_look(two_experts):
    assert report_of(two_experts).agreements == report_of(two_experts).agreements


def test_slots_hold_each_pair_s_labels_and_nothing_else(two_experts):
    with two_experts.connect() as connection:
        work = read_labels(connection).work
    table = work.slots(work.verdict)

    assert table.shape == (6, 2)
    assert sorted(table.ravel().tolist()) == sorted(work.verdict.tolist())
    assert agreements(work)[0].n_pairs == 6


def viewer(store, clock, *roles):
    http = TestClient(create_app(store, clock=clock))
    http.cookies.set("preceptor_session", signed_in(store, "Lea", roles, clock()))
    return http


def test_the_page_follows_the_store(two_experts, clock):
    lea = viewer(two_experts, clock, Role.LEAD)
    before = lea.get("/quality").text
    want(two_experts, 3)
    judge_by(two_experts, clock, "Zoe", plan(*["dear"] * 6))
    after = lea.get("/quality").text

    assert "Zoe" not in before
    assert "Zoe" in after


def test_a_steward_does_not_see_the_page(store, clock):
    assert viewer(store, clock, Role.STEWARD).get("/quality").status_code == 403


def test_the_command_prints_agreement_and_what_waits(two_experts, store_url):
    shown = CliRunner().invoke(label, ["agreement", "--store", store_url])
    found = json.loads(CliRunner().invoke(label, ["agreement", "--store", store_url, "--json"]).stdout)

    assert "all pairs: 5 judged twice, raw 0.800" in shown.output
    assert "2 pairs wait for a ruling" in shown.output
    assert found["strata"]["all"]["raw"]["estimate"] == pytest.approx(0.8)
    assert found["waiting"] == 2


def test_held_items_stay_in_the_figures_of_what_was_judged(two_experts):
    with writing(two_experts) as connection:
        connection.execute(ITEMS.update().values(phi_state="held"))
    with two_experts.connect() as connection:
        n = connection.execute(sa.select(sa.func.count()).select_from(JUDGEMENTS)).scalar()

    assert report_of(two_experts).n_judgements == n
