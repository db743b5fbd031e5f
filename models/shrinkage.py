"""How far labels may move a pair's vector away from where it stood: the convex problem, and the choice of its strength.

    minimise  sum of weight * logistic loss of sigmoid(x . u + c) + strength / 2 * |u - prior|^2    over u and c

The prior is the base router; a weaker penalty listens more to the labels. The choice is by held-out logistic loss: the
noise of held-out ranking on a few hundred rows exceeds the differences between strengths. numpy and scipy only.
"""

import numpy as np
from jaxtyping import Float, Shaped

from models.selection import grouped_folds

STRENGTHS = (30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
"""Prior precisions that are tried, for features of mean variance one."""

FOLDS = 4


def choose_strength(
    features: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, " n"],
    prior: Float[np.ndarray, " d"],
    *,
    weights: Float[np.ndarray, " n"] | None = None,
    groups: Shaped[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> tuple[float, dict[float, float]]:
    """The strength of `STRENGTHS` with the lowest held-out loss, and every strength's mean held-out loss.

    Args:
        features: what the base reads, of mean variance one.
        targets: in [0, 1]; a tie is 0.5.
        prior: the base's vector for the pair.
        weights: how much each row counts, > 0; None: each once.
        groups: rows of one group share a fold.
        seed: shuffles the folds.

    Raises:
        NotEnoughLabels: there are fewer groups than folds.
    """
    fold = grouped_folds(len(targets), n_folds=FOLDS, seed=seed, groups=groups)
    losses = dict.fromkeys(STRENGTHS, 0.0)
    counts = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    for strength in STRENGTHS:
        for k in range(FOLDS):
            seen, held_out = fold != k, fold == k
            vector, intercept = move_from(features[seen], targets[seen], prior, strength=strength, weights=counts[seen])
            logits = features[held_out] @ vector + intercept
            losses[strength] += _loss(logits, targets[held_out], counts[held_out]) / float(counts.sum())
    return min(STRENGTHS, key=lambda strength: (losses[strength], -strength)), losses


def move_from(
    features: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, " n"],
    prior: Float[np.ndarray, " d"],
    *,
    strength: float,
    weights: Float[np.ndarray, " n"] | None = None,
) -> tuple[Float[np.ndarray, " d"], float]:
    """Vector and intercept of the problem above; the solution is unique.

    >>> vector, intercept = move_from(np.array([[1.0], [-1.0]]), np.array([0.5, 0.5]), np.zeros(1), strength=1.0)
    >>> vector.tolist(), intercept
    ([0.0], 0.0)
    """
    counts = np.ones(len(targets)) if weights is None else weights

    def objective(parameters: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        moved, logits = parameters[:-1] - prior, features @ parameters[:-1] + parameters[-1]
        residual = counts * (0.5 + 0.5 * np.tanh(0.5 * logits) - targets)
        gradient = np.append(features.T @ residual + strength * moved, residual.sum())
        return _loss(logits, targets, counts) + 0.5 * strength * float(moved @ moved), gradient

    from scipy.optimize import minimize  # only to fit: reading a router would wait a second for it

    found = minimize(objective, np.append(prior, 0.0), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return found.x[:-1], float(found.x[-1])


def _loss(logits: Float[np.ndarray, " n"], targets: Float[np.ndarray, " n"], counts: Float[np.ndarray, " n"]) -> float:
    return float(np.sum(counts * (np.logaddexp(0.0, logits) - targets * logits)))
