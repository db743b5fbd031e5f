"""Every figure of agreement with its 95 % interval, and what the figures allow to be released.

Intervals are percentiles of a bootstrap over items, drawn from the `rng` that is passed; one set of resamples serves
all figures. With few disagreements a resample knows too little of how many there may be: a limit is then the one that
the exact bound on the share of items with a disagreement gives, where that is wider. No interval is made up: where a
figure or its limits have no value, the record says why.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int

from assurance.agreement import ENOUGH, NOBODY_TWICE, ONE_LABEL, categories, point, skew_caution
from assurance.agreement_figures import (
    Disagreement,
    Kinds,
    Measure,
    disagreements,
    kinds_of_items,
    pair_disagreement,
)
from assurance.bootstrap import LEVEL, TAIL
from assurance.bounds import binomial_lower, binomial_upper
from core.records import Record

N_RESAMPLES = 1000
"""Resamples of the items behind each interval."""

GOOD = 0.8
"""Krippendorff's alpha from which labels may be relied upon."""

NOMINAL_MEASURES = (Measure.RAW, Measure.ALPHA_NOMINAL, Measure.AC1, Measure.COHEN, Measure.FLEISS)
"""The figures for labels without an order, such as verdicts."""

NAMES: Mapping[Measure, str] = {
    Measure.RAW: "raw agreement",
    Measure.ALPHA_NOMINAL: "alpha",
    Measure.ALPHA_ORDINAL: "ordinal alpha",
    Measure.ALPHA_INTERVAL: "interval alpha",
    Measure.AC1: "AC1",
    Measure.COHEN: "Cohen's kappa",
    Measure.FLEISS: "Fleiss's kappa",
}
"""What the figures are called in a sentence."""


class Figure(Record):
    """One figure of agreement with its 95 % limits; None where it has none, and `reason` then says why."""

    estimate: float | None
    low: float | None
    high: float | None
    reason: str = ""
    level: float = LEVEL

    def __str__(self) -> str:
        """`0.743 [0.600, 0.850]`, or as much of it as there is."""
        if self.estimate is None:
            return "no value"
        limits = "no interval" if self.low is None or self.high is None else f"[{self.low:.3f}, {self.high:.3f}]"
        return f"{self.estimate:.3f} {limits}"


class AgreementReport(Record):
    """Agreement on the items that two experts or more judged."""

    figures: Mapping[Measure, Figure]
    n_items: int
    n_labels: int
    n_experts: int
    caution: str = ""
    """Why alpha misleads here, where it does."""


class ReleaseScope(StrEnum):
    """What labels of such agreement may decide."""

    NOTHING = "nothing"
    LOW_STAKES = "low_stakes"
    ALL = "all"


class Release(Record):
    """What agreement allows, and the sentence that says why."""

    scope: ReleaseScope
    sentence: str


def agreement_report(
    labels: Int[np.ndarray, "items experts"],
    *,
    rng: np.random.Generator,
    measures: Sequence[Measure] = NOMINAL_MEASURES,
    n_categories: int | None = None,
    n_resamples: int = N_RESAMPLES,
) -> AgreementReport:
    """The chosen figures, each with its 95 % interval over the choice of items.

    Args:
        labels: one row per item, one column per expert; codes >= 0, and -1 where an expert gave no label. Signed
            strengths (-3..3) are passed shifted (0..6): no alpha depends on where the scale begins.
        rng: draws the resamples.
        measures: the figures wanted.
        n_categories: labels that an expert could give; None: those that occur. AC1 alone depends on it.
        n_resamples: how many.

    Raises:
        ValueError: labels is not a table of items by experts, or fewer categories are declared than occur.

    >>> labels = np.array([[0, 0], [1, 1], [2, 2], [0, 1]] * 50)
    >>> report = agreement_report(labels, rng=np.random.default_rng(0))
    >>> report.figures[Measure.RAW].estimate
    0.75
    """
    kinds = kinds_of_items(labels)
    n_experts = int(np.sum(np.any(labels != -1, axis=0)))
    if not kinds.n_items:
        nothing = Figure(estimate=None, low=None, high=None, reason=NOBODY_TWICE)
        return AgreementReport(figures=dict.fromkeys(measures, nothing), n_items=0, n_labels=0, n_experts=n_experts)
    n_categories = categories(kinds, n_categories)
    resampled_BP = rng.multinomial(kinds.n_of_kind.sum(), kinds.n_of_kind / kinds.n_of_kind.sum(), size=n_resamples)
    weights_BP = np.vstack([kinds.n_of_kind, resampled_BP]).astype(float)
    figures = {measure: _figure(measure, kinds, weights_BP, n_categories) for measure in measures}
    raw, alpha = (point(measure, kinds, n_categories) for measure in (Measure.RAW, Measure.ALPHA_NOMINAL))
    ac1 = point(Measure.AC1, kinds, n_categories) if n_categories > 1 else None
    return AgreementReport(
        figures=figures,
        n_items=kinds.n_items,
        n_labels=kinds.n_labels,
        n_experts=n_experts,
        caution=skew_caution(kinds, alpha=alpha, raw=raw, ac1=ac1),
    )


