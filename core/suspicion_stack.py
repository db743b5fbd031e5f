"""The stack of signals: a frozen map from what is known of a weak answer to the probability that it is wrong.

    suspicion = calibrator(sigmoid(intercept + sum over signals of (weight * z, or missing_weight where it is missing)))
    z         = (logit(signal) - center) / spread

It decides, so it travels as JSON and needs numpy alone. Fitting lives in `assurance.signal_stack`.

| signal | what it is | its weight |
|---|---|---|
| router | probability that the strong model is needed, from the question alone | >= 0 |
| classifier | suspicion of the classifier of (question, weak answer) | >= 0 |
| logprob_mean, logprob_least, logprob_margin | how unsure the weak model was of its final answer | >= 0 |
| samples | share of the weak model's further answers that disagree with it | >= 0 |
| second | disagreement with a second cheap model | >= 0 |
| soft_findings | soft findings n of the free checks, as n / (n + 1) | >= 0 |
| length | words of the answer, on a scale of their logarithm | any |
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field, ValidationError, model_validator

from core.calibrator import Calibrator, logit, sigmoid
from core.errors import DataError
from core.records import Record

RAISING = (
    *("router", "classifier", "logprob_mean", "logprob_least", "logprob_margin"),
    *("samples", "second", "soft_findings"),
)
"""Signals that can only raise suspicion."""

SIGNALS = (*RAISING, "length")

LEAST = 0.02
"""Signals are clipped to [LEAST, 1 - LEAST] before a logit is taken: a 0 and a 1 are far apart, not infinitely far."""


class StackedSignal(Record):
    """One signal's part. `missing_weight` is None where the fit saw too few rows without it to say what that means."""

    name: str
    weight: float = Field(allow_inf_nan=False)
    center: float = Field(allow_inf_nan=False)
    spread: float = Field(gt=0, allow_inf_nan=False)
    missing_weight: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_known_and_only_raises(self) -> Self:
        if self.name not in SIGNALS:
            raise ValueError(f"'{self.name}' is no signal; the signals are {', '.join(SIGNALS)}")
        if self.name in RAISING and self.weight < 0:
            raise ValueError(f"signal '{self.name}' can only raise suspicion, and its weight is {self.weight}")
        return self


class SuspicionStack(Record):
    """The stack; its outcome is NaN where a signal is missing that was never missing when it was fitted."""

    format: Literal["preceptor/suspicion-stack/1"] = "preceptor/suspicion-stack/1"
    signals: tuple[StackedSignal, ...]
    intercept: float = Field(allow_inf_nan=False)
    calibrator: Calibrator = Calibrator()
    n_labels: int = 0

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [one.name for one in self.signals]
        if len(set(names)) < len(names):
            raise ValueError("a signal stands twice")
        return self

    @property
    def read(self) -> frozenset[str]:
        """The signals that matter: those of weight 0 need not be gathered."""
        return frozenset(one.name for one in self.signals if one.weight or one.missing_weight)

    def score(self, columns: Mapping[str, Float[np.ndarray, " n"]]) -> Float[np.ndarray, " n"]:
        """Suspicion before calibration, in (0, 1); NaN where it is not known.

        Args:
            columns: signal -> value in [0, 1] per row, NaN where missing; one that is not there is missing everywhere.

        Raises:
            ValueError: there is no column, so the number of rows is not known.

        >>> stack = SuspicionStack(intercept=0.0, signals=(
        ...     StackedSignal(name="second", weight=1.0, center=0.0, spread=1.0, missing_weight=0.0),
        ...     StackedSignal(name="router", weight=1.0, center=0.0, spread=1.0)))
        >>> columns = {"second": np.array([0.5, 0.25, np.nan]), "router": np.array([0.5, 0.5, 0.5])}
        >>> stack.score(columns).round(6).tolist()
        [0.5, 0.25, 0.5]
        >>> stack.score({"second": np.array([0.5])}).tolist()  # the router was never missing
        [nan]
        """
        if not columns:
            raise ValueError("The stack was given no signal at all. Pass one column a signal, NaN where missing.")
        n = len(next(iter(columns.values())))
        total = np.full(n, self.intercept)
        for signal in self.signals:
            if not (signal.weight or signal.missing_weight):
                continue
            column = np.asarray(columns.get(signal.name, np.full(n, np.nan)), dtype=float)
            z = (spread_out(column) - signal.center) / signal.spread
            instead = math.nan if signal.missing_weight is None else signal.missing_weight
            total = total + np.where(np.isnan(z), instead, signal.weight * z)
        return sigmoid(total)

    def apply(self, columns: Mapping[str, Float[np.ndarray, " n"]]) -> Float[np.ndarray, " n"]:
        """The probability that the weak answer is wrong; NaN where it is not known."""
        return self.calibrator.apply(self.score(columns))

    def suspicion_of(self, signals: Mapping[str, float]) -> float:
        """The same for one answer.

        >>> SuspicionStack(signals=(), intercept=0.0).suspicion_of({})
        0.5
        """
        columns = {name: np.array([value]) for name, value in signals.items()} or {"length": np.array([math.nan])}
        return float(self.apply(columns)[0])


def read_stack(path: Path) -> SuspicionStack:
    """The stack in a file.

    Raises:
        DataError: the file cannot be read, or holds no stack.
    """
    next_step = "Write it anew with `preceptor measure --stack`, or leave verifiers.stack unset."
    try:
        return SuspicionStack.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError([f"{path}: {error.strerror or error}"], next_step) from error
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors()]
        raise DataError(faults, next_step) from error


def spread_out(signal: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The logit of a signal; what lies outside [0, 1] is missing.

    >>> spread_out(np.array([0.5, 1.5])).tolist()
    [0.0, nan]
    """
    with np.errstate(invalid="ignore"):
        inside = (signal >= 0) & (signal <= 1)
    return np.where(inside, logit(np.clip(np.where(inside, signal, 0.5), LEAST, 1 - LEAST)), np.nan)
