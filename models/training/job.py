"""A training as a folder: rows, recipe and network's description go in, the best weights and the history come out.

    network.json          how the network is built
    recipe.json           how it is trained
    rows.safetensors      token ids, targets, weights and gaps of training and dev rows
    progress.jsonl        one line a step, while it runs
    checkpoints/          what an interrupted training is taken up from
    result/               weights.safetensors, history.json, MANIFEST.json; there only once the training is finished

Data alone: another process, another machine or a launcher can run it. Holds no text, only token ids.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BundleError, TrainingError
from core.fingerprint import of_json
from models.manifest import of_bytes, read_folder, write_folder
from models.training.network import Examples
from models.training.progress import StepReport, Trained, TrainingFacts
from models.training.recipe import TrainingRecipe
from models.training.weights import weights_to_bytes

_INPUTS = ("network.json", "recipe.json", "rows.safetensors")


@dataclass(frozen=True)
class Job:
    """What a training is given."""

    description: Mapping[str, Any]
    """JSON from which the network is built; the engine does not read it."""
    train: Examples
    dev: Examples
    recipe: TrainingRecipe


def write_job(job: Job, folder: Path) -> None:
    """Write a training's inputs; a folder that holds the same job is left as it is, and may be taken up.

    Raises:
        TrainingError: the folder holds another job.
    """
    from safetensors.numpy import save

    files = {
        "network.json": _json(job.description),
        "recipe.json": _json(asdict(job.recipe)),
        "rows.safetensors": save(_arrays("train", job.train) | _arrays("dev", job.dev)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        if not path.is_file():
            partial = path.with_name(f"{name}.partial")  # a kill must not leave half a file under the name
            partial.write_bytes(content)
            partial.replace(path)
        elif path.read_bytes() != content:
            raise TrainingError(f"{folder} holds another training: its {name} differs. Name another folder.")


def read_job(folder: Path) -> Job:
    """The inputs that `write_job` wrote.

    Raises:
        TrainingError: a file is missing or is not what `write_job` writes.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load((folder / "rows.safetensors").read_bytes())
        values = json.loads((folder / "recipe.json").read_bytes())
        values["target_modules"] = tuple(values["target_modules"])
        return Job(
            description=json.loads((folder / "network.json").read_bytes()),
            train=_examples("train", arrays),
            dev=_examples("dev", arrays),
            recipe=TrainingRecipe(**values),
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise TrainingError(f"{folder} holds no training that reads ({error}). Write the job anew.") from error


def write_result(trained: Trained, folder: Path) -> None:
    """Write what came out, whole or not at all."""
    history = {
        "job_sha256": job_sha256(folder),
        "best_step": trained.best_step,
        "stopped_early": trained.stopped_early,
        "facts": asdict(trained.facts),
        "history": [report.to_json() for report in trained.history],
    }
    content = {"weights.safetensors": weights_to_bytes(trained.weights), "history.json": json.dumps(history).encode()}
    write_folder(folder / "result", content)


def read_result(folder: Path) -> Trained | None:
    """What came out; None while the training is not finished.

    Raises:
        TrainingError: the result is damaged, or is that of other inputs.
    """
    from safetensors.numpy import load

    if not (folder / "result").is_dir():
        return None
    try:
        files = read_folder(folder / "result")
    except BundleError as error:
        raise TrainingError(f"The result in {folder} is damaged ({error}). Remove it and train again.") from error
    says = json.loads(files["history.json"])
    if says["job_sha256"] != job_sha256(folder):
        raise TrainingError(f"The result in {folder} is not that of the job there. Remove it and train again.")
    return Trained(
        weights=load(files["weights.safetensors"]),
        history=tuple(StepReport.from_json(report) for report in says["history"]),
        best_step=says["best_step"],
        stopped_early=says["stopped_early"],
        facts=TrainingFacts(**{**says["facts"], "resumed_at": tuple(says["facts"]["resumed_at"])}),
    )


def job_sha256(folder: Path) -> str:
    """Hash of a job's inputs."""
    return of_json({name: of_bytes((folder / name).read_bytes()) for name in _INPUTS})


def _arrays(part: str, examples: Examples) -> dict[str, np.ndarray]:
    tokens = [np.asarray(ids, dtype=np.int64) for ids in examples.input_ids]
    return {
        f"{part}/tokens": np.concatenate(tokens) if tokens else np.zeros(0, dtype=np.int64),
        f"{part}/lengths": np.array([len(ids) for ids in tokens], dtype=np.int64),
        f"{part}/targets": np.ascontiguousarray(examples.targets, dtype=np.float64),
        f"{part}/weights": np.ascontiguousarray(examples.weights, dtype=np.float64),
        f"{part}/gap": np.ascontiguousarray(examples.gap, dtype=np.float64),
    }


def _examples(part: str, arrays: Mapping[str, np.ndarray]) -> Examples:
    ends = np.cumsum(arrays[f"{part}/lengths"])
    ids = np.split(arrays[f"{part}/tokens"], ends[:-1]) if len(ends) else []
    return Examples(
        input_ids=tuple(ids),
        targets=arrays[f"{part}/targets"],
        weights=arrays[f"{part}/weights"],
        gap=arrays[f"{part}/gap"],
    )


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
