"""Judgements as MLflow feedback: what stands in a real store, written once, without texts unless asked."""

import json
import os
import shutil
import warnings
from datetime import UTC, datetime

import pytest

from core.errors import DataError, PreceptorError, RegistryError
from core.fingerprint import of_file, of_text
from models.mlflow_store import open_client
from pipeline.feedback import MANIFEST_TAG, read_version, write_feedback
from pipeline.tracking import Workbench

NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC).isoformat()
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, on SQLAlchemy


def rows():
    """Two pairs: one judged by two experts, one by one of them."""
    pairs = [
        {
            "pair": {
                "id": f"p{number}",
                "query": {"id": f"q{number}", "messages": [{"role": "user", "content": f"Secret question {number}"}]},
                "first": {"query_id": f"q{number}", "model": "dear", "text": "Secret G02"},
                "second": {"query_id": f"q{number}", "model": "cheap", "text": "Secret A00"},
            },
            "weak": "cheap",
            "strong": "dear",
        }
        for number in (1, 2)
    ]
    said = (("j1", "p1", "expert_a", "first_better"), ("j2", "p1", "expert_b", "both_acceptable"))
    told = (*said, ("j3", "p2", "expert_a", "second_better"))
    judgements = [
        {"id": id_, "pair_id": pair, "expert": expert, "verdict": verdict, "reason": "Secret reason", "at": NINE}
        for id_, pair, expert, verdict in told
    ]
    judgements[0]["strength"] = 2
    return pairs, judgements


@pytest.fixture
def folder(tmp_path):
    """A frozen version's folder."""
    path = tmp_path / "ear@1"
    path.mkdir()
    for name, lines in zip(("pairs.jsonl", "judgements.jsonl"), rows(), strict=True):
        (path / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    manifest = {"name": "ear", "version": 1, "about": {"data_class": "public"}}
    manifest["files"] = {name: of_file(path / name) for name in ("pairs.jsonl", "judgements.jsonl")}
    (path / "MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")
    return path


@pytest.fixture
def bench(tmp_path, empty_mlflow):
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    return Workbench(f"sqlite:///{tmp_path / 'mlflow.db'}", "labels")


def traces_in(bench, run_id):
    client = open_client(bench.tracking_uri)
    experiment = client.get_experiment_by_name(bench.experiment).experiment_id
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = client.search_traces(locations=[experiment], run_id=run_id, include_spans=True)
    return {trace.info.tags["preceptor.key"]: trace for trace in found}


def feedback_of(trace):
    return {
        one.source.source_id: (one.source.source_type, one.feedback.value, one.metadata["preceptor.id"])
        for one in trace.info.assessments
    }


def test_each_pair_is_a_trace_and_each_judgement_a_persons_feedback_on_it(folder, bench):
    written = write_feedback(folder, bench)
    traces = traces_in(bench, written.run_id)
    run = open_client(bench.tracking_uri).get_run(written.run_id)

    assert (written.n_traces, written.n_feedback, written.n_new) == (2, 3, 3)
    assert feedback_of(traces["p1"]) == {
        "expert_a": ("HUMAN", "first_better", "j1"),
        "expert_b": ("HUMAN", "both_acceptable", "j2"),
    }
    assert feedback_of(traces["p2"]) == {"expert_a": ("HUMAN", "second_better", "j3")}
    assert traces["p1"].data.spans[0].inputs["first"] == {"model": "dear", "sha256": of_text("Secret G02")}
    sha256 = of_file(folder / "MANIFEST.json")
    assert run.inputs.dataset_inputs[0].dataset.digest == sha256[:32]
    assert (run.data.tags[MANIFEST_TAG], run.info.status) == (sha256, "FINISHED")
    assert "Secret" not in str([trace.to_dict() for trace in traces.values()])


def test_texts_go_along_only_when_asked(folder, bench):
    traces = traces_in(bench, write_feedback(folder, bench, with_text=True).run_id)

    assert traces["p1"].data.spans[0].inputs["second"]["text"] == "Secret A00"
    assert {one.rationale for one in traces["p1"].info.assessments} == {"Secret reason"}


def test_writing_again_adds_nothing_and_a_broken_transfer_is_completed(folder, bench):
    first = write_feedback(folder, bench)
    again = write_feedback(folder, bench)
    client = open_client(bench.tracking_uri)
    trace = traces_in(bench, first.run_id)["p1"]
    lost = next(one for one in trace.info.assessments if one.source.source_id == "expert_b")
    from mlflow.tracing.client import TracingClient

    TracingClient(bench.tracking_uri).delete_assessment(trace.info.trace_id, lost.assessment_id)
    client.set_terminated(first.run_id, "KILLED")
    completed = write_feedback(folder, bench)

    assert (again.run_id, again.n_new) == (first.run_id, 0)
    assert (completed.run_id, completed.n_new) == (first.run_id, 1)
    assert {key: len(feedback_of(trace)) for key, trace in traces_in(bench, first.run_id).items()} == {"p1": 2, "p2": 1}


def test_feedback_that_mlflow_drops_is_told_and_not_counted(folder, bench, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACE_SAMPLING_RATIO", "0")

    with pytest.raises(RegistryError, match="MLflow took 3 pieces of feedback and does not give them back"):
        write_feedback(folder, bench)


@pytest.mark.parametrize("store", [None, "http://127.0.0.1:5999"])
def test_a_later_command_of_the_same_process_finds_the_store_that_its_environment_names(
    folder, bench, monkeypatch, store
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if store is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    write_feedback(folder, bench)

    assert os.environ.get("MLFLOW_TRACKING_URI") == store


def test_an_altered_folder_is_refused(folder):
    (folder / "judgements.jsonl").write_text("", encoding="utf-8")

    with pytest.raises(DataError, match=r"judgements\.jsonl: missing or altered"):
        read_version(folder)


def test_texts_of_a_strict_class_do_not_go_to_mlflow(folder, bench):
    manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    manifest["about"]["data_class"] = "limited"
    (folder / "MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")

    with pytest.raises(PreceptorError, match="class 'limited', which do not go to MLflow"):
        write_feedback(folder, bench, with_text=True)
