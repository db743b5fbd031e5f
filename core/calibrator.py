"""The calibrator: a frozen monotone map from a router's raw score to a probability.

It decides, so it travels in the bundle as JSON and needs numpy alone. Fitting lives in `assurance.calibration`.

| method | map |
|---|---|
| identity | the score itself |
| platt | sigmoid(slope * logit(score) + intercept) |
| isotonic | linear between knots (score, probability), flat outside |
"""

from typing import Literal, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from core.records import Record

EPSILON = 1e-6
"""Scores are clipped to [EPSILON, 1 - EPSILON] before a logit is taken."""


class Calibrator(Record):
    """A monotone map from score to probability; non-decreasing, so it never reorders queries."""

    method: Literal["identity", "platt", "isotonic"] = "identity"
    slope: float = Field(default=1.0, ge=0)
    intercept: float = 0.0
    knot_scores: tuple[float, ...] = ()
    knot_probabilities: tuple[float, ...] = ()
    n_labels: int = 0

    @model_validator(mode="after")
    def _knots_are_monotone(self) -> Self:
        if self.method == "isotonic":
            if len(self.knot_scores) != len(self.knot_probabilities) or not self.knot_scores:
                raise ValueError("isotonic needs as many knot_scores as knot_probabilities, at least one")
            if np.any(np.diff(self.knot_scores) < 0) or np.any(np.diff(self.knot_probabilities) < 0):
                raise ValueError("isotonic knots must not decrease")
        return self

    def apply(self, scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Probabilities of the event for raw scores in [0, 1]; NaN stays NaN.

        >>> Calibrator().apply(np.array([0.25, 0.5])).tolist()
        [0.25, 0.5]
        >>> Calibrator(method="platt", slope=0.0, intercept=0.0).apply(np.array([0.9])).tolist()
        [0.5]
        """
        if self.method == "platt":
            return sigmoid(self.slope * logit(scores) + self.intercept)
        if self.method == "isotonic":
            return np.asarray(np.interp(scores, self.knot_scores, self.knot_probabilities))
        return np.asarray(scores, dtype=float)


def sigmoid(x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def logit(p: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """ln(p / (1 - p)) of probabilities clipped to [EPSILON, 1 - EPSILON]."""
    clipped = np.clip(p, EPSILON, 1.0 - EPSILON)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
