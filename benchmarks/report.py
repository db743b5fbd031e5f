"""Time of a report on many test rows: `python -m benchmarks.report [--rows 10000] [--json]`.

Rows, scores and costs are simulated; the steps are those of the stage `evaluate`: routers and floors with paired
intervals and bands on all rows and on eight strata, money, calibration, and the page. One thread, one run,
wall seconds.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
from threadpoolctl import threadpool_limits

from assurance.curves import cost_quality_curve, oracle_curve, random_curve
from assurance.money import CostAssumptions, RoutedCosts, savings
from assurance.reliability import check_calibration
from assurance.thresholds import share_on_new_traffic, threshold_for_share
from pipeline.evaluation import evaluation_of
from pipeline.report import thinned, write_report
from pipeline.report_records import Operating, RunReport
from pipeline.report_slices import HeldOut, goes_to_strong, slices_of

ROUTERS = ("adapted", "base", "random", "prompt_length", "topic_prior", "tfidf_ridge")
N_STRATA, N_RESAMPLES = 8, 2000
"""The default number of resamples of a run."""


@click.command()
@click.option("--rows", default=10_000, show_default=True, help="Test rows.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(rows: int, as_json: bool) -> None:
    """Seconds of each step of a report, and their sum."""
    with threadpool_limits(1):
        seconds = timed_report(rows)
    if as_json:
        click.echo(json.dumps({"rows": rows, "n_resamples": N_RESAMPLES, "seconds": seconds}))
        return
    for name, value in seconds.items():
        click.echo(f"{name:<46} {value:7.2f} s")


def timed_report(rows: int) -> dict[str, float]:
    """Wall seconds by step, and under `all` their sum."""
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds[step] = round(time.perf_counter() - started, 3)

    held_out = _simulated(rows, np.random.default_rng(0))
    quality = held_out.weak, held_out.strong
    threshold = threshold_for_share(held_out.probabilities, 0.3)
    thresholds: dict[str, float | None] = {"default": threshold}
    with timed("routers and floors, paired, and strata"):
        overall, strata = slices_of(held_out, thresholds, n_resamples=N_RESAMPLES, min_rows=30)
    evaluation = evaluation_of(overall.routers, overall.better_than, quality, pair=("weak", "strong"))
    with timed("money"):
        money = savings(
            RoutedCosts(held_out.weak_usd, held_out.strong_usd, goes_to_strong(held_out, thresholds), held_out.groups),
            CostAssumptions(),
            queries=10_000,
            rng=np.random.default_rng(0),
            n_resamples=N_RESAMPLES,
        )
    with timed("calibration, all rows"):
        calibration = check_calibration(
            held_out.probabilities, held_out.strong > held_out.weak, rng=np.random.default_rng(0)
        )
    with timed("page and figures"), tempfile.TemporaryDirectory() as folder:
        curves = {name: cost_quality_curve(held_out.scores[name], *quality) for name in ROUTERS[:2]}
        curves |= {"random": random_curve(*quality), "oracle": oracle_curve(*quality)}
        report = RunReport(
            name="benchmark",
            created="2026-01-02T03:04:00+00:00",
            target="simulated",
            weak="weak",
            strong="strong",
            rows={"test": rows},
            evaluation=evaluation,
            calibration=calibration,
            operating=Operating(
                threshold=threshold,
                budget=0.3,
                share_strong=share_on_new_traffic(held_out.probabilities, threshold),
                quality=overall.quality.estimate,
                random_quality=overall.random_quality,
            ),
            curves={name: thinned(curve) for name, curve in curves.items()},
            lineage={},
            overall=overall,
            strata=strata,
            savings=money,
        )
        write_report(report, Path(folder))
    seconds["all"] = round(sum(seconds.values()), 3)
    return seconds


def _simulated(n: int, rng: np.random.Generator) -> HeldOut:
    probability = rng.beta(1, 4, n)
    needed = (rng.random(n) < probability).astype(float)
    scores = {
        name: probability + noise * rng.normal(size=n)
        for name, noise in zip(ROUTERS, (0.1, 0.3, 9, 1, 1, 0.5), strict=True)
    }
    return HeldOut(
        scores,
        probability,
        1.0 - needed,
        np.ones(n),
        rng.gamma(4, 0.0002, n),
        rng.gamma(4, 0.003, n),
        [f"domain-{k}/high" for k in rng.integers(0, N_STRATA, n)],
        rng.integers(0, n // 2, n),
    )


if __name__ == "__main__":
    main()
