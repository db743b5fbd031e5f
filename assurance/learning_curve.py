"""Do more labels pay? Quality against the number of labels, and a forecast of what further ones would bring.

The forecast fits APGR(n) = ceiling - slope / sqrt(n), slope >= 0, by least squares on the measured sizes: the rate at
which a regular estimator's error falls. Its interval covers the choice of test rows; that the form holds beyond the
largest size is an assumption, and nothing here promises it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

from assurance.bootstrap import Interval, percentile_interval, resampled_apgr
from assurance.curves import apgr, cost_quality_curve
from core.errors import NotEnoughLabels
from core.records import Record


class LearningCurve(Record):
    """APGR per number of labels, all on the same test rows, each with its 95 % interval."""

    sizes: tuple[int, ...]
    apgr: tuple[Interval, ...]
    gains: tuple[Interval, ...]
    """APGR of each size minus that of the size before it, paired; one fewer than sizes."""
    more: int
    """Further labels that the forecast is about."""
    forecast: Interval
    """What `more` labels beyond the largest size would add to APGR, if the fitted form holds."""


def learning_curve(
    sizes: Sequence[int],
    scores: Float[np.ndarray, "s n"],
    quality_gap: Float[np.ndarray, " n"],
    *,
    more: int,
    rng: np.random.Generator,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> LearningCurve:
    """The learning curve of routers that were trained on growing numbers of labels.

    Args:
        sizes: numbers of labels, ascending.
        scores: one row a size: scores of the same n test queries, none of which the router had seen.
        quality_gap: quality of the strong model's answer minus that of the weak model's, per query.
        more: further labels to forecast for.
        rng: draws the resamples.
        groups: label per query; queries of one label are drawn together.

    Raises:
        NotEnoughLabels: fewer than two sizes, or the strong model is not better on these rows.
    """
    if len(sizes) < 2:
        raise NotEnoughLabels(
            f"A learning curve needs at least two numbers of labels; there are {len(sizes)}. "
            "Label more pairs, or ask for smaller sizes."
        )
    zero = np.zeros(len(quality_gap))
    estimates = np.array([apgr(cost_quality_curve(column, zero, quality_gap)) for column in scores])
    drawn = resampled_apgr(scores, quality_gap, rng=rng, groups=groups)
    forecast = _forecast(sizes, np.column_stack([estimates, drawn]), more)
    return LearningCurve(
        sizes=tuple(sizes),
        apgr=tuple(percentile_interval(float(e), d) for e, d in zip(estimates, drawn, strict=True)),
        gains=tuple(
            percentile_interval(float(e), d) for e, d in zip(np.diff(estimates), np.diff(drawn, axis=0), strict=True)
        ),
        more=more,
        forecast=percentile_interval(float(forecast[0]), forecast[1:]),
    )


def _forecast(sizes: Sequence[int], values: Float[np.ndarray, "s b"], more: int) -> Float[np.ndarray, " b"]:
    """Gain of `more` labels per column of values, by the form of the module's docstring.

    >>> curve = 0.8 - 2.0 / np.sqrt(np.array([25.0, 100.0, 400.0]))
    >>> round(float(_forecast([25, 100, 400], curve[:, None], 500)[0]), 4)  # 2 (1/20 - 1/30)
    0.0333
    """
    rate = 1.0 / np.sqrt(np.asarray(sizes, dtype=float))
    centred = rate - rate.mean()
    slope = np.maximum(-(centred @ values) / (centred @ centred), 0.0)
    largest = sizes[-1]
    return np.asarray(slope * (1.0 / np.sqrt(largest) - 1.0 / np.sqrt(largest + more)))
