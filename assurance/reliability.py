"""Whether probabilities mean what they say: reliability per bin, ECE and Brier score, beside what chance alone shows.

Fits nothing. Every figure stands beside that of a perfectly calibrated model on the same rows.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from assurance.curves import check_rows
from core.records import Record

N_BINS = 10
N_SIMULATIONS = 1000


class ReliabilityBin(Record):
    """Rows of similar probability: what was predicted, what happened, and where chance alone would put it.

    `low` and `high` hold 95 % of the rates that a perfectly calibrated model shows on as many rows. `known_low` and
    `known_high` are the mean Venn-Abers limits of the rows' probabilities: far apart where few calibration labels lie.
    """

    n: int
    predicted: float
    observed: float
    low: float
    high: float
    known_low: float | None = None
    known_high: float | None = None


class CalibrationCheck(Record):
    """How far probabilities can be believed, with what a perfectly calibrated model would score on the same rows.

    `ece_null_high` is the 95th percentile of the ECE of a perfectly calibrated model, which is never 0 on few rows;
    `ece_p_value` is the share of such models with an ECE at least as large as the one found. `brier_base_rate` is the
    Brier score of always giving the base rate, measured on these rows.
    """

    n: int
    events: int
    ece: float
    ece_null_high: float
    ece_p_value: float
    brier: float
    brier_base_rate: float
    bins: tuple[ReliabilityBin, ...]


def brier(probabilities: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> float:
    """Mean squared distance between probability and event: 0 is perfect.

    >>> brier(np.array([0.5, 1.0]), np.array([True, True]))
    0.125
    """
    check_rows(probabilities=probabilities, events=events)
    return float(np.mean((probabilities - events) ** 2))


def expected_calibration_error(
    probabilities: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"], *, n_bins: int = N_BINS
) -> float:
    """Mean distance between predicted and observed rate, over bins with as many rows each.

    >>> expected_calibration_error(np.full(4, 0.5), np.array([True, True, True, False]))
    0.25
    """
    check_rows(probabilities=probabilities, events=events)
    order, starts, sizes = _bins(probabilities, n_bins)
    excess = np.add.reduceat((events - probabilities)[order], starts)
    return float(np.abs(excess).sum() / sizes.sum())


def check_calibration(
    probabilities: Float[np.ndarray, " n"],
    events: Bool[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    n_bins: int = N_BINS,
    n_simulations: int = N_SIMULATIONS,
    limits: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]] | None = None,
) -> CalibrationCheck:
    """Reliability per bin, ECE and Brier score, each beside what a perfectly calibrated model shows on these rows.

    The comparison draws events from the probabilities themselves (a parametric bootstrap): no fixed bar such as 0.05
    is fair, since a perfect model has an ECE of 0.04 on 500 rows and 0.013 on 5,000.

    Args:
        probabilities: of the event, a row.
        events: whether it happened.
        rng: draws the comparison's events.
        n_bins: bins with as many rows each.
        n_simulations: draws of the comparison.
        limits: Venn-Abers limits of each probability (`assurance.venn_abers`), where they are known.

    Raises:
        NotEnoughLabels: there is no row.
        ValueError: columns differ in length or hold what is not a number.
    """
    check_rows(probabilities=probabilities, events=events)
    order, starts, sizes = _bins(probabilities, n_bins)
    ordered = probabilities[order]
    predicted = np.add.reduceat(ordered, starts) / sizes
    observed = np.add.reduceat(events[order].astype(float), starts) / sizes
    simulated_SB = (
        np.stack(
            [np.add.reduceat((rng.random(len(ordered)) < ordered).astype(float), starts) for _ in range(n_simulations)]
        )
        / sizes
    )
    low, high = np.quantile(simulated_SB, [0.025, 0.975], axis=0, method="inverted_cdf")
    null_ece = np.abs(simulated_SB - predicted) @ sizes / sizes.sum()
    known = [
        (None, None) if limits is None else tuple(float(column[order][start : start + n].mean()) for column in limits)
        for start, n in zip(starts, sizes, strict=True)
    ]
    ece = float(np.abs(observed - predicted) @ sizes / sizes.sum())
    rate = float(np.mean(events))
    return CalibrationCheck(
        n=len(events),
        events=int(np.sum(events)),
        ece=ece,
        ece_null_high=float(np.quantile(null_ece, 0.95)),
        ece_p_value=float((1 + np.sum(null_ece >= ece)) / (1 + n_simulations)),
        brier=brier(probabilities, events),
        brier_base_rate=rate * (1.0 - rate),
        bins=tuple(
            ReliabilityBin(
                n=int(n),
                predicted=float(p),
                observed=float(o),
                low=float(lo),
                high=float(hi),
                known_low=limits_of_bin[0],
                known_high=limits_of_bin[1],
            )
            for n, p, o, lo, hi, limits_of_bin in zip(sizes, predicted, observed, low, high, known, strict=True)
        ),
    )


def reliability_table(
    probabilities: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"], *, rng: np.random.Generator
) -> tuple[ReliabilityBin, ...]:
    """The bins of `check_calibration`: predicted and observed rate, with the band that chance allows."""
    return check_calibration(probabilities, events, rng=rng).bins


def _bins(
    probabilities: Float[np.ndarray, " n"], n_bins: int
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """Row order by probability, where each bin starts in it, and its size; equal probabilities share a bin."""
    edges = np.unique(np.quantile(probabilities, np.linspace(0.0, 1.0, n_bins + 1)[1:-1]))
    order = np.argsort(probabilities, kind="stable")
    bin_of_row = np.searchsorted(edges, probabilities[order], side="right")
    starts = np.flatnonzero(np.diff(bin_of_row, prepend=-1))
    return order, starts, np.diff(np.append(starts, len(order)))
