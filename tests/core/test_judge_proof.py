import pytest

from core.errors import DataError
from core.judge_proof import JudgeProof, StratumProof, may_gate, read_proof
from core.records import Stakes

TASK = "a" * 64


def proof_with(sensitivity_low, specificity_low):
    return JudgeProof(
        judge="judge",
        task_sha256=TASK,
        strata=(
            StratumProof(
                stratum="law/high",
                n=200,
                n_undecided=0,
                n_bad=100,
                n_caught=90,
                n_good=100,
                n_cleared=95,
                sensitivity_low=sensitivity_low,
                specificity_low=specificity_low,
            ),
        ),
    )


def gating(proof, stakes=Stakes.HIGH, **other):
    return may_gate(proof, stakes, **({"judge": "judge", "task_sha256": TASK, "stratum": "law/high"} | other))


@pytest.mark.parametrize(
    ("sensitivity_low", "specificity_low", "is_allowed"),
    [(0.80, 0.85, True), (0.79, 0.85, False), (0.80, 0.84, False), (None, 0.85, False), (0.80, None, False)],
)
def test_both_lower_limits_must_reach_the_bar_at_high_stakes(sensitivity_low, specificity_low, is_allowed):
    found = gating(proof_with(sensitivity_low, specificity_low))

    assert found.is_allowed == is_allowed
    assert found.reason == ("" if is_allowed else "judge_too_weak")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"judge": "another"}, "judge_proof_of_another"),
        ({"task_sha256": "b" * 64}, "judge_proof_of_another"),
        ({"stratum": "tax/high"}, "judge_not_measured_here"),
        ({"stakes": Stakes.CRITICAL}, "judge_at_critical"),
    ],
)
def test_a_proof_is_of_one_judge_one_task_and_one_stratum_and_never_of_critical_stakes(other, reason):
    assert gating(proof_with(0.9, 0.9), **other).reason == reason


@pytest.mark.parametrize("stakes", [Stakes.LOW, Stakes.STANDARD])
def test_below_high_stakes_an_unmeasured_judge_may_speak(stakes):
    assert gating(None, stakes).is_allowed


def test_a_proof_survives_its_file(tmp_path):
    (tmp_path / "proof.json").write_text(proof_with(0.9, 0.9).model_dump_json())

    assert read_proof(tmp_path / "proof.json") == proof_with(0.9, 0.9)


@pytest.mark.parametrize("text", ["{}", "no JSON", '{"judge": "j", "task_sha256": "short", "strata": []}'])
def test_what_is_no_proof_is_refused_with_the_command_that_writes_one(tmp_path, text):
    (tmp_path / "proof.json").write_text(text)

    with pytest.raises(DataError, match="preceptor measure"):
        read_proof(tmp_path / "proof.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.json"):
        read_proof(tmp_path / "absent.json")
