"""What quality a budget buys when every call is charged: cost-quality curves of cascades, in money. Prices nothing.

`assurance.curves` counts strong calls, which flatters a cascade: asking a second model, and the weak one before the
strong one, is free there. Here the axis is the mean cost of a query in US dollars, 0 where the weak model answers
everything and 1 where the strong one does, asked at once. Policies come in an order declared beforehand, cheapest
first; a budget between two is spent by mixing them, and what a policy costs beyond always-strong is never bought.

The area under the gap recovered is APGR by cost: a coin between the two models has 0.5 whatever they cost, and for a
router that pays nothing but one of two constant prices a query it equals `assurance.curves.apgr`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from assurance.bootstrap import N_RESAMPLES, row_weights
from assurance.curves import SMALLEST_GAP, check_gap, check_rows


@dataclass(frozen=True)
class Answered:
    """What answering n queries cost in US dollars, and how good the answers were, in [0, 1]."""

    cost_usd: Float[np.ndarray, " n"]
    quality: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Policies:
    """k policies on the same n queries, in an order declared beforehand: all that each paid, and what came of it."""

    cost_usd: Float[np.ndarray, "k n"]
    quality: Float[np.ndarray, "k n"]


@dataclass(frozen=True)
class ChargedCurve:
    """Gap recovered against budget, from (0, 0), weak alone, to (1, 1), strong alone; straight between."""

    budget: Float[np.ndarray, " m"]
    recovered: Float[np.ndarray, " m"]

    def recovered_at(self, budget: float) -> float:
        """Share of the gap that this budget buys."""
        return float(np.interp(budget, self.budget[:-1], self.recovered[:-1])) if budget < 1 else 1.0


def charged_curve(policies: Policies, weak: Answered, strong: Answered) -> ChargedCurve:
    """The curve of these policies; a policy that costs less than one before it is bought at that one's price.

    Args:
        policies: from the one that spends least to the one that spends most.
        weak: the weak model asked alone, per query.
        strong: the strong model asked alone, per query.

    Raises:
        NotEnoughLabels: there is no row, or the strong model is not better on these rows.
        ValueError: columns differ in length or hold what is not a number, or strong does not cost more than weak.

    Asking both and keeping the strong answer on the right half of the queries, at 1 and 10 dollars:

    >>> weak, strong = Answered(np.ones(4), np.array([0.0, 0, 1, 1])), Answered(np.full(4, 10.0), np.ones(4))
    >>> half = Policies(np.array([[11.0, 11, 1, 1]]), np.ones((1, 4)))
    >>> curve = charged_curve(half, weak, strong)
    >>> curve.budget.round(4).tolist(), curve.recovered.tolist()
    ([0.0, 0.5556, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0])
    >>> round(charged_apgr(curve), 4)  # 1 - 0.5556 / 2
    0.7222
    """
    check_rows(weak_cost=weak.cost_usd, weak=weak.quality, strong_cost=strong.cost_usd, strong=strong.quality)
    if policies.cost_usd.shape != policies.quality.shape or policies.cost_usd.shape[1:] != weak.quality.shape:
        raise ValueError(f"Policies of shape {policies.cost_usd.shape} do not fit {len(weak.quality)} rows.")
    check_gap(float(weak.quality.mean()), float(strong.quality.mean()))
    check_prices(float(weak.cost_usd.mean()), float(strong.cost_usd.mean()))
    budgets, recovered = _curves(np.ones((1, len(weak.quality))), policies, weak, strong)
    return ChargedCurve(budgets[0], recovered[0])


def charged_apgr(curve: ChargedCurve) -> float:
    """The area under the curve: 0.5 for a coin, more where the budget is spent where it helps."""
    return float(np.trapezoid(curve.recovered, curve.budget))


def resampled_charged_apgr(
    families: Mapping[str, Policies],
    weak: Answered,
    strong: Answered,
    *,
    rng: np.random.Generator,
    groups: Shaped[np.ndarray, " n"] | None = None,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Float[np.ndarray, " b"]]:
    """APGR by cost of each family of policies in the same resamples; NaN where there is no gap in quality or cost.

    Args:
        families: name -> policies, all on the same rows.
        weak: the weak model asked alone.
        strong: the strong model asked alone.
        rng: draws the resamples.
        groups: rows of one label are drawn together; None: each row alone.
        n_resamples: b, how many.

    Raises:
        NotEnoughLabels: there are fewer than two groups.
    """
    areas: dict[str, list[np.ndarray]] = {name: [] for name in families}
    for weights in row_weights(len(weak.quality), rng=rng, n_resamples=n_resamples, groups=groups):
        counted = weights.astype(float)
        for name, policies in families.items():
            budgets, recovered = _curves(counted, policies, weak, strong)
            widths = np.diff(budgets, axis=1)
            areas[name].append(0.5 * np.sum(widths * (recovered[:, 1:] + recovered[:, :-1]), axis=1))
    return {name: np.concatenate(parts) for name, parts in areas.items()}


def check_prices(weak_usd: float, strong_usd: float) -> None:
    """Refuse to measure a budget where there is nothing to save.

    Raises:
        ValueError: asking the strong model does not cost more.
    """
    if not strong_usd > weak_usd:
        raise ValueError(
            f"A query costs {strong_usd:.3g} USD at the strong model and {weak_usd:.3g} at the weak one: there is "
            "nothing to save. Check the prices, and which model is named strong."
        )


def _curves(
    weights: Float[np.ndarray, "b n"], policies: Policies, weak: Answered, strong: Answered
) -> tuple[Float[np.ndarray, "b m"], Float[np.ndarray, "b m"]]:
    """Budgets and gap recovered per resample, cut at budget 1, and then (1, 1)."""
    n = weights.sum(axis=1, keepdims=True)
    weak_usd, weak_quality = weights @ weak.cost_usd[:, None] / n, weights @ weak.quality[:, None] / n
    more_usd = weights @ strong.cost_usd[:, None] / n - weak_usd
    gap = weights @ strong.quality[:, None] / n - weak_quality
    gap = np.where(gap > SMALLEST_GAP, gap, np.nan)
    more_usd = np.where(more_usd > 0, more_usd, np.nan)
    x = (weights @ policies.cost_usd.T / n - weak_usd) / more_usd
    y = (weights @ policies.quality.T / n - weak_quality) / gap
    zero, one = np.zeros((len(n), 1)), np.ones((len(n), 1))
    x = np.maximum.accumulate(np.concatenate([zero, x], axis=1), axis=1)
    y = np.concatenate([zero, y], axis=1)
    # Where the last policy stays below budget 1, the rest of the way is mixed with always strong.
    x, y = np.concatenate([x, np.maximum(x[:, -1:], 1.0)], axis=1), np.concatenate([y, one], axis=1)
    over = x > 1.0
    first = np.argmax(over, axis=1)
    for row in np.flatnonzero(over.any(axis=1)).tolist():
        j = int(first[row])
        inside = (1.0 - x[row, j - 1]) / (x[row, j] - x[row, j - 1])
        y[row, j:] = y[row, j - 1] + inside * (y[row, j] - y[row, j - 1])
        x[row, j:] = 1.0
    return np.concatenate([x, one], axis=1), np.concatenate([y, one], axis=1)
