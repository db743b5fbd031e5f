"""Trains an encoder's low-rank update and a pair's vector together, epoch by epoch. Splits no rows, keeps no epoch."""

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from models.matrix_factorization import MatrixFactorization, PairScorer
from models.networks.spec import Lora
from models.networks.updates import put_update, update_files
from models.selection import ranking_gain
from models.tokenization import well_formed
from models.torch_encoder import TorchEncoder

DEFAULT_LORA = Lora(method="rslora", rank=8, alpha=16.0, dropout=0.0, target_modules=("query", "value"))


@dataclass(frozen=True)
class EncoderRecipe:
    """How encoder and vector train together. Step sizes rise over a tenth of the steps, then fall to zero."""

    lora: Lora = DEFAULT_LORA
    learning_rate: float = 1e-3
    head_learning_rate: float = 3e-3
    head_decay: float = 1_000.0
    """Pull of the vector toward the base, as a prior precision for features of mean variance one."""
    max_epochs: int = 4
    batch_size: int = 32
    patience: int = 2
    """Epochs that rank the held-out rows no better than an earlier one did before it stops."""
    seed: int = 0
    n_threads: int = 1
    """Threads of torch; the weights depend on it in the last bits."""


@dataclass(frozen=True)
class TrainingRows:
    """Labelled rows as the training below reads them."""

    ids: list[list[int]]
    """Token ids of each text."""
    gap: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    """How much each row counts, > 0."""


class TrainableEncoder(TorchEncoder):
    """The encoder with its network and tokenizer in reach of the training below."""

    @property
    def network(self) -> Any:  # noqa: ANN401 - a torch module
        """The network as transformers loaded it."""
        return self._model

    def ids(self, text: str) -> list[int]:
        """Token ids, cut to the encoder's length."""
        return self._tokenizer.ids([well_formed(text)])[0]


class Training:
    """Encoder, vector and optimiser while they train. Logits are those of the module's formula."""

    def __init__(
        self, encoder: "TrainableEncoder", base: MatrixFactorization, start: PairScorer, recipe: EncoderRecipe
    ) -> None:
        import torch

        self.torch, self.recipe, self.encoder = torch, recipe, encoder
        self.model = put_update(
            encoder.network, recipe.lora, head=(), seed=recipe.seed
        ).eval()  # no dropout of the base
        self.center = torch.tensor(base.center, dtype=torch.float32)
        self.scale = float(base.scale)
        before = start.vector.astype(np.float64) / base.scale
        self.before = torch.tensor(before, dtype=torch.float32)
        self.vector = torch.nn.Parameter(self.before.clone())
        self.intercept = torch.nn.Parameter(
            torch.tensor(start.intercept + float(start.vector.astype(np.float64) @ base.center), dtype=torch.float32)
        )
        updates = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": updates, "lr": recipe.learning_rate},
                {"params": [self.vector, self.intercept], "lr": recipe.head_learning_rate},
            ],
            weight_decay=0.0,
        )
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.steps = 0

    def epoch(self, rows: "TrainingRows", seen: Shaped[np.ndarray, " m"], epoch: int) -> None:
        """One pass over the rows `seen`: shuffled, then of similar length within a few batches."""
        torch, size, ids = self.torch, self.recipe.batch_size, rows.ids
        total_weight = float(rows.weights[seen].sum())
        mean_weight = total_weight / len(seen)
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(seen)
        pools = [order[start : start + 16 * size] for start in range(0, len(order), 16 * size)]
        ordered = np.concatenate([pool[np.argsort([len(ids[i]) for i in pool], kind="stable")] for pool in pools])
        batches = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        total = self.recipe.max_epochs * len(batches)
        for i in np.random.default_rng([self.recipe.seed, epoch, 1]).permutation(len(batches)):
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * share_of_rate(self.steps, total)
            goals = torch.tensor((1.0 + rows.gap[batches[i]]) / 2.0, dtype=torch.float32)
            counts = torch.tensor(rows.weights[batches[i]] / mean_weight, dtype=torch.float32)
            logits = self.logits([ids[j] for j in batches[i]])
            moved = self.vector - self.before
            pull = self.recipe.head_decay / (2 * total_weight) * (moved @ moved)
            losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, goals, reduction="none")
            loss = (counts * losses).mean() + pull
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.steps += 1

    def logits(self, rows: list[list[int]]) -> Any:  # noqa: ANN401 - a torch tensor
        """One a row of token ids, padded to the longest."""
        torch = self.torch
        mask = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        ids = torch.zeros_like(mask)
        for i, row in enumerate(rows):
            mask[i, : len(row)], ids[i, : len(row)] = 1, torch.tensor(row)
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        unit = torch.nn.functional.normalize(mean, dim=1)
        return (unit - self.center) @ self.vector * self.scale + self.intercept

    def gain(self, rows: "TrainingRows", asked: Shaped[np.ndarray, " m"]) -> float:
        """`ranking_gain` on the rows `asked`."""
        order = asked[np.argsort([len(rows.ids[i]) for i in asked], kind="stable")]
        size = 2 * self.recipe.batch_size
        with self.torch.inference_mode():
            parts = [self.logits([rows.ids[i] for i in order[s : s + size]]) for s in range(0, len(order), size)]
        return ranking_gain(np.concatenate([part.numpy() for part in parts]), rows.gap[order], rows.weights[order])

    def state(self) -> list[Any]:
        """What training changes."""
        return [copy.deepcopy(weight.detach()) for weight in self._trained()]

    def restore(self, state: list[Any]) -> None:
        """Put back what `state` gave."""
        with self.torch.no_grad():
            for weight, kept in zip(self._trained(), state, strict=True):
                weight.copy_(kept)

    def files(self) -> dict[str, bytes]:
        """The update as PEFT's two files."""
        return update_files(self.model, "default", base=self.encoder.spec.name)

    def head(self) -> PairScorer:
        """The vector as it reads the encoder's output."""
        vector = self.vector.detach().double().numpy() * self.scale
        intercept = float(self.intercept.detach()) - float(vector @ self.center.double().numpy())
        return PairScorer(np.ascontiguousarray(vector, dtype=np.float32), intercept)

    def _trained(self) -> list[Any]:
        return [*(weight for weight in self.model.parameters() if weight.requires_grad), self.vector, self.intercept]


def share_of_rate(step: int, total: int) -> float:
    """Warm-up over a tenth of the steps, then a cosine to zero.

    >>> [round(share_of_rate(step, 20), 2) for step in (0, 1, 2, 11, 20)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    warm = max(1, total // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm)))
