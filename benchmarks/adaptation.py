"""Does adaptation beat the base on real outcomes? `python -m benchmarks.adaptation --data DIR [--encoder] [--json]`.

The base is a matrix-factorization router fitted on the `general` rows of mmlu-pro-outcomes for its own pair (Llama
3.1 8B and Gemini 1.5 Pro). Each target is another domain, and mostly another pair of models: there the base's pair
stands in for the target's, so its ordinary weak/strong direction is what "no adaptation" means. The adapted router is
that base after LoRA on the target's training labels; decay is chosen on these labels, and nothing here is set per
target. With --encoder there is a third: LoRA on the encoder and the pair's vector together (minutes a fold).

Rows are split by normalised question text. A text that occurs in any target is left out of the base's rows. Per
target the texts are dealt into as many folds as there are seeds; seed i holds fold i out and trains on the rest, so
every row is tested once, by a router that has not seen its text. Scores are compared by their rank within a fold.
Intervals are 95 %, paired, from a bootstrap over texts; they cover the choice of test rows, not that of training
rows.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import click
import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from assurance.bootstrap import apgr_interval, paired_apgr_difference
from benchmarks.public_sets import (
    BASE_PAIR,
    TARGETS,
    Rows,
    Target,
    as_dict,
    as_text,
    cache_option,
    data_option,
    load_rows,
    say,
    seeds_option,
)
from models.adaptation import Recipe, adapt, merge
from models.embedding_cache import embed
from models.encoder_adaptation import DomainLabels, EncoderUpdate, adapt_encoder
from models.encoder_router import EncoderRouter
from models.encoder_training import EncoderRecipe
from models.encoders import EncoderSpec, cache_folder, load_encoder
from models.factorization_fit import choose_l2, fit
from models.floors import FLOORS
from models.matrix_factorization import MatrixFactorization
from models.selection import grouped_folds


def measure(
    base: MatrixFactorization,
    rows: Rows,
    embeddings: Float[np.ndarray, "n d"],
    *,
    target: Target,
    n_seeds: int,
    with_encoder: bool = False,
) -> dict[str, Any]:
    """APGR of base, adapted and floors on the target's rows, each tested once, and the paired differences."""
    gap = rows.quality[:, 1] - rows.quality[:, 0]
    base = base.with_stand_ins(dict(zip(target.pair, BASE_PAIR, strict=True)))
    fold = grouped_folds(len(gap), n_folds=n_seeds, seed=0, groups=rows.text_key)
    fewer = {f"adapted, {n} labels": n for n in target.fewer_labels}
    encoders = ("adapted with encoder",) if with_encoder else ()
    scores = {name: np.zeros(len(gap)) for name in ("base", "adapted", *encoders, *fewer, *FLOORS)}
    decays, best_epochs = [], []
    for seed in range(n_seeds):
        train, test = np.flatnonzero(fold != seed), np.flatnonzero(fold == seed)

        def put(name: str, values: Float[np.ndarray, " t"], test: Int[np.ndarray, " t"] = test) -> None:
            scores[name][test] = rankdata(values) / len(values)

        shuffled = np.random.default_rng(seed).permutation(train)
        put("base", embeddings[test] @ base.collapse(*target.pair).vector)
        for name, chosen in {"adapted": train, **{name: shuffled[:n] for name, n in fewer.items()}}.items():
            adapter = adapt(
                base,
                embeddings[chosen],
                gap[chosen],
                pair=target.pair,
                groups=rows.text_key[chosen],
                recipe=Recipe(seed=seed),
            )
            put(name, embeddings[test] @ merge(base, adapter).collapse(*target.pair).vector)
            if name == "adapted":
                decays.append(adapter.weight_decay)
        if with_encoder:
            update = _encoder_update(base, rows, gap, train, pair=target.pair, seed=seed)
            best_epochs.append(update.best_epoch)
            put(encoders[0], EncoderRouter.of(update).score_texts([rows.texts[i] for i in test]))
        for name, floor in FLOORS.items():
            scorer = floor([rows.texts[i] for i in train], [rows.topics[i] for i in train], gap[train], seed=seed)
            put(name, scorer([rows.texts[i] for i in test], [rows.topics[i] for i in test]))
        say(f"  seed {seed + 1} of {n_seeds}")
    return {
        "pair": list(target.pair),
        "n_rows": len(gap),
        "n_train": int(np.mean([np.sum(fold != seed) for seed in range(n_seeds)])),
        "weight_decays": decays,
        "best_epochs_of_encoder": best_epochs,
        "apgr": {
            name: as_dict(
                apgr_interval(column, rows.quality[:, 0], rows.quality[:, 1], rng=_rng(), groups=rows.text_key)
            )
            for name, column in scores.items()
        },
        "adapted_minus": {
            name: as_dict(paired_apgr_difference(scores["adapted"], column, gap, rng=_rng(), groups=rows.text_key))
            for name, column in scores.items()
            if name != "adapted"
        },
    }


