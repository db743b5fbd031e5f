"""A bundle measured on a file: which rows count, and the warning when it was made from them."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import BundleError, DataError, NotEnoughLabels
from models.seen import seen_texts
from pipeline.applying import bundle_of, evaluate_bundle, evaluation_json, evaluation_text, score_file, warning_of
from tests.pipeline.conftest import world_rows
from tests.pipeline.small_bundle import small_bundle

NOWHERE = "sqlite:///never-opened.db"
ROWS = [row for row in world_rows() if row["domain"] == "coding"]


@pytest.fixture(scope="module")
def make_bundle(tmp_path_factory):
    def make(seen):
        folder = tmp_path_factory.mktemp("bundle") / "bundle"
        return str(small_bundle(folder, name="small", pair=("cheap", "dear"), seen=seen))

    return make


@pytest.fixture
def outcomes(tmp_path):
    path = tmp_path / "outcomes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def measure(reference, path, *, pair=(None, None), domains=()):
    return evaluate_bundle(reference, [path], pair=pair, domains=domains, n_resamples=200, tracking_uri=NOWHERE)


def test_rows_whose_question_was_seen_in_whatever_case_are_counted_and_warned_of(make_bundle, outcomes):
    seen = [ROWS[0]["query"].upper(), f"  {ROWS[1]['query']}!", "another question"]
    evaluation = measure(make_bundle(seen), outcomes)

    assert (evaluation.n, evaluation.n_trained_rows) == (140, 2)
    assert json.loads(evaluation_json(evaluation))["n_trained_rows"] == 2
    assert warning_of(evaluation).startswith("2 of 140 rows have questions that the bundle was trained")


def test_rows_that_are_all_new_raise_no_warning(make_bundle, outcomes):
    evaluation = measure(make_bundle(["another question"]), outcomes)

    assert json.loads(evaluation_json(evaluation))["n_trained_rows"] == 0
    assert warning_of(evaluation) is None


def test_a_bundle_without_hashes_says_that_nothing_can_be_said(make_bundle, outcomes):
    evaluation = measure(make_bundle(None), outcomes)

    assert json.loads(evaluation_json(evaluation))["n_trained_rows"] is None
    assert "cannot be said" in warning_of(evaluation)


def test_the_table_names_rows_qualities_and_every_floor(make_bundle, outcomes):
    text = evaluation_text(measure(make_bundle([]), outcomes))

    weak = np.mean([row["results"]["cheap"]["quality"] for row in ROWS])
    assert text.startswith(f"140 rows, cheap {weak:.3f}, dear ")
    for name in ("bundle", "random", "prompt_length", "topic_prior", "tfidf_ridge"):
        assert f"\n{name}" in text


def test_only_rows_of_the_named_domains_with_both_models_count(make_bundle, tmp_path):
    alone = {**ROWS[0], "id": "alone", "query": "Injury by nothing", "results": {"cheap": {"quality": 1}}}
    other = {**ROWS[1], "id": "other", "query": "Story about nothing", "domain": "general"}
    path = tmp_path / "more.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, alone, other]))
    reference = make_bundle([])

    assert measure(reference, path).n == 141
    assert measure(reference, path, domains=["coding"]).n == 140


def test_a_domain_without_rows_and_a_model_without_outcomes_are_refused(make_bundle, outcomes):
    reference = make_bundle([])

    with pytest.raises(NotEnoughLabels, match="No row has outcomes of both 'cheap' and 'dear'"):
        measure(reference, outcomes, domains=["law"])
    with pytest.raises(DataError, match="no outcome of model 'gpt-9'"):
        measure(reference, outcomes, pair=("gpt-9", None))


def test_scores_are_the_bundle_s_probabilities_in_the_order_of_the_input(make_bundle, tmp_path):
    reference = make_bundle([])
    texts = ["Injury by noodles", "Injury by rickshaw", "Injury by noodles"]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps({"query": text}) + "\n" for text in texts))
    n = score_file(reference, tmp_path / "queries.jsonl", tmp_path / "scores.txt", tracking_uri=NOWHERE)
    scores = [float(line) for line in (tmp_path / "scores.txt").read_text().splitlines()]

    assert n == 3
    assert scores == pytest.approx(bundle_of(reference, tracking_uri=NOWHERE).probabilities(texts), abs=1e-6)
    assert scores[0] == scores[2]


def test_every_row_without_a_query_is_named_and_nothing_is_written(make_bundle, tmp_path):
    path = tmp_path / "queries.jsonl"
    path.write_text('{"query": "gout"}\n{"text": "gout"}\n{"query": "gout", "stakes": "extreme"}\n')

    with pytest.raises(DataError) as refused:
        score_file(make_bundle([]), path, tmp_path / "scores.txt", tracking_uri=NOWHERE)
    assert [fault.split(":")[1] for fault in refused.value.faults] == ["2", "3"]
    assert list(tmp_path.iterdir()) == [path]


def test_an_altered_bundle_is_refused(make_bundle):
    reference = make_bundle(["a question"])
    (Path(reference) / "seen.safetensors").write_bytes(seen_texts([], key=bytes(32)).to_bytes())

    with pytest.raises(BundleError):
        bundle_of(reference, tracking_uri=NOWHERE)
