"""The recheck beside experts: what is counted, what a proof holds, and what is refused."""

import json

import pytest

from core.errors import DataError, NotEnoughLabels, PreceptorError
from core.judge_proof import may_gate, read_proof
from core.records import Stakes
from pipeline.measuring import matched, proof_of, worth_of, worth_text
from tests.pipeline.conftest import command

TASK = "c" * 64


def judged(outcome, reason="ok", *, task=TASK):
    return {"check": "doubt.judge", "outcome": outcome, "reason": reason, "evidence": {"judge": "sage", "task": task}}


def coded(outcome):
    return {"check": "icd10cm.exists", "outcome": outcome, "reason": "ok", "evidence": {}}


@pytest.fixture
def write(tmp_path):
    """Verdicts and outcomes, from (id, whole outcome, results, weak answer is acceptable, more fields) a row."""

    def files(*rows):
        verdicts, experts = tmp_path / "verdicts.jsonl", tmp_path / "graded.jsonl"
        verdicts.write_text(
            "".join(json.dumps({"id": id_, "outcome": said, "checks": checks}) + "\n" for id_, said, checks, *_ in rows)
        )
        experts.write_text(
            "".join(
                json.dumps(
                    {
                        "id": id_,
                        "query": f"Question {id_}",
                        "domain": "law",
                        "source": "expert",
                        "results": {"small": {"quality": float(is_good)}},
                        **more,
                    }
                )
                + "\n"
                for id_, _, _, is_good, more in rows
                if is_good is not None
            )
        )
        return verdicts, experts

    return files


def test_catch_and_false_alarms_are_counted_check_by_check_and_together(write):
    rows = matched(
        *write(
            ("a", "fail", [coded("fail")], False, {}),
            ("b", "pass", [coded("pass")], False, {}),
            ("c", "cannot_decide", [coded("cannot_decide")], True, {}),
            ("d", "pass", [coded("pass")], True, {}),
            ("e", "fail", [coded("fail")], None, {}),
        ),
        "small",
    )
    together, alone = worth_of(rows).checks

    assert (together.n_caught, together.n_bad, together.n_stopped, together.n_good) == (1, 2, 1, 2)
    assert (alone.check, alone.n_caught, alone.n_stopped, alone.n_undecided) == ("icd10cm.exists", 1, 0, 1)
    assert (alone.catch.estimate, rows.n_unmatched) == (0.5, 1)
    assert "icd10cm.exists" in worth_text(worth_of(rows))


def test_a_check_that_was_not_run_is_not_measured(write):
    rows = matched(
        *write(("a", "fail", [coded("fail"), {**judged("not_run"), "evidence": {}}], False, {})),
        "small",
    )

    assert worth_of(rows).checks[2].n == 0
    with pytest.raises(NotEnoughLabels, match="asked its judge about none"):
        proof_of(rows, "doubt.judge")


def test_a_fine_that_might_let_nothing_leave_is_still_the_judge_s_fine(write):
    rows = matched(
        *write(
            ("a", "cannot_decide", [judged("cannot_decide", "judge_not_measured")], True, {}),
            ("b", "cannot_decide", [judged("cannot_decide", "unreadable_reply")], True, {}),
            ("c", "fail", [judged("fail", "criterion_missed")], False, {}),
        ),
        "small",
    )
    (stratum,) = proof_of(rows, "doubt.judge").strata

    assert (stratum.stratum, stratum.n_good, stratum.n_cleared, stratum.n_undecided) == ("law/high", 2, 1, 1)
    assert (stratum.n_bad, stratum.n_caught) == (1, 1)


def test_rows_of_one_group_count_once(write):
    rows = [(str(i), "fail", [judged("fail")], False, {"group": f"case {i % 4}"}) for i in range(12)]

    assert worth_of(matched(*write(*rows), "small")).n == 4


@pytest.mark.parametrize(
    ("second", "more", "words"),
    [
        (judged("pass", task="d" * 64), {}, "2 judges or tasks"),
        (judged("pass"), {"inclusion_probability": 0.2}, "different chances of being chosen"),
    ],
)
def test_a_proof_is_of_one_task_and_of_rows_drawn_alike(write, second, more, words):
    rows = matched(*write(("a", "pass", [judged("pass")], True, {}), ("b", "pass", [second], True, more)), "small")

    with pytest.raises(PreceptorError, match=words):
        proof_of(rows, "doubt.judge")


def test_a_judge_is_not_measured_against_a_judge(write):
    files = write(("a", "pass", [judged("pass")], True, {"source": "judge"}))

    with pytest.raises(PreceptorError, match="measured against experts"):
        matched(*files, "small")


def test_what_is_no_file_of_verdicts_is_named_by_line(write, tmp_path):
    _, experts = write(("a", "pass", [judged("pass")], True, {}))

    with pytest.raises(DataError, match=r"graded\.jsonl:1: no verdict \(it lacks checks, outcome\)"):
        matched(experts, experts, "small")


def test_the_command_writes_a_proof_that_lets_the_judge_gate_where_it_is_good_enough(write, tmp_path):
    bad = [(f"bad-{i}", "fail", [judged("fail")], False, {}) for i in range(60)]
    good = [(f"good-{i}", "pass", [judged("pass")], True, {}) for i in range(60)]
    verdicts, experts = write(*bad, *good)

    said = command(*("measure", verdicts, "--experts", experts, "--weak", "small", "--proof", tmp_path / "proof.json"))
    proof = read_proof(tmp_path / "proof.json")

    assert may_gate(proof, Stakes.HIGH, judge="sage", task_sha256=TASK, stratum="law/high").is_allowed
    assert not may_gate(proof, Stakes.HIGH, judge="sage", task_sha256="d" * 64, stratum="law/high").is_allowed
    assert "law/high: sage may gate high stakes." in said.stdout
    assert "60/60 [0.940, 1.000]" in said.stdout
