"""Do 100 chosen labels teach as much as 200 random ones? `python -m benchmarks.active_labels --data DIR [--json]`.

Public outcomes are replayed as experts' labels. The base is the matrix factorization of the general rows
(`benchmarks.adaptation`); adaptation moves the pair's vector by `models.shrinkage`, the convex problem that LoRA
solves there, its strength chosen on the labels. Per target and seed the texts are dealt into five folds; each fold is
scored by routers adapted on labels from the other four.

| arm | 100 labels (or 200) are |
|---|---|
| random | the first rows in random order |
| by score | drawn from all rows by the band around the base's median, weighted by 1 / inclusion probability |
| differing, evenly | drawn evenly from rows whose two answers differ; rows with one answer enter as ties, unasked |
| differing, by score | the same, drawn by the band: what `preceptor label select --stream active` does |

A gain is APGR minus the base's. Intervals are 95 %: texts and seeds are drawn anew, so they cover the choice of test
rows and of labels.
"""

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import click
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from assurance.bootstrap import percentile_interval, resampled_apgr
from assurance.curves import apgr, cost_quality_curve
from assurance.sampling import UNIFORM_FLOOR, inclusion_probabilities, systematic_draw
from benchmarks.public_sets import (
    BASE_PAIR,
    TARGETS,
    Target,
    as_dict,
    as_text,
    cache_option,
    data_option,
    load_rows,
    say,
    seeds_option,
)
from labeling.queueing.same_answers import say_the_same
from labeling.queueing.scoring import band
from labeling.queueing.selecting import TEMPERATURE
from models.embedding_cache import embed
from models.encoders import EncoderSpec, cache_folder, load_encoder
from models.factorization_fit import choose_l2, fit
from models.selection import grouped_folds
from models.shrinkage import choose_strength, move_from
from models.targets import row_weights

N_FOLDS = 5
N_LABELS = 100
MOST_TIES = 300
"""Rows that stand for all ties, each with the weight of those it stands for: more would cost time alone."""


@dataclass(frozen=True)
class World:
    """A target as the base reads it; n rows, of one text each or several."""

    features: Float[np.ndarray, "n d"]
    prior: Float[np.ndarray, " d"]
    gap: Float[np.ndarray, " n"]
    text_key: Int[np.ndarray, " n"]
    differs: Bool[np.ndarray, " n"]


