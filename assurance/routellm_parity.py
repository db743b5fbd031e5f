"""RouteLLM's own approximations of APGR and CPT, so that published figures can be compared like with like.

Rewritten from the evaluation of RouteLLM 0.2.0 (`benchmarks.py`, `evaluate.py`), which cuts the test scores into ten
parts by quantile and reads everything off the eleven points. Use `assurance.curves` for decisions: the doctests below
show where these differ from the exact value.
"""

import numpy as np
from jaxtyping import Float

from assurance.curves import CostQualityCurve, check_rows, pgr

N_PARTS = 10


def routellm_points(
    scores: Float[np.ndarray, " n"],
    weak_quality: Float[np.ndarray, " n"],
    strong_quality: Float[np.ndarray, " n"],
) -> CostQualityCurve:
    """The eleven points that RouteLLM plots: thresholds at the deciles of these very scores (`pandas.qcut`).

    Raises:
        ValueError: two deciles are equal, as happens when many rows share a score; RouteLLM stops there too.

    Four tied rows out of ten are enough to stop it; the exact curve takes them as one segment:

    >>> tied = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.6, 0.7])
    >>> routellm_points(tied, np.zeros(10), np.ones(10))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: Deciles of the scores coincide ...
    """
    check_rows(scores=scores, weak_quality=weak_quality, strong_quality=strong_quality)
    thresholds = np.quantile(scores, np.linspace(0.0, 1.0, N_PARTS + 1))
    if np.any(np.diff(thresholds) <= 0):
        raise ValueError(
            "Deciles of the scores coincide (many equal scores); RouteLLM's points do not exist. "
            "Use `assurance.curves`."
        )
    ask_strong = [scores >= threshold for threshold in thresholds[:-1]] + [scores > thresholds[-1]]
    shares = np.array([chosen.mean() for chosen in reversed(ask_strong)])
    quality = np.array([np.where(chosen, strong_quality, weak_quality).mean() for chosen in reversed(ask_strong)])
    return CostQualityCurve(shares, quality)


def routellm_apgr(
    scores: Float[np.ndarray, " n"],
    weak_quality: Float[np.ndarray, " n"],
    strong_quality: Float[np.ndarray, " n"],
) -> float:
    """APGR by trapezoids over RouteLLM's eleven points.

    Raises:
        NotEnoughLabels: the strong model is not better than the weak one.
        ValueError: two deciles are equal.

    Trapezoids between deciles cut the corners of the curve, which matters on few rows:

    >>> from assurance.curves import apgr, cost_quality_curve
    >>> gap_by_rank = np.array([0] * 10 + [1] * 3 + [-1] * 3 + [0, 0, 1, 0])
    >>> weak, strong = (gap_by_rank < 0).astype(float), (gap_by_rank > 0).astype(float)
    >>> scores = -np.arange(20) / 20
    >>> round(routellm_apgr(scores, weak, strong), 3), round(apgr(cost_quality_curve(scores, weak, strong)), 3)
    (0.45, 0.525)
    """
    points = routellm_points(scores, weak_quality, strong_quality)
    return float(np.trapezoid(pgr(points), points.share_strong))


def routellm_cpt(
    scores: Float[np.ndarray, " n"],
    weak_quality: Float[np.ndarray, " n"],
    strong_quality: Float[np.ndarray, " n"],
    target: float,
) -> float:
    """CPT as RouteLLM computes it: `numpy.interp` of share over quality, which needs a quality that only rises.

    Raises:
        NotEnoughLabels: the strong model is not better than the weak one.
        ValueError: two deciles are equal.

    Where the quality also falls, the search lands on a later crossing, here 80 points of share too dear:

    >>> from assurance.curves import cost_quality_curve, cpt
    >>> gap_by_rank = np.array([1] * 3 + [-1] * 5 + [0] * 6 + [1] * 6)
    >>> weak, strong = (gap_by_rank < 0).astype(float), (gap_by_rank > 0).astype(float)
    >>> scores = -np.arange(20) / 20
    >>> round(routellm_cpt(scores, weak, strong, 0.5), 3), round(cpt(cost_quality_curve(scores, weak, strong), 0.5), 3)
    (0.9, 0.1)
    """
    points = routellm_points(scores, weak_quality, strong_quality)
    return float(np.interp(target, pgr(points), points.share_strong))