def _encoder_update(
    base: MatrixFactorization,
    rows: Rows,
    gap: Float[np.ndarray, " n"],
    train: Int[np.ndarray, " t"],
    *,
    pair: tuple[str, str],
    seed: int,
) -> EncoderUpdate:
    labels = DomainLabels([rows.texts[i] for i in train], gap[train], rows.text_key[train])
    recipe = EncoderRecipe(seed=seed)

    def on_epoch(epoch: int, gain: float) -> None:
        say(f"  epoch {epoch} of {recipe.max_epochs}: held-out ranking gain {gain:.2f}")

    return adapt_encoder(labels, base, pair, spec=EncoderSpec(runtime="torch"), recipe=recipe, on_epoch=on_epoch)


def run(data: Path, *, targets: Sequence[str], n_seeds: int, cache: Path, with_encoder: bool = False) -> dict[str, Any]:
    """Every figure by target."""
    rows = {name: load_rows(data / TARGETS[name].data, TARGETS[name].pair, TARGETS[name].domain) for name in TARGETS}
    general = load_rows(data / "mmlu-pro-outcomes", BASE_PAIR, "general")
    general = general.without(np.concatenate([one.text_key for one in rows.values()]))
    encoder = load_encoder(EncoderSpec())

    def vectors(name: str, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        return embed(
            texts, encoder, folder=cache, on_batch=lambda done: say(f"  {name}: {done} of {len(texts)} encoded")
        )

    embeddings = vectors("general", general.texts)
    l2 = choose_l2(embeddings, general.quality, BASE_PAIR, groups=general.text_key)
    base = fit(embeddings, general.quality, BASE_PAIR, l2=l2)
    figures: dict[str, Any] = {"base": {"n_rows": len(general.texts), "l2": l2}, "n_seeds": n_seeds, "targets": {}}
    for name in targets:
        say(name)
        figures["targets"][name] = measure(
            base,
            rows[name],
            vectors(name, rows[name].texts),
            target=TARGETS[name],
            n_seeds=n_seeds,
            with_encoder=with_encoder,
        )
    return figures


def table(figures: Mapping[str, Any]) -> str:
    """The figures for people."""
    lines = [
        f"Base: {figures['base']['n_rows']} general rows, l2 {figures['base']['l2']:g}. "
        f"Each row tested once in {figures['n_seeds']} folds; APGR with 95 % intervals, random is 0.5."
    ]
    for name, one in figures["targets"].items():
        lines.append(
            f"\n{name}: {one['n_rows']} rows, {one['n_train']} labels a fold, {one['pair'][0]} / {one['pair'][1]}"
        )
        for router, interval in one["apgr"].items():
            less = one["adapted_minus"].get(router)
            lines.append(
                f"  {router:22} {as_text(interval)}" + (f"   adapted minus it {as_text(less, '+')}" if less else "")
            )
    return "\n".join(lines)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


@click.command()
@data_option
@seeds_option
@click.option("--target", "targets", multiple=True, type=click.Choice(list(TARGETS)), help="Only this one; may repeat.")
@cache_option
@click.option("--encoder", "with_encoder", is_flag=True, help="Adapt the encoder too: minutes a fold.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    data: Path, n_seeds: int, targets: tuple[str, ...], cache: Path | None, with_encoder: bool, as_json: bool
) -> None:
    """Measure base, adapted and floors. Example: python -m benchmarks.adaptation --data ../data --json."""
    figures = run(
        data,
        targets=targets or tuple(TARGETS),
        n_seeds=n_seeds,
        cache=cache or cache_folder() / "embeddings",
        with_encoder=with_encoder,
    )
    click.echo(json.dumps(figures, indent=1) if as_json else table(figures))


if __name__ == "__main__":
    main()
