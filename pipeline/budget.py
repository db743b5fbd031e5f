"""The threshold that keeps the budget which settings name: on the rows at hand, an estimate and no promise."""

import numpy as np
from jaxtyping import Float

from assurance.budgets import threshold_for_cost, threshold_for_quality
from assurance.presets import PRESETS
from assurance.thresholds import threshold_for_share
from core.threshold_settings import ThresholdSettings

Columns = tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]
"""Of the weak and of the strong model, a value per row."""


def threshold_for_budget(
    budget: ThresholdSettings, probabilities: Float[np.ndarray, " n"], *, cost_usd: Columns, quality: Columns
) -> float:
    """The threshold by cost a day, by quality floor, by preset or by share of strong calls, whichever is set.

    Raises:
        NotEnoughLabels: a cost is not known, or the rows do not allow the budget.

    >>> unknown = (np.full(2, np.nan), np.full(2, np.nan))
    >>> rows = np.array([0.1, 0.9])
    >>> threshold_for_budget(ThresholdSettings(share_strong=0.5), rows, cost_usd=unknown, quality=unknown)
    0.9
    """
    if budget.usd_per_day is not None and budget.queries_per_day is not None:
        return threshold_for_cost(probabilities, *cost_usd, usd_per_query=budget.usd_per_day / budget.queries_per_day)
    if budget.quality_floor is not None:
        return threshold_for_quality(probabilities, *quality, floor=budget.quality_floor)
    share = PRESETS[budget.preset].share_strong if budget.preset else budget.share_strong
    return threshold_for_share(probabilities, share)
