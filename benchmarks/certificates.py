"""Certificates on real outcomes: how often a promise breaks, and what it costs: `python -m benchmarks.certificates`.

Each set's rows are scored out of fold by a logistic regression on TF-IDF, folds grouped by question, one row a
question. The set then stands for all traffic, so the true harm of a threshold is known: 200 studies each draw labels
from it, with replacement, certify on them, and are broken where the set's harm exceeds the promise. Plug-in tuning, the
highest threshold that keeps the promise on the study's own rows, meets the same draws; the oracle knows the set.

`world` is simulated. Costs count the strong model's answer as 1 and the weak one's as 0.06.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from assurance.bounds import binomial_interval
from assurance.certificates import GRID, Promise, Rows, certify
from assurance.planning import auroc_needed, auroc_of, clean_labels
from benchmarks.public_sets import TARGETS, data_option, load_rows, say
from models.selection import grouped_folds

WEAK_COST = 0.06
DELTA = 0.05
MAX_HARMS = (0.02, 0.05, 0.10)
N_LABELS = (200, 1000)
SEPARATION = 1.092
"""Of the simulated world: the router's AUROC for harm is 0.78."""


@dataclass(frozen=True)
class Outcomes:
    """Scored outcomes that stand for all traffic, and how a study draws n labels of it."""

    rows: Rows
    draw: Callable[[int, np.random.Generator], Rows]


def harmful(rows: Rows) -> Float[np.ndarray, " n"]:
    """1 where the weak answer is wrong and the strong one right."""
    return ((rows.strong > 0.5) & (rows.weak <= 0.5)).astype(float)


def cost(rows: Rows, threshold: float) -> float:
    """Mean cost a query, the strong model's answer being 1."""
    return float(np.where(rows.probability < threshold, WEAK_COST, 1.0).mean())


def harm(rows: Rows, threshold: float) -> float:
    """Share of queries that are harmed at this threshold."""
    return float((harmful(rows) * (rows.probability < threshold)).mean())


def oracle(rows: Rows, max_harm: float) -> float:
    """The highest threshold that keeps the promise on these very rows."""
    order = np.argsort(rows.probability, kind="stable")
    below = np.searchsorted(rows.probability[order], GRID, side="left")
    harms = np.concatenate(([0.0], np.cumsum(harmful(rows)[order])))[below] / len(order)
    return float(GRID[np.flatnonzero(harms <= max_harm)[-1]])


def measured(outcomes: Outcomes, max_harm: float, *, n_labels: int, repeats: int) -> dict[str, Any]:
    """One line: broken promises of certificate and plug-in, and costs beside the oracle's and always strong."""
    rng = np.random.default_rng([n_labels, round(1000 * max_harm)])
    traffic = outcomes.rows
    broken, plug_in, none, costs = 0, 0, 0, []
    for _ in range(repeats):
        study = outcomes.draw(n_labels, rng)
        found = certify("all", study, Promise(max_loss=max_harm, delta=DELTA))
        none += not found.is_certified
        broken += harm(traffic, found.threshold) > max_harm
        plug_in += harm(traffic, oracle(study, max_harm)) > max_harm
        costs.append(cost(traffic, found.threshold))
    rate = float(harmful(traffic).mean())
    share = binomial_interval(broken, repeats)
    return {
        "max_harm": max_harm,
        "labels": n_labels,
        "broken": broken / repeats,
        "broken_low": share.low,
        "broken_high": share.high,
        "plug_in_broken": plug_in / repeats,
        "certified_nothing": none / repeats,
        "cost": float(np.mean(costs)),
        "oracle_cost": cost(traffic, oracle(traffic, max_harm)),
        "always_strong_cost": 1.0,
        "harm_rate_of_always_weak": rate,
        "auroc_of_harm": auroc_of(traffic.probability, harmful(traffic) > 0),
        "auroc_for_a_fifth_weak": auroc_needed(n_labels, rate, max_harm, delta=DELTA),
        "clean_labels": clean_labels(max_harm, DELTA),
    }


