"""A new model with few labels beside full training: `python -m benchmarks.cold_start --data DIR [--seeds 5] [--json]`.

The matrix is that of 12 models on medical questions: ten of medagents-medqa and two of mirage-medqa, joined on the
normalised question text (answers to one text are averaged). Texts are dealt into as many folds as there are seeds;
seed i holds fold i out. Per seed and model: `full` is trained on all models' outcomes of the other folds; the base is
trained on the same rows without any outcome of that model, which then joins by some labelled rows of these, drawn by
the seed, `N_DRAWS` times over. The strength of l2 is chosen on the seed's training rows, once for both.

The statistic is the APGR of every pair of the model that joined and a known one whose accuracies differ by
`SMALLEST_GAP` or more, scores compared by their rank within a fold, averaged over pairs, draws and models. `loss` is
full training's minus the joined one's. Intervals are 95 %, paired, from a bootstrap over texts with ranks held fixed;
they cover the choice of test rows. `by_seed` shows how much the fold matters.

| how the model joins | labels |
|---|---|
| `join, n labels` | `models.factorization_join` |
| `mean of the known, 200 labels` | the vector is the mean of the known models', whatever the labels say |
| `nearest, 200 labels` | stands in for the known model whose accuracy on the labelled rows is nearest |
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from benchmarks.public_sets import cache_option, data_option, say, seeds_option
from models.embedding_cache import embed
from models.encoders import EncoderSpec, cache_folder, load_encoder
from models.factorization_fit import choose_l2, fit
from models.factorization_join import JoinLabels, join
from models.matrix_factorization import MatrixFactorization
from models.selection import grouped_folds
from pipeline.split import normalised_text

SETS = {"medagents-medqa": None, "mirage-medqa": ("gpt-4-32k", "gpt-3.5-turbo-16k")}
"""Sets of one domain, and which of their models; None: all."""

SMALLEST_GAP = 0.03
"""Pairs closer in accuracy than this have no gap to recover."""

N_LABELS = (50, 100, 200, 400)
BAR_LABELS, LARGEST_LOSS = 200, 0.02

N_DRAWS = 5
"""How often labels are drawn, per seed and model."""

N_RESAMPLES = 2_000


@dataclass(frozen=True)
class Outcomes:
    """Questions and the quality of every model's answer; NaN where a model did not answer."""

    texts: list[str]
    models: list[str]
    quality: Float[np.ndarray, "n M"]

    def gap(self, weak: int, strong: int) -> Float[np.ndarray, " n"]:
        """Quality of one model minus that of another; NaN where one of them is unknown."""
        return self.quality[:, strong] - self.quality[:, weak]


