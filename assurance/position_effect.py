"""Does an expert favour the answer on the left? The preference, and the win rate of the strong answer without it.

Model: P(strong wins | on the left) = w + b and P(strong wins | on the right) = w - b, so w is half the sum of the two
rates and b half their difference. Both are measured only where the strong answer was shown on either side; a design
that shows it on one side measures w + b and cannot tell. Never draws.

Limits: square-and-add of the Wilson limits of the two rates. Sources: Wilson (1927); Newcombe (1998), *Interval
estimation for the difference between independent proportions*, method 10; Zou & Donner (2008) for the sum.
"""

from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Int
from scipy.stats import norm

from assurance.bootstrap import TAIL, Interval
from assurance.bounds import binomial_interval
from core.errors import NotEnoughLabels
from core.records import Record

Z = float(norm.isf(TAIL))


class Side(IntEnum):
    """The side of the answer that an expert preferred."""

    RIGHT = -1
    NEITHER = 0
    LEFT = 1


class PositionEffect(Record):
    """One expert's preference for a side; an interval is None where it has no value, and `reason` then says why."""

    left_preference: Interval | None
    """b: points by which an answer wins more often for standing on the left; 0 is none, -0.5..0.5."""
    win_rate: Interval | None
    """w: share of decisive verdicts that the strong answer wins, freed of b."""
    naive_win_rate: Interval | None
    """The share as it was counted, whatever the sides; right only where sides are balanced or b is 0."""
    n_left: int
    """Decisive verdicts with the strong answer on the left."""
    n_right: int
    n_undecided: int
    reason: str = ""

    @property
    def is_shown(self) -> bool:
        """Whether the interval of the preference excludes 0."""
        return self.left_preference is not None and not self.left_preference.low <= 0 <= self.left_preference.high


def position_effect(strong_on_left: Bool[np.ndarray, " n"], preferred: Int[np.ndarray, " n"]) -> PositionEffect:
    """The left-preference b and the win rate w of the module's model, each with its 95 % interval.

    Args:
        strong_on_left: whether the strong model's answer stood on the left, per judgement.
        preferred: the preferred side as a `Side`: 1 left, -1 right, 0 neither; undecided verdicts count for nothing.

    Raises:
        ValueError: the columns differ in length, or a side is none of the three.

    Strong wins 68 of 100 on the left and 52 of 100 on the right: w = 0.60, b = 0.08.

    >>> on_left = np.repeat([True, False], 100)
    >>> preferred = np.array([1] * 68 + [-1] * 32 + [-1] * 52 + [1] * 48)
    >>> effect = position_effect(on_left, preferred)
    >>> str(effect.left_preference), str(effect.win_rate)
    ('0.080 [0.012, 0.144]', '0.600 [0.532, 0.663]')
    """
    if len(strong_on_left) != len(preferred):
        raise ValueError(
            f"There are {len(strong_on_left)} sides and {len(preferred)} verdicts. Pass one of each per row."
        )
    if not np.isin(preferred, list(Side)).all():
        raise ValueError("A preferred side is none of 1 (left), -1 (right), 0 (neither). Code verdicts as Side.")
    decisive = preferred != Side.NEITHER
    strong_wins = decisive & (strong_on_left == (preferred == Side.LEFT))
    n_left, n_right = int(np.sum(decisive & strong_on_left)), int(np.sum(decisive & ~strong_on_left))
    won_left, won_right = int(np.sum(strong_wins & strong_on_left)), int(np.sum(strong_wins & ~strong_on_left))
    n = n_left + n_right
    left_preference = win_rate = None
    reason = ""
    if n_left and n_right:
        left, right = wilson_interval(won_left, n_left), wilson_interval(won_right, n_right)
        win_rate = _half_sum(left, right)
        mirrored = Interval(estimate=-right.estimate, low=-right.high, high=-right.low)
        left_preference = _half_sum(left, mirrored)
    elif n:
        side, other = ("left", "right") if n_left else ("right", "left")
        reason = (
            f"In all {n} decisive verdicts the strong answer stood on the {side}, so preference for a side cannot be "
            f"told from quality. Show it on the {other} as often."
        )
    else:
        reason = "No verdict prefers a side. Have more pairs judged."
    return PositionEffect(
        left_preference=left_preference,
        win_rate=win_rate,
        naive_win_rate=binomial_interval(won_left + won_right, n) if n else None,
        n_left=n_left,
        n_right=n_right,
        n_undecided=int(np.sum(~decisive)),
        reason=reason,
    )


def wilson_interval(successes: float, n: float) -> Interval:
    """The rate `successes` / `n` with Wilson's 95 % score interval.

    Source: Wilson (1927). It covers at 95 % on average over rates, not at each. Counts may be fractions.

    Raises:
        NotEnoughLabels: n is 0.
        ValueError: the count is not between 0 and n.

    >>> str(wilson_interval(5, 10))
    '0.500 [0.237, 0.763]'
    """
    if n <= 0:
        raise NotEnoughLabels("No answer was judged, so its rate has no interval. Judge at least one.")
    if not 0 <= successes <= n:
        raise ValueError(f"The count {successes} is not between 0 and n = {n}.")
    rate = successes / n
    middle = (successes + Z**2 / 2) / (n + Z**2)
    half = Z / (n + Z**2) * float(np.sqrt(n * rate * (1 - rate) + Z**2 / 4))
    return Interval(estimate=rate, low=max(0.0, min(middle - half, rate)), high=min(1.0, max(middle + half, rate)))


def _half_sum(first: Interval, second: Interval) -> Interval:
    """(first + second) / 2 of independent estimates, with square-and-add limits."""
    estimate = (first.estimate + second.estimate) / 2
    below = np.hypot(first.estimate - first.low, second.estimate - second.low) / 2
    above = np.hypot(first.high - first.estimate, second.high - second.estimate) / 2
    return Interval(estimate=estimate, low=float(estimate - below), high=float(estimate + above))
