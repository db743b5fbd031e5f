"""The training loop beside the Hugging Face Trainer: `python -m benchmarks.training [--rounds 3] [--json]`.

Speed: a Llama of 3 layers, 192 wide, under LoRA (rank 8, every linear layer), learns to tell three classes of texts
whose lengths are lognormal (median 70, cap 512 tokens). Trainer with padding to 512, with padding to the longest of a
random batch, and with `group_by_length`; our loop; and the bare torch loop over our own passes, which shows what the
loop itself costs. All on one thread, in one process, in turns; the figure is real tokens (padding not counted) a CPU
second, and a ratio is the median over rounds. `group_by_length`, ours and the bare loop run the whole epoch; the two
other Trainers draw a few random batches of it, which is all that is random about them.

Quality: a small network learns a rule from texts, five seeds, once by our loop and once by a bare loop over random
batches of equally many rows. The rule goes with length, so that batches of one length would show. Area under the ROC
curve on unseen texts; the interval is Student's t over the five differences.

Memory: highest resident set of a process that trains, less what it held before, each variant in its own process.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score
from transformers.utils import logging as transformers_logging

from benchmarks.training_variants import (
    LONGEST,
    NO_ROWS,
    ROWS,
    ROWS_PER_BATCH,
    Network,
    bare,
    bare_loop,
    ours,
    recipe_for,
    texts,
    trainer,
)
from models.training.batches import epoch_steps, micro_batches, padding_efficiency
from models.training.estimate import estimate
from models.training.scoring import class_probabilities, lengths_of

BARS = {"max_length": 4.0, "dynamic": 2.2, "group_by_length": 1.2}


def speed_figures(rounds: int) -> dict[str, Any]:
    """Real tokens a CPU second of every variant, and how many times faster ours is."""
    rows = texts(ROWS, seed=0, median=70, longest=LONGEST)
    recipe = recipe_for(rows)
    variants: dict[str, Callable[[Network], int]] = {
        "ours": lambda network: ours(network, rows, recipe),
        "group_by_length": lambda network: trainer(network, rows, "group_by_length"),
        "bare loop": lambda network: bare(network, rows, recipe),
        "dynamic": lambda network: trainer(network, rows, "dynamic"),
        "max_length": lambda network: trainer(network, rows, "max_length"),
    }
    measured: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds):
        for name, act in variants.items():
            network = Network(width=192, layers=3, seed=number, has_lora=True)
            if number == 0:
                network.logits(torch.ones(1, 8, dtype=torch.long), torch.ones(1, 8, dtype=torch.long))
            start = time.process_time()
            tokens = act(network)
            measured[name].append(tokens / (time.process_time() - start))
    speeds = {name: np.array(values) for name, values in measured.items()}
    return {
        "rounds": rounds,
        "rows": ROWS,
        "tokens_per_cpu_s": {name: float(np.median(values)) for name, values in speeds.items()},
        "times_faster": {
            name: {
                "median": float(np.median(speeds["ours"] / speeds[name])),
                "lowest": float((speeds["ours"] / speeds[name]).min()),
                "bar": bar,
            }
            for name, bar in BARS.items()
        },
        "cost_over_bare_loop": float(np.median(speeds["bare loop"] / speeds["ours"]) - 1),
    }


def padding_figures() -> dict[str, float]:
    """Real over computed tokens on 3,000 texts: ours for two step sizes and two processes, and what others reach."""
    rows = texts(3000, seed=1, median=70, longest=LONGEST)
    lengths = lengths_of(rows.input_ids)

    def efficiency(tokens_per_step: int, n_processes: int) -> float:
        steps = epoch_steps(lengths, tokens_per_step=tokens_per_step, seed=0, epoch=0)
        shares = [micro_batches(step, lengths, tokens_at_once=4096, n_processes=n_processes) for step in steps]
        return padding_efficiency(lengths, [batch.rows for step in shares for share in step for batch in share])

    order = np.random.default_rng(0).permutation(len(lengths))
    random = np.split(order, range(ROWS_PER_BATCH, len(order), ROWS_PER_BATCH))
    return {
        "ours, 4096 tokens a step": efficiency(4096, 1),
        "ours, 4096 tokens a step, 2 processes": efficiency(4096, 2),
        "ours, 16384 tokens a step": efficiency(16384, 1),
        "random batches of 32": padding_efficiency(lengths, random),
        "padding to 512": float(lengths.mean() / LONGEST),
    }


def quality_figures(n_seeds: int) -> dict[str, Any]:
    """Area under the ROC curve on unseen texts, our loop less random batches of a fixed number of rows."""
    test = texts(1500, seed=99, median=24, longest=96)
    areas: dict[str, list[float]] = {"ours": [], "random batches": []}
    for seed in range(n_seeds):
        rows = texts(1200, seed=seed, median=24, longest=96)
        recipe = recipe_for(rows, learning_rate=1e-3, max_epochs=3, seed=seed, warmup_share=0.0)
        for name in areas:
            network = Network(width=64, layers=2, seed=seed, has_lora=False)
            if name == "ours":
                ours(network, rows, recipe)
            else:
                rng = np.random.default_rng(seed)
                orders = [rng.permutation(len(rows)) for _ in range(recipe.max_epochs)]
                batches = [
                    [batch]
                    for order in orders
                    for batch in np.split(order, range(ROWS_PER_BATCH, 1200, ROWS_PER_BATCH))
                ]
                bare_loop(network, rows, batches, learning_rate=recipe.step_size)
            areas[name].append(roc_auc_score(test.gap, class_probabilities(network, test.input_ids)[:, 0]))
    differences = np.array(areas["ours"]) - np.array(areas["random batches"])
    half = float(student.ppf(0.975, n_seeds - 1) * differences.std(ddof=1) / np.sqrt(n_seeds))
    mean = float(differences.mean())
    return {
        "seeds": n_seeds,
        "auc": {name: [round(value, 4) for value in values] for name, values in areas.items()},
        "difference": mean,
        "interval": [mean - half, mean + half],
    }


def memory_figures() -> dict[str, float]:
    """Megabytes of each variant in a process of its own, and what `estimate` says of ours."""
    figures = {}
    for name in ("ours", "dynamic", "max_length"):
        command = [sys.executable, "-m", "benchmarks.training", "--memory-of", name]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        figures[name] = float(run.stdout)
    rows = texts(ROWS, seed=0, median=70, longest=LONGEST)
    network = Network(width=192, layers=3, seed=0, has_lora=True)
    found = estimate(network, rows, NO_ROWS, recipe_for(rows))
    held = sum(4 * weight.numel() for weight in network.module.parameters())  # before training starts
    figures["ours, estimated"] = (found.peak_memory_bytes - held) / 1e6
    return figures


def _memory_of(name: str) -> float:
    rows = texts(ROWS, seed=0, median=70, longest=LONGEST)
    network = Network(width=192, layers=3, seed=0, has_lora=True)
    network.logits(torch.ones(1, 8, dtype=torch.long), torch.ones(1, 8, dtype=torch.long))
    before = _highest_resident_mb()
    if name == "ours":
        ours(network, rows, recipe_for(rows))
    else:
        trainer(network, rows, name)
    return _highest_resident_mb() - before


def _highest_resident_mb() -> float:
    """Of this program alone; getrusage would count the parent's memory at the fork."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Rounds of the interleaved timing.")
