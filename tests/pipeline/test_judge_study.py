"""What verdicts say together: beside experts, along a bundle's ranking, and as promises for low stakes."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta

from core.certificate_settings import CertificateSettings
from core.errors import DataError, NotEnoughLabels, PreceptorError
from core.ledger import Ledger
from core.outcomes import read_outcomes
from core.records import Message, Query
from core.store import open_store
from core.threshold_settings import ThresholdSettings
from pipeline.certify_looks import Looks
from pipeline.judge_promises import Ranking, promises_on
from pipeline.judge_prompt import JudgePrompt
from pipeline.judge_report import report_text
from pipeline.judge_rows import Answered, ToJudge
from pipeline.judge_study import Experts, curve_on, experts_on, reliabilities, summary
from pipeline.judge_verdicts import UNANSWERED, Ruling, Said, Why
from pipeline.judging import Judged
from tests.pipeline.judge_server import Models, serving
from tests.pipeline.small_bundle import small_bundle
from tests.pipeline.test_judging_queries import calibrate, query_file, write

PAIR = ("small", "large")
HARM, FINE = (
    Ruling(Why.DECIDED, Said("strong", *map(bool, (0, 1)))),
    Ruling(Why.DECIDED, Said("both", *map(bool, (1, 1)))),
)
UNDECIDED = Ruling(Why.ORDERS_DISAGREE, was_read_twice=True)
FROZEN = Path(__file__).parents[1] / "labeling" / "frozen_in_form_2"


def row(number, *, stakes="low", group=None, costs=(0.001, 0.01), **sampling):
    query = Query(
        id=f"q{number}", messages=(Message(role="user", content=f"Code {number}."),), stakes=stakes, group=group
    )
    answers = {model: Answered(f"{model} on {number}", cost) for model, cost in zip(PAIR, costs, strict=True)}
    return ToJudge(f"f:{number}", query, answers, sampling)


def judged(rulings, **fields):
    rows = tuple(row(number, **fields) for number in range(len(rulings)))
    return Judged(rows, tuple(rulings), 0, 0.0, ())


def expert_file(tmp_path, harms, **fields):
    rows = [
        {
            "id": f"e{number}",
            "query": f"Code {number}.",
            "results": {"small": {"quality": float(not harm)} | fields, "large": {"quality": 1.0}},
            "source": "expert",
        }
        for number, harm in enumerate(harms)
    ]
    return write(tmp_path / "experts.jsonl", rows)


def test_the_judge_is_measured_on_the_queries_that_experts_judged_too(tmp_path):
    done = judged([HARM, HARM, FINE, FINE, UNDECIDED, FINE])
    experts = experts_on(done.rows, expert_file(tmp_path, [True, False, True, False, True]), PAIR)
    overall, low = reliabilities(done, experts)

    assert (overall.stratum, low.stratum, overall.n) == ("all", "general/low", 5)
    assert (overall.n_harms, overall.n_caught, overall.n_harmless, overall.n_cleared) == (3, 1, 2, 1)
    assert overall.sensitivity.low == pytest.approx(beta.ppf(0.025, 1, 3))
    assert (overall.n_undecided, overall.kappa) == (1, 0.0)


def test_experts_rows_about_other_answers_are_not_compared(tmp_path):
    done = judged([HARM] * 3)
    experts = experts_on(done.rows, expert_file(tmp_path, [True] * 3, text="another answer"), PAIR)

    assert experts == Experts({}, 3)
    with pytest.raises(NotEnoughLabels, match="None of the experts' 3 rows is about these queries and answers"):
        reliabilities(done, experts)


def test_a_judge_is_not_measured_against_a_judge(tmp_path):
    path = expert_file(tmp_path, [True])
    path.write_text(path.read_text().replace('"expert"', '"judge"'))

    with pytest.raises(PreceptorError, match=r"1 of 1 rows of .* come from a judge"):
        experts_on((row(0),), path, PAIR)


def test_a_frozen_version_serves_as_experts_and_an_altered_one_does_not(tmp_path):
    found = read_outcomes([FROZEN / "outcomes.jsonl"])
    pair = tuple(sorted(found[0].results))
    rows = [ToJudge("f:1", one.query, {}, {}) for one in found]
    rows = [
        ToJudge(one.place, one.query, {m: Answered(g.results[m].text or "?") for m in pair}, {})
        for one, g in zip(rows, found, strict=True)
    ]
    altered = shutil.copytree(FROZEN, tmp_path / "altered")
    (altered / "outcomes.jsonl").write_text("")

    assert len(experts_on(rows, FROZEN, pair).is_harm) == len(found) > 0
    with pytest.raises(DataError, match="missing or altered"):
        experts_on(rows, altered, pair)


def test_the_curve_marks_its_knee_and_the_threshold_for_the_budget():
    done = judged([HARM] * 3 + [FINE] * 7 + [UNDECIDED])
    probabilities = np.append(np.linspace(0.9, 0.1, 10), 0.99)
    curve = curve_on(done, probabilities, PAIR, budget=ThresholdSettings(share_strong=0.5), is_seen=None)

    assert (curve.n, curve.weak_quality, curve.strong_quality) == (10, 0.7, 1.0)
    assert (curve.knee.share_strong, curve.knee.quality, round(curve.knee_lift, 6)) == (0.3, 1.0, 0.21)
    assert curve.knee.threshold == pytest.approx(probabilities[2])
    assert curve.knee.usd_per_1000 == pytest.approx(0.3 * 10 + 0.7 * 1)
    assert curve.budget.share_strong == 0.5


def test_costs_that_nobody_knows_are_said_to_be_unknown():
    done = judged([HARM, FINE], costs=(None, None))
    budget = ThresholdSettings(usd_per_day=10, queries_per_day=100)
    curve = curve_on(done, np.array([0.9, 0.1]), PAIR, budget=budget, is_seen=np.array([True, False]))

    assert curve.knee.usd_per_1000 is None
    assert curve.budget is None
    assert "do not say what their answers cost" in curve.budget_fault
    assert curve.n_trained_rows == 1


def test_without_a_decided_row_there_is_no_curve():
    with pytest.raises(NotEnoughLabels, match="decided on no row"):
        curve_on(judged([UNDECIDED]), np.array([0.5]), PAIR, budget=ThresholdSettings(), is_seen=None)


@pytest.fixture
def looks(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield Looks(Ledger(store), run="judged")
    store.dispose()


def study(n, **fields):
    """Of `n` rows with even probabilities one in a hundred below a half harms; experts judged all, and the judge errs
    on nothing but the last harm."""
    probabilities = np.arange(n) / n
    is_harm = (np.arange(n) % 100 == 50) | (probabilities > 0.8)
    rulings = [HARM if harm else FINE for harm in is_harm]
    ranking = Ranking(probabilities, np.zeros(n, dtype=bool), {"default": 0.5})
    return judged(rulings, **fields), Experts(dict(enumerate(is_harm.tolist())), 0), ranking


def test_low_stakes_are_promised_at_the_shrunk_target_and_high_ones_are_refused(looks):
    done, experts, ranking = study(3000)
    found = promises_on(done, experts, ranking, terms=CertificateSettings(max_harm_low=0.02), looks=looks)
    high, _, _ = study(3000, stakes="high")
    refused = promises_on(high, experts, ranking, terms=CertificateSettings(), looks=looks)
    (one,) = found.tried

    assert one.is_shown
    assert one.delta == 0.025  # the first of any number of attempts
    assert one.sensitivity_lower == pytest.approx(beta.ppf(0.0125, one.n_harms, 1))
    assert one.target == pytest.approx(0.02 * one.sensitivity_lower)
    assert 0.5 <= one.threshold <= 0.81
    assert one.upper <= 0.02
    assert refused.tried == ()
    assert "of high stakes" in refused.refused["general/high"]


def test_an_undecided_row_counts_as_harm(looks):
    done, experts, ranking = study(3000)
    left = [UNDECIDED if i % 10 == 3 else ruling for i, ruling in enumerate(done.rulings)]
    terms = CertificateSettings(max_harm_low=0.02)
    (one,) = promises_on(Judged(done.rows, tuple(left), 0, 0.0, ()), experts, ranking, terms=terms, looks=looks).tried

    assert not one.is_shown
    assert one.n_flagged > 150


def test_each_further_look_at_the_same_rows_spends_delta_and_the_same_look_none(looks):
    done, experts, ranking = study(3000)
    terms = CertificateSettings(max_harm_low=0.02, attempts=2)
    levels = []
    for threshold in (0.5, 0.5, 0.4, 0.3):
        other = Ranking(ranking.probabilities, ranking.is_seen, {"default": threshold})
        levels.append([one.delta for one in promises_on(done, experts, other, terms=terms, looks=looks).tried])

    assert levels == [[0.025], [0.025], [0.025], []]


@pytest.mark.parametrize(
    ("change", "fields", "terms", "why"),
    [
        ({"is_seen": None}, {}, {}, "keeps no hashes"),
        ({"is_seen": np.ones(300, dtype=bool)}, {}, {}, "made from all of these questions"),
        ({"thresholds": {"default": None}}, {}, {}, "no threshold to start from"),
        ({}, {}, {"loss": "net"}, "another loss"),
        ({}, {}, {"max_harm_low": None}, "ask for none"),
    ],
)
def test_rows_that_cannot_show_a_promise_say_why(change, fields, terms, why, looks):
    done, experts, ranking = study(300, **fields)
    ranking = Ranking(**(vars(ranking) | change))
    found = promises_on(done, experts, ranking, terms=CertificateSettings(**terms), looks=looks)

    assert found.tried == ()
    assert why in found.refused["general/low"]


def test_rows_of_unlike_chances_show_no_promise(looks):
    done, experts, ranking = study(300)
    rows = (row(0, inclusion_probability=0.1), *done.rows[1:])
    found = promises_on(
        Judged(rows, done.rulings, 0, 0.0, ()), experts, ranking, terms=CertificateSettings(), looks=looks
    )

    assert "different chances" in found.refused["general/low"]


def test_experts_rows_of_unlike_chances_show_no_promise(looks, tmp_path):
    done, _, ranking = study(300)
    path = expert_file(tmp_path, [True, False])
    rows = [
        json.loads(line) | {"inclusion_probability": chance}
        for line, chance in zip(path.read_text().splitlines(), (0.5, 1.0), strict=True)
    ]
    experts = experts_on(done.rows, write(path, rows), PAIR)
    found = promises_on(done, experts, ranking, terms=CertificateSettings(), looks=looks)

    assert found.tried == ()
    assert "experts' rows had different chances" in found.refused["general/low"]


def test_rows_of_one_group_count_once(looks):
    done, experts, ranking = study(300, group="one claim")
    (one,) = promises_on(done, experts, ranking, terms=CertificateSettings(), looks=looks).tried

    assert one.n == 1


def test_the_report_says_what_is_not_known():
    report = summary(judged([HARM, FINE, UNDECIDED, UNANSWERED]), JudgePrompt("", "judge", PAIR))
    text = report_text(report)

    assert "4 rows judged by judge" in text
    assert "2 decided, 2 undecided and left out" in text
    assert "Both orders agree on 0.000" in text
    assert "the judge's own errors are not known" in text
    assert not math.isnan(json.loads(report.model_dump_json())["spent_usd"])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle whose ranking means nothing, made from the first two questions."""
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    return small_bundle(folder, name="judged", pair=PAIR, seen=["Code 0.", "Code 1."])


def test_the_command_joins_judge_experts_and_bundle(bundle, tmp_path):
    query_file(tmp_path, 20)
    experts = expert_file(tmp_path, [number % 2 == 0 for number in range(10)])
    with serving(Models()) as models:
        models.wrong_small = {f"Code {number}." for number in range(0, 20, 2)}
        models.faults = {"Code 2.": "misses"}
        report = calibrate(tmp_path, models, "--experts", experts, "--bundle", bundle)

    overall = report["reliability"][0]
    assert (overall["n_harms"], overall["n_caught"], overall["n_cleared"]) == (5, 4, 5)
    assert (report["curve"]["n"], report["curve"]["n_trained_rows"]) == (20, 2)
    assert report["curve"]["budget"]["share_strong"] <= 0.3
    (promise,) = report["promises"]
    assert (promise["stratum"], promise["n"], promise["is_shown"]) == ("general/low", 18, False)
    assert promise["why"]