def draw_by_score(world: World, pool: Int[np.ndarray, " m"], n: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Rows of the pool and their inclusion probabilities, by the band around the base's median on the pool."""
    probability = 1 / (1 + np.exp(-(world.features[pool] @ world.prior)))
    scores = band(probability, np.full(len(pool), np.median(probability)))
    chance = inclusion_probabilities(scores, n, temperature=TEMPERATURE, uniform_floor=UNIFORM_FLOOR)
    drawn = systematic_draw(chance, rng=rng)
    return pool[drawn], chance[drawn]


def arms(world: World, pool: Int[np.ndarray, " m"], rng: np.random.Generator) -> dict[str, tuple[Any, Any]]:
    """Rows to learn from and their weights, per arm. `pool` is in random order, one row a text."""
    ones = np.ones
    differing, same = pool[world.differs[pool]], pool[~world.differs[pool]]
    ties = same[:MOST_TIES]
    tie_weight = np.full(len(ties), len(same) / max(len(ties), 1))
    found: dict[str, tuple[Any, Any]] = {
        "100 random": (pool[:N_LABELS], ones(N_LABELS)),
        "200 random": (pool[: 2 * N_LABELS], ones(2 * N_LABELS)),
    }
    rows, chance = draw_by_score(world, pool, N_LABELS, rng)
    found["100 by score"] = rows, row_weights(ones(len(rows)), chance).values
    evenly = differing[:N_LABELS], np.full(min(N_LABELS, len(differing)), N_LABELS / len(differing))
    for name, (rows, chance) in {
        "100 differing, evenly": evenly,
        "100 differing, by score": draw_by_score(world, differing, N_LABELS, rng),
    }.items():
        weight = np.concatenate([1 / np.minimum(chance, 1.0), tie_weight])
        found[name] = np.concatenate([rows, ties]), row_weights(weight).values
    return found


def measure(world: World, *, n_seeds: int) -> dict[str, Any]:
    """Gains over the base per arm, and their differences to 200 random labels."""
    scores: dict[str, list[Float[np.ndarray, " n"]]] = {}
    for seed in range(n_seeds):
        fold = grouped_folds(len(world.gap), n_folds=N_FOLDS, seed=seed, groups=world.text_key)
        columns: dict[str, Float[np.ndarray, " n"]] = {}
        for k in range(N_FOLDS):
            rng = np.random.default_rng([seed, k])
            outside, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            pool = rng.permutation(outside[np.unique(world.text_key[outside], return_index=True)[1]])
            vectors = {"base": world.prior}
            for name, (rows, weights) in arms(world, pool, rng).items():
                vectors[name] = adapted(world, rows, weights)
            for name, vector in vectors.items():
                column = columns.setdefault(name, np.zeros(len(world.gap)))
                column[test] = rankdata(world.features[test] @ vector) / len(test)
        for name, column in columns.items():
            scores.setdefault(name, []).append(column)
        say(f"  seed {seed + 1} of {n_seeds}")
    return figures_of(scores, world, n_seeds=n_seeds)


def adapted(world: World, rows: Int[np.ndarray, " k"], weights: Float[np.ndarray, " k"]) -> Float[np.ndarray, " d"]:
    """The pair's vector after these labels."""
    features, targets = world.features[rows], (1 + world.gap[rows]) / 2
    strength, _ = choose_strength(features, targets, world.prior, weights=weights, groups=world.text_key[rows])
    return move_from(features, targets, world.prior, strength=strength, weights=weights)[0]


def figures_of(scores: Mapping[str, Sequence[Any]], world: World, *, n_seeds: int) -> dict[str, Any]:
    """APGR and differences, texts and seeds drawn anew."""
    rng = np.random.default_rng(0)
    names = list(scores)
    stacked = np.stack([column for name in names for column in scores[name]])
    zero = np.zeros(len(world.gap))
    point = np.array([apgr(cost_quality_curve(column, zero, world.gap)) for column in stacked])
    drawn = resampled_apgr(stacked, world.gap, rng=rng, groups=world.text_key)
    seeds = rng.integers(n_seeds, size=(n_seeds, drawn.shape[1]))

    def mean(name: str) -> tuple[float, Float[np.ndarray, " b"]]:
        first = names.index(name) * n_seeds
        own = drawn[first : first + n_seeds]
        return float(point[first : first + n_seeds].mean()), np.take_along_axis(own, seeds, axis=0).mean(axis=0)

    means = {name: mean(name) for name in names}

    def minus(name: str, other: str) -> dict[str, float]:
        (one, ones), (two, twos) = means[name], means[other]
        return as_dict(percentile_interval(one - two, ones - twos))

    return {
        "n_rows": len(world.gap),
        "share_differing": float(world.differs.mean()),
        "share_telling": float(np.mean(world.gap != 0)),
        "base": as_dict(percentile_interval(*means["base"])),
        "gain": {name: minus(name, "base") for name in names if name != "base"},
        "minus_200_random": {name: minus(name, "200 random") for name in names if name not in ("base", "200 random")},
    }


def answers_differ(folder: Path, target: Target) -> Bool[np.ndarray, " n"]:
    """Per row of `load_rows`, whether the two models' final answers say different things."""
    with gzip.open(folder / "outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if row["domain"] == target.domain and all(m in row["results"] for m in target.pair)]
    said = [[str(row["results"][model]["pred"]) for model in target.pair] for row in rows]
    return np.array([not say_the_same(one, other) for one, other in said])


def run(data: Path, *, targets: Sequence[str], n_seeds: int, cache: Path) -> dict[str, Any]:
    """Every figure by target."""
    rows = {name: load_rows(data / one.data, one.pair, one.domain) for name, one in TARGETS.items()}
    general = load_rows(data / "mmlu-pro-outcomes", BASE_PAIR, "general")
    general = general.without(np.concatenate([one.text_key for one in rows.values()]))
    encoder = load_encoder(EncoderSpec())
    vectors = embed(general.texts, encoder, folder=cache)
    l2 = choose_l2(vectors, general.quality, BASE_PAIR, groups=general.text_key)
    base = fit(vectors, general.quality, BASE_PAIR, l2=l2)
    figures: dict[str, Any] = {"n_seeds": n_seeds, "n_labels": N_LABELS, "targets": {}}
    for name in targets:
        say(name)
        target, one = TARGETS[name], rows[name]
        stood_in = base.with_stand_ins(dict(zip(target.pair, BASE_PAIR, strict=True)))
        world = World(
            features=(embed(one.texts, encoder, folder=cache).astype(np.float64) - base.center) * base.scale,
            prior=stood_in.collapse(*target.pair).vector.astype(np.float64) / base.scale,
            gap=one.quality[:, 1] - one.quality[:, 0],
            text_key=one.text_key,
            differs=answers_differ(data / target.data, target),
        )
        figures["targets"][name] = measure(world, n_seeds=n_seeds)
    return figures


def table(figures: Mapping[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{figures['n_seeds']} seeds, {N_FOLDS} folds; APGR with 95 % intervals, random is 0.5."]
    for name, one in figures["targets"].items():
        lines.append(
            f"\n{name}: {one['n_rows']} rows, answers differ in {one['share_differing']:.0%}, qualities in "
            f"{one['share_telling']:.0%}; base {as_text(one['base'])}"
        )
        for arm, gain in one["gain"].items():
            less = one["minus_200_random"].get(arm)
            told = f"   minus 200 random {as_text(less, '+')}" if less else ""
            lines.append(f"  {arm:26} gain {as_text(gain, '+')}{told}")
    return "\n".join(lines)


@click.command()
@data_option
@seeds_option
@click.option("--target", "targets", multiple=True, type=click.Choice(list(TARGETS)), help="Only this one; may repeat.")
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(data: Path, n_seeds: int, targets: tuple[str, ...], cache: Path | None, as_json: bool) -> None:
    """Replay outcomes as labels. Example: python -m benchmarks.active_labels --data ../data --json."""
    folder = cache or cache_folder() / "embeddings"
    figures = run(data, targets=targets or tuple(TARGETS), n_seeds=n_seeds, cache=folder)
    click.echo(json.dumps(figures, indent=1) if as_json else table(figures))


if __name__ == "__main__":
    main()
