"""What people said of what models answered, as MLflow traces with assessments. Takes plain values; decides nothing.

What a run has already is not logged again, so a broken transfer is taken up by logging everything once more.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import RegistryError
from models.mlflow_store import absolute_uri, open_client, speaking_to
from pipeline.tracking import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY_TAG = "preceptor.key"
SAYING_ID = "preceptor.id"
TRACES_A_PAGE = 500


@dataclass(frozen=True)
class Saying:
    """What one person said of something; `id` tells it from all others."""

    id: str
    by: str
    value: str
    about: Mapping[str, str]
    rationale: str | None = None


@dataclass(frozen=True)
class Judged:
    """Something that people judged: a key that tells it from all others, what they saw, and what they said."""

    key: str
    inputs: Mapping[str, Any]
    sayings: Sequence[Saying]


def log_feedback(run: TrackedRun, judged: Sequence[Judged]) -> int:
    """Log each thing judged as a trace of the run, with what people said of it; returns how many sayings are new.

    Raises:
        RegistryError: MLflow refused, or does not answer.
    """
    client = open_client(run.tracking_uri)
    n_new = 0
    with speaking_to(run.tracking_uri), _traces_written_at_once(run.tracking_uri):
        experiment = client.get_run(run.run_id).info.experiment_id
        known = _known(client, experiment, run.run_id)
        for one in judged:
            trace_id, said = known.get(one.key, ("", frozenset()))
            new = [saying for saying in one.sayings if saying.id not in said]
            if new and not trace_id:
                trace_id = _trace(client, one, experiment, run.run_id)
            for saying in new:
                _say(saying, trace_id)
            n_new += len(new)
        # MLflow drops a trace that it cannot make, and says nothing; so what counts is what it gives back.
        stands = _known(client, experiment, run.run_id) if n_new else known
    missing = [s.id for one in judged for s in one.sayings if s.id not in stands.get(one.key, ("", frozenset()))[1]]
    if missing:
        raise RegistryError(
            f"MLflow took {len(missing)} pieces of feedback and does not give them back, such as {missing[0]}. "
            "Unset MLFLOW_TRACE_SAMPLING_RATIO and whatever else turns tracing off, then repeat the command."
        )
    return n_new


def _trace(client: "MlflowClient", one: Judged, experiment: str, run_id: str) -> str:
    tags = {KEY_TAG: one.key}
    span = client.start_trace("judged", inputs=dict(one.inputs), tags=tags, experiment_id=experiment, run_id=run_id)
    client.end_trace(span.trace_id)
    return str(span.trace_id)


def _say(saying: Saying, trace_id: str) -> None:
    import mlflow
    from mlflow.entities import AssessmentSource

    mlflow.log_feedback(
        trace_id=trace_id,
        name="verdict",
        value=saying.value,
        source=AssessmentSource(source_type="HUMAN", source_id=saying.by),
        rationale=saying.rationale,
        metadata={SAYING_ID: saying.id, **saying.about},
    )


def _known(client: "MlflowClient", experiment: str, run_id: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Per trace of the run, by its key: its id, and the ids of what is said of it there."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    token: str | None = None
    while True:
        page = client.search_traces(
            locations=[experiment], run_id=run_id, max_results=TRACES_A_PAGE, page_token=token, include_spans=False
        )
        for trace in page:
            said = [one.metadata or {} for one in trace.info.assessments]
            ids = frozenset(about[SAYING_ID] for about in said if SAYING_ID in about)
            found[trace.info.tags.get(KEY_TAG, "")] = (trace.info.trace_id, ids)
        token = page.token
        if not token:
            return found


@contextmanager
def _traces_written_at_once(tracking_uri: str) -> Iterator[None]:
    """Traces go to this store and are there when they end: MLflow has one store for all of a process, and a queue."""
    import mlflow

    before = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING")}
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    mlflow.set_tracking_uri(absolute_uri(tracking_uri))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what MLflow's own imports warn of is not the user's
            yield
    finally:
        # Setting a store writes MLFLOW_TRACKING_URI, too, which the next command would read; None unsets both.
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