def load_outcomes(data: Path) -> Outcomes:
    """The sets of `SETS` as one matrix, a row per normalised text."""
    answers: dict[str, dict[str, list[float]]] = {}
    texts: dict[str, str] = {}
    for name, chosen in SETS.items():
        with gzip.open(data / name / "outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        for row in rows:
            key = normalised_text(row["question"])
            texts.setdefault(key, row["question"])
            for model, result in row["results"].items():
                if chosen is None or model in chosen:
                    answers.setdefault(key, {}).setdefault(model, []).append(float(result["correct"]))
    models = sorted({model for row in answers.values() for model in row})
    quality = np.array(
        [[np.mean(answers[key][model]) if model in answers[key] else np.nan for model in models] for key in texts]
    )
    return Outcomes(list(texts.values()), models, quality)


def measure(outcomes: Outcomes, embeddings: Float[np.ndarray, "n d"], *, n_seeds: int) -> dict[str, Any]:
    """Mean APGR by way of joining, and what it loses to full training."""
    fold = grouped_folds(len(outcomes.texts), n_folds=n_seeds, seed=0)
    cases = [
        (new, known)
        for new in range(len(outcomes.models))
        for known in range(len(outcomes.models))
        if new != known and abs(np.nanmean(outcomes.gap(known, new))) >= SMALLEST_GAP
    ]
    ways = ["full", *(f"join, {n} labels" for n in N_LABELS)]
    ways += [f"{how}, {BAR_LABELS} labels" for how in ("mean of the known", "nearest")]
    recovered = {way: np.zeros((len(outcomes.texts), len(cases))) for way in ways}
    gaps = np.zeros((len(outcomes.texts), len(cases)))
    strengths = []
    for seed in range(n_seeds):
        train, test = np.flatnonzero(fold != seed), np.flatnonzero(fold == seed)
        l2 = choose_l2(embeddings[train], outcomes.quality[train], outcomes.models, seed=seed)
        strengths.append(l2)
        full = fit(embeddings[train], outcomes.quality[train], outcomes.models, l2=l2)
        for new, name in enumerate(outcomes.models):
            routers = {"full": [full], **_joined(outcomes, embeddings, new=new, rows=train, l2=l2, seed=seed)}
            for column in (c for c, case in enumerate(cases) if case[0] == new):
                known = cases[column][1]
                is_strong = np.nanmean(outcomes.gap(known, new)) > 0
                pair = (outcomes.models[known], name) if is_strong else (name, outcomes.models[known])
                gap = outcomes.gap(*(outcomes.models.index(model) for model in pair))[test]
                asked = test[np.isfinite(gap)]
                gaps[asked, column] = gap[np.isfinite(gap)]
                for way, drawn in routers.items():
                    for router in drawn:
                        ranks = rankdata(embeddings[asked] @ router.collapse(*pair).vector)
                        share = (ranks - 0.5) / len(asked) / len(drawn)
                        recovered[way][asked, column] += gaps[asked, column] * share
            say(f"  seed {seed + 1} of {n_seeds}, model {new + 1} of {len(outcomes.models)}")
    return {
        "models": outcomes.models,
        "n_texts": len(outcomes.texts),
        "n_train": int(np.mean([np.sum(fold != seed) for seed in range(n_seeds)])),
        "n_pairs": len(cases),
        "n_draws": N_DRAWS,
        "l2": strengths,
        "apgr": {way: _interval(recovered[way], gaps) for way in ways},
        "loss": {way: _interval(recovered["full"] - recovered[way], gaps) for way in ways[1:]},
        "by_seed": {
            way: [_ratio(recovered["full"] - recovered[way], gaps, fold == seed) for seed in range(n_seeds)]
            for way in ways[1:]
        },
        "bar": {"way": f"join, {BAR_LABELS} labels", "largest_loss": LARGEST_LOSS},
    }


def _joined(
    outcomes: Outcomes,
    embeddings: Float[np.ndarray, "n d"],
    *,
    new: int,
    rows: Int[np.ndarray, " t"],
    l2: float,
    seed: int,
) -> dict[str, list[MatrixFactorization]]:
    """Routers whose base never saw an outcome of model `new`, by the way it joined, one a draw of labels."""
    known = [i for i in range(len(outcomes.models)) if i != new]
    names, name = [outcomes.models[i] for i in known], outcomes.models[new]
    base = fit(embeddings[rows], outcomes.quality[rows][:, known], names, l2=l2)
    mean = replace(
        base,
        model_names=(*names, name),
        model_vectors=np.vstack([base.model_vectors, base.model_vectors.mean(axis=0, keepdims=True)]),
        model_biases=np.append(base.model_biases, 0.0),
    )
    answered = rows[np.isfinite(outcomes.quality[rows, new])]
    routers: dict[str, list[MatrixFactorization]] = {}
    for draw in range(N_DRAWS):
        shuffled = np.random.default_rng([seed, new, draw]).permutation(answered)
        for n in N_LABELS:
            labelled = shuffled[:n]
            q_new, q_known = outcomes.quality[labelled, new], outcomes.quality[labelled][:, known]
            joined = join(base, name, JoinLabels(embeddings[labelled], q_new, q_known), seed=seed).router
            routers.setdefault(f"join, {n} labels", []).append(joined)
            if n == BAR_LABELS:
                nearest = names[int(np.argmin(np.abs(np.nanmean(q_known - q_new[:, None], axis=0))))]
                routers.setdefault(f"nearest, {n} labels", []).append(base.with_stand_ins({name: nearest}))
                routers.setdefault(f"mean of the known, {n} labels", []).append(mean)
    return routers


def _ratio(recovered: Float[np.ndarray, "n p"], gaps: Float[np.ndarray, "n p"], rows: Any) -> float:  # noqa: ANN401
    return float(np.mean(recovered[rows].sum(axis=0) / gaps[rows].sum(axis=0)))


def _interval(recovered: Float[np.ndarray, "n p"], gaps: Float[np.ndarray, "n p"]) -> dict[str, float]:
    """Mean over pairs of the recovered share of the gap; texts drawn anew."""
    rng, n = np.random.default_rng(0), len(gaps)
    drawn = []
    for _ in range(0, N_RESAMPLES, 100):
        counts = rng.multinomial(n, np.full(n, 1.0 / n), size=100).astype(float)
        drawn.append(np.mean(counts @ recovered / (counts @ gaps), axis=1))
    low, high = np.quantile(np.concatenate(drawn), (0.025, 0.975))
    return {"estimate": _ratio(recovered, gaps, slice(None)), "low": float(low), "high": float(high)}


def table(figures: Mapping[str, Any]) -> str:
    """The figures for people."""
    lines = [
        f"{len(figures['models'])} models, {figures['n_texts']} texts, {figures['n_train']} to train on, "
        f"{figures['n_pairs']} pairs of a joined and a known model; l2 {figures['l2']}. Random is 0.5.",
        f"{'':32} {'mean APGR':24} loss to full training",
    ]
    for way, interval in figures["apgr"].items():
        loss = figures["loss"].get(way)
        seeds = ", ".join(f"{value:.3f}" for value in figures["by_seed"].get(way, []))
        lines.append(f"{way:32} {_text(interval)}" + (f"    {_text(loss, '+')}   by seed {seeds}" if loss else ""))
    bar = figures["bar"]
    lines.append(f"Bar: '{bar['way']}' loses at most {bar['largest_loss']}.")
    return "\n".join(lines)


def _text(interval: Mapping[str, float], sign: str = "") -> str:
    return f"{interval['estimate']:{sign}.4f} [{interval['low']:{sign}.4f}, {interval['high']:{sign}.4f}]"


@click.command()
@data_option
@seeds_option
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(data: Path, n_seeds: int, cache: Path | None, as_json: bool) -> None:
    """Hold out each model, let it join. Example: python -m benchmarks.cold_start --data ../data --json."""
    outcomes = load_outcomes(data)
    folder = cache or cache_folder() / "embeddings"
    embeddings = embed(outcomes.texts, load_encoder(EncoderSpec()), folder=folder)
    figures = measure(outcomes, embeddings, n_seeds=n_seeds)
    click.echo(json.dumps(figures, indent=1) if as_json else table(figures))


if __name__ == "__main__":
    main()