def release_rule(alpha: Figure, *, enough: float = ENOUGH, good: float = GOOD) -> Release:
    """What labels of this alpha may be released for: nothing, low stakes, or all, by the lower limit of its interval.

    Source: Krippendorff, *Content Analysis*: rely on alpha >= 0.8, draw tentative conclusions from 0.667, else discard.
    The limit is compared, not the estimate, so few items release nothing.

    Args:
        alpha: the figure with its limits.
        enough: the lowest limit that releases for low stakes.
        good: the lowest limit that releases for all stakes.

    >>> release_rule(Figure(estimate=0.75, low=0.70, high=0.80)).scope.value
    'low_stakes'
    """
    if alpha.estimate is None or alpha.low is None:
        reason = alpha.reason or "Agreement has no interval."
        return Release(scope=ReleaseScope.NOTHING, sentence=f"Nothing is released. {reason}")
    found = f"Alpha is {alpha}: its lower limit {alpha.low:.3f}"
    if alpha.low < enough:
        cure = (
            "Have more items judged twice; the estimate itself is high enough."
            if alpha.estimate >= enough
            else "Adjudicate the disagreements and make the guideline clearer."
        )
        return Release(
            scope=ReleaseScope.NOTHING, sentence=f"{found} is below {enough}, so nothing is released. {cure}"
        )
    if alpha.low < good:
        sentence = f"{found} is between {enough} and {good}, so the labels may be used for low stakes alone."
        return Release(scope=ReleaseScope.LOW_STAKES, sentence=sentence)
    return Release(
        scope=ReleaseScope.ALL, sentence=f"{found} is at least {good}, so the labels may be used for all stakes."
    )


def _figure(measure: Measure, kinds: Kinds, weights_BP: Float[np.ndarray, "b p"], n_categories: int) -> Figure:
    """The figure under the first weighting, with limits from the others."""
    try:
        found = disagreements(measure, kinds, weights_BP, n_categories=n_categories)
    except ValueError as error:
        return Figure(estimate=None, low=None, high=None, reason=str(error))
    estimate, drawn = float(found.figure[0]), found.figure[1:]
    if np.isnan(estimate):
        return Figure(estimate=None, low=None, high=None, reason=ONE_LABEL.format(figure=NAMES[measure]))
    undefined = float(np.isnan(drawn).mean())
    if kinds.n_items < 2 or undefined >= TAIL:
        reason = (
            f"There is no interval for {NAMES[measure]}: of {kinds.n_items} items judged twice, too few have another "
            f"label than the rest ({undefined:.1%} of the resamples hold one label). Have more items judged twice."
        )
        return Figure(estimate=estimate, low=None, high=None, reason=reason)
    low = float(np.quantile(np.where(np.isnan(drawn), -np.inf, drawn), TAIL, method="inverted_cdf"))
    high = float(np.quantile(np.where(np.isnan(drawn), np.inf, drawn), 1.0 - TAIL, method="inverted_cdf"))
    low_by_count, high_by_count = _limits_by_count(found, kinds)
    return Figure(estimate=estimate, low=min(low, low_by_count), high=max(high, high_by_count))


def _limits_by_count(found: Disagreement, kinds: Kinds) -> tuple[float, float]:
    """The figure if the share of items with a disagreement were at its exact upper or lower bound."""
    n_split, n = int(kinds.n_of_kind @ (pair_disagreement(kinds) > 0)), kinds.n_items
    per_split = found.observed[0] * n / n_split if n_split else found.largest[0]
    least, most = binomial_lower(n_split, n, TAIL), binomial_upper(n_split, n, TAIL)
    return float(1.0 - most * per_split / found.expected[0]), float(1.0 - least * per_split / found.expected[0])
