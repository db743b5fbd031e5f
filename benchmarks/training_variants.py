"""What `benchmarks.training` times: one network, one set of texts, our loop, a bare loop, the Hugging Face Trainer."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForSequenceClassification, PrinterCallback, Trainer, TrainingArguments

from models.training.batches import epoch_steps, micro_batches
from models.training.loop import train
from models.training.loss import weighted_cross_entropy
from models.training.network import Examples
from models.training.recipe import TrainingRecipe
from models.training.scoring import lengths_of, padded

VOCABULARY, N_CLASSES, LONGEST = 2000, 3, 512
ROWS, ROWS_PER_BATCH = 512, 32
STEPS_OF = {"max_length": 2, "dynamic": 4}
"""Batches that the Trainers without grouping run in a round."""

CPU = torch.device("cpu")


class Network:
    """A Llama that tells classes, as the engine wants it."""

    pad_id, padding_side = 0, "right"

    def __init__(self, *, width: int, layers: int, seed: int, has_lora: bool) -> None:
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=4,
            intermediate_size=4 * width,
            max_position_embeddings=LONGEST,
            pad_token_id=0,
            num_labels=N_CLASSES,
        )
        self.module: Any = LlamaForSequenceClassification(config)
        if has_lora:
            linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
            lora = LoraConfig(r=8, lora_alpha=16, target_modules=linear, modules_to_save=["score"], lora_dropout=0.05)
            self.module = get_peft_model(self.module, lora)

    def logits(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits of the classes."""
        logits: torch.Tensor = self.module(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def texts(n: int, *, seed: int, median: float, longest: int) -> Examples:
    """Token ids of lognormal lengths; one token being frequent, and length, make the strong model needed."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(np.log(median), 0.8, n), 4, longest).astype(int)
    rate = rng.choice([0.02, 0.4], n)
    logit = np.where(rate > 0.2, 2.0, -2.0) + 1.2 * np.log(lengths / median)
    is_strong = rng.random(n) < 1 / (1 + np.exp(-logit))
    ids = [rng.integers(3, VOCABULARY, size=length) for length in lengths]
    for row, share in zip(ids, rate, strict=True):
        row[rng.random(len(row)) < share] = 1
    targets = np.zeros((n, N_CLASSES))
    targets[np.arange(n), np.where(is_strong, 0, 1)] = 1.0
    return Examples(tuple(ids), targets, np.ones(n), is_strong.astype(float))


NO_ROWS = Examples((), np.zeros((0, N_CLASSES)), np.zeros(0), np.zeros(0))


def recipe_for(rows: Examples, **changes: float) -> TrainingRecipe:
    """One epoch, with as many rows a step as the Trainer has."""
    tokens = int(lengths_of(rows.input_ids).mean() * ROWS_PER_BATCH)
    values = {"method": "full", "learning_rate": 2e-4, "tokens_per_step": tokens, "max_epochs": 1}
    return TrainingRecipe(**{**values, "tokens_at_once": max(tokens, LONGEST), **changes})


def ours(network: Network, rows: Examples, recipe: TrainingRecipe) -> int:
    """Our loop with all that it does; returns real tokens."""
    with tempfile.TemporaryDirectory() as folder:
        train(network, rows, NO_ROWS, recipe, folder=Path(folder))
    return int(lengths_of(rows.input_ids).sum()) * recipe.max_epochs


def bare(network: Network, rows: Examples, recipe: TrainingRecipe) -> int:
    """The same passes in a torch loop without anything else."""
    lengths = lengths_of(rows.input_ids)
    passes = [
        [batch.rows for batch in micro_batches(step, lengths, tokens_at_once=recipe.tokens_at_once)[0]]
        for step in epoch_steps(lengths, tokens_per_step=recipe.tokens_per_step, seed=recipe.seed, epoch=0)
    ]
    bare_loop(network, rows, passes, learning_rate=recipe.step_size)
    return int(lengths.sum())


def bare_loop(network: Network, rows: Examples, steps: list[list[Any]], *, learning_rate: float) -> None:
    """AdamW over steps of passes; the step size follows our schedule's cosine without warm-up."""
    trained = [weight for weight in network.module.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=len(steps))
    network.module.train()
    for step in steps:
        n_rows = sum(len(batch) for batch in step)
        for batch in step:
            logits = network.logits(*padded(network, rows.input_ids, batch, device=CPU))
            targets = torch.as_tensor(rows.targets[batch], dtype=torch.float32)
            total, _ = weighted_cross_entropy(logits, targets, torch.ones(len(batch)))
            (total / n_rows).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def trainer(network: Network, rows: Examples, kind: str) -> int:
    """Hugging Face's Trainer with one way of padding; returns real tokens."""
    data = [
        {"input_ids": ids.tolist(), "labels": int(target.argmax())}
        for ids, target in zip(rows.input_ids, rows.targets, strict=True)
    ]
    seen = 0

    def collate(batch: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        nonlocal seen
        ids = [np.array(row["input_ids"]) for row in batch]
        seen += sum(len(row) for row in ids)
        tokens, mask = padded(network, ids, np.arange(len(ids)), device=CPU)
        if kind == "max_length":
            missing = (0, LONGEST - tokens.shape[1])
            tokens, mask = (torch.nn.functional.pad(part, missing) for part in (tokens, mask))
        labels = torch.tensor([row["labels"] for row in batch])
        return {"input_ids": tokens, "attention_mask": mask, "labels": labels}

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=ROWS_PER_BATCH,
            num_train_epochs=1,
            max_steps=STEPS_OF.get(kind, -1),
            train_sampling_strategy="group_by_length" if kind == "group_by_length" else "random",
            learning_rate=2e-4,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        theirs = Trainer(model=network.module, args=arguments, train_dataset=data, data_collator=collate)
        theirs.remove_callback(PrinterCallback)
        theirs.train()
    return seen
