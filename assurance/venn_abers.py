"""Venn-Abers intervals: two probabilities per score, the width between which says how much the labels know there.

Inductive: fitted once on calibration rows, then a look-up. Under exchangeable rows one of the two is calibrated, which
one is not known. The interval is of the calibrated probability, not of a rate: it holds no 95 % of anything.
"""

import numpy as np
from jaxtyping import Bool, Float

from assurance.curves import check_rows
from core.calibrator import ScoreIntervals


def venn_abers(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> ScoreIntervals:
    """The interval at every score: isotonic regression with the new row added as no event, and as event.

    Time n log n, by one sweep over the corners of the greatest convex minorant for each of the two.
    Source: Vovk, Petej & Fedorova (2015), *Large-scale probabilistic predictors with and without guarantees of
    validity*, algorithms 1 to 4.

    Args:
        scores: raw scores of the calibration rows.
        events: whether the event happened.

    Raises:
        NotEnoughLabels: there is no row.
        ValueError: columns differ in length or hold what is not a number.

    >>> one = venn_abers(np.array([0.5]), np.array([True]))          # beside one event: 1/2 or 1
    >>> one.at(np.array([0.2, 0.5]))
    (array([0. , 0.5]), array([1., 1.]))
    """
    check_rows(scores=scores, events=events)
    values, row = np.unique(np.asarray(scores, dtype=float), return_inverse=True)
    counts = np.bincount(row).astype(float)
    sums = np.bincount(row, weights=events.astype(float))
    high = _with_event(counts, sums)
    low = 1.0 - _with_event(counts[::-1], (counts - sums)[::-1])[::-1]
    first = np.append(True, np.diff(low) > 0)
    last = np.append(np.diff(high) > 0, True)
    return ScoreIntervals(
        low_from=tuple(values[first].tolist()),
        low=tuple(np.clip(low[first], 0.0, 1.0).tolist()),
        high_to=tuple(values[last].tolist()),
        high=tuple(np.clip(high[last], 0.0, 1.0).tolist()),
    )


def midpoint(low: Float[np.ndarray, " n"], high: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """One probability from the two, the one of least regret in log-loss: high / (1 - low + high).

    >>> midpoint(np.array([0.2]), np.array([0.4])).round(4).tolist()
    [0.3333]
    """
    return np.asarray(high / (1.0 - low + high))


def _with_event(counts: Float[np.ndarray, " g"], sums: Float[np.ndarray, " g"]) -> Float[np.ndarray, " g"]:
    """Per group of equal scores, in order: the isotonic rate there with one more row, an event, at that score."""
    at_n, at_y = np.append(0.0, np.cumsum(counts)), np.append(0.0, np.cumsum(sums))
    corners = [(float(at_n[i]), float(at_y[i])) for i in range(len(at_n) - 1, -1, -1)]
    hull: list[tuple[float, float]] = []
    for corner in corners:  # the minorant from the right end to the left, its leftmost corner on top
        _push(hull, corner)
    left = (-1.0, -1.0)
    _push(hull, left)
    rates = np.empty(len(counts))
    for i in range(len(counts)):
        rates[i] = (hull[-2][1] - hull[-1][1]) / (hull[-2][0] - hull[-1][0])
        # Group i passes to the left of the new row: all corners there lie one row and one event lower.
        left = (left[0] + float(counts[i]), left[1] + float(sums[i]))
        if _is_below(left, hull[-1], hull[-2]):
            hull.pop()
            _push(hull, left)
    return rates


def _push(hull: list[tuple[float, float]], corner: tuple[float, float]) -> None:
    """Put a corner on the left of a convex minorant, dropping those that no longer touch it."""
    while len(hull) > 1 and not _is_below(hull[-1], corner, hull[-2]):
        hull.pop()
    hull.append(corner)


def _is_below(point: tuple[float, float], left: tuple[float, float], right: tuple[float, float]) -> bool:
    """Whether a point lies under the line from one corner to the next."""
    rise = (right[1] - left[1]) * (point[0] - left[0])
    return (point[1] - left[1]) * (right[0] - left[0]) < rise - 1e-9
