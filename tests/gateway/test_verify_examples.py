"""The rows in examples/verify, which docs/verifiers.md shows, are told apart as it says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.verify_command import verify

EXAMPLES = Path(__file__).parents[2] / "examples" / "verify"

SAID = {
    "medical_coding": {
        "right": [],
        "other side": ["icd10cm.laterality:side_differs_from_text"],
        "no such code": ["icd10cm.exists:code_not_found"],
        "seventh character missing": ["icd10cm.billable:seventh_character_missing"],
    },
    "finance": {
        "right": [],
        "wrong percentage": ["figures.percentage:wrong_percentage"],
        "wrong total": ["figures.total:wrong_total"],
        "wrong account": ["figures.identifier:wrong_iban"],
    },
    "legal": {
        "right": [],
        "changed quotation": ["wording.quote:changed_number"],
        "invented authority": ["wording.citation:not_in_source"],
        "no such section": ["wording.section:not_in_source"],
    },
}


@pytest.mark.parametrize("pack", sorted(SAID))
def test_each_wrong_answer_of_the_examples_is_stopped_for_its_fault_and_the_right_one_passes(pack, tmp_path):
    output = tmp_path / "verdicts.jsonl"

    result = CliRunner().invoke(
        verify, ["--pack", pack, "--input", str(EXAMPLES / f"{pack}.jsonl"), "--output", str(output)]
    )

    verdicts = {row["id"]: row for row in map(json.loads, output.read_text().splitlines())}
    assert result.exit_code == 0, result.output
    assert {name: set(reasons) - set(verdicts[name]["reasons"]) for name, reasons in SAID[pack].items()} == {
        name: set() for name in SAID[pack]
    }
    assert [name for name, verdict in verdicts.items() if verdict["outcome"] == "pass"] == ["right"]


def test_a_field_that_no_check_reads_is_named(tmp_path):
    rows, output = tmp_path / "answers.jsonl", tmp_path / "verdicts.jsonl"
    rows.write_text(json.dumps({"id": "1", "answer": "It is 5.", "source": "It is 6."}) + "\n")

    result = CliRunner().invoke(verify, ["--pack", "finance", "--input", str(rows), "--output", str(output)])

    assert "No check reads the fields source; what answers rest on belongs into `facts`." in result.stderr
    assert "1 answer rechecked with finance" in result.stderr
