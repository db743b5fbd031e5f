"""The maps that a calibrator may be, each fitted on labelled scores: Platt's, beta, isotonic. None chooses among them.

Platt's and beta are drawn toward what they extend by what chance alone would show of the difference, so that labels
which say nothing cost next to nothing.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import brentq, isotonic_regression, minimize

from core.calibrator import EPSILON, Calibrator, logit, sigmoid

LEAST_KEPT = 0.02
"""Share of a map's rise that is kept where it may all be chance: queries stay told apart, at next to no cost."""

_SLOPE_PENALTY = 1e-3
_END_SLOPE = 1e-3


def platt(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> Calibrator:
    """Logistic regression on the logit of the score, its rise shrunk by the noise that it stands on.

    Source: Platt (1999), with his smoothed targets; slope >= 0.
    """
    return _shrunk(likeliest("platt", scores, events), scores)


def beta(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> Calibrator:
    """Logistic regression on ln(score) and -ln(1 - score), both slopes >= 0; drawn toward Platt's, then shrunk.

    What sets the two slopes apart is kept as far as it is not chance: c = 1 - v / A, where A is the sum of squared
    distances between the probabilities of both maps and v the mean of p (1 - p). Where c is 0 it is Platt's map.
    Source: Kull, Silva Filho & Flach (2017), *Beta calibration*, with Platt's smoothed targets.
    """
    narrow, wide = likeliest("platt", scores, events), likeliest("beta", scores, events)
    kept = share_kept(wide.apply(scores), narrow.apply(scores))
    mixed = Calibrator(
        method="beta",
        slope=kept * wide.slope + (1 - kept) * narrow.slope,
        slope_high=kept * wide.slope_high + (1 - kept) * narrow.slope,
        intercept=kept * wide.intercept + (1 - kept) * narrow.intercept,
        n_labels=len(events),
    )
    return _shrunk(mixed, scores)


def isotonic(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> Calibrator:
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


def share_kept(
    found: Float[np.ndarray, " n"], plain: Float[np.ndarray, " n"], *, least: float = 0.0, n_numbers: int = 1
) -> float:
    """The share of the difference between two maps that is not noise, within [`least`, 1].

    c = 1 - k v / A: A is the sum of squared distances of the rows' probabilities under both maps, v the mean of
    p (1 - p), k how many numbers more the first map was free to choose. Each number that fits noise alone adds about v
    to A. Stein's (1981) unbiased estimate of risk, at its least over c; the heuristic shrinkage of van Houwelingen and
    le Cessie (1990).

    >>> share_kept(np.array([0.5, 0.5]), np.array([0.5, 0.5])), share_kept(np.full(100, 0.9), np.full(100, 0.4)) > 0.99
    (0.0, True)
    """
    distance = float(np.sum((found - plain) ** 2))
    noise = n_numbers * float(np.mean(found * (1.0 - found)))
    return max(least, 1.0 - noise / distance) if distance > 0 else least


def likeliest(
    method: Literal["platt", "beta"], scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]
) -> Calibrator:
    """The map of largest likelihood, towards Platt's smoothed targets, slopes >= 0.

    The targets never reach 0 or 1, so separable labels have a finite fit; a faint pull to slope 1 decides when all
    scores are equal.
    """
    clipped = np.clip(np.asarray(scores, dtype=float), EPSILON, 1.0 - EPSILON)
    columns = np.stack([np.log(clipped), -np.log1p(-clipped)], axis=1)
    if method == "platt":
        columns = columns.sum(axis=1, keepdims=True)
    n_slopes = columns.shape[1]
    n_yes = int(np.sum(events))
    n_no = len(events) - n_yes
    target = np.where(events, (n_yes + 1.0) / (n_yes + 2.0), 1.0 / (n_no + 2.0))

    def loss(parameters: Float[np.ndarray, " k"]) -> tuple[float, Float[np.ndarray, " k"]]:
        slopes, intercept = parameters[:-1], parameters[-1]
        margin = columns @ slopes + intercept
        surprise = np.logaddexp(0.0, margin) - target * margin
        error = sigmoid(margin) - target
        value = surprise.sum() + 0.5 * _SLOPE_PENALTY * np.sum((slopes - 1.0) ** 2)
        return float(value), np.append(error @ columns + _SLOPE_PENALTY * (slopes - 1.0), error.sum())

    start = np.append(np.ones(n_slopes), float(logit(np.array(n_yes / len(events)))) - columns.sum(axis=1).mean())
    bounds = [*[(0.0, None)] * n_slopes, (None, None)]
    slopes = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    slope_high = {"slope_high": float(slopes[1])} if method == "beta" else {}
    return Calibrator(
        method=method, slope=float(slopes[0]), intercept=float(slopes[-1]), n_labels=len(events), **slope_high
    )


def _shrunk(found: Calibrator, scores: Float[np.ndarray, " n"]) -> Calibrator:
    """The map with its slopes times the share of its rise that is not noise; its mean stays what it was."""
    probabilities = found.apply(scores)
    mean = float(np.mean(probabilities))
    kept = share_kept(probabilities, np.full(len(scores), mean), least=LEAST_KEPT)
    flatter = found.model_copy(update={"slope": found.slope * kept, "slope_high": found.slope_high * kept})
    z = flatter.rise(scores)
    low, high = float(logit(np.array(mean))) - z.max(), float(logit(np.array(mean))) - z.min()
    intercept = (
        low if high - low < 1e-12 else brentq(lambda shift: float(np.mean(sigmoid(z + shift))) - mean, low, high)
    )
    return flatter.model_copy(update={"intercept": float(intercept)})
