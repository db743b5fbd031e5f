"""Cost-quality curves and what is read off them: PGR, APGR, CPT. Exact; never resamples, never reads files.

A router orders queries by score; a threshold sends those at or above it to the strong model, so a lower threshold
sends more. Walking the threshold from above the highest score to below the lowest draws the curve: share of strong
calls on x, mean quality on y. Rows of equal score cannot be told apart by a threshold; between the two ends of such a
tie the curve is a straight line, which is what breaking the tie at random gives in expectation.

Source of the metrics: RouteLLM (Ong et al., 2024), section 2. What their code approximates is in `routellm_parity`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.errors import NotEnoughLabels

SMALLEST_GAP = 1e-12
"""Below this mean difference the two models are equally good up to rounding."""

ROUNDING = 1e-9
"""Two values of PGR this close are equal."""


@dataclass(frozen=True)
class CostQualityCurve:
    """Mean quality against the share of strong calls, from (0, weak alone) to (1, strong alone); straight between."""

    share_strong: Float[np.ndarray, " m"]
    quality: Float[np.ndarray, " m"]

    @property
    def weak_quality(self) -> float:
        """Mean quality when the weak model answers everything."""
        return float(self.quality[0])

    @property
    def strong_quality(self) -> float:
        """Mean quality when the strong model answers everything."""
        return float(self.quality[-1])

    def quality_at(self, share_strong: float) -> float:
        """Mean quality when this share of calls goes to the strong model.

        >>> random_curve(np.array([0.0]), np.array([1.0])).quality_at(0.25)
        0.25
        """
        return float(np.interp(share_strong, self.share_strong, self.quality))


def cost_quality_curve(
    scores: Float[np.ndarray, " n"],
    weak_quality: Float[np.ndarray, " n"],
    strong_quality: Float[np.ndarray, " n"],
) -> CostQualityCurve:
    """The exact curve: one point per distinct score, and the two ends.

    Args:
        scores: the router's score per row; higher means strong is needed more. Only their order counts.
        weak_quality: quality of the weak model's answer per row.
        strong_quality: quality of the strong model's answer per row.

    Raises:
        NotEnoughLabels: there is no row.
        ValueError: the three differ in length, or hold a NaN or an infinity.

    >>> curve = cost_quality_curve(np.array([0.9, 0.1]), np.array([0.0, 1.0]), np.array([1.0, 1.0]))
    >>> curve.share_strong.tolist(), curve.quality.tolist()
    ([0.0, 0.5, 1.0], [0.5, 1.0, 1.0])
    """
    check_rows(scores=scores, weak_quality=weak_quality, strong_quality=strong_quality)
    order, ends = tie_groups(scores)
    gained = np.cumsum((strong_quality - weak_quality)[order])[ends]
    n = len(scores)
    weak, strong = float(np.mean(weak_quality)), float(np.mean(strong_quality))
    quality = np.concatenate([[weak], weak + gained / n])
    quality[-1] = strong
    return CostQualityCurve(np.concatenate([[0.0], (ends + 1) / n]), quality)


def random_curve(weak_quality: Float[np.ndarray, " n"], strong_quality: Float[np.ndarray, " n"]) -> CostQualityCurve:
    """The straight line from weak alone to strong alone: what a coin gives in expectation."""
    return cost_quality_curve(np.zeros(len(weak_quality)), weak_quality, strong_quality)


def oracle_curve(weak_quality: Float[np.ndarray, " n"], strong_quality: Float[np.ndarray, " n"]) -> CostQualityCurve:
    """The highest curve possible: rows ordered by what the strong model really adds.

    Where the strong model is sometimes worse, this curve rises above strong alone and its APGR may exceed 1.

    >>> curve = oracle_curve(np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 1.0]))
    >>> round(apgr(curve), 6), curve.quality.max().item()
    (1.166667, 1.0)
    """
    return cost_quality_curve(strong_quality - weak_quality, weak_quality, strong_quality)


def pgr(curve: CostQualityCurve) -> Float[np.ndarray, " m"]:
    """Performance gap recovered at each point: 0 at weak alone, 1 at strong alone.

    Raises:
        NotEnoughLabels: the strong model is not better than the weak one on these rows.
    """
    gap = curve.strong_quality - curve.weak_quality
    check_gap(curve.weak_quality, curve.strong_quality)
    recovered = (curve.quality - curve.weak_quality) / gap
    recovered[-1] = 1.0
    return recovered


def apgr(curve: CostQualityCurve) -> float:
    """Average performance gap recovered: the exact area under PGR; random has 0.5, an oracle may exceed 1.

    Raises:
        NotEnoughLabels: the strong model is not better than the weak one on these rows.

    >>> apgr(random_curve(np.array([0.2, 0.4]), np.array([1.0, 0.6])))
    0.5
    """
    return float(np.trapezoid(pgr(curve), curve.share_strong))


def cpt(curve: CostQualityCurve, target: float) -> float:
    """Call-performance threshold: the smallest share of strong calls that recovers `target` of the gap.

    The first crossing, linear inside a segment. Exact on curves that go down as well as up, where interpolating share
    over quality (numpy.interp on a y that is not increasing) answers with another crossing, or with none. It always
    exists: PGR is 1 at the right end.

    Args:
        curve: from `cost_quality_curve`.
        target: share of the gap to recover, in (0, 1].

    Raises:
        NotEnoughLabels: the strong model is not better than the weak one on these rows.
        ValueError: target is outside (0, 1].

    Half the gap is first recovered at 35 % of the calls; the curve falls back and crosses again at 94 %:

    >>> quality = np.array([0.0, 0.2, 0.4, 0.4, 0.6, 0.2, 0.2, 0.2, 0.2, 0.2, 1.0])
    >>> curve = CostQualityCurve(np.arange(11) / 10, quality)
    >>> round(cpt(curve, 0.5), 6)
    0.35
    >>> round(np.interp(0.5, curve.quality, curve.share_strong).item(), 4)
    0.9375
    """
    check_target(target)
    recovered = pgr(curve)
    return float(first_crossings(curve.share_strong[None, 1:], recovered[None, 1:], target)[0])


def first_crossings(
    share: Float[np.ndarray, "b m"], recovered: Float[np.ndarray, "b m"], target: float
) -> Float[np.ndarray, " b"]:
    """The smallest share with PGR >= target on each of b curves that start at (0, 0), a point not passed in.

    A target that is met up to rounding is met: without that, half the gap recovered by exactly half the wins could be
    missed by one bit and found again much later. NaN where PGR is NaN.
    """
    j = np.argmax(recovered >= target - ROUNDING, axis=1)
    rows = np.arange(len(share))
    before = np.maximum(j - 1, 0)
    share_before = np.where(j > 0, share[rows, before], 0.0)
    recovered_before = np.where(j > 0, recovered[rows, before], 0.0)
    inside = np.minimum(1.0, (target - recovered_before) / (recovered[rows, j] - recovered_before))
    return np.asarray(share_before + inside * (share[rows, j] - share_before))


def tie_groups(scores: Float[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
    """Row order from highest score to lowest, and the position in it where each group of equal scores ends.

    >>> order, ends = tie_groups(np.array([0.1, 0.7, 0.1]))
    >>> order.tolist(), ends.tolist()
    ([1, 0, 2], [0, 2])
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    return order, np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(scores) - 1)


