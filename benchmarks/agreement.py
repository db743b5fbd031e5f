"""What a second cheap model's agreement adds to the router, every call charged: `python -m benchmarks.agreement`.

    python -m benchmarks.agreement --data DIR [--target medagents] [--price DeepSeek-V3=0.27,1.10] [--json]

Texts are dealt into as many folds as there are seeds. In turn one fold is tested and the next one certifies; the
router (`combined`, from the question's text alone) and all else learn from the others, where its scores are held out.
The second model is the one with the highest APGR by cost on these training rows, of those that cost at most a fifth of
the strong model there.

APGR by cost is the area under the gap recovered over the mean cost of a query, 0 at always weak and 1 at always strong;
a coin has 0.5 (`assurance.charged`). Weak, second and strong calls are all paid by their tokens at the prices of
`benchmarks.priced_sets`; MMLU-Pro tells characters, four of which count as a token, and no prompt of examples is
charged there. Shippable: the share of weak answers that may leave at 5 % harm, over all queries or over those that
leave (selective). Intervals are 95 %, from a bootstrap over texts; they cover the choice of test rows, not of training
rows.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import click
import numpy as np
from jaxtyping import Float, Int

from assurance.bootstrap import Interval, apgr_interval, percentile_interval
from assurance.bounds import binomial_interval
from assurance.calibration import fit_calibrator
from assurance.charged import Answered, Policies, charged_apgr, charged_curve, resampled_charged_apgr
from assurance.signal_stack import fit_signal_stack
from benchmarks.agreement_table import BUDGETS, table
from benchmarks.cascade import MANNERS_OF_ASKING as MANNERS
from benchmarks.cascade import expect, features_of, part_of, policies_of
from benchmarks.priced_sets import PRICES, Price, PricedRows, load_priced
from benchmarks.public_sets import TARGETS, as_dict, cache_option, data_option, say
from benchmarks.shippable import Judged, certified_shares, found_shares
from models.combined_fit import Labels, fit_combined
from models.embedding_cache import embed
from models.encoders import EncoderSpec, cache_folder, load_encoder
from models.selection import grouped_folds

MOST_OF_STRONG = 0.2
"""A second model is cheap where it costs at most this share of the strong one."""


def measure(rows: PricedRows, vectors: Float[np.ndarray, "n d"], *, n_seeds: int) -> dict[str, Any]:
    """Every figure of one target."""
    n = len(rows.texts)
    fold = grouped_folds(n, n_folds=n_seeds, seed=0, groups=rows.text_key)
    tested: list[Int[np.ndarray, " m"]] = []
    parts: dict[str, list[Policies]] = {}
    chosen, certified, judged = list[dict[str, Any]](), list[dict[str, Any]](), list[Judged]()
    for seed in range(n_seeds):
        test, held = np.flatnonzero(fold == seed), np.flatnonzero(fold == (seed + 1) % n_seeds)
        train = np.flatnonzero((fold != seed) & (fold != (seed + 1) % n_seeds))
        fitted = fit_combined(
            [rows.texts[i] for i in train],
            vectors[train],
            Labels(rows.gap[train], [rows.topics[i] for i in train], groups=rows.text_key[train]),
            seed=seed,
        )
        score = np.full(n, np.nan)
        score[train] = fitted.held_out
        for at in (test, held):
            score[at] = fitted.router.score_texts([rows.texts[i] for i in at], vectors[at])
        dev = train[np.isfinite(score[train])]
        by_second = choose_second(rows, score, dev, seed=seed)
        second = max(by_second, key=lambda name: by_second[name])
        chosen.append({"second": second, "dev_apgr_by_cost": by_second})
        for name in by_second:
            known = expect(rows, name, features_of(rows, score[dev], dev), dev)
            for manner in MANNERS if name == second else MANNERS[2:]:
                made = policies_of(rows, name, known, X=features_of(rows, score[test], test), at=test, manner=manner)
                for family in ([f"with {name}"] if manner == MANNERS[2] else []) + [manner] * (name == second):
                    parts.setdefault(family, []).append(made)
        judge = fit_judged(rows, second, score, dev=dev, seed=seed)
        certified.append(
            {
                form: certified_shares(*(judge(at) for at in (dev, held, test)), is_selective=form == "selective")
                for form in ("of_all", "selective")
            }
        )
        judged.append(judge(test))
        tested.append(test)
        say(f"  fold {seed + 1} of {n_seeds}: second model {second}")
    order = np.concatenate(tested)
    return {
        "n_rows": n,
        "n_train": int(np.mean([np.sum((fold != s) & (fold != (s + 1) % n_seeds)) for s in range(n_seeds)])),
        "usd_per_1000": _usd(rows),
        "asked_alone": {name: _alone(rows, answered) for name, answered in rows.seconds.items()},
        "second": chosen,
        "apgr_by_cost": by_cost(rows, parts, order),
        "shippable": shippable(rows, _joined(judged), certified, order=order),
    }


def choose_second(
    rows: PricedRows, score: Float[np.ndarray, " n"], dev: Int[np.ndarray, " m"], *, seed: int
) -> dict[str, float]:
    """APGR by cost of each cheap candidate on the training rows, each half by what the other half leads to expect."""
    half = grouped_folds(len(dev), n_folds=2, seed=seed, groups=rows.text_key[dev])
    strong_usd = rows.strong.cost_usd[dev].mean()
    found: dict[str, float] = {}
    for name, answered in rows.seconds.items():
        if answered.cost_usd[dev].mean() > MOST_OF_STRONG * strong_usd:
            continue
        made, order = [], np.concatenate([dev[half == 0], dev[half == 1]])
        for one in (0, 1):
            fitted, at = dev[half != one], dev[half == one]
            known = expect(rows, name, features_of(rows, score[fitted], fitted), fitted)
            made.append(policies_of(rows, name, known, X=features_of(rows, score[at], at), at=at, manner=MANNERS[2]))
        curve = charged_curve(_side_by_side(made), part_of(rows.weak, order), part_of(rows.strong, order))
        found[name] = charged_apgr(curve)
    return found


def fit_judged(
    rows: PricedRows, second: str, score: Float[np.ndarray, " n"], *, dev: Int[np.ndarray, " m"], seed: int
) -> Callable[[Int[np.ndarray, " m"]], Judged]:
    """From training rows: the router's calibrated probability and the suspicion, as a function of rows."""
    events = rows.harm[dev] > 0.5
    router = fit_calibrator(score[dev], events)
    columns = {"router": score, "second": rows.disagrees[second]}
    fitted = fit_signal_stack(
        {name: column[dev] for name, column in columns.items()}, events, groups=rows.text_key[dev], seed=seed
    )

    def judged(at: Int[np.ndarray, " m"]) -> Judged:
        suspicion = fitted.stack.apply({name: column[at] for name, column in columns.items()})
        return Judged(router.apply(score[at]), suspicion, rows.weak.quality[at], rows.strong.quality[at])

    return judged


