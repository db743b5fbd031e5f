"""Thresholds for a budget of money, or for a floor on quality: estimates on the rows at hand, no promise about others.

As in `assurance.thresholds`, a query goes to the strong model iff its probability >= threshold.
"""

import numpy as np
from jaxtyping import Float

from assurance.curves import check_rows
from assurance.thresholds import NEVER_STRONG
from core.errors import NotEnoughLabels


def threshold_for_cost(
    probabilities: Float[np.ndarray, " n"],
    weak_usd: Float[np.ndarray, " n"],
    strong_usd: Float[np.ndarray, " n"],
    *,
    usd_per_query: float,
) -> float:
    """The lowest threshold, so the safest, whose mean cost on these rows is within the budget.

    Args:
        probabilities: P(strong needed) per row.
        weak_usd: cost of the weak model's answer per row, in US dollars.
        strong_usd: cost of the strong model's answer.
        usd_per_query: the largest mean cost.

    Raises:
        NotEnoughLabels: a cost is not known, or the budget is below the weak model's cost.

    >>> rows = np.array([0.1, 0.2, 0.9])
    >>> threshold_for_cost(rows, np.full(3, 0.001), np.full(3, 0.01), usd_per_query=0.004)
    0.9
    """
    if np.isnan(weak_usd).any() or np.isnan(strong_usd).any():
        raise NotEnoughLabels(
            f"{int((np.isnan(weak_usd) | np.isnan(strong_usd)).sum())} of {len(weak_usd)} calibration rows do not say "
            "what their answers cost. Give cost_usd in the rows, or set threshold.share_strong in place of usd_per_day."
        )
    check_rows(probabilities=probabilities, weak_usd=weak_usd, strong_usd=strong_usd)
    thresholds, costs = _means_by_threshold(probabilities, weak_usd, strong_usd)
    within = np.flatnonzero(costs <= usd_per_query + 1e-12)
    if not len(within):
        raise NotEnoughLabels(
            f"The budget of {usd_per_query:.6f} USD a query is below the cheapest routing, {costs.min():.6f} USD. "
            "Raise threshold.usd_per_day, or choose a cheaper weak model."
        )
    return float(thresholds[within[0]])


def threshold_for_quality(
    probabilities: Float[np.ndarray, " n"],
    weak_quality: Float[np.ndarray, " n"],
    strong_quality: Float[np.ndarray, " n"],
    *,
    floor: float,
) -> float:
    """The highest threshold, so the cheapest, whose mean quality on these rows reaches the floor.

    Read off the rows it was chosen on, the quality is flattered: on new rows it falls short about half the time.

    Raises:
        NotEnoughLabels: no threshold reaches the floor, not even the strong model's answers alone.

    >>> rows = np.array([0.1, 0.2, 0.9])
    >>> threshold_for_quality(rows, np.array([1.0, 1.0, 0.0]), np.ones(3), floor=1.0)
    0.9
    """
    check_rows(probabilities=probabilities, weak_quality=weak_quality, strong_quality=strong_quality)
    thresholds, quality = _means_by_threshold(probabilities, weak_quality, strong_quality)
    reached = np.flatnonzero(quality >= floor - 1e-12)
    if not len(reached):
        raise NotEnoughLabels(
            f"No threshold reaches a quality of {floor:g} on the calibration rows; the best has {quality.max():.4f}. "
            "Lower threshold.quality_floor, or choose a better strong model."
        )
    return float(thresholds[reached[-1]])


def _means_by_threshold(
    probabilities: Float[np.ndarray, " n"], below: Float[np.ndarray, " n"], at_or_above: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Every threshold that changes anything, ascending, and the mean of what each row then gets."""
    thresholds, first = np.unique(np.sort(probabilities), return_index=True)
    order = np.argsort(probabilities, kind="stable")
    gained = np.concatenate(([0.0], np.cumsum((below - at_or_above)[order])))
    means = (at_or_above.sum() + gained[[*first, len(order)]]) / len(order)
    return np.append(thresholds, NEVER_STRONG), means