@click.option("--seeds", default=5, show_default=True, help="Seeds of the quality comparison.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--memory-of", hidden=True)
def main(rounds: int, seeds: int, as_json: bool, memory_of: str | None) -> None:
    """Time the training loop beside the Trainer. Example: python -m benchmarks.training --json."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers_logging.set_verbosity_error()
    if memory_of is not None:
        click.echo(_memory_of(memory_of))
        return
    figures = {
        "threads": torch.get_num_threads(),
        "speed": speed_figures(rounds),
        "padding_efficiency": padding_figures(),
        "quality": quality_figures(seeds),
        "peak_memory_mb": memory_figures(),
    }
    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    _table(figures)


def _table(figures: dict[str, Any]) -> None:
    speed, quality = figures["speed"], figures["quality"]
    click.echo(f"real tokens a CPU second, {figures['threads']} thread, median of {speed['rounds']} rounds")
    for name, value in speed["tokens_per_cpu_s"].items():
        faster = speed["times_faster"].get(name)
        note = f"  ours is {faster['median']:.2f} times as fast (bar {faster['bar']})" if faster else ""
        click.echo(f"  {name:40} {value:8,.0f}{note}")
    click.echo(f"  our loop costs {speed['cost_over_bare_loop']:.1%} over the bare loop")
    click.echo("padding efficiency")
    for name, value in figures["padding_efficiency"].items():
        click.echo(f"  {name:40} {value:8.3f}")
    low, high = quality["interval"]
    click.echo(
        f"AUC, {quality['seeds']} seeds: ours less random batches {quality['difference']:+.4f}, "
        f"95 % {low:+.4f} to {high:+.4f}"
    )
    for name, values in quality["auc"].items():
        click.echo(f"  {name:40} {np.mean(values):8.4f}")
    click.echo("peak memory above what stood before training, MB")
    for name, value in figures["peak_memory_mb"].items():
        click.echo(f"  {name:40} {value:8,.0f}")


if __name__ == "__main__":
    main()
