"""The training loop: random steps of nearly even tokens, one division a step, exact resume, the best weights kept.

Deterministic: on one machine's CPU, equal network, data, recipe and number of processes give equal weights bit for bit,
whether or not the training was killed and taken up again. Dropout's dice are thrown anew at each step from (seed, step,
process). Not deterministic: other numbers of threads or processes, other budgets of `tokens_at_once`, other machines
or library versions change the last bits of sums (and dropout's masks); so may two runs on one GPU, whose kernels add
in varying order. The examples behind each step are the same in all of these.

Never: writes outside its folder, touches the network, unpickles.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import MissingExtra, TrainingError
from models.selection import ranking_gain
from models.training.batches import micro_batches
from models.training.checkpoints import Checkpoints, fingerprint_of
from models.training.loss import weighted_cross_entropy
from models.training.network import ClassNetwork, Examples
from models.training.placement import accelerator_for, checkpoint_activations, precision_of, threads_and_dice
from models.training.preparation import prepared
from models.training.progress import DevFigures, OnStep, StepReport, Trained, TrainingFacts, unheard
from models.training.recipe import TrainingRecipe
from models.training.schedule import Schedule
from models.training.scoring import lengths_of, log_probabilities, padded, pass_cost_of
from models.training.weights import Weights

_log = logging.getLogger(__name__)


def train(
    network: ClassNetwork,
    train: Examples,
    dev: Examples,
    recipe: TrainingRecipe,
    *,
    folder: Path,
    on_step: OnStep = unheard,
) -> Trained:
    """Train what requires a gradient; the network holds the best weights afterwards.

    A training that was interrupted in `folder` is taken up at its newest sound checkpoint. Runs in every process of a
    launch alike; all must be given the same arguments, and `on_step` is called in the first alone.

    Args:
        network: its trained weights are float32; LoRA or a head alone may be trained, as the caller has set it up.
        train: at least one example.
        dev: ranked after each part of an epoch; without rows every epoch is run and the last weights are kept.
        recipe: how.
        folder: of this training alone; checkpoints are kept in it.
        on_step: told of every step.

    Raises:
        MissingExtra: torch or accelerate is not installed.
        SettingsError: a text is longer than `tokens_at_once`.
        TrainingError: there is nothing to train (on), the loss is not finite, the folder holds another training, or
            processes disagree.
    """
    if len(train) == 0:
        raise TrainingError("There is no example to train on. Give labelled queries.")
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch, peft and accelerate", "train", "Training a text network") from error
    del torch
    with threads_and_dice(recipe):
        run = _Run(network, train, dev, recipe, folder=folder, on_step=on_step)
        try:
            return run.to_the_end()
        finally:
            run.close()


class _Run:
    """One training: the prepared network, and what changes from step to step."""

    def __init__(
        self,
        network: ClassNetwork,
        train: Examples,
        dev: Examples,
        recipe: TrainingRecipe,
        *,
        folder: Path,
        on_step: OnStep,
    ) -> None:
        self.network, self.train, self.dev, self.recipe, self.on_step = network, train, dev, recipe, on_step
        self.lengths = lengths_of(train.input_ids)
        self.schedule = Schedule(self.lengths, recipe)
        self.accelerator = accelerator_for(recipe)
        if recipe.checkpoint_activations:
            checkpoint_activations(network.module, on=True)
        self.model, self.optimizer = prepared(network, recipe, self.accelerator)
        self.weights = Weights(network.module, self.optimizer)
        self.checkpoints = Checkpoints(
            folder,
            fingerprint=fingerprint_of(recipe, train, dev, self.weights.shapes),
            accelerator=self.accelerator,
            is_sharded=self.weights.is_sharded,
        )
        self.history: list[StepReport] = []
        self.best: Mapping[str, Any] = {}
        self.best_step, self.best_key, self.n_worse = 0, (-np.inf, -np.inf), 0
        self.resumed_at: tuple[int, ...] = ()
        self.at = 0
        self._take_up()

    def to_the_end(self) -> Trained:
        while self.at < self.schedule.n_steps and not self.is_stopped:
            report = self._step(self.at)
            self.at += 1
            self.history.append(report)
            if self.at % self.recipe.steps_per_checkpoint == 0 or self._is_over:
                self._keep()
            if self.accelerator.is_main_process:
                self.on_step(report)
        if not len(self.dev):
            self.best, self.best_step = self.weights.copy(), self.at
        self.weights.put_back(self.best)
        return Trained(
            weights=self.weights.arrays(),
            history=tuple(self.history),
            best_step=self.best_step,
            stopped_early=self.at < self.schedule.n_steps,
            facts=self._facts(),
        )

    @property
    def is_stopped(self) -> bool:
        return self.n_worse >= self.recipe.patience

    @property
    def _hides_norm(self) -> bool:
        """DeepSpeed clips by itself and may not say what it clipped."""
        return str(self.accelerator.distributed_type).endswith("DEEPSPEED")

    @property
    def _is_over(self) -> bool:
        return self.is_stopped or self.at == self.schedule.n_steps

    def close(self) -> None:
        self.network.module.eval()
        if self.recipe.checkpoint_activations:
            checkpoint_activations(self.network.module, on=False)
        self.accelerator.free_memory()

    def _step(self, step: int) -> StepReport:
        import torch

        start = time.perf_counter()
        accelerator, rows = self.accelerator, self.schedule.rows(step)
        torch.manual_seed(_dice(self.recipe.seed, step, accelerator.process_index))
        self.network.module.train()
        rate = self.schedule.learning_rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss_sum = self._backward(torch, rows)
        norm = _number(accelerator.clip_grad_norm_(self.weights.parameters, self.recipe.max_gradient_norm))
        loss = float(accelerator.reduce(loss_sum)) / self._weight(rows)
        if not np.isfinite(loss) or np.isinf(norm) or (np.isnan(norm) and not self._hides_norm):
            raise TrainingError(
                f"The loss of step {step + 1} is {loss} and its gradient's norm {norm}. "
                f"Lower learning_rate (it is {self.recipe.step_size:g}) or set precision to fp32."
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        seconds = time.perf_counter() - start
        return StepReport(
            step=step + 1,
            n_steps=self.schedule.n_steps,
            epoch=self.schedule.epoch_of(step) + 1,
            loss=loss,
            learning_rate=rate,
            gradient_norm=norm,
            tokens_per_s=float(self.lengths[rows].sum()) / seconds,
            dev=self._evaluated(step + 1) if len(self.dev) and self.schedule.is_evaluated(step) else None,
        )

    def _backward(self, torch: Any, rows: Any) -> Any:  # noqa: ANN401 - torch is imported late
        """Gradients of the step's mean loss, in each process; returns this process's sum of losses."""
        accelerator, device = self.accelerator, self.accelerator.device
        passes = micro_batches(
            rows,
            self.lengths,
            tokens_at_once=self.recipe.tokens_at_once,
            n_processes=accelerator.num_processes,
            pass_cost=pass_cost_of(device),
        )[accelerator.process_index]
        # Gradients of several processes are averaged by accelerate, and what is wanted is their sum.
        scale = accelerator.num_processes / self._weight(rows)
        total = torch.zeros((), dtype=torch.float32, device=device)
        for number, batch in enumerate(passes, 1):
            is_last = number == len(passes)
            accelerator.sync_gradients = is_last
            with nullcontext() if is_last else accelerator.no_sync(self.model):
                logits = self.model(*padded(self.network, self.train.input_ids, batch.rows, device=device))
                targets = torch.as_tensor(self.train.targets[batch.rows], dtype=torch.float32, device=device)
                counted = self.train.weights[batch.rows] * batch.counts
                weights = torch.as_tensor(counted, dtype=torch.float32, device=device)
                loss_sum, _ = weighted_cross_entropy(logits, targets, weights)
                accelerator.backward(loss_sum * scale)
            total += loss_sum.detach()
        return total

    def _weight(self, rows: Any) -> float:  # noqa: ANN401 - an array
        """Weight of a step over all processes; every process knows all rows, so nothing is sent. 1 where it is 0."""
        return float(self.train.weights[rows].sum()) or 1.0

    def _evaluated(self, step: int) -> DevFigures:
        import torch

        accelerator = self.accelerator
        self.network.module.eval()
        share = log_probabilities(
            self.model,
            self.network,
            self.dev.input_ids,
            tokens_at_once=self.recipe.tokens_at_once,
            process=(accelerator.process_index, accelerator.num_processes),
        )
        logs = accelerator.reduce(torch.as_tensor(share, device=accelerator.device)).cpu().numpy()
        self.weights.check_processes_agree(accelerator)
        ranking = round(
            ranking_gain(np.nan_to_num(np.exp(logs[:, 0]), nan=1.0), self.dev.gap), 9
        )  # sums of one order tie
        total = float(self.dev.weights.sum()) or 1.0
        loss = float(-(self.dev.weights[:, None] * self.dev.targets * logs).sum() / total)
        key = (ranking, -loss if np.isfinite(loss) else -np.inf)
        is_best = key > self.best_key
        if is_best:
            self.best, self.best_key, self.best_step, self.n_worse = self.weights.copy(), key, step, 0
        else:
            self.n_worse += 1
        return DevFigures(ranking=ranking, loss=loss, is_best=is_best)

    def _keep(self) -> None:
        self.checkpoints.save(
            self.at,
            tensors=self.weights.state() | {f"best/{name}": tensor for name, tensor in self.best.items()},
            facts={
                "history": [report.to_json() for report in self.history],
                "best_step": self.best_step,
                "best_key": [str(part) for part in self.best_key],
                "n_worse": self.n_worse,
                "resumed_at": list(self.resumed_at),
            },
        )

    def _take_up(self) -> None:
        found = self.checkpoints.newest()
        if found is None:
            return
        self.weights.load_state(found.tensors)
        self.best = {
            name.removeprefix("best/"): tensor for name, tensor in found.tensors.items() if name.startswith("best/")
        }
        facts = found.facts
        self.history = [StepReport.from_json(value) for value in facts["history"]]
        self.best_step, self.n_worse = facts["best_step"], facts["n_worse"]
        ranking, negative_loss = (float(part) for part in facts["best_key"])
        self.best_key = (ranking, negative_loss)
        self.at = found.step
        if self.at < self.schedule.n_steps and not self.is_stopped:
            self.resumed_at = (*facts["resumed_at"], self.at)
            _log.info("training taken up at step %d of %d", self.at, self.schedule.n_steps)
        else:
            self.resumed_at = tuple(facts["resumed_at"])

    def _facts(self) -> TrainingFacts:
        import torch

        return TrainingFacts(
            device=str(self.accelerator.device.type),
            precision=precision_of(self.recipe),
            n_processes=self.accelerator.num_processes,
            n_threads=torch.get_num_threads(),
            torch_version=str(torch.__version__),
            n_trained=self.weights.n_trained,
            resumed_at=self.resumed_at,
        )


def _dice(seed: int, step: int, process: int) -> int:
    return int(np.random.SeedSequence([seed, step, process]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _number(norm: Any) -> float:  # noqa: ANN401 - a tensor, sharded or not, or None
    if norm is None:
        return float("nan")
    return float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