def by_cost(rows: PricedRows, parts: dict[str, list[Policies]], order: Int[np.ndarray, " n"]) -> dict[str, Any]:
    """APGR by cost of each family over all test rows, and what the best adds to the router alone."""
    families = {name: _side_by_side(made) for name, made in parts.items() if len(made) == len(parts["router"])}
    weak, strong, groups = part_of(rows.weak, order), part_of(rows.strong, order), rows.text_key[order]
    drawn = resampled_charged_apgr(families, weak, strong, rng=np.random.default_rng(0), groups=groups)
    figures: dict[str, Any] = {}
    for name, policies in families.items():
        curve = charged_curve(policies, weak, strong)
        figures[name] = as_dict(percentile_interval(charged_apgr(curve), drawn[name])) | {
            "recovered_at": {str(budget): curve.recovered_at(budget) for budget in BUDGETS}
        }
    best, router = MANNERS[2], MANNERS[0]
    less = percentile_interval(figures[best]["estimate"] - figures[router]["estimate"], drawn[best] - drawn[router])
    return {"families": figures, "gain_over_router": as_dict(less)}


def shippable(
    rows: PricedRows, judged: Judged, certified: Sequence[dict[str, Any]], *, order: Int[np.ndarray, " n"]
) -> dict[str, Any]:
    """Shares of weak answers that may leave at 5 % harm, as found on the test rows and as certified."""
    scores, groups = np.stack([judged.probability, judged.suspicion]), rows.text_key[order]
    calls = {
        name: as_dict(apgr_interval(column, judged.weak, judged.strong, rng=np.random.default_rng(0), groups=groups))
        for name, column in zip(("router", "suspicion"), scores, strict=True)
    }
    figures: dict[str, Any] = {"apgr_by_strong_calls_uncharged": calls}
    for form in ("of_all", "selective"):
        found, drawn = found_shares(
            scores, judged.harm, is_selective=form == "selective", groups=groups, rng=np.random.default_rng(0)
        )
        alone, both = (as_dict(_interval(value, column)) for value, column in zip(found, drawn, strict=True))
        more = drawn[1] / np.maximum(drawn[0], 1 / len(order))  # where the router ships none, as if it shipped one
        figures[form] = {
            "found": {"router": alone, "with_second": both, "times": _times(found, more)},
            "certified": {way: _pooled([one[form][way] for one in certified]) for way in certified[0][form]},
        }
    return figures


