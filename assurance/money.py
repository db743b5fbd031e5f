"""What routing saves, in US dollars: the routed answers' cost beside always asking the strong model. Prices nothing.

Costs per answer come with the rows. What rows cannot tell (retries, rechecks, escalations, a judge) enters as stated
assumptions and stands in the result beside the figure. Never guesses a cost that a row does not give.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped
from pydantic import Field

from assurance.bootstrap import N_RESAMPLES, TAIL, Interval, row_weights
from core.errors import NotEnoughLabels
from core.records import Record, Share


class CostAssumptions(Record):
    """What the rows do not show. All apply to new traffic, none to the rows' own costs.

    `retried_share` of all calls are paid twice. `escalated_share` of weak answers fail their recheck and are answered
    by the strong model as well. Each weak answer's recheck costs `recheck_usd`; a judge reads `judged_share` of all
    queries at `judge_usd` each.
    """

    retried_share: Share = 0.0
    escalated_share: Share = 0.0
    recheck_usd: float = Field(0.0, ge=0, allow_inf_nan=False)
    judged_share: Share = 0.0
    judge_usd: float = Field(0.0, ge=0, allow_inf_nan=False)


@dataclass(frozen=True)
class RoutedCosts:
    """Columns of n rows: what either model's answer cost in USD (NaN: not known), and where the query went."""

    weak_usd: Float[np.ndarray, " n"]
    strong_usd: Float[np.ndarray, " n"]
    to_strong: Bool[np.ndarray, " n"]
    groups: Shaped[np.ndarray, " n"]


class Savings(Record):
    """Costs of `queries` queries in USD, and what routing saves of always asking the strong model.

    `n` rows gave both costs, `n_unknown` did not. `saved_share` is a share of the always-strong cost, None where that
    is zero. `parts` splits the routed cost: weak, strong, escalations, retries, rechecks, judge.
    """

    queries: int
    n: int
    n_unknown: int
    always_weak: float
    always_strong: float
    routed: Interval
    saved: Interval
    saved_share: Interval | None
    parts: Mapping[str, float]
    assumptions: CostAssumptions


def savings(
    costs: RoutedCosts,
    assumptions: CostAssumptions,
    *,
    queries: int,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Savings:
    """What routing saves on so many queries like the rows, with bootstrap intervals over groups of rows.

    A retry doubles a call's price wherever it goes, in the always-strong cost too. Escalated answers pay both models.

    Raises:
        NotEnoughLabels: fewer than two groups of rows know both costs.

    >>> costs = RoutedCosts(np.full(4, 0.001), np.full(4, 0.01), np.array([True, False] * 2), np.arange(4))
    >>> found = savings(costs, CostAssumptions(), queries=1000, rng=np.random.default_rng(0))
    >>> found.always_strong, found.routed.estimate, found.saved.estimate, found.saved_share.estimate
    (10.0, 5.5, 4.5, 0.45)
    """
    known = np.isfinite(costs.weak_usd) & np.isfinite(costs.strong_usd)
    weak, strong, to_strong = costs.weak_usd[known], costs.strong_usd[known], costs.to_strong[known]
    unit = np.unique(costs.groups[known], return_inverse=True)[1]
    n_units = int(unit.max()) + 1 if len(unit) else 0
    if n_units < 2:
        raise NotEnoughLabels(
            f"{int(known.sum())} of {len(known)} rows say what both answers cost; a saving needs at least two groups. "
            "Give cost_usd for both models in the outcome rows."
        )
    parts_n = _parts(weak, strong, to_strong, assumptions)
    routed_n = np.sum(list(parts_n.values()), axis=0)
    strong_n = strong * (1 + assumptions.retried_share) + assumptions.judged_share * assumptions.judge_usd
    totals_KU = np.stack([np.bincount(unit, weights=column, minlength=n_units) for column in (routed_n, strong_n)])
    rows_U = np.bincount(unit, minlength=n_units)
    routed_B, strong_B = np.concatenate(
        [totals_KU @ drawn.T / (drawn @ rows_U) for drawn in row_weights(n_units, rng=rng, n_resamples=n_resamples)],
        axis=1,
    )
    routed, always_strong = float(routed_n.mean()), float(strong_n.mean())
    return Savings(
        queries=queries,
        n=len(weak),
        n_unknown=int(np.sum(~known)),
        always_weak=_tidy(queries * (float(weak.mean()) * (1 + assumptions.retried_share))),
        always_strong=_tidy(queries * always_strong),
        routed=_interval(queries * routed, queries * routed_B),
        saved=_interval(queries * (always_strong - routed), queries * (strong_B - routed_B)),
        saved_share=_interval(1 - routed / always_strong, 1 - routed_B / strong_B) if strong_B.min() > 0 else None,
        parts={name: _tidy(queries * float(column.mean())) for name, column in parts_n.items()},
        assumptions=assumptions,
    )


def _parts(
    weak: Float[np.ndarray, " n"],
    strong: Float[np.ndarray, " n"],
    to_strong: Bool[np.ndarray, " n"],
    a: CostAssumptions,
) -> dict[str, Float[np.ndarray, " n"]]:
    """The routed cost per row, by what it is paid for."""
    answered = np.where(to_strong, 0.0, weak)
    asked = np.where(to_strong, strong, 0.0)
    escalated = np.where(to_strong, 0.0, a.escalated_share * strong)
    return {
        "weak": answered,
        "strong": asked,
        "escalations": escalated,
        "retries": a.retried_share * (answered + asked + escalated),
        "rechecks": np.where(to_strong, 0.0, a.recheck_usd),
        "judge": np.full(len(weak), a.judged_share * a.judge_usd),
    }


def _interval(estimate: float, drawn: Float[np.ndarray, " b"]) -> Interval:
    low, high = np.quantile(drawn, [TAIL, 1.0 - TAIL])
    return Interval(estimate=_tidy(estimate), low=_tidy(float(low)), high=_tidy(float(high)), n_resamples=len(drawn))


def _tidy(usd: float) -> float:
    """Without the digits that binary arithmetic adds."""
    return round(usd, 9)
