import json

from click.testing import CliRunner

from core.cli import preceptor


def test_policy_test_prints_the_recall_with_its_bound_and_fails_on_a_miss(tmp_path):
    passes = CliRunner().invoke(preceptor, ["policy", "test", "--pack", "legal", "--json"])
    (tmp_path / "own.yaml").write_text("vectors: [own_vectors.yaml]\n")
    (tmp_path / "own_vectors.yaml").write_text("high: [Call me.]\n")
    misses = CliRunner().invoke(preceptor, ["policy", "test", "--policy", str(tmp_path / "own.yaml")])

    assert passes.exit_code == 0
    assert '"recall": 1.0, "recall_lower": 0.9' in passes.stdout
    assert misses.exit_code == 1
    assert "own_vectors.yaml high 1: low, should be high (policy.default)" in misses.stdout
    assert "1 request did not get their tier" in misses.stderr


def test_policy_test_names_the_rules_that_a_client_can_disarm(tmp_path):
    rule = {"id": "a.rule", "owner": "o", "when": {"not": {"words": ["drill"]}}, "tier": "high"}
    (tmp_path / "own.yaml").write_text(json.dumps({"rules": [rule], "vectors": ["v.yaml"]}))
    (tmp_path / "v.yaml").write_text("high: [Call me.]\nlow: [A drill.]\n")
    shown = CliRunner().invoke(preceptor, ["policy", "test", "--policy", str(tmp_path / "own.yaml")])

    assert shown.exit_code == 0
    assert "a.rule" in shown.stderr


def test_policy_test_without_vectors_says_where_they_go(tmp_path):
    (tmp_path / "own.yaml").write_text("version: 1\n")

    refused = CliRunner().invoke(preceptor, ["policy", "test", "--policy", str(tmp_path / "own.yaml")])

    assert "List files under `vectors`" in str(refused.exception)


def test_policy_fit_writes_a_classifier_that_a_policy_can_name(tmp_path):
    rows = [{"query": f"Bill claim {n}.", "stakes": "high"} for n in range(200)]
    rows += [{"query": f"Say hello {n} times.", "stakes": "low"} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = ["--input", str(tmp_path / "rows.jsonl"), "--output", str(tmp_path / "stakes.json")]

    fitted = CliRunner().invoke(preceptor, ["policy", "fit", *files])
    (tmp_path / "own.yaml").write_text("classifier: {file: stakes.json, high_if_p_at_least: 0.5}\nvectors: [v.yaml]\n")
    (tmp_path / "v.yaml").write_text("high: [Bill claim 900.]\nlow: [Say hello.]\n")
    tested = CliRunner().invoke(preceptor, ["policy", "test", "--policy", str(tmp_path / "own.yaml")])

    assert fitted.exit_code == 0, fitted.output
    assert "recall at least 0.9" in fitted.stderr
    assert tested.exit_code == 0, tested.output