def _alone(rows: PricedRows, answered: Answered) -> dict[str, float]:
    """The gap that a candidate closes when it stands in the weak model's place, and the budget that it takes."""
    gap, more = rows.gap.mean(), rows.strong.cost_usd.mean() - rows.weak.cost_usd.mean()
    return {
        "recovered": float((answered.quality.mean() - rows.weak.quality.mean()) / gap),
        "budget": float((answered.cost_usd.mean() - rows.weak.cost_usd.mean()) / more),
    }


def _usd(rows: PricedRows) -> dict[str, float]:
    named = {"weak": rows.weak, "strong": rows.strong} | dict(rows.seconds)
    return {name: 1000 * float(answered.cost_usd.mean()) for name, answered in named.items()}


def _side_by_side(made: Sequence[Policies]) -> Policies:
    return Policies(
        np.concatenate([one.cost_usd for one in made], axis=1), np.concatenate([one.quality for one in made], axis=1)
    )


def _joined(judged: Sequence[Judged]) -> Judged:
    names = ("probability", "suspicion", "weak", "strong")
    return Judged(*(np.concatenate([getattr(one, name) for one in judged]) for name in names))


def _interval(estimate: float, drawn: Float[np.ndarray, " b"]) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(estimate=estimate, low=float(low), high=float(high), n_resamples=len(drawn))


def _times(found: Sequence[float], drawn: Float[np.ndarray, " b"]) -> dict[str, float]:
    return as_dict(_interval(found[1] / max(found[0], 1e-3), drawn))


def _pooled(folds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The folds' certificates on their test rows; their harm with an exact interval."""
    n, left, harmed = (sum(one[name] for one in folds) for name in ("n", "n_left", "n_harmed"))
    nothing = {"estimate": 0.0, "low": 0.0, "high": 1.0}
    return {
        "n_folds": len(folds),
        "n_certified": sum(one["is_certified"] for one in folds),
        "share": left / n,
        "by_fold": [one["share"] for one in folds],
        "harm_of_all": as_dict(binomial_interval(harmed, n)),
        "harm_selective": as_dict(binomial_interval(harmed, left)) if left else nothing,
    }


def run(data: Path, *, targets: Sequence[str], n_seeds: int, cache: Path, prices: dict[str, Price]) -> dict[str, Any]:
    """Every figure by target."""
    encoder, figures = load_encoder(EncoderSpec()), {}
    for target in targets:
        rows = load_priced(data, target, prices)
        figures[target] = measure(rows, embed(rows.texts, encoder, folder=cache), n_seeds=n_seeds)
    return {"n_seeds": n_seeds, "targets": figures, "prices": {name: list(price) for name, price in prices.items()}}


def read_price(text: str) -> tuple[str, Price]:
    """A price from `MODEL=IN,OUT`.

    Raises:
        click.BadParameter: it is not of that form.
    """
    name, _, numbers = text.partition("=")
    try:
        usd_in, usd_out = (float(one) for one in numbers.split(","))
    except ValueError:
        raise click.BadParameter(f"'{text}' is no price. Write it as DeepSeek-V3=0.27,1.10.") from None
    return name, Price(usd_in, usd_out, "stated by --price")


PRICED = tuple(name for name in TARGETS if name.startswith(("medagents", "mmlu-pro")))


@click.command()
@data_option
@click.option(
    "--seeds", "n_seeds", default=5, show_default=True, type=click.IntRange(3, 50), help="Folds: test, certify, train."
)
@click.option("--target", "targets", multiple=True, type=click.Choice(PRICED), help="Only this one; may repeat.")
@click.option("--price", "stated", multiple=True, help="USD a million tokens: MODEL=IN,OUT; may repeat.")
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    data: Path, n_seeds: int, targets: tuple[str, ...], stated: tuple[str, ...], cache: Path | None, as_json: bool
) -> None:
    """Measure router and second model. Example: python -m benchmarks.agreement --data ../data --json."""
    cache = cache or cache_folder() / "embeddings"
    prices = PRICES | dict(read_price(one) for one in stated)
    figures = run(data, targets=targets or PRICED, n_seeds=n_seeds, cache=cache, prices=prices)
    click.echo(json.dumps(figures, indent=1) if as_json else table(figures))


if __name__ == "__main__":
    main()
