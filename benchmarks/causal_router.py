"""A causal language model as router on real outcomes: `python -m benchmarks.causal_router --data DIR [--target NAME]`.

SmolLM2-135M with a LoRA update is fine-tuned on four fifths of a target's texts and ranks the last fifth, beside the
combined router and the floors fitted on the same rows. One fold, one seed: the training takes ten minutes a thousand
rows on one core, and goes on where it was interrupted. Intervals are 95 %, paired, from a bootstrap over test texts.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from jaxtyping import Float, Int

from assurance.bootstrap import apgr_interval, paired_apgr_difference
from benchmarks.public_sets import TARGETS, as_dict, as_text, cache_option, data_option, load_rows, say
from models.combined_fit import Labels, fit_combined
from models.embedding_cache import embed
from models.encoders import EncoderSpec, cache_folder, load_encoder
from models.floors import FLOORS
from models.networks.spec import describe
from models.router import Queries
from models.selection import grouped_folds
from models.targets import targets_of
from models.text_training import TextLabels, TextTraining, fine_tune
from models.training.recipe import TrainingRecipe


def measure(data: Path, target: str, *, epochs: int, work: Path, cache: Path) -> dict[str, Any]:
    """APGR of each router on the held-out fifth, and what the language model gains over each other one."""
    one = TARGETS[target]
    rows = load_rows(data / one.data, one.pair, one.domain)
    gap, keys = rows.quality[:, 1] - rows.quality[:, 0], rows.text_key
    fold = grouped_folds(len(gap), n_folds=5, seed=0, groups=keys)
    train, test = np.flatnonzero(fold != 0), np.flatnonzero(fold == 0)
    texts, unseen = [rows.texts[i] for i in train], [rows.texts[i] for i in test]
    topics = [rows.topics[i] for i in train]
    vectors = embed(rows.texts, load_encoder(EncoderSpec()), folder=cache)
    combined = fit_combined(texts, vectors[train], Labels(gap[train], topics, None, groups=keys[train]), seed=0).router
    scores = {"combined": combined.score_texts(unseen, vectors[test])}
    for floor, fit_floor in FLOORS.items():
        scores[floor] = fit_floor(texts, topics, gap[train], seed=0)(unseen, [rows.topics[i] for i in test])

    recipe = TrainingRecipe(max_epochs=epochs, evaluations_per_epoch=2)
    classes = targets_of(rows.quality[train, 0], rows.quality[train, 1]).classes
    labels = TextLabels(texts, classes, np.ones(len(train)), gap[train], keys[train])
    training = TextTraining(recipe, work / target.replace(" ", "-"))
    started = time.perf_counter()
    tuned = fine_tune(
        describe("causal_lm", recipe=recipe),
        labels,
        training,
        on_step=lambda step: say(f"  {target}: step {step.step} of {step.n_steps}, loss {step.loss:.3f}"),
    )
    seconds = time.perf_counter() - started
    scores = {"causal_lm": tuned.router.score(Queries(unseen, lambda _: np.zeros((0, 0)))), **scores}
    return {
        "target": target,
        "n_train": len(train),
        "n_test": len(test),
        "n_truncated": tuned.n_truncated,
        "seconds": seconds,
    } | _figures(scores, rows.quality[test], keys[test])


def _figures(
    scores: dict[str, Float[np.ndarray, " n"]], quality: Float[np.ndarray, "n 2"], keys: Int[np.ndarray, " n"]
) -> dict[str, Any]:
    weak, strong = quality.T
    rng = np.random.default_rng
    return {
        "apgr": {name: as_dict(apgr_interval(s, weak, strong, rng=rng(0), groups=keys)) for name, s in scores.items()},
        "causal_minus": {
            name: as_dict(paired_apgr_difference(scores["causal_lm"], s, strong - weak, rng=rng(0), groups=keys))
            for name, s in scores.items()
            if name != "causal_lm"
        },
    }


@click.command()
@data_option
@click.option("--target", default="mmlu-pro finance", show_default=True, type=click.Choice(tuple(TARGETS)))
@click.option("--epochs", default=2, show_default=True, type=click.IntRange(1, 20), help="Passes over the rows.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("causal-router"), help="Where training goes on.")
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(data: Path, target: str, epochs: int, work: Path, cache: Path | None, as_json: bool) -> None:
    """Fine-tune and rank. Example: python -m benchmarks.causal_router --data DIR --target tatqa."""
    figures = measure(data, target, epochs=epochs, work=work, cache=cache or cache_folder() / "embeddings")
    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    click.echo(
        "{target}: {n_train} rows trained on in {seconds:.0f} s, {n_test} tested; random is 0.5.".format(**figures)
    )
    for name, interval in figures["apgr"].items():
        gain = figures["causal_minus"].get(name)
        click.echo(f"  {name:12} {as_text(interval)}" + (f"   causal_lm minus it {as_text(gain, '+')}" if gain else ""))


if __name__ == "__main__":
    main()