def check_rows(**columns: Float[np.ndarray, " n"]) -> None:
    """Refuse columns that are empty, differ in length, or hold what is not a number.

    Raises:
        NotEnoughLabels: the columns are empty.
        ValueError: the columns differ in length, or hold a NaN or an infinity.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The columns differ in length: {lengths}. Pass one value per row in each.")
    if not next(iter(lengths.values())):
        raise NotEnoughLabels(
            "There is no labelled row to measure on. Give at least one row with both models' quality."
        )
    for name, values in columns.items():
        if not np.all(np.isfinite(values)):
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"{name} is {values[row]} in row {row}. Drop the rows in which a quality is unknown.")


def check_gap(weak_quality: float, strong_quality: float) -> None:
    """Refuse to measure a recovered gap where there is none.

    Raises:
        NotEnoughLabels: the strong model's mean quality is not above the weak model's.
    """
    if strong_quality - weak_quality <= SMALLEST_GAP:
        raise NotEnoughLabels(
            f"On these rows the strong model has mean quality {strong_quality:.4g}, the weak one {weak_quality:.4g}: "
            "there is no gap to recover, so PGR, APGR and CPT have no value. "
            "Measure on more rows, or check which model is named weak and which strong."
        )


def check_target(target: float) -> None:
    """Refuse a share of the gap outside (0, 1].

    Raises:
        ValueError: target is outside (0, 1].
    """
    if not 0 < target <= 1:
        raise ValueError(f"The target is {target}; a share of the gap lies in (0, 1]. 0.5 is CPT(50 %).")
