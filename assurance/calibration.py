"""Calibration: from raw scores to probabilities that mean what they say, and the check that they do.

Fitted on rows that trained nothing else. The map is `core.calibrator.Calibrator`, so serving needs none of this.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import brentq, isotonic_regression, minimize

from assurance.curves import check_rows
from core.calibrator import Calibrator, logit, sigmoid
from core.errors import NotEnoughLabels
from core.records import Record

ISOTONIC_FROM = 1000
"""Labels from which the isotonic map is tried beside Platt's two numbers; below, it overfits."""

FOLDS = 10
"""Parts of the labels in whose turn the isotonic map must do better than Platt's, by one standard error."""

LEAST_KEPT = 0.02
"""Share of a map's rise that is kept where it may all be chance: queries stay told apart, at next to no cost."""

N_BINS = 10
N_SIMULATIONS = 1000
_SLOPE_PENALTY = 1e-3
_END_SLOPE = 1e-3


class ReliabilityBin(Record):
    """Rows of similar probability: what was predicted, what happened, and where chance alone would put it.

    `low` and `high` hold 95 % of the rates that a perfectly calibrated model shows on as many rows.
    """

    n: int
    predicted: float
    observed: float
    low: float
    high: float


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


def fit_calibrator(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> Calibrator:
    """The calibrator for these labels: Platt's, drawn toward the base rate; isotonic where that is clearly better.

    Platt's rise is shrunk by what chance alone would show of it (see `_shrunk`), so scores that say nothing become the
    base rate. From 1,000 rows on the isotonic map is taken if its squared error on rows left out, over 10 folds dealt
    by score, is lower than Platt's by more than one standard error of the difference: it mends what two numbers cannot,
    and costs ten times as much in error where there is nothing to mend.

    Both are non-decreasing and keep apart what the router kept apart (a Platt slope of 0 excepted: scores that rank
    the event backwards carry no probability, and the map is then the base rate).

    Args:
        scores: raw scores in [0, 1].
        events: whether the strong model was needed.

    Raises:
        NotEnoughLabels: every row has the event, or none has.
        ValueError: columns differ in length or hold what is not a number, or a score is outside [0, 1].

    >>> scores = np.repeat([0.2, 0.8], 100)
    >>> events = np.tile(np.arange(100) < 50, 2) & (scores > 0.5) | (np.arange(200) < 10)
    >>> fit_calibrator(scores, events).apply(np.array([0.2, 0.8])).round(2).tolist()
    [0.11, 0.49]
    """
    check_rows(scores=scores, events=events)
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(
            f"Scores lie in [{scores.min():.4g}, {scores.max():.4g}]; a calibrator takes scores in [0, 1]."
        )
    n_events = int(np.sum(events))
    if n_events in (0, len(events)):
        raise NotEnoughLabels(
            f"The strong model was needed in {n_events} of {len(events)} calibration rows; a calibrator needs rows of "
            "both kinds. Give more calibration rows, or lower the quality that counts as acceptable."
        )
    if len(scores) >= ISOTONIC_FROM and _isotonic_is_better(scores, events):
        return _isotonic(scores, events)
    return _shrunk(_platt(scores, events), scores, events)


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
) -> CalibrationCheck:
    """Reliability per bin, ECE and Brier score, each beside what a perfectly calibrated model shows on these rows.

    The comparison draws events from the probabilities themselves (a parametric bootstrap): no fixed bar such as 0.05
    is fair, since a perfect model has an ECE of 0.04 on 500 rows and 0.013 on 5,000.

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
            ReliabilityBin(n=int(n), predicted=float(p), observed=float(o), low=float(lo), high=float(hi))
            for n, p, o, lo, hi in zip(sizes, predicted, observed, low, high, strict=True)
        ),
    )


def reliability_table(
    probabilities: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"], *, rng: np.random.Generator
) -> tuple[ReliabilityBin, ...]:
    """The bins of `check_calibration`: predicted and observed rate, with the band that chance allows."""
    return check_calibration(probabilities, events, rng=rng).bins


def _platt(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> Calibrator:
    """Logistic regression on the logit of the score, towards Platt's (1999) smoothed targets, slope >= 0.

    The targets never reach 0 or 1, so separable labels have a finite fit; a faint pull to slope 1 decides when all
    scores are equal.
    """
    z = logit(np.asarray(scores, dtype=float))
    n_yes = int(np.sum(events))
    n_no = len(events) - n_yes
    target = np.where(events, (n_yes + 1.0) / (n_yes + 2.0), 1.0 / (n_no + 2.0))

    def loss(parameters: Float[np.ndarray, " 2"]) -> tuple[float, Float[np.ndarray, " 2"]]:
        slope, intercept = parameters
        margin = slope * z + intercept
        surprise = np.logaddexp(0.0, margin) - target * margin
        error = sigmoid(margin) - target
        value = surprise.sum() + 0.5 * _SLOPE_PENALTY * (slope - 1.0) ** 2
        return float(value), np.array([error @ z + _SLOPE_PENALTY * (slope - 1.0), error.sum()])

    start = np.array([1.0, float(logit(np.array([n_yes / len(events)]))[0] - z.mean())])
    fit = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None), (None, None)])
    return Calibrator(method="platt", slope=float(fit.x[0]), intercept=float(fit.x[1]), n_labels=len(events))


def _shrunk(platt: Calibrator, scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> Calibrator:
    """The map with its slope times c = 1 - v / A, kept within [`LEAST_KEPT`, 1]; its mean stays what it was.

    A is the sum of squared distances of the rows' probabilities from their mean, v the mean of p (1 - p). One slope
    that fits noise alone makes A about v, so c is the share of the rise that is not noise: Stein's (1981) unbiased
    estimate of risk, at its least over c; the heuristic shrinkage of van Houwelingen and le Cessie (1990).
    """
    probabilities = platt.apply(scores)
    mean = float(np.mean(probabilities))
    rise = float(np.sum((probabilities - mean) ** 2))
    noise = float(np.mean(probabilities * (1.0 - probabilities)))
    kept = max(LEAST_KEPT, 1.0 - noise / rise) if rise > 0 else LEAST_KEPT
    slope = platt.slope * kept
    z = slope * logit(np.asarray(scores, dtype=float))
    low, high = float(logit(np.array(mean))) - z.max(), float(logit(np.array(mean))) - z.min()
    intercept = (
        low if high - low < 1e-12 else brentq(lambda shift: float(np.mean(sigmoid(z + shift))) - mean, low, high)
    )
    return Calibrator(method="platt", slope=slope, intercept=float(intercept), n_labels=len(events))


def _isotonic_is_better(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> bool:
    fold = np.empty(len(scores), dtype=int)
    fold[np.argsort(scores, kind="stable")] = np.arange(len(scores)) % FOLDS
    gain = np.zeros(len(scores))
    for k in range(FOLDS):
        seen, held_out = fold != k, fold == k
        if len(np.unique(events[seen])) < 2:
            return False
        platt = _shrunk(_platt(scores[seen], events[seen]), scores[seen], events[seen])
        error = platt.apply(scores[held_out]) - events[held_out]
        isotonic_error = _isotonic(scores[seen], events[seen]).apply(scores[held_out]) - events[held_out]
        gain[held_out] = error**2 - isotonic_error**2
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def _isotonic(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> Calibrator:
    """Centred isotonic regression (Oron & Flournoy, 2017): a knot at the mean score of each pooled block.

    Between knots it rises, where the plain fit is flat and would tie queries that a budget must tell apart. Rates are
    kept inside [1 / (n + 2), 1 - 1 / (n + 2)]; past the outer knots a faint slope keeps the order.
    """
    values, row_value, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rates = np.bincount(row_value, weights=events.astype(float)) / counts
    fit = isotonic_regression(rates, weights=counts.astype(float))
    starts = fit.blocks[:-1]
    centres = np.add.reduceat(values * counts, starts) / np.add.reduceat(counts, starts)
    margin = 1.0 / (len(scores) + 2)
    probabilities = np.clip(fit.x[starts], margin, 1.0 - margin)
    first, last = probabilities[0], probabilities[-1]
    return Calibrator(
        method="isotonic",
        knot_scores=(0.0, *centres.tolist(), 1.0),
        knot_probabilities=(
            float(first * (1.0 - _END_SLOPE)),
            *probabilities.tolist(),
            float(1.0 - (1.0 - last) * (1.0 - _END_SLOPE)),
        ),
        n_labels=len(events),
    )


def _bins(
    probabilities: Float[np.ndarray, " n"], n_bins: int
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """Row order by probability, where each bin starts in it, and its size; equal probabilities share a bin."""
    edges = np.unique(np.quantile(probabilities, np.linspace(0.0, 1.0, n_bins + 1)[1:-1]))
    order = np.argsort(probabilities, kind="stable")
    bin_of_row = np.searchsorted(edges, probabilities[order], side="right")
    starts = np.flatnonzero(np.diff(bin_of_row, prepend=-1))
    return order, starts, np.diff(np.append(starts, len(order)))
