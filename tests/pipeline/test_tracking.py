"""One MLflow run per pipeline run, in a real SQLite store."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import RegistryError
from models.mlflow_store import open_client
from pipeline.tracking import Workbench, run_tracking

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:mlflow.*"),
]

SETTINGS = {"name": "medical-coding", "router": {"family": "mf", "rank": 32, "l2": None}}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def bench(empty_mlflow, tmp_path):
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    return Workbench(f"sqlite:///{tmp_path / 'mlflow.db'}", "medical-coding")


def stored(bench, run_id):
    return open_client(bench.tracking_uri).get_run(run_id)


def start(bench, **more):
    return run_tracking(bench, run_name="first", **{"settings": SETTINGS, **more})


def test_a_run_keeps_settings_data_figures_and_files(bench, tmp_path):
    report = tmp_path / "report.json"
    report.write_text("{}")

    with start(bench, tags={"preceptor.family": "mf"}) as run:
        run.log_data("train", sha256="a" * 64, source="outcomes.jsonl", context="train", n_rows=500)
        run.log_metrics({"apgr": 0.79, "apgr.low": 0.75})
        run.log_file(report, "report")
    found = stored(bench, run.run_id)

    assert found.info.status == "FINISHED"
    assert found.data.params == {"name": "medical-coding", "router.family": "mf", "router.rank": "32"}
    assert found.data.metrics == {"apgr": 0.79, "apgr.low": 0.75}
    assert found.data.tags["preceptor.data.train"] == "a" * 64
    (data,) = found.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest, data.tags[0].value) == ("train", "a" * 32, "train")
    folder = tmp_path / "mlflow-artifacts" / run.run_id / "artifacts"
    assert json.loads((folder / "settings.json").read_text()) == SETTINGS
    assert (folder / "report" / "report.json").read_text() == "{}"


def test_more_metrics_than_one_batch_all_arrive(bench):
    with start(bench) as run:
        run.log_metrics({f"m{i}": float(i) for i in range(1500)})

    assert len(stored(bench, run.run_id).data.metrics) == 1500


def test_artifacts_lie_where_the_settings_say(bench, tmp_path):
    elsewhere = Workbench(bench.tracking_uri, "other", artifact_location=str(tmp_path / "elsewhere"))

    with start(elsewhere) as run:
        pass
    assert (tmp_path / "elsewhere" / run.run_id / "artifacts" / "settings.json").is_file()


def test_a_run_that_raises_is_failed_and_its_error_is_told(bench):
    with pytest.raises(ValueError, match="bad row"), start(bench) as run:
        raise ValueError("bad row")
    assert stored(bench, run.run_id).info.status == "FAILED"


def test_a_run_that_is_interrupted_is_killed(bench):
    with pytest.raises(KeyboardInterrupt), start(bench) as run:
        raise KeyboardInterrupt
    assert stored(bench, run.run_id).info.status == "KILLED"


def test_a_killed_run_is_resumed_under_its_own_id_and_finishes(bench):
    with pytest.raises(KeyboardInterrupt), start(bench) as run:
        run.log_metrics({"apgr": 0.5})
        raise KeyboardInterrupt

    with start(bench, resume_run_id=run.run_id) as again:
        assert stored(bench, run.run_id).info.status == "RUNNING"
        again.log_metrics({"apgr": 0.79})
    found = stored(bench, run.run_id)

    assert (again.run_id, found.info.status, found.data.metrics) == (run.run_id, "FINISHED", {"apgr": 0.79})


def test_a_run_of_other_settings_is_not_resumed(bench):
    with start(bench) as run:
        pass

    with (
        pytest.raises(RegistryError, match="was made with other settings"),
        start(bench, settings=SETTINGS | {"name": "other"}, resume_run_id=run.run_id),
    ):
        pass
    assert stored(bench, run.run_id).info.status == "FINISHED"


def test_a_run_that_is_not_there_is_not_resumed(bench):
    with pytest.raises(RegistryError, match=r"no MLflow run 0+ to resume"), start(bench, resume_run_id="0" * 32):
        pass


def test_a_deleted_experiment_is_refused_with_the_command_that_restores_it(bench):
    with start(bench):
        pass
    client = open_client(bench.tracking_uri)
    client.delete_experiment(client.get_experiment_by_name("medical-coding").experiment_id)

    with pytest.raises(RegistryError, match="mlflow experiments restore"), start(bench):
        pass


def test_a_file_that_is_not_there_is_a_sentence(bench, tmp_path):
    with pytest.raises(RegistryError, match="refused"), start(bench) as run:
        run.log_file(tmp_path / "absent.html")


WAITS = """
import sys, time
from pathlib import Path
from pipeline.tracking import Workbench, run_tracking
with run_tracking(Workbench(sys.argv[1], "medical-coding"), run_name="waits", settings={}) as run:
    Path(sys.argv[2]).write_text(run.run_id)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_run_stopped_by_sigterm_is_killed_and_stderr_stays_quiet(bench, tmp_path):
    marker = tmp_path / "run-id"
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, bench.tracking_uri, str(marker)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (marker.exists() and marker.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)

    assert (output, process.returncode) == ("", 143)
    assert stored(bench, marker.read_text()).info.status == "KILLED"
