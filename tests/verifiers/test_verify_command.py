import json

import pytest
from click.testing import CliRunner

from core.errors import DataError, SettingsError
from verifiers.commands import verify


def run(tmp_path, rows, *options):
    source, target = tmp_path / "answers.jsonl", tmp_path / "verdicts.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = CliRunner().invoke(verify, ["--input", str(source), "--output", str(target), *options])
    return result, target


def test_verdicts_are_written_a_line_an_answer_without_the_text(tmp_path):
    rows = [
        {"id": "a", "query": "Meningitis due to sporotrichosis", "answer": "Code: B42.81, says John Doe"},
        {"id": "b", "answer": "Code: B42.83"},
        {"id": "c", "answer": "No idea."},
    ]

    result, target = run(tmp_path, rows)

    verdicts = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(verdict["id"], verdict["outcome"]) for verdict in verdicts] == [
        ("a", "pass"),
        ("b", "fail"),
        ("c", "cannot_decide"),
    ]
    assert verdicts[1]["reasons"] == ["icd10cm.exists:code_not_found", "icd10cm.billable:code_not_billable"]
    assert "John" not in target.read_text()
    assert "3 answers rechecked with medical_coding: pass 1, fail 1, cannot_decide 1, error 0" in result.stderr


def test_bad_rows_are_all_listed_with_their_line_and_nothing_is_written(tmp_path):
    rows = [{"id": "a"}, {"id": "b", "answer": "Code: B42.81"}, {"id": "b", "answer": "x"}, {"answer": "x"}]

    result, target = run(tmp_path, rows)

    assert isinstance(result.exception, DataError)
    source = tmp_path / "answers.jsonl"
    assert result.exception.faults == (
        f"{source}:1: 'answer' is missing or not a text",
        f"{source}:3: id 'b' stands at {source}:2 already",
        f"{source}:4: 'id' is missing or not a text",
    )
    assert not target.exists()


def test_an_unknown_pack_lists_the_packs_that_there_are(tmp_path):
    result, _ = run(tmp_path, [{"id": "a", "answer": "x"}], "--pack", "law")

    assert isinstance(result.exception, SettingsError)
    assert "medical_coding" in str(result.exception)


def test_help_ends_with_an_example():
    output = CliRunner().invoke(verify, ["--help"]).output

    assert "Example: preceptor verify --pack medical_coding --input answers.jsonl" in output


@pytest.mark.parametrize("query", [3, [{"role": "user"}], {"role": "user", "content": "x"}])
def test_a_query_that_is_no_text_and_no_conversation_is_a_fault(tmp_path, query):
    result, _ = run(tmp_path, [{"id": "a", "answer": "x", "query": query}])

    assert isinstance(result.exception, DataError)
