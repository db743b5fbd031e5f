"""What the report says of the recheck: measured where rows hold the weak answer's text, and said to be unknown else."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from core.outcomes import read_outcomes
from core.settings import RunSettings
from pipeline.engine import Work
from pipeline.report import figures_of, render_html
from pipeline.report_parts import money_of
from pipeline.report_recheck import recheck_facts
from pipeline.report_slices import HeldOut
from pipeline.results import Rows
from pipeline.table import table_of
from tests.pipeline.reports import recheck_of, report_of

ANSWERS = (("Code: M10.9", True), ("Code: B42.81", True), ("Code: Z99.999X", False), ("Code: Q00.77", False))


@pytest.fixture
def run(tmp_path):
    """Settings, stage folders, rows and test columns of 40 test rows; every second weak answer names no real code."""

    one_check = tmp_path / "codes.yaml"
    one_check.write_text("name: codes\nchecks:\n  - check: icd10cm.exists\n")

    def make(*, pack=str(one_check), has_texts=True, report=None, suspicions=None):
        rows = []
        for i in range(40):
            text, is_good = ANSWERS[i % 4]
            weak = {"quality": float(is_good), "cost_usd": 0.001} | ({"text": text} if has_texts else {})
            results = {"cheap": weak, "dear": {"quality": 1.0, "cost_usd": 0.02}}
            rows.append({"id": f"q{i}", "query": f"Code case {i}.", "domain": "coding", "results": results})
        path = tmp_path / "outcomes.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        settings = RunSettings.model_validate(
            {
                "name": "recheck",
                "pair": {"weak": {"name": "cheap"}, "strong": {"name": "dear"}},
                "data": {"files": [str(path)], "target_domains": ["coding"]},
                "verifiers": {"pack": pack, "suspicion": {"family": None if suspicions is None else "words"}},
                "report": report or {},
            }
        )
        suspect = tmp_path / "suspect"
        suspect.mkdir(exist_ok=True)
        (suspect / "summary.json").write_text(json.dumps({"is_on": suspicions is not None, "tau": 0.5}))
        if suspicions is not None:
            save_file(
                {"suspicion": suspicions, "has_text": np.ones(40, dtype=np.uint8)}, suspect / "suspicion.safetensors"
            )
        table = table_of(read_outcomes([path]))
        rows_of_run = Rows(table, ("test",) * 40, np.arange(40), np.zeros((40, 0)))
        work = Work(tmp_path, tmp_path, {"suspect": suspect}, lambda what, done, total: None, "key")
        weak, strong = table.pair_quality("cheap", "dear")
        tested = HeldOut(
            {}, np.repeat([0.1, 0.9], 20), weak, strong, *table.cost_usd.T, strata=table.strata, groups=np.arange(40)
        )
        return settings, work, rows_of_run, tested

    return make


def facts_of(made):
    return recheck_facts(*made, certificate=None, thresholds={"default": 0.5})


def test_catch_false_alarms_and_what_is_sent_on_are_those_of_the_checks(run):
    found = facts_of(run())

    assert (found.n, found.n_test) == (40, 40)
    assert (found.catch.estimate, found.false_alarms.estimate) == (1.0, 0.0)
    assert found.escalated.estimate == 0.5  # of the 20 that the router keeps
    assert (found.family, found.suspicion) == (None, None)


def test_the_classifier_is_measured_at_its_threshold_and_sends_on_what_is_above_it(run):
    suspicions = np.tile([0.1, 0.7, 0.9, 0.9], 10)
    found = facts_of(run(pack="none", suspicions=suspicions))

    assert found.suspicion.catch.estimate == 1.0
    assert found.suspicion.false_alarms.estimate == 0.5
    assert found.escalated.estimate == 0.75
    assert [(one.stratum, one.tau) for one in found.taus] == [("", 0.5)]


def test_without_texts_nothing_is_measured_and_the_report_says_what_to_add(run):
    found = facts_of(run(has_texts=False))

    assert (found.n, found.catch, found.escalated) == (0, None, None)
    report = report_of().model_copy(update={"recheck": found})
    assert "No test row holds the text of the weak answer" in render_html(report, figures_of(report))


def test_without_checks_and_classifier_there_is_no_section(run):
    assert facts_of(run(pack="none")) is None
    assert 'id="recheck"' not in render_html(report_of(), figures_of(report_of()))


def test_the_money_counts_what_was_measured_unless_settings_say_a_share(run):
    settings, _, _, tested = run()
    free = money_of(settings, tested, {"default": 0.5})
    measured = money_of(settings, tested, {"default": 0.5}, escalated_share=0.5)
    told, _, _, _ = run(report={"escalated_share": 0.1})

    assert (free.escalation_is_measured, measured.escalation_is_measured) == (False, True)
    # 500 of 1,000 answers are weak; half of them cost a strong answer more
    assert measured.found.routed.estimate - free.found.routed.estimate == pytest.approx(250 * 0.02)
    assert not money_of(told, tested, {"default": 0.5}, escalated_share=0.5).escalation_is_measured


def test_the_section_shows_checks_classifier_and_threshold():
    report = report_of().model_copy(update={"recheck": recheck_of()})
    page = render_html(report, figures_of(report))

    assert "Free checks of medical_coding" in page
    assert "Classifier (words), above 0.550" in page
    assert "Venn-Abers" in page
