"""A router, a second cheap model and a strong one as a family of policies: whom to ask, at each price of quality.

For a price `lam` of quality (quality lost that one more US dollar must buy back), each query takes the best of three:

| action | expected gain, less lam times expected cost |
|---|---|
| the weak model answers | 0 |
| the strong model answers | gain(question) - lam * (strong - weak) |
| weak and second are asked | E[max(0, gain(question, agree or differ) - lam * strong)] - lam * second |

The expectations are ridge regressions on what is known before: the router's score, the question's tokens, its number of
options. They are fitted on training rows, the router's scores there being held out. No test row chooses anything.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from assurance.charged import Answered, Policies
from benchmarks.priced_sets import PricedRows

Manner = Literal["router", "second_always", "second_where_it_pays"]

MANNERS_OF_ASKING: tuple[Manner, ...] = ("router", "second_always", "second_where_it_pays")

RIDGE_ROWS = 10.0

PRICES_OF_QUALITY = np.geomspace(50.0, 0.001, 200)
"""What a strong call of mean cost must gain in quality; declared before any row is seen, dearest first."""


@dataclass(frozen=True)
class Linear:
    """A linear map of standardised features."""

    weights: Float[np.ndarray, " d"]
    center: Float[np.ndarray, " d"]
    spread: Float[np.ndarray, " d"]
    intercept: float

    def of(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Its value per row."""
        return np.asarray((features - self.center) / self.spread @ self.weights + self.intercept)


@dataclass(frozen=True)
class Expectations:
    """What training rows lead to expect of a query."""

    gain: Linear
    gain_where_they_agree: Linear
    gain_where_they_differ: Linear
    differ: Linear
    log_strong_usd: Linear
    strong_factor: float
    """Mean cost over the mean of its fitted logarithm's exponential."""
    log_second_usd: Linear
    mean_strong_usd: float


def features_of(
    rows: PricedRows, score: Float[np.ndarray, " n"], at: Int[np.ndarray, " m"]
) -> Float[np.ndarray, "m 3"]:
    """What is known of these rows before anyone answers; `score` is the router's for them, in their order."""
    return np.column_stack([score, np.log(rows.size[at, 0]), rows.size[at, 1]])


def expect(rows: PricedRows, second: str, X: Float[np.ndarray, "m 3"], at: Int[np.ndarray, " m"]) -> Expectations:
    """Expectations from the rows `at`, whose features are X."""
    gap, differs = rows.gap[at], rows.disagrees[second][at] > 0.5
    strong_usd = rows.strong.cost_usd[at]
    log_strong = _ridge(X, np.log(strong_usd))
    return Expectations(
        _ridge(X, gap),
        _ridge(X[~differs], gap[~differs]),
        _ridge(X[differs], gap[differs]),
        _ridge(X, differs.astype(float)),
        log_strong,
        float(strong_usd.mean() / np.exp(log_strong.of(X)).mean()),
        _ridge(X, np.log(rows.seconds[second].cost_usd[at])),
        float(strong_usd.mean()),
    )


def policies_of(
    rows: PricedRows,
    second: str,
    known: Expectations,
    *,
    X: Float[np.ndarray, "m 3"],
    at: Int[np.ndarray, " m"],
    manner: Manner,
) -> Policies:
    """What each policy pays and answers on the rows `at`: every call that it makes is charged."""
    weak_usd, strong_usd = rows.weak.cost_usd[at], rows.strong.cost_usd[at]
    second_usd = rows.seconds[second].cost_usd[at]
    gain, agree, differ = (
        model.of(X) for model in (known.gain, known.gain_where_they_agree, known.gain_where_they_differ)
    )
    p_differ = np.clip(known.differ.of(X), 0.01, 0.99)
    expected_strong = np.exp(known.log_strong_usd.of(X)) * known.strong_factor
    expected_second = np.exp(known.log_second_usd.of(X))
    gain_after = np.where(rows.disagrees[second][at] > 0.5, differ, agree)
    costs, qualities = [], []
    for price in PRICES_OF_QUALITY:
        lam = price / known.mean_strong_usd
        at_once = gain - lam * (expected_strong - weak_usd)
        after = (1 - p_differ) * np.maximum(0, agree - lam * expected_strong)
        after = after + p_differ * np.maximum(0, differ - lam * expected_strong) - lam * expected_second
        if manner == "router":
            asks_second = np.zeros(len(at), dtype=bool)
        elif manner == "second_always":
            asks_second = np.ones(len(at), dtype=bool)
        else:
            asks_second = after > np.maximum(0, at_once)
        strong_first = ~asks_second & (at_once > 0)
        to_strong = strong_first | (asks_second & (gain_after > lam * expected_strong))
        paid = np.where(strong_first, 0.0, weak_usd) + np.where(asks_second, second_usd, 0.0)
        costs.append(paid + np.where(to_strong, strong_usd, 0.0))
        qualities.append(np.where(to_strong, rows.strong.quality[at], rows.weak.quality[at]))
    return Policies(np.array(costs), np.array(qualities))


def part_of(answered: Answered, at: Int[np.ndarray, " m"]) -> Answered:
    """The answers to these rows."""
    return Answered(answered.cost_usd[at], answered.quality[at])


def _ridge(X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]) -> Linear:
    center, spread = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-9)
    Z = (X - center) / spread
    weights = np.linalg.solve(Z.T @ Z + RIDGE_ROWS * np.eye(X.shape[1]), Z.T @ (y - y.mean()))
    return Linear(weights, center, spread, float(y.mean()))
