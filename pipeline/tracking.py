"""Tracking: one MLflow run per pipeline run, with settings, data, figures and reports. Takes plain values and paths.

A run that was killed is taken up again under its own id. Nothing here decides anything: MLflow is the workbench.
"""

import getpass
import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from core import fingerprint
from core.errors import RegistryError
from models.mlflow_store import default_artifact_location, error_code, open_client, speaking_to

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS_TAG = "preceptor.settings_sha256"
LONGEST_PARAM = 500
"""A longer value is shown cut; the whole of it is in the artifact settings.json."""
METRICS_A_BATCH = 1000


@dataclass(frozen=True)
class Workbench:
    """Which MLflow store and experiment runs go to.

    `artifact_location` is a folder or an object store's URL; None means a folder beside the SQLite file, or the
    server's choice. It counts when the experiment is made, not after.
    """

    tracking_uri: str
    experiment: str
    artifact_location: str | None = None


@dataclass(frozen=True)
class TrackedRun:
    """An open run, to which figures and files are added."""

    run_id: str
    tracking_uri: str
    _client: "MlflowClient"

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Log figures in batches; a name logged again at the same step gains a newer value.

        Raises:
            RegistryError: MLflow refused, or does not answer.
        """
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        rows = [Metric(name, float(value), now_ms, step) for name, value in metrics.items()]
        with speaking_to(self.tracking_uri):
            for start in range(0, len(rows), METRICS_A_BATCH):
                self._client.log_batch(self.run_id, metrics=rows[start : start + METRICS_A_BATCH])

    def log_data(self, name: str, *, sha256: str, source: str, context: str, n_rows: int | None = None) -> None:
        """Log a data set as an input of the run: its name, fingerprint and place, none of its rows.

        Args:
            name: what to call it.
            sha256: the fingerprint of its content.
            source: path or URL.
            context: what it is for, such as train or test.
            n_rows: how many rows.

        Raises:
            RegistryError: MLflow refused, or does not answer.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset(
            name=name,
            digest=sha256[:32],  # MLflow keeps 36 characters
            source_type="local",
            source=json.dumps({"uri": source}),
            profile=json.dumps({"sha256": sha256} | ({} if n_rows is None else {"num_rows": n_rows})),
        )
        with speaking_to(self.tracking_uri):
            self._client.log_inputs(self.run_id, [DatasetInput(data, [InputTag("mlflow.data.context", context)])])
            self._client.set_tag(self.run_id, f"preceptor.data.{name}", sha256)

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Keep a copy of a file (a figure, a report) with the run.

        Raises:
            RegistryError: there is no such file, or MLflow refused.
        """
        with speaking_to(self.tracking_uri):
            self._client.log_artifact(self.run_id, str(path), folder)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags on the run; a tag that stood is replaced.

        Raises:
            RegistryError: MLflow refused, or does not answer.
        """
        with speaking_to(self.tracking_uri):
            for key, value in tags.items():
                self._client.set_tag(self.run_id, key, value)


@contextmanager
def run_tracking(
    workbench: Workbench,
    *,
    run_name: str,
    settings: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
    resume_run_id: str | None = None,
) -> Iterator[TrackedRun]:
    """An MLflow run around the body: FINISHED when it ends, FAILED when it raises, KILLED when it is stopped.

    A process that is killed outright (`kill -9`) leaves its run RUNNING until it is resumed. SIGTERM is turned into
    `SystemExit` while the body runs in the main thread, so that the run is closed as KILLED.

    Args:
        workbench: where the run goes.
        run_name: what the run is called in MLflow's list.
        settings: JSON values, nested; logged flat as params and whole as the artifact settings.json.
        tags: further tags.
        resume_run_id: take up this run again; its settings must be the same.

    Raises:
        RegistryError: the store does not answer, there is no such run, or it was made with other settings.
    """
    client = open_client(workbench.tracking_uri)
    sha256 = fingerprint.of_json(dict(settings))
    with speaking_to(workbench.tracking_uri):
        if resume_run_id is None:
            run_id = _new_run(client, workbench, run_name)
        else:
            run_id = _resumed(client, workbench, resume_run_id, sha256)
        run = TrackedRun(run_id, workbench.tracking_uri, client)
        _log_settings(client, run_id, settings)
        run.set_tags({**(tags or {}), SETTINGS_TAG: sha256})
    status = "KILLED"
    try:
        with _terminable():
            yield run
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        _close(run, status)


