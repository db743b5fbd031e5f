import json

import pytest
from click.testing import CliRunner

from core.errors import DataError, SettingsError
from core.store import open_store
from core.unresolved import waiting_unresolved
from gateway.verify_command import verify


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


def test_rows_may_bring_what_models_said_and_nobody_is_asked(tmp_path):
    pack = tmp_path / "doubt.yaml"
    pack.write_text(
        "name: doubt\nchecks:\n- check: doubt.logprobs\n- check: doubt.second_model\n- check: doubt.samples\n"
    )
    tokens = [{"text": "42", "logprob": -0.01, "runner_up": -5.0}]
    said = {"query": "40 + 2?", "answer": "42", "tokens": tokens, "samples": ["42", "42", "It is 42"]}
    rows = [
        {"id": "agrees", **said, "second_answer": "The answer is 42."},
        {"id": "differs", **said, "second_answer": "The answer is 41."},
        {"id": "unknown", **said, "tokens": [], "second_answer": "42"},
    ]

    result, target = run(tmp_path, rows, "--pack", str(pack), "--json")

    verdicts = {verdict["id"]: verdict for verdict in map(json.loads, target.read_text().splitlines())}
    assert {name: verdict["outcome"] for name, verdict in verdicts.items()} == {
        "agrees": "pass",
        "differs": "cannot_decide",
        "unknown": "cannot_decide",
    }
    assert verdicts["differs"]["reasons"] == ["doubt.second_model:models_disagree"]
    assert verdicts["unknown"]["checks"][1]["outcome"] == "not_run"
    assert json.loads(result.stdout)["checks"]["doubt.samples"] == {"pass": 1, "not_run": 2}


@pytest.mark.parametrize(
    ("answer", "fail_on", "code"),
    [("Code: B42.83", "fail", 1), ("No idea.", "fail", 0), ("No idea.", "not_pass", 1), ("Code: B42.83", None, 0)],
)
def test_the_exit_code_tells_of_verdicts_only_where_it_is_asked_to(tmp_path, answer, fail_on, code):
    options = [] if fail_on is None else ["--fail-on", fail_on]

    result, target = run(tmp_path, [{"id": "a", "answer": answer}], *options)

    assert result.exit_code == code
    assert target.exists()


def test_tokens_that_are_none_are_a_fault(tmp_path):
    result, _ = run(tmp_path, [{"id": "a", "answer": "x", "tokens": [{"text": "x", "logprob": 0.5}]}])

    assert "'tokens' is not a list of {text, logprob, runner_up}" in str(result.exception)


def test_at_standard_stakes_a_model_is_still_asked_after_a_doubt(tmp_path):
    pack = tmp_path / "doubt.yaml"
    pack.write_text("name: doubt\nchecks:\n- check: doubt.logprobs\n- check: doubt.second_model\n")
    row = {"id": "a", "query": "40 + 2?", "answer": "42", "second_answer": "42"}

    _, target = run(tmp_path, [row], "--pack", str(pack), "--stakes", "standard")

    assert [check["outcome"] for check in json.loads(target.read_text())["checks"]] == ["cannot_decide", "pass"]


CONFIG = """
name: claims
store_url: sqlite:///{folder}/store.db
pair: {{weak: {{name: small}}, strong: {{name: large}}}}
data: {{files: [x.jsonl], target_domains: [coding]}}
"""


def test_what_did_not_pass_is_kept_for_experts_where_the_strong_answer_is_there(tmp_path):
    config = tmp_path / "claims.yaml"
    config.write_text(CONFIG.format(folder=tmp_path))
    rows = [
        {
            "id": "passed",
            "query": "Meningitis due to sporotrichosis",
            "answer": "Code: B42.81",
            "strong_answer": "B42.81",
        },
        {"id": "failed", "query": "Q", "answer": "Code: B42.83", "strong_answer": "Code: B42.81"},
        {"id": "alone", "query": "Q", "answer": "Code: B42.83"},
    ]

    result, _ = run(tmp_path, rows, "--config", str(config), "--queue")

    engine = open_store(f"sqlite:///{tmp_path}/store.db")
    with engine.connect() as connection:
        waiting = waiting_unresolved(connection)
    engine.dispose()
    assert [(one.id, one.strong_answer, one.said.verdict) for one in waiting] == [("failed", "Code: B42.81", "fail")]
    assert "1 kept for experts. Next: preceptor label import --unresolved" in result.stderr


def test_a_queue_needs_settings_and_strong_answers(tmp_path):
    config = tmp_path / "claims.yaml"
    config.write_text(CONFIG.format(folder=tmp_path))
    row = {"id": "a", "answer": "Code: B42.83"}

    assert run(tmp_path, [row], "--queue")[0].exit_code == 2
    assert "strong_answer" in str(run(tmp_path, [row], "--queue", "--config", str(config))[0].exception)
