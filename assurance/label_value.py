"""What the next labels are worth, and when to stop: how much narrower an interval becomes, and what a router gains.

The width is Wilson's, a closed form of rate and count, so a plan needs no draw; certificates use exact bounds. A plan
assumes that the rate stays as it is. Never draws.
"""

import math
from collections.abc import Callable

from assurance.bootstrap import Interval
from assurance.bounds import binomial_upper
from assurance.learning_curve import LearningCurve
from assurance.position_effect import Z, wilson_interval
from core.errors import NotEnoughLabels
from core.records import Record

MORE = 50
"""Labels of one sitting."""

WIDTH_TOLERANCE = 0.005
"""Points of half-width that a sitting must still bring."""

GAIN_TOLERANCE = 0.002
"""Points of APGR that a sitting must still bring."""

MOST_LABELS = 10_000_000
"""No plan asks for more."""


class LabelValue(Record):
    """What `more` labels would bring, and whether that is too little to go on."""

    n_labels: int
    more: int
    half_width: float
    """Of the 95 % interval as it is."""
    half_width_after: float
    """As it is expected to be after `more` labels."""
    gain: Interval | None
    """What a router would gain in APGR, by its learning curve; None where there is no curve."""
    should_stop: bool
    sentence: str

    @property
    def narrowing(self) -> float:
        """By how much the half-width shrinks."""
        return self.half_width - self.half_width_after


def rate_label_value(
    successes: float,
    n: float,
    *,
    more: int = MORE,
    curve: LearningCurve | None = None,
    width_tolerance: float = WIDTH_TOLERANCE,
    gain_tolerance: float = GAIN_TOLERANCE,
) -> LabelValue:
    """The meter for a rate that was counted, such as the share of acceptable answers among audited ones.

    Args:
        successes: how many of the n; fractional where labels are weighted.
        n: labels; the effective number where they are weighted.
        more: labels that the question is about.
        curve: a learning curve whose forecast is about as many labels.
        width_tolerance: the half-width must shrink by this much for it to be worth going on.
        gain_tolerance: or the router gain this much APGR, by the forecast's estimate.

    Raises:
        NotEnoughLabels: n is 0.
        ValueError: a count is out of range, or the curve forecasts for another number of labels.

    >>> value = rate_label_value(25, 50)
    >>> round(value.half_width, 3), round(value.half_width_after, 3), value.should_stop
    (0.134, 0.096, False)
    """
    rate = wilson_interval(successes, n).estimate
    widths = half_width(rate, n), half_width(rate, n + more)
    return _value(n, widths, more=more, curve=curve, tolerances=(width_tolerance, gain_tolerance))


def interval_label_value(
    interval: Interval,
    n: int,
    *,
    more: int = MORE,
    curve: LearningCurve | None = None,
    width_tolerance: float = WIDTH_TOLERANCE,
    gain_tolerance: float = GAIN_TOLERANCE,
) -> LabelValue:
    """The meter for any interval from n labels, such as a bootstrap of APGR or alpha: its width falls as 1 / sqrt(n).

    Arguments and refusals as in `rate_label_value`.

    >>> value = interval_label_value(Interval(estimate=0.6, low=0.5, high=0.7), 150)
    >>> round(value.half_width_after, 4)  # 0.1 sqrt(150 / 200)
    0.0866
    """
    if n < 1:
        raise NotEnoughLabels("An interval comes from at least one label, and n is 0. Judge some answers.")
    now = (interval.high - interval.low) / 2
    widths = now, now * math.sqrt(n / (n + more))
    return _value(n, widths, more=more, curve=curve, tolerances=(width_tolerance, gain_tolerance))


def half_width(rate: float, n: float) -> float:
    """Half the width of Wilson's 95 % interval at this rate in n labels.

    >>> [round(half_width(0.5, n), 3) for n in (50, 100, 200, 300, 600, 1500)]
    [0.134, 0.096, 0.069, 0.056, 0.04, 0.025]
    """
    wilson_interval(rate * n, n)  # refuses what is no rate
    return Z / (n + Z**2) * math.sqrt(n * rate * (1.0 - rate) + Z**2 / 4)


def labels_for_half_width(rate: float, wanted: float) -> int:
    """Fewest labels whose interval at this rate is no wider than +- `wanted`.

    Raises:
        ValueError: the width is not in (0, 0.5), the rate not in [0, 1], or more than ten million labels are needed.

    >>> labels_for_half_width(0.5, 0.0963)
    100
    """
    if not 0 < wanted < 0.5:
        raise ValueError(f"The half-width wanted is {wanted}; it lies in (0, 0.5).")
    return _fewest(1, lambda n: half_width(rate, n) <= wanted)


def labels_for_promise(max_harm: float, *, delta: float, harms: int = 0) -> int:
    """Fewest labels with which `harms` harmful answers still prove a harm rate of at most `max_harm`.

    Raises:
        ValueError: max_harm or delta is not in (0, 1), harms is negative, or more than ten million labels are needed.

    Without harms it is ln(delta) / ln(1 - max_harm), rounded up:

    >>> labels_for_promise(0.01, delta=0.05), labels_for_promise(0.02, delta=0.05, harms=1)
    (299, 236)
    """
    if not 0 < max_harm < 1:
        raise ValueError(f"max_harm is {max_harm}; a share of harmful answers lies in (0, 1).")
    return _fewest(harms + 1, lambda n: binomial_upper(harms, n, delta) <= max_harm)


def _value(
    n: float,
    widths: tuple[float, float],
    *,
    more: int,
    curve: LearningCurve | None,
    tolerances: tuple[float, float],
) -> LabelValue:
    if more < 1:
        raise ValueError(f"more is {more}; ask about at least one further label.")
    if curve is not None and curve.more != more:
        raise ValueError(
            f"The learning curve forecasts for {curve.more} further labels, and the meter is about {more}. "
            "Ask both about the same number."
        )
    now, after = widths
    gain = None if curve is None else curve.forecast
    still_narrows = now - after >= tolerances[0]
    still_gains = gain is not None and gain.estimate >= tolerances[1]
    parts = [f"{more} more labels narrow the interval from +-{now:.3f} to +-{after:.3f}"]
    if gain is not None:
        parts.append(f"and are forecast to add {gain} to APGR")
    asked_for = f"{tolerances[0]}" if gain is None else f"{tolerances[0]} or {tolerances[1]}"
    verdict = (
        "That is still worth a sitting."
        if still_narrows or still_gains
        else f"That is less than the {asked_for} asked for: stop."
    )
    return LabelValue(
        n_labels=round(n),
        more=more,
        half_width=now,
        half_width_after=after,
        gain=gain,
        should_stop=not (still_narrows or still_gains),
        sentence=f"{' '.join(parts)}. {verdict}",
    )


def _fewest(start: int, is_enough: Callable[[int], bool]) -> int:
    """The smallest n >= start that is enough, where every larger one is too: doubling, then halving."""
    high = start
    while not is_enough(high):
        if high > MOST_LABELS:
            raise ValueError(
                f"More than {MOST_LABELS} labels would be needed. Ask for a wider interval or a looser promise."
            )
        high *= 2
    low = max(start, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low
