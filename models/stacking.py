"""A stack: one score from several routers' scores, with weights that are never negative. Arrays in, arrays out.

    score = sigmoid(intercept + sum over members of weight * (logit(member's score) - center) / spread)

Fitted on out-of-fold scores by logistic loss with soft targets (1 + gap) / 2, ties half, and a weak ridge. A member
that adds nothing gets weight 0; where all do, the stack is a constant. Fitting on scores of rows that trained the
members would reward the one that overfits most. A stack is worth its members' cost only where it beats each of them on
rows that fitted neither; `verdict` says whether it does. The intervals it reads are measured elsewhere.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.calibrator import logit, sigmoid
from core.errors import BundleError, NotEnoughLabels

FEWEST_LABELS = 20

RIDGE_ROWS = 10.0
"""Strength of the ridge on standardised weights, in rows."""


@dataclass(frozen=True)
class Stack:
    """Weights of the members by name; column order is that of `member_names`."""

    member_names: tuple[str, ...]
    weights: tuple[float, ...]
    centers: tuple[float, ...]
    spreads: tuple[float, ...]
    intercept: float

    def score(self, columns: Float[np.ndarray, "n m"]) -> Float[np.ndarray, " n"]:
        """One score in [0, 1] a row; NaN where a member that has weight gives NaN, so that the bundle fails to strong.

        Raises:
            BundleError: the number of columns is not that of the members.

        >>> stack = Stack(("a", "idle"), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0), 0.0)
        >>> stack.score(np.array([[0.25, 0.9], [0.5, np.nan]])).round(6).tolist()
        [0.25, 0.5]
        """
        if columns.ndim != 2 or columns.shape[1] != len(self.member_names):
            raise BundleError(
                f"The stack reads {len(self.member_names)} columns ({', '.join(self.member_names)}), not an array of "
                f"shape {columns.shape}. Score with every member of the bundle, in this order."
            )
        total = np.full(len(columns), self.intercept)
        for weight, center, spread, column in zip(self.weights, self.centers, self.spreads, columns.T, strict=True):
            if weight > 0:
                total += weight * (logit(column) - center) / spread
        return sigmoid(total)

    def to_json(self) -> bytes:
        """The stack as JSON; `from_json` gives it back bit for bit."""
        return json.dumps(vars(self), sort_keys=True).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Stack":
        """The stack that `to_json` wrote.

        Raises:
            BundleError: a field is missing, lists differ in length, a weight is negative or a spread is not positive.
        """
        try:
            values = json.loads(content)
            lists = {name: tuple(map(float, values[name])) for name in ("weights", "centers", "spreads")}
            stack = cls(tuple(map(str, values["member_names"])), **lists, intercept=float(values["intercept"]))
        except (KeyError, ValueError, TypeError) as error:
            raise BundleError(f"The stack cannot be read ({error!r}). Register the bundle anew.") from error
        lengths = {len(stack.member_names), len(stack.weights), len(stack.centers), len(stack.spreads)}
        if len(lengths) != 1 or min(stack.weights, default=0.0) < 0 or min(stack.spreads, default=1.0) <= 0:
            raise BundleError(
                f"The stack of {len(stack.member_names)} members has weights {stack.weights} and spreads "
                f"{stack.spreads}. Register the bundle anew."
            )
        return stack


@dataclass(frozen=True)
class Verdict:
    """Whether a stack earns its members' cost, and the sentence that says so."""

    not_beaten: tuple[str, ...]
    sentence: str

    @property
    def beats_each(self) -> bool:
        """No member is left unbeaten."""
        return not self.not_beaten


def fit_stack(
    columns: Float[np.ndarray, "n m"],
    gap: Float[np.ndarray, " n"],
    *,
    member_names: Sequence[str],
    weights: Float[np.ndarray, " n"] | None = None,
) -> Stack:
    """The stack of these members; the problem is convex, so equal arguments give equal weights.

    Args:
        columns: out-of-fold scores in [0, 1], one column a member; rows with a NaN are left out.
        gap: quality of the strong answer minus that of the weak one, in [-1, 1].
        member_names: one name a column.
        weights: how much each row counts, >= 0; None: all alike.

    Raises:
        NotEnoughLabels: fewer than `FEWEST_LABELS` rows have every member's score.
        ValueError: columns and names differ in number.
    """
    if columns.ndim != 2 or columns.shape != (len(gap), len(member_names)):
        raise ValueError(f"columns have shape {columns.shape}; expected {(len(gap), len(member_names))}.")
    complete = np.isfinite(columns).all(axis=1)
    if complete.sum() < FEWEST_LABELS:
        raise NotEnoughLabels(
            f"A stack has {int(complete.sum())} rows with a score of every member; it needs {FEWEST_LABELS}. "
            "Label more queries, or route by one member."
        )
    X, targets = logit(columns[complete]), (1.0 + gap[complete]) / 2.0
    row_weights = np.ones(len(X)) if weights is None else np.asarray(weights, dtype=np.float64)[complete]
    row_weights = row_weights / row_weights.mean()
    centers, spreads = X.mean(axis=0), X.std(axis=0)
    is_constant = spreads < 1e-9
    spreads = np.where(is_constant, 1.0, spreads)
    Z = np.where(is_constant, 0.0, (X - centers) / spreads)

    def objective(parameters: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        logits = Z @ parameters[:-1] + parameters[-1]
        loss = row_weights @ (np.logaddexp(0.0, logits) - targets * logits)
        residual = row_weights * (sigmoid(logits) - targets)
        ridge = RIDGE_ROWS * parameters[:-1]
        gradient = np.append(Z.T @ residual + ridge, residual.sum())
        return float(loss + 0.5 * ridge @ parameters[:-1]), gradient

    bounds = [(0.0, None)] * len(member_names) + [(None, None)]
    from scipy.optimize import minimize  # only to fit: reading a router would wait a second for it

    found = minimize(objective, np.zeros(len(member_names) + 1), jac=True, method="L-BFGS-B", bounds=bounds)
    return Stack(
        tuple(member_names),
        tuple(found.x[:-1].tolist()),
        tuple(centers.tolist()),
        tuple(spreads.tolist()),
        float(found.x[-1]),
    )


def verdict(differences: Mapping[str, tuple[float, float, float]]) -> Verdict:
    """Whether the stack beats every member: the paired interval of each difference lies above zero.

    Args:
        differences: member -> (estimate, low, high) of stack minus member in APGR, on rows that fitted neither.

    >>> verdict({"words": (0.02, 0.01, 0.03), "mf": (0.01, -0.01, 0.03)}).sentence
    'The stack does not beat mf (+0.010 [-0.010, +0.030]); route by the best single member.'
    """
    not_beaten = tuple(name for name, (_, low, _) in differences.items() if low <= 0)
    if not not_beaten:
        return Verdict((), f"The stack beats each of its {len(differences)} members.")
    parts = ", ".join(
        f"{name} ({estimate:+.3f} [{low:+.3f}, {high:+.3f}])"
        for name, (estimate, low, high) in differences.items()
        if name in not_beaten
    )
    return Verdict(not_beaten, f"The stack does not beat {parts}; route by the best single member.")
