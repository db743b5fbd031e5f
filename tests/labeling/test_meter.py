import json

import pytest
from click.testing import CliRunner

from core.access import Actor, Role
from core.errors import DataError
from labeling.commands.group import label
from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.experts import invite_expert
from labeling.queueing.meter import MINUTES_A_PAIR, read_curve, read_meter
from labeling.queueing.offering import next_task
from labeling.queueing.selecting import Request, select_audit
from tests.labeling.conftest import PLAIN_RULES

LEAD = Actor("Lea", frozenset({Role.LEAD}))


def judge(store, clock, n, choice, **fields):
    for _ in range(n):
        task = next_task(store, "Dana", rules=PLAIN_RULES, now=clock())
        said = choice(task) if callable(choice) else choice
        submit(store, Ballot(task.assignment_id, 0, said, **fields), expert="Dana", now=clock())


def strong_is_better(task):
    return Choice.LEFT_BETTER if "Dear words" in task.left else Choice.RIGHT_BETTER


@pytest.fixture
def audited(imported, clock):
    """Twelve pairs, eight of them in the audit, and an expert."""
    store = imported(12)
    select_audit(store, Request(n=8, seed=1), actor=LEAD, now=clock())
    invite_expert(store, "Dana", by="lead", now=clock())
    return store


def meter_of(store, **where):
    with store.connect() as connection:
        return read_meter(connection, **where)


def test_without_an_audited_label_the_meter_says_what_to_draw(audited):
    meter = meter_of(audited)

    assert meter.audit.value is None
    assert "select --stream audit" in meter.advice
    assert (meter.minutes_a_pair, meter.is_timed) == (MINUTES_A_PAIR, False)
    assert meter.hours_left == pytest.approx(12 * 3 / 60)


def test_the_meter_counts_harm_and_acceptable_weak_answers_on_the_audit_alone(audited, clock):
    judge(audited, clock, 2, strong_is_better)
    judge(audited, clock, 6, Choice.BOTH_ACCEPTABLE)
    judge(audited, clock, 2, strong_is_better)  # plain pairs: the audit came first
    meter = meter_of(audited)

    assert (meter.audit.n_labels, meter.audit.n_acceptable, meter.audit.n_harms) == (8, 6.0, 2)
    assert meter.audit.harm_bound == pytest.approx(0.5997, abs=1e-4)  # Clopper-Pearson, one-sided: 2 of 8
    assert meter.audit.value.more == 50
    assert {(one.stream, one.n_pairs, one.n_judged) for one in meter.stretches if one.stream == "audit"} <= {
        ("audit", n, n) for n in range(9)
    }
    assert meter.n_places_left == 2


def test_an_answer_marked_not_acceptable_is_not_acceptable_although_it_is_better(audited, clock):
    judge(audited, clock, 8, Choice.LEFT_BETTER, left_acceptable=False, right_acceptable=False)

    assert (meter_of(audited).audit.n_acceptable, meter_of(audited).audit.n_harms) == (0.0, 0)


def test_hours_follow_the_median_time_at_work(audited, clock):
    judge(audited, clock, 1, Choice.BOTH_ACCEPTABLE, active_ms=60_000)
    judge(audited, clock, 2, Choice.BOTH_ACCEPTABLE, active_ms=120_000)
    meter = meter_of(audited)

    assert (meter.minutes_a_pair, meter.is_timed) == (2.0, True)
    assert meter.hours_left == pytest.approx(9 * 2 / 60)


def test_the_plan_is_the_number_of_clean_pairs_that_prove_a_promise(audited):
    assert {one.max_harm: one.n_clean for one in meter_of(audited).plan} == {0.05: 59, 0.02: 149, 0.01: 299, 0.005: 598}


def test_a_learning_curve_adds_what_a_router_would_gain(audited, clock, tmp_path):
    judge(audited, clock, 8, Choice.BOTH_ACCEPTABLE)
    interval = {"estimate": 0.01, "low": -0.01, "high": 0.03}
    curve = {"sizes": [50, 100], "apgr": [interval, interval], "gains": [interval], "more": 50, "forecast": interval}
    (tmp_path / "curve.json").write_text(json.dumps(curve))
    meter = meter_of(audited, curve=read_curve(tmp_path / "curve.json"))

    assert meter.audit.value.gain.estimate == 0.01
    assert "APGR" in meter.advice


def test_a_file_that_is_no_curve_is_refused_with_the_command_that_writes_one(tmp_path):
    (tmp_path / "curve.json").write_text("{}")

    with pytest.raises(DataError, match="learn-curve CONFIG --more 50"):
        read_curve(tmp_path / "curve.json")


def test_the_commands_select_and_meter_print_what_the_store_holds(imported, store):
    imported(6)
    where = ["--store", store.url.render_as_string(hide_password=False)]

    def run(*words):
        return CliRunner().invoke(label, [*words, *where], catch_exceptions=False).stdout

    drawn = json.loads(run("select", "--stream", "audit", "--n", "2", "--by", "lea", "--json"))
    told = json.loads(run("meter", "--json"))

    assert (drawn["n_candidates"], drawn["n_chosen"]) == (6, 2)
    assert sum(one["n_pairs"] for one in told["stretches"] if one["stream"] == "audit") == 2
    assert "expert hours" in run("meter")
