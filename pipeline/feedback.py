"""Judgements of a frozen version as MLflow feedback: one trace per pair, one assessment per expert, by pseudonym.

Reads the version's folder, which the labeling room wrote, and checks it against its manifest. Without `with_text`
nothing leaves but ids, model names, hashes and verdicts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.errors import DataError, PreceptorError
from core.fingerprint import of_file, of_text
from core.records import Answer, Judgement, Pair
from pipeline.tracked_feedback import Judged, Saying, log_feedback
from pipeline.tracking import Workbench, run_tagged, run_tracking

DATASET_TAG = "preceptor.dataset"
MANIFEST_TAG = "preceptor.dataset_manifest"
STRICT_CLASSES = ("limited", "identified")
"""Classes of data of which no text goes to MLflow."""


@dataclass(frozen=True)
class FrozenVersion:
    """What a version's folder says, as far as feedback needs it."""

    reference: str
    manifest_sha256: str
    data_class: str
    pairs: Mapping[str, Pair]
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True)
class Written:
    """Where the feedback stands, and how much of it is new."""

    run_id: str
    n_traces: int
    n_feedback: int
    n_new: int


def write_feedback(folder: Path, workbench: Workbench, *, with_text: bool = False) -> Written:
    """Write a version's judgements into MLflow; what stands there from an earlier or broken call is not written again.

    Args:
        folder: of the version, NAME@N.
        workbench: the MLflow store and experiment.
        with_text: whether queries, answers and reasons go along.

    Raises:
        DataError: the folder is not a frozen version, or was altered.
        PreceptorError: texts of that class of data may not leave.
        RegistryError: MLflow refused, or does not answer.
    """
    version = read_version(folder)
    if with_text and version.data_class in STRICT_CLASSES:
        raise PreceptorError(
            f"{version.reference} holds texts of the class '{version.data_class}', which do not go to MLflow. "
            "Leave out --with-text: ids and hashes are written then."
        )
    found = run_tagged(workbench, MANIFEST_TAG, version.manifest_sha256)
    traces = traces_of(version, with_text=with_text)
    n_feedback = sum(len(trace.sayings) for trace in traces)
    if found is not None and found[1]:
        return Written(found[0], len(traces), n_feedback, 0)
    settings = {"dataset": version.reference, "manifest_sha256": version.manifest_sha256}
    with run_tracking(
        workbench,
        run_name=f"feedback {version.reference}",
        settings=settings,
        tags={DATASET_TAG: version.reference, MANIFEST_TAG: version.manifest_sha256},
        resume_run_id=None if found is None else found[0],
    ) as run:
        run.log_data(
            version.reference.replace("@", ":"),  # MLflow's names know no @
            sha256=version.manifest_sha256,
            source=str(folder),
            context="feedback",
            n_rows=len(version.judgements),
        )
        n_new = log_feedback(run, traces)
        run.log_metrics({"pairs": len(traces), "judgements": n_feedback})
    return Written(run.run_id, len(traces), n_feedback, n_new)


def read_version(folder: Path) -> FrozenVersion:
    """The version in a folder, after its files were compared with its manifest.

    Raises:
        DataError: there is no manifest, or a file is not what it says.
    """
    path = folder / "MANIFEST.json"
    next_step = "Freeze or open the version again: preceptor label export NAME@N writes its folder."
    if not path.is_file():
        raise DataError([f"{path}: no such file"], next_step)
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    files: dict[str, str] = manifest["files"]
    faults = [
        f"{folder / name}: missing or altered"
        for name, sha256 in sorted(files.items())
        if not (folder / name).is_file() or of_file(folder / name) != sha256
    ]
    if faults:
        raise DataError(faults, next_step)
    try:
        pairs = [Pair.model_validate(row["pair"]) for row in _rows(folder / "pairs.jsonl")]
        judgements = tuple(Judgement.model_validate(row) for row in _rows(folder / "judgements.jsonl"))
    except ValidationError as error:
        raise DataError([f"{folder}: {error.errors()[0]['msg']}"], "Use the release that froze it.") from error
    about = manifest.get("about") or {}
    return FrozenVersion(
        reference=f"{manifest['name']}@{manifest['version']}",
        manifest_sha256=of_file(path),
        data_class=about.get("data_class", "deidentified"),
        pairs={pair.id: pair for pair in pairs},
        judgements=judgements,
    )


def traces_of(version: FrozenVersion, *, with_text: bool) -> list[Judged]:
    """One trace per judged pair in order of its id, with a saying per judgement."""
    said: dict[str, list[Saying]] = {}
    for judgement in version.judgements:
        said.setdefault(judgement.pair_id, []).append(_saying(judgement, with_text=with_text))
    return [
        Judged(pair_id, _inputs(version.pairs[pair_id], version, with_text=with_text), tuple(sayings))
        for pair_id, sayings in sorted(said.items())
    ]


def _saying(judgement: Judgement, *, with_text: bool) -> Saying:
    optional = {
        "strength": judgement.strength,
        "first_acceptable": judgement.first_acceptable,
        "second_acceptable": judgement.second_acceptable,
        "guideline_version": judgement.guideline_version,
        "active_ms": judgement.active_ms,
    }
    about = {name: json.dumps(value) for name, value in optional.items() if value is not None}
    about |= {"swapped": json.dumps(judgement.swapped), "at": judgement.at.isoformat()}
    if judgement.reason_codes:
        about["reason_codes"] = json.dumps(judgement.reason_codes)
    reason = judgement.reason if with_text and judgement.reason else None
    return Saying(judgement.id, judgement.expert, str(judgement.verdict), about, reason)


def _inputs(pair: Pair, version: FrozenVersion, *, with_text: bool) -> dict[str, Any]:
    query = {"id": pair.query.id, "sha256": of_text(pair.query.text), "stratum": pair.query.stratum_name}
    if with_text:
        query["messages"] = json.dumps([message.model_dump() for message in pair.query.messages], ensure_ascii=False)
    return {
        "dataset": version.reference,
        "pair_id": pair.id,
        "query": query,
        "first": _answer(pair.first, with_text=with_text),
        "second": _answer(pair.second, with_text=with_text),
    }


def _answer(answer: Answer, *, with_text: bool) -> dict[str, str]:
    shown = {"model": answer.model, "sha256": of_text(answer.text)}
    return {**shown, "text": answer.text} if with_text else shown


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
