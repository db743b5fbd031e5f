"""The calibrator: a frozen map from a router's raw score to a probability, with maps of its own for strata it names.

It decides, so it travels in the bundle as JSON and needs numpy alone. Fitting lives in `assurance.calibration`.

| method | map |
|---|---|
| identity | the score itself |
| platt | sigmoid(slope * logit(score) + intercept) |
| beta | sigmoid(slope * ln(score) - slope_high * ln(1 - score) + intercept) |
| isotonic | linear between knots (score, probability), flat outside |
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from core.records import Name, Record, Share

EPSILON = 1e-6
"""Scores are clipped to [EPSILON, 1 - EPSILON] before a logarithm is taken."""


class ScoreIntervals(Record):
    """Two step functions of the score, between which the probability lies: how little the labels say just there.

    `low[i]` holds from `low_from[i]` on, 0 before the first; `high[i]` holds up to `high_to[i]`, 1 after the last.
    """

    low_from: tuple[float, ...]
    low: tuple[Share, ...]
    high_to: tuple[float, ...]
    high: tuple[Share, ...]

    @model_validator(mode="after")
    def _steps_are_ordered(self) -> Self:
        for steps, values in ((self.low_from, self.low), (self.high_to, self.high)):
            if len(steps) != len(values) or np.any(np.diff(steps) <= 0) or np.any(np.diff(values) < 0):
                raise ValueError("steps must rise, with as many values, none below the one before")
        return self

    def at(self, scores: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Lower and upper probability of each score.

        >>> known = ScoreIntervals(low_from=(0.5,), low=(0.4,), high_to=(0.5,), high=(0.6,))
        >>> [limits.tolist() for limits in known.at(np.array([0.2, 0.5, 0.9]))]
        [[0.0, 0.4, 0.4], [0.6, 0.6, 1.0]]
        """
        low = np.array([0.0, *self.low])[np.searchsorted(self.low_from, scores, side="right")]
        high = np.array([*self.high, 1.0])[np.searchsorted(self.high_to, scores, side="left")]
        return low, high


class Calibrator(Record):
    """A map from score to probability; within a stratum non-decreasing, so it never reorders its queries.

    `strata` holds the maps of strata that have their own; any other stratum, and an unknown one, takes this map.
    Where `widest` is given, a score whose interval is wider has probability 1: too little is known of queries there,
    and they go to the strong model.
    """

    method: Literal["identity", "platt", "beta", "isotonic"] = "identity"
    slope: float = Field(default=1.0, ge=0)
    intercept: float = 0.0
    knot_scores: tuple[float, ...] = ()
    knot_probabilities: tuple[float, ...] = ()
    n_labels: int = 0
    slope_high: float = Field(default=1.0, ge=0)
    strata: Mapping[Name, "Calibrator"] = {}
    intervals: ScoreIntervals | None = None
    widest: Share | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.method == "isotonic":
            if len(self.knot_scores) != len(self.knot_probabilities) or not self.knot_scores:
                raise ValueError("isotonic needs as many knot_scores as knot_probabilities, at least one")
            if np.any(np.diff(self.knot_scores) < 0) or np.any(np.diff(self.knot_probabilities) < 0):
                raise ValueError("isotonic knots must not decrease")
        if any(own.strata or own.intervals for own in self.strata.values()):
            raise ValueError("the map of a stratum holds no strata and no intervals of its own")
        if self.widest is not None and self.intervals is None:
            raise ValueError("widest limits intervals, and there are none")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_used(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Calibrators written before these fields existed keep their hash, which certificates name.
        given = write(self)
        unused = {"slope_high": self.method == "beta", "strata": self.strata}
        unused |= {"intervals": self.intervals is not None, "widest": self.widest is not None}
        return {name: value for name, value in given.items() if unused.get(name, True)}

    def apply(self, scores: Float[np.ndarray, " n"], strata: Sequence[str | None] = ()) -> Float[np.ndarray, " n"]:
        """Probabilities of the event for raw scores in [0, 1]; NaN is never made a probability below 1.

        Args:
            scores: raw scores.
            strata: the stratum of each score, None where it is not known; empty: of none it is known.

        >>> Calibrator().apply(np.array([0.25, 0.5])).tolist()
        [0.25, 0.5]
        >>> flat = Calibrator(method="platt", slope=0.0)
        >>> Calibrator(strata={"law/high": flat}).apply(np.array([0.9, 0.9]), ["law/high", "tax/high"]).tolist()
        [0.5, 0.9]
        """
        probabilities = self._own(scores)
        for name in self.strata.keys() & set(strata):
            index = [i for i, stratum in enumerate(strata) if stratum == name]
            probabilities[index] = self.strata[name]._own(scores[index])
        if self.intervals is not None and self.widest is not None:
            low, high = self.intervals.at(scores)
            probabilities[high - low > self.widest] = 1.0
        return probabilities

    def rise(self, scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The logit of the probability less the intercept, of the methods platt and beta."""
        clipped = np.clip(scores, EPSILON, 1.0 - EPSILON)
        slope_high = self.slope_high if self.method == "beta" else self.slope
        return np.asarray(self.slope * np.log(clipped) - slope_high * np.log1p(-clipped))

    def numbers(self) -> tuple[float, ...]:
        """Every number that decides, those of the strata among them."""
        own = (self.slope, self.slope_high, self.intercept, *self.knot_scores, *self.knot_probabilities)
        steps = (*self.intervals.low_from, *self.intervals.high_to) if self.intervals else ()
        return (*own, *steps, *(number for one in self.strata.values() for number in one.numbers()))

    def _own(self, scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The map itself, whatever the stratum; a new array."""
        if self.method in ("platt", "beta"):
            return sigmoid(self.rise(scores) + self.intercept)
        if self.method == "isotonic":
            return np.asarray(np.interp(scores, self.knot_scores, self.knot_probabilities))
        return np.array(scores, dtype=float)


def sigmoid(x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def logit(p: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """ln(p / (1 - p)) of probabilities clipped to [EPSILON, 1 - EPSILON]."""
    clipped = np.clip(p, EPSILON, 1.0 - EPSILON)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
