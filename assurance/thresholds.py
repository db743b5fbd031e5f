"""Thresholds for a budget. A query goes to the strong model iff its probability >= threshold.

So a lower threshold sends more to the strong model: it is safer and dearer. Published tables contradict one another
here; this rule holds everywhere in Preceptor.
"""

import math

import numpy as np
from jaxtyping import Float

from assurance.bootstrap import Interval
from assurance.bounds import binomial_interval
from assurance.curves import check_rows

NEVER_STRONG = math.nextafter(1.0, 2.0)
"""The lowest threshold that no probability reaches."""


def threshold_for_share(probabilities: Float[np.ndarray, " n"], share_strong: float) -> float:
    """The lowest threshold, among the rows' own probabilities, that keeps the share of strong calls within the budget.

    On these rows the budget is never exceeded: rows of equal probability stay together, and where that would overrun,
    all of them go to the weak model. On new rows of the same kind it holds in expectation; `share_on_new_traffic`
    gives the limits.

    Args:
        probabilities: P(strong needed) per row, in [0, 1].
        share_strong: the largest share of rows that may go to the strong model, in [0, 1].

    Returns:
        A threshold in [0, 1], or just above the highest probability when no row may go to the strong model.

    Raises:
        NotEnoughLabels: there is no row.
        ValueError: the budget is outside [0, 1], or a probability is not a number.

    >>> rows = np.array([0.1, 0.2, 0.2, 0.9])
    >>> [threshold_for_share(rows, budget) for budget in (1.0, 0.75, 0.5, 0.25)]
    [0.0, 0.2, 0.9, 0.9]
    """
    check_rows(probabilities=probabilities)
    if not 0 <= share_strong <= 1:
        raise ValueError(f"The budget is {share_strong}; a share of strong calls lies in [0, 1].")
    if share_strong == 0:
        return NEVER_STRONG
    if share_strong == 1:
        return 0.0
    n = len(probabilities)
    values, counts = np.unique(probabilities, return_counts=True)
    n_at_or_above = np.cumsum(counts[::-1])[::-1]
    affordable = values[n_at_or_above <= math.floor(share_strong * n + 1e-9)]
    return float(affordable[0]) if len(affordable) else math.nextafter(float(values[-1]), 2.0)


def share_at(probabilities: Float[np.ndarray, " n"], threshold: float) -> float:
    """Share of rows that this threshold sends to the strong model.

    >>> share_at(np.array([0.1, 0.2, 0.2, 0.9]), 0.2)
    0.75
    """
    check_rows(probabilities=probabilities)
    return float(np.mean(probabilities >= threshold))


def share_on_new_traffic(probabilities: Float[np.ndarray, " n"], threshold: float) -> Interval:
    """Share of strong calls to expect on new rows of the same kind, with its exact 95 % interval.

    Exact for a threshold that was fixed before these rows were seen. For one that `threshold_for_share` read off these
    rows, the share on new traffic is Beta(k, n - k + 1) (the k-th largest of n), whose limits lie inside these.

    >>> str(share_on_new_traffic(np.arange(100) / 100, 0.5))
    '0.500 [0.398, 0.602]'
    """
    check_rows(probabilities=probabilities)
    return binomial_interval(int(np.sum(probabilities >= threshold)), len(probabilities))