def run_tagged(workbench: Workbench, tag: str, value: str) -> tuple[str, bool] | None:
    """The newest run of the experiment with that tag, and whether it is finished; None when there is none.

    Raises:
        RegistryError: the store does not answer.
    """
    client = open_client(workbench.tracking_uri)
    with speaking_to(workbench.tracking_uri):
        experiment = client.get_experiment_by_name(workbench.experiment)
        if experiment is None:
            return None
        query = f"tags.`{tag}` = '{value}'"
        runs = client.search_runs([experiment.experiment_id], query, max_results=1, order_by=["start_time DESC"])
    return (str(runs[0].info.run_id), runs[0].info.status == "FINISHED") if runs else None


def _new_run(client: "MlflowClient", workbench: Workbench, run_name: str) -> str:
    experiment = client.get_experiment_by_name(workbench.experiment)
    if experiment is None:
        experiment_id = _new_experiment(client, workbench)
    elif experiment.lifecycle_stage != "active":
        raise RegistryError(
            f"The MLflow experiment '{workbench.experiment}' is deleted. "
            f"Restore it with `mlflow experiments restore --experiment-id {experiment.experiment_id}`, "
            "or rename the run."
        )
    else:
        experiment_id = experiment.experiment_id
    tags = {"mlflow.user": _user(), "mlflow.source.name": "preceptor run"}
    return str(client.create_run(experiment_id, run_name=run_name, tags=tags).info.run_id)


def _new_experiment(client: "MlflowClient", workbench: Workbench) -> str:
    location = workbench.artifact_location
    if location is None:
        location = default_artifact_location(workbench.tracking_uri)
    elif "://" not in location:
        location = Path(location).resolve().as_uri()
    try:
        with speaking_to(workbench.tracking_uri):
            return str(client.create_experiment(workbench.experiment, artifact_location=location))
    except RegistryError as error:
        found = client.get_experiment_by_name(workbench.experiment)
        if error_code(error) != "RESOURCE_ALREADY_EXISTS" or found is None:
            raise
        return str(found.experiment_id)  # another process made it meanwhile


def _resumed(client: "MlflowClient", workbench: Workbench, run_id: str, sha256: str) -> str:
    try:
        with speaking_to(workbench.tracking_uri):
            found = client.get_run(run_id)
    except RegistryError as error:
        if error_code(error) != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise RegistryError(
            f"There is no MLflow run {run_id} to resume. Correct mlflow.tracking_uri, or begin a new run."
        ) from error
    if found.data.tags.get(SETTINGS_TAG, sha256) != sha256:
        raise RegistryError(
            f"MLflow run {run_id} was made with other settings. Begin a new run instead of resuming it."
        )
    client.update_run(run_id, status="RUNNING")
    return run_id


def _log_settings(client: "MlflowClient", run_id: str, settings: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    params = [Param(key, value[:LONGEST_PARAM]) for key, value in flat(settings).items()]
    for start in range(0, len(params), 100):
        client.log_batch(run_id, params=params[start : start + 100])
    client.log_text(run_id, json.dumps(settings, indent=2, sort_keys=True), "settings.json")


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level of texts; None is left out.

    >>> flat({"router": {"rank": 32, "l2": None}, "files": ["a", "b"]})
    {'router.rank': '32', 'files': '["a", "b"]'}
    """
    found: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            found[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return found


def _close(run: TrackedRun, status: str) -> None:
    """Set the final status; when the body failed too, its error is the one to be told."""
    try:
        with speaking_to(run.tracking_uri):
            run._client.set_terminated(run.run_id, status)
    except RegistryError:
        if status == "FINISHED":
            raise


@contextmanager
def _terminable() -> Iterator[None]:
    is_ours = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user without a name
