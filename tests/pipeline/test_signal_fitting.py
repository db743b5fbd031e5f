import json

import numpy as np
import pytest
from click.testing import CliRunner

from core.errors import DataError, NotEnoughLabels
from core.suspicion_stack import read_stack
from pipeline.measure_command import measure
from pipeline.signal_fitting import fit_from_verdicts


def check(name, outcome="pass", suspicion=None, **evidence):
    return {
        "check": name,
        "outcome": outcome,
        "reason": "ok",
        "evidence": evidence,
        "suspicion": suspicion,
        "calls": 0,
        "cost_usd": 0.0,
        "elapsed_ms": 0.1,
    }


def verdicts(n, *, seed=0):
    """Rows whose second model disagrees on four wrong answers of five, and on one right answer of ten."""
    rng = np.random.default_rng(seed)
    rows, wrong = {}, {}
    for i in range(n):
        wrong[f"q{i}"] = bool(rng.random() < 0.3)
        differs = float(rng.random() < (0.8 if wrong[f"q{i}"] else 0.1))
        soft = "cannot_decide" if wrong[f"q{i}"] and rng.random() < 0.3 else "pass"
        rows[f"q{i}"] = [
            check("icd10cm.excludes1", soft),
            check("icd10cm.exists"),
            check("doubt.second_model", "cannot_decide" if differs else "pass", disagreement=differs),
            check("bundle.suspicion", suspicion=float(rng.random())),
        ]
    return rows, wrong


def test_the_stack_weighs_what_told_wrong_answers():
    rows, wrong = verdicts(600)

    fit = fit_from_verdicts(rows, wrong)

    weights = {one.name: one.weight for one in fit.stack.signals}
    assert set(weights) == {"classifier", "second", "soft_findings"}
    assert weights["second"] > 5 * weights["classifier"]
    assert weights["soft_findings"] > 0.1
    assert fit.auroc > 0.8
    assert fit.stack.n_labels == 600


def test_answers_that_experts_did_not_judge_are_left_out():
    rows, wrong = verdicts(600)
    some = {name: wrong[name] for name in sorted(wrong)[:200]}

    assert fit_from_verdicts(rows, some).stack == fit_from_verdicts({name: rows[name] for name in some}, wrong).stack


def test_verdicts_without_a_signal_fit_nothing():
    rows = {f"q{i}": [check("icd10cm.exists")] for i in range(100)}

    with pytest.raises(NotEnoughLabels, match="No signal tells the 100 judged answers apart"):
        fit_from_verdicts(rows, {name: i % 2 == 0 for i, name in enumerate(rows)})


def test_a_row_that_is_no_verdict_is_named():
    with pytest.raises(DataError, match=r"q1: outcome"):
        fit_from_verdicts({"q1": [check("icd10cm.exists", "maybe")]}, {"q1": True})


def test_the_file_of_a_stack_is_read_back(tmp_path):
    stack = fit_from_verdicts(*verdicts(200)).stack
    (tmp_path / "stack.json").write_text(stack.model_dump_json())

    assert read_stack(tmp_path / "stack.json") == stack


def test_the_command_writes_a_stack_that_can_be_read(tmp_path):
    rows, wrong = verdicts(300)
    said = [json.dumps({"id": name, "outcome": "pass", "checks": rows[name]}) for name in rows]
    graded = [
        json.dumps(
            {
                "id": name,
                "query": f"Question {name}",
                "domain": "law",
                "source": "expert",
                "results": {"small": {"quality": 0.0 if bad else 1.0}},
            }
        )
        for name, bad in wrong.items()
    ]
    (tmp_path / "verdicts.jsonl").write_text("\n".join(said))
    (tmp_path / "graded.jsonl").write_text("\n".join(graded))
    files = [str(tmp_path / name) for name in ("verdicts.jsonl", "graded.jsonl", "stack.json")]

    result = CliRunner().invoke(
        measure, [files[0], "--experts", files[1], "--weak", "small", "--stack", files[2]], catch_exceptions=False
    )

    assert "Stack of 3 signals on 300 answers: AUROC 0.8" in result.output
    assert read_stack(tmp_path / "stack.json").read >= {"second", "soft_findings"}


@pytest.mark.parametrize("content", ["", "{}", '{"signals": [], "intercept": NaN}', "[1]"])
def test_a_file_that_holds_no_stack_is_refused(tmp_path, content):
    (tmp_path / "stack.json").write_text(content)

    with pytest.raises(DataError, match=r"preceptor measure --stack"):
        read_stack(tmp_path / "stack.json")


def test_a_stack_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_stack(tmp_path / "stack.json")
