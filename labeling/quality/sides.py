"""Preference for a side, of one expert and of all together, and how often the strong answer wins without it.

One expert judges a pair once, so their verdicts are independent over pairs. Several experts on one pair are not: they
see the same answers. Limits over all experts are therefore widened by the root of the design effect, the variance over
pairs divided by the variance that as many independent verdicts would have; they are never narrowed.

Source of the design effect and the linearised variance over clusters: Kish (1965), *Survey Sampling*, chapter 5.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from assurance.bootstrap import Interval
from assurance.position_effect import PositionEffect, Side, position_effect
from labeling.quality.label_columns import Labels

_SIDE_OF_FIRST = np.array([Side.LEFT, Side.RIGHT, Side.NEITHER, Side.NEITHER, Side.NEITHER])


@dataclass(frozen=True)
class Sides:
    """The preference for a side over all experts, and how often the strong answer wins without it."""

    effect: PositionEffect
    """Over all pairs."""
    of_strong: PositionEffect | None
    """Over pairs whose strong model is named: its win rates are the strong answer's. None where there is no such."""


def sides_of(work: Labels) -> Sides:
    """Over all experts, with limits that allow for several verdicts on one pair."""
    everyone = np.ones(len(work), dtype=bool)
    is_named = work.first_is_strong[work.pair] >= 0
    return Sides(_over_pairs(work, everyone), _over_pairs(work, is_named) if is_named.any() else None)


def effect_of(work: Labels, which: Bool[np.ndarray, " n"]) -> PositionEffect:
    """Of these verdicts, at most one on each pair; where nobody named the strong model, the pair's first answer counts.

    Args:
        work: judgements that count.
        which: those of one expert.
    """
    strong_on_left, preferred = _sides(work, which)
    return position_effect(strong_on_left, preferred)


def _over_pairs(work: Labels, which: Bool[np.ndarray, " n"]) -> PositionEffect:
    found = effect_of(work, which)
    if found.win_rate is None or found.left_preference is None:
        return found
    strong_on_left, preferred = _sides(work, which)
    decisive = preferred != Side.NEITHER
    pair, on_left = work.pair[which][decisive], strong_on_left[decisive]
    won = on_left == (preferred[decisive] == Side.LEFT)
    # What each verdict adds to the error of its side's rate; the two rates are halved and summed, or subtracted.
    rate = np.where(on_left, np.mean(won[on_left]), np.mean(won[~on_left]))
    error = 0.5 * (won - rate) / np.where(on_left, np.sum(on_left), np.sum(~on_left))
    return found.model_copy(
        update={
            "win_rate": _widened(found.win_rate, error, pair),
            "left_preference": _widened(found.left_preference, np.where(on_left, error, -error), pair),
        }
    )


def _widened(interval: Interval, error: Float[np.ndarray, " n"], pair: Int[np.ndarray, " n"]) -> Interval:
    """The interval with its limits moved outward by the root of the design effect.

    >>> said_twice = np.array([0, 0, 1, 1])
    >>> half = Interval(estimate=0.5, low=0.4, high=0.6)
    >>> round(_widened(half, np.array([0.1, 0.1, -0.1, -0.1]), said_twice).high, 4)
    0.6414
    """
    alone, over_pairs = float(np.sum(error**2)), float(np.sum(np.bincount(pair, weights=error) ** 2))
    root = float(np.sqrt(max(1.0, over_pairs / alone))) if alone > 0 else 1.0
    estimate = interval.estimate
    low, high = estimate - root * (estimate - interval.low), estimate + root * (interval.high - estimate)
    return interval.model_copy(update={"low": low, "high": high})


def _sides(work: Labels, which: Bool[np.ndarray, " n"]) -> tuple[Bool[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Per verdict, whether the strong answer stood on the left, and which side was preferred."""
    strong_is_first = work.first_is_strong[work.pair[which]] != 0
    first_on_left = ~work.swapped[which]
    of_first = _SIDE_OF_FIRST[work.verdict[which]]
    return strong_is_first == first_on_left, np.where(first_on_left, of_first, -of_first)