def simulated() -> Outcomes:
    """The simulated world; its traffic is 200,000 rows."""

    def rows(n: int, rng: np.random.Generator) -> Rows:
        kind = rng.choice(3, size=n, p=[0.15, 0.03, 0.82])
        score = rng.normal(size=n) + SEPARATION * (kind == 0)
        weak, strong = np.where(kind == 0, 0.0, 1.0), np.where(kind == 1, 0.0, 1.0)
        return Rows(1 / (1 + np.exp(1 - score)), weak, strong)

    return Outcomes(rows(200_000, np.random.default_rng(1)), rows)


def of_set(folder: Path, name: str) -> Outcomes:
    """A public set, scored out of fold, one row a question: copies are one unit."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    target = TARGETS[name]
    found = load_rows(folder / target.data, target.pair, target.domain)
    weak, strong = found.quality.T
    needed = (strong > 0.5) & (weak <= 0.5)
    fold = grouped_folds(len(needed), n_folds=5, seed=0, groups=found.text_key)
    probability = np.zeros(len(needed))
    for k in range(5):
        say(f"{name}: fold {k + 1} of 5")
        inside = np.flatnonzero(fold == k)
        outside = np.flatnonzero(fold != k)
        fit = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=20_000), LogisticRegression(C=0.3, max_iter=300)
        ).fit([found.texts[i] for i in outside], needed[outside])
        probability[inside] = fit.predict_proba([found.texts[i] for i in inside])[:, 1]
    first = np.unique(found.text_key, return_index=True)[1]
    rows = Rows(probability[first], weak[first], strong[first])

    def draw(n: int, rng: np.random.Generator) -> Rows:
        chosen = rng.integers(0, len(first), size=n)
        return Rows(rows.probability[chosen], rows.weak[chosen], rows.strong[chosen])

    return Outcomes(rows, draw)


def measure(folder: Path | None, repeats: int) -> dict[str, list[dict[str, Any]]]:
    """Every figure by set."""
    sets: dict[str, Callable[[], Outcomes]] = {"world": simulated}
    if folder is not None:
        sets |= {name: lambda name=name: of_set(folder, name) for name in ("mirage", "medagents")}  # type: ignore[misc]
    figures = {}
    for name, load in sets.items():
        outcomes = load()
        figures[name] = [
            measured(outcomes, max_harm, n_labels=n, repeats=repeats) for n in N_LABELS for max_harm in MAX_HARMS
        ]
    return figures


def table(figures: Mapping[str, list[dict[str, Any]]]) -> str:
    """The figures as lines, and a sentence where a router is too weak."""
    lines = [
        f"{'set':<10}{'promise':>8}{'labels':>8}{'broken (95 % interval)':>26}{'plug-in':>9}{'nothing':>9}"
        f"{'cost':>7}{'oracle':>8}{'AUROC':>7}"
    ]
    notes = []
    for name, found in figures.items():
        for one in found:
            broken = f"{one['broken']:.3f} [{one['broken_low']:.3f}, {one['broken_high']:.3f}]"
            lines.append(
                f"{name:<10}{one['max_harm']:>8.0%}{one['labels']:>8,}{broken:>26}{one['plug_in_broken']:>9.3f}"
                f"{one['certified_nothing']:>9.2f}{one['cost']:>7.3f}{one['oracle_cost']:>8.3f}{one['auroc_of_harm']:>7.2f}"
            )
            if one["cost"] > 1 - 0.2 * (1 - WEAK_COST):
                takes = one["auroc_for_a_fifth_weak"]
                would = (
                    "no score would change that" if takes >= 1 else f"an AUROC of about {takes:.2f} would change that"
                )
                notes.append(
                    f"{name}, {one['max_harm']:.0%}, {one['labels']:,} labels: fewer than a fifth of answers leave; "
                    f"{would}. Without any harm {one['clean_labels']} labels certify."
                )
    return "\n".join([*lines, "", "always strong costs 1.000", *notes])


@click.command()
@data_option
@click.option("--repeats", default=200, show_default=True, type=click.IntRange(20), help="Studies a line.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every figure.")
def main(data: Path, repeats: int, as_json: bool) -> None:
    """How often certificates break, and what they cost, on real outcomes and in a simulated world."""
    with threadpool_limits(limits=1):
        figures = measure(data, repeats)
    click.echo(json.dumps(figures) if as_json else table(figures))


if __name__ == "__main__":
    main()
