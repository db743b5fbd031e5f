"""Checkpoints of a training: written whole or not at all, hashed, the newest sound one found. Safetensors and JSON.

A checkpoint holds what is trained, the optimiser's memory, the best weights so far and the history. It needs no state
of random generators, because the loop throws its dice from (seed, step, process). Under FSDP each process keeps its
own part, and as many processes must take the training up. DeepSpeed hides the optimiser's memory: no checkpoint then.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import BundleError, TrainingError
from core.fingerprint import of_array, of_json
from models.manifest import read_folder, write_folder
from models.training.network import Examples
from models.training.recipe import TrainingRecipe
from models.training.weights import shapes_text

N_KEPT = 2
"""Checkpoints that stay: the newest, and the one before in case the newest is damaged."""

LAST_BITS = ("tokens_at_once", "checkpoint_activations", "n_threads", "steps_per_checkpoint")
"""What of a recipe may change when a training is taken up: it moves weights in their last bits only."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """What was kept after `step` steps."""

    step: int
    tensors: Mapping[str, Any]
    facts: Mapping[str, Any]


def fingerprint_of(
    recipe: TrainingRecipe, train: Examples, dev: Examples, shapes: Mapping[str, list[int]]
) -> dict[str, Any]:
    """What two trainings must share for one to take up the other: all that decides the weights."""
    deciding = {name: value for name, value in asdict(recipe).items() if name not in LAST_BITS}
    return {
        "recipe": json.loads(json.dumps(deciding)),
        "training rows": _of_examples(train),
        "dev rows": _of_examples(dev),
        "trained weights": of_json(shapes_text(shapes)),
    }


class Checkpoints:
    """The checkpoints of one training in its folder.

    Args:
        folder: of this training alone.
        fingerprint: of `fingerprint_of`.
        accelerator: knows this process's number and its fellows.
        is_sharded: each process keeps a part of its own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fingerprint: Mapping[str, Any],
        accelerator: Any,  # noqa: ANN401 - accelerate is imported late
        is_sharded: bool = False,
    ) -> None:
        from accelerate.utils import DistributedType

        self._accelerator = accelerator
        self._fingerprint = dict(fingerprint)
        self._is_off = accelerator.distributed_type == DistributedType.DEEPSPEED
        self._writes = is_sharded or accelerator.is_main_process
        self._folder = folder
        if is_sharded:
            self._fingerprint["processes"] = accelerator.num_processes
            self._folder = self._folder / f"process-{accelerator.process_index:03d}"
        if self._is_off and accelerator.is_main_process:
            _log.warning("DeepSpeed trains: no checkpoints, an interrupted training starts again")

    def save(self, step: int, *, tensors: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Keep the state after `step` steps, and drop all but the newest two. All processes must call it."""
        if self._is_off:
            return
        if self._writes:
            self._write(step, tensors, facts)
        self._accelerator.wait_for_everyone()

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is sound in every process; a damaged one is passed over with a warning.

        Raises:
            TrainingError: the folder holds a training with another recipe, other rows or other weights.
        """
        if self._is_off:
            return None
        sound: dict[int, Checkpoint] = {}
        for path in sorted(self._folder.glob("step-*"), reverse=True):
            try:
                sound[_step_of(path)] = _read(path)
            except BundleError as error:
                _log.warning("checkpoint %s is damaged, the one before is taken: %s", path.name, error)
        common = set.intersection(*(set(steps) for steps in self._everybodys(sorted(sound))))
        if not common:
            return None
        found = sound[max(common)]
        self._check(found)
        return found

    def _everybodys(self, steps: list[int]) -> list[list[int]]:
        if self._accelerator.num_processes == 1:
            return [steps]
        from accelerate.utils import gather_object

        gathered: list[list[int]] = gather_object([steps])
        return gathered

    def _write(self, step: int, tensors: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        from safetensors.torch import save

        for partial in self._folder.glob(".step-*.partial"):  # of a process that was killed while it wrote
            shutil.rmtree(partial, ignore_errors=True)
        path = self._folder / f"step-{step:08d}"
        if path.exists():  # damaged, or it would have been taken up
            shutil.rmtree(path)
        content = {name: tensor.contiguous() for name, tensor in tensors.items()}
        state = {"step": step, "fingerprint": self._fingerprint, "facts": facts}
        write_folder(path, {"state.json": json.dumps(state).encode(), "tensors.safetensors": save(content)})
        _sync(self._folder)
        for old in sorted(self._folder.glob("step-*"))[:-N_KEPT]:
            shutil.rmtree(old)

    def _check(self, found: Checkpoint) -> None:
        before, now = dict(found.facts["fingerprint"]), self._fingerprint
        changed = [
            f"recipe.{name} was {before['recipe'].get(name)} and is {now['recipe'][name]}"
            for name in now["recipe"]
            if before["recipe"].get(name) != now["recipe"][name]
        ]
        changed += [f"the {name} differ" for name in now if name != "recipe" and before.get(name) != now[name]]
        if changed:
            raise TrainingError(
                f"{self._folder} holds a training that was interrupted at step {found.step}, and {'; '.join(changed)}. "
                "Put the settings back to take it up, or name another folder to start afresh."
            )


def _read(path: Path) -> Checkpoint:
    from safetensors.torch import load

    files = read_folder(path)
    state = json.loads(files["state.json"])
    facts = {**state["facts"], "fingerprint": state["fingerprint"]}
    return Checkpoint(step=int(state["step"]), tensors=load(files["tensors.safetensors"]), facts=facts)


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _of_examples(examples: Examples) -> str:
    return of_json(
        [
            [of_array(ids) for ids in examples.input_ids],
            of_array(examples.targets),
            of_array(examples.weights),
            of_array(examples.gap),
        ]
    )


def _sync(folder: Path) -> None:
    """Makes the rename itself survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
