"""What a training will take, before it is started: rows, tokens, steps, parameters, memory and time. Moves no weight.

Time is measured, not modelled: one forward and backward pass of the training's own rows is run twice on the device
of the training, the second is timed, and its seconds a padded token are multiplied up. Memory is weights,
gradients, AdamW's moments and the activations that this pass kept, scaled to the largest pass. Both are estimates:
other work on the machine, and what libraries keep for themselves (about 0.4 GB on a CPU), are not in them.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.errors import TrainingError
from models.training.batches import MicroBatch, micro_batches, padding_efficiency
from models.training.loss import weighted_cross_entropy
from models.training.network import ClassNetwork, Examples
from models.training.placement import accelerator_for, checkpoint_activations, precision_of, threads_and_dice
from models.training.recipe import TrainingRecipe
from models.training.schedule import Schedule
from models.training.scoring import device_of, lengths_of, padded, pass_cost_of

_PROBED_TOKENS = 2048
"""The largest pass up to this size is timed."""

_FORWARD_SHARE = 1 / 3
"""Of a forward and backward pass, what scoring a dev row takes."""


@dataclass(frozen=True)
class Estimate:
    """A training before it is started."""

    n_rows: int
    n_dev_rows: int
    n_truncated: int
    """Texts that are longer than `max_tokens` and are cut."""
    n_tokens: int
    """Of all training rows, once."""
    longest: int
    """Tokens of the longest training row."""
    padding_efficiency: float
    """Real tokens over computed ones, in the first epoch."""
    n_steps_per_epoch: int
    n_steps: int
    """Of all epochs; fewer are run when training stops early."""
    n_passes_per_step: float
    n_trained: int
    """Parameters that are trained."""
    n_parameters: int
    device: str
    precision: str
    peak_memory_bytes: int
    """Of each process, libraries not counted."""
    activation_bytes: int
    """The part of it that `tokens_at_once` bounds."""
    tokens_per_s: float
    """Real tokens of one process."""
    seconds: float
    """All epochs and their evaluations, with as many processes as were asked for."""

    def to_json(self) -> dict[str, Any]:
        """Every figure by name."""
        return asdict(self)

    def lines(self) -> list[str]:
        """What `--dry-run` prints."""
        return [
            f"rows          {self.n_rows:,} to train on, {self.n_dev_rows:,} dev, {self.n_truncated:,} cut",
            f"tokens        {self.n_tokens:,}, longest text {self.longest:,}, {self.padding_efficiency:.0%} of "
            "computed tokens are real",
            f"steps         {self.n_steps_per_epoch:,} an epoch, {self.n_steps:,} in all, "
            f"{self.n_passes_per_step:.1f} passes a step",
            f"parameters    {self.n_trained:,} trained of {self.n_parameters:,} "
            f"({self.n_trained / self.n_parameters:.2%})",
            f"memory        {self.peak_memory_bytes / 1e9:.2f} GB on {self.device} in {self.precision} "
            f"({self.activation_bytes / 1e9:.2f} GB activations), estimated from one pass",
            f"time          {_duration(self.seconds)}, estimated from one timed pass "
            f"({self.tokens_per_s:,.0f} tokens/s)",
        ]


def estimate(
    network: ClassNetwork,
    train: Examples,
    dev: Examples,
    recipe: TrainingRecipe,
    *,
    n_processes: int = 1,
    n_truncated: int = 0,
) -> Estimate:
    """What `models.training.loop.train` with these arguments will take; the network's weights are left as they were.

    Args:
        network: as it will be trained; it is moved to the device that `train` would move it to.
        train: at least one row.
        dev: dev rows.
        recipe: how.
        n_processes: over which steps will be shared.
        n_truncated: as the tokeniser counted.

    Raises:
        SettingsError: a text is longer than `tokens_at_once`.
        TrainingError: there is no row.
        MissingExtra: torch or accelerate is not installed.
    """
    if len(train) == 0:
        raise TrainingError("There is no example to train on. Give labelled queries.")
    lengths = lengths_of(train.input_ids)
    schedule = Schedule(lengths, recipe)
    device = accelerator_for(recipe).device
    network.module.to(device)
    n_steps_per_epoch = sum(schedule.epoch_of(step) == 0 for step in range(schedule.n_steps))
    steps = [
        micro_batches(
            schedule.rows(step),
            lengths,
            tokens_at_once=recipe.tokens_at_once,
            n_processes=n_processes,
            pass_cost=pass_cost_of(device),
        )
        for step in range(n_steps_per_epoch)
    ]
    passes = [batch for shares in steps for share in shares for batch in share]
    sizes = np.array([len(batch.rows) * int(lengths[batch.rows].max()) for batch in passes])
    small = np.flatnonzero(sizes <= _PROBED_TOKENS)
    probed = int(small[np.argmax(sizes[small])]) if len(small) else int(np.argmin(sizes))
    seconds, kept_bytes = _probe(network, train, passes[probed], recipe)
    weights = list(network.module.parameters())
    n_trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    activations = int(kept_bytes * sizes.max() / sizes[probed])
    # Per trained parameter, float32: gradient, two moments, the copy of the best weights.
    fixed = sum(weight.numel() * weight.element_size() for weight in weights) + 16 * n_trained
    seconds_per_padded = seconds / float(sizes[probed])
    efficiency = padding_efficiency(lengths, [batch.rows for batch in passes])
    n_evaluations = recipe.max_epochs * recipe.evaluations_per_epoch
    computed = float(sizes.sum()) * recipe.max_epochs
    computed += _FORWARD_SHARE * float(lengths_of(dev.input_ids).sum()) * n_evaluations
    return Estimate(
        n_rows=len(train),
        n_dev_rows=len(dev),
        n_truncated=n_truncated,
        n_tokens=int(lengths.sum()),
        longest=int(lengths.max()),
        padding_efficiency=efficiency,
        n_steps_per_epoch=n_steps_per_epoch,
        n_steps=schedule.n_steps,
        n_passes_per_step=len(passes) / n_processes / n_steps_per_epoch,
        n_trained=n_trained,
        n_parameters=sum(weight.numel() for weight in weights),
        device=device.type,
        precision=precision_of(recipe),
        peak_memory_bytes=fixed + activations,
        activation_bytes=activations,
        tokens_per_s=efficiency / seconds_per_padded,
        seconds=computed * seconds_per_padded / n_processes,
    )


def _probe(network: ClassNetwork, train: Examples, batch: MicroBatch, recipe: TrainingRecipe) -> tuple[float, int]:
    """Seconds of one warm forward and backward pass, and the bytes of activations that it kept."""
    import torch

    device = device_of(network)
    was_training = network.module.training
    with threads_and_dice(recipe):
        if recipe.checkpoint_activations:
            checkpoint_activations(network.module, on=True)
        network.module.train()
        inputs = padded(network, train.input_ids, batch.rows, device=device)
        targets = torch.as_tensor(train.targets[batch.rows], dtype=torch.float32, device=device)
        weights = torch.as_tensor(train.weights[batch.rows], dtype=torch.float32, device=device)
        autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision_of(recipe) == "bf16")
        try:
            with _counting(network.module) as kept:
                seconds = 0.0
                for _ in range(2):
                    kept.clear()
                    _wait(torch, device)
                    start = time.perf_counter()
                    with autocast:
                        logits = network.logits(*inputs)
                    weighted_cross_entropy(logits, targets, weights)[0].backward()  # type: ignore[no-untyped-call]
                    _wait(torch, device)
                    seconds = time.perf_counter() - start
                    for weight in network.module.parameters():
                        weight.grad = None
            return seconds, sum(kept.values())
        finally:
            network.module.train(was_training)
            if recipe.checkpoint_activations:
                checkpoint_activations(network.module, on=False)


@contextmanager
def _counting(module: Any) -> Iterator[dict[int, int]]:  # noqa: ANN401 - a torch module
    """Inside, what autograd keeps for a backward pass is counted: bytes by address, weights left out."""
    import torch

    own = {weight.untyped_storage().data_ptr() for weight in module.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def _wait(torch: Any, device: Any) -> None:  # noqa: ANN401 - torch is imported late
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _duration(seconds: float) -> str:
    """Two figures that a reader can plan with.

    >>> _duration(42.3), _duration(600.0), _duration(9000.0)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
