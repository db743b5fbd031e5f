"""A new model joins a matrix-factorization router with few labels: one vector and one bias, the base stays frozen.

The new vector is sought among weighted means of the known models' vectors, v = mean + spread u, where u = 0 is the
mean and known model m sits at row m of `positions`, whose columns are orthonormal. Three steps, each convex:

1. How good is it? Its bias at the mean vector. Models as good as that lie at `line * bias`: strong models differ from
   weak ones in one direction more than in others, and the known ones show which.
2. Whom does it resemble? Ridge of its quality on that of the known models over the labelled queries, both less the
   query's mean. Outcomes of other models tell far more of an outcome than the text does. Strength by leave-one-out.
3. Where do its own queries pull it? Logistic loss over the pairs (new, known) as in `factorization_fit`, per query the
   mean over its pairs, plus strength / 2 * |u - u of step 2|^2. Strength by held-out loss.

A new pair needs no training at all: every two models of the router can be collapsed. numpy and scipy only.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.optimize import minimize

from core.calibrator import sigmoid
from core.errors import BundleError, DataError, NotEnoughLabels
from models.matrix_factorization import MatrixFactorization
from models.selection import grouped_folds

FEWEST_LABELS = 20
"""Below this, cross-validation has folds of a handful of rows."""

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Tried in step 3: how many labels' worth of pull the position of step 2 has."""

OUTCOME_STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0)
"""Tried in step 2."""

FOLDS = 4


@dataclass(frozen=True)
class JoinLabels:
    """Queries that the new model answered, and known ones too.

    A row in which the new model's quality is NaN, or that of all others, is passed over.
    """

    embeddings: Float[np.ndarray, "n d"]
    quality_of_new: Float[np.ndarray, " n"]
    """In [0, 1]; NaN where unknown."""
    quality_of_known: Float[np.ndarray, "n M"]
    """In [0, 1]; one column per name of the router, in its order; NaN where unknown."""
    weights: Float[np.ndarray, " n"] | None = None
    """How much each row counts; None: all alike."""
    groups: Shaped[np.ndarray, " n"] | None = None
    """Rows of one group share a fold; None: each row alone."""


@dataclass(frozen=True)
class Joined:
    """The router with one model more, and how its vector was found."""

    router: MatrixFactorization
    n_labels: int
    strength: float
    outcome_strength: float
    held_out_losses: tuple[tuple[float, float], ...] = ()
    """Strength and its cross-validated logistic loss per row; empty where the strength was given."""


def join(
    router: MatrixFactorization, name: str, labels: JoinLabels, *, strength: float | None = None, seed: int = 0
) -> Joined:
    """The router with the model `name`, every other weight as it was.

    Args:
        router: knows at least two models; it is not changed.
        name: of the new model.
        labels: a hundred rows or more are worth it; see `benchmarks.cold_start`.
        strength: of step 3; None: the one of `STRENGTHS` with the least held-out loss.
        seed: shuffles the folds.

    Raises:
        BundleError: the router knows the name already.
        DataError: arrays disagree in length, or a quality, a weight or an embedding is out of its range.
        NotEnoughLabels: fewer than `FEWEST_LABELS` rows with the new model and another.
    """
    if name in router.model_names:
        raise BundleError(f"The router knows '{name}' already. Adapt it to more labels, or join under another name.")
    rows, groups = _usable(router, labels)
    space = _Space.of(router)
    outcome_strength, losses = 0.0, dict[float, float]()
    if strength is None:
        fold = grouped_folds(len(rows.q_new), n_folds=FOLDS, seed=seed, groups=groups)
        losses = dict.fromkeys(STRENGTHS, 0.0)
        for k in range(FOLDS):
            seen, held_out = rows.part(fold != k), rows.part(fold == k)
            prior, bias, _ = _resembling(space, seen)
            for tried in STRENGTHS:
                found = _solve(space, seen, prior=prior, strength=tried, start_bias=bias)
                losses[tried] += _loss(space, held_out, *found) / rows.weights.sum()
        strength = min(STRENGTHS, key=lambda tried: (losses[tried], -tried))
    prior, bias, outcome_strength = _resembling(space, rows)
    position, bias = _solve(space, rows, prior=prior, strength=strength, start_bias=bias)
    wider = replace(
        router,
        model_names=(*router.model_names, name),
        model_vectors=np.vstack([router.model_vectors, space.mean + space.spread @ position]),
        model_biases=np.append(router.model_biases, bias),
    )
    return Joined(wider, len(rows.q_new), strength, outcome_strength, tuple(losses.items()))


@dataclass(frozen=True)
class _Space:
    """Where models can lie: u in R^r, r the rank of the known models' spread."""

    router: MatrixFactorization
    mean: Float[np.ndarray, " k"]
    spread: Float[np.ndarray, "k r"]
    positions: Float[np.ndarray, "M r"]
    """Of the known models; orthonormal columns."""

    @classmethod
    def of(cls, router: MatrixFactorization) -> "_Space":
        mean = router.model_vectors.mean(axis=0)
        left, sizes, right = np.linalg.svd(router.model_vectors - mean, full_matrices=False)
        kept = sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-300)
        return cls(router, mean, right[kept].T * sizes[kept], left[:, kept])

    @property
    def line(self) -> Float[np.ndarray, " r"]:
        """By how much a position moves per unit of bias, over the known models."""
        biases = self.router.model_biases - self.router.model_biases.mean()
        squares = float(biases @ biases)
        return self.positions.T @ biases / squares if squares > 0 else np.zeros(self.positions.shape[1])


@dataclass(frozen=True)
class _Rows:
    """Usable rows: `scores` are the known models' deltas, `coordinates` what u is multiplied with."""

    coordinates: Float[np.ndarray, "n r"]
    at_mean: Float[np.ndarray, " n"]
    scores: Float[np.ndarray, "n M"]
    q_new: Float[np.ndarray, " n"]
    q_known: Float[np.ndarray, "n M"]
    weights: Float[np.ndarray, " n"]

    def part(self, chosen: Bool[np.ndarray, " n"]) -> "_Rows":
        return _Rows(**{name: column[chosen] for name, column in vars(self).items()})


def _resembling(space: _Space, rows: _Rows) -> tuple[Float[np.ndarray, " r"], float, float]:
    """Steps 1 and 2: position, bias at the mean vector, and the strength of the ridge."""
    known = np.isfinite(rows.q_known)
    mean = np.nanmean(rows.q_known, axis=1)
    seen = np.where(known, rows.q_known - mean[:, None], 0.0) @ space.positions
    root = np.sqrt(rows.weights)[:, None]
    nothing = np.zeros(space.positions.shape[1])
    bias = _solve(space, rows, prior=nothing, strength=np.inf, start_bias=0.0)[1]
    on_line = space.line * (bias - space.router.model_biases.mean())
    centred = seen - np.average(seen, axis=0, weights=rows.weights)
    rest = rows.q_new - mean
    rest = rest - np.average(rest, weights=rows.weights) - centred @ on_line
    X, y = root * centred, root[:, 0] * rest
    gram, moment = X.T @ X, X.T @ y
    found = []
    for strength in OUTCOME_STRENGTHS:
        inverse = np.linalg.inv(gram + strength * np.eye(len(gram)))
        moved = inverse @ moment
        leverage = np.einsum("nr,rs,ns->n", X, inverse, X)
        left_out = (y - X @ moved) / np.maximum(1.0 - leverage, 1e-9)
        found.append((float(left_out @ left_out), -strength, moved))
    _, negative, moved = min(found, key=lambda one: one[:2])
    return on_line + moved, bias, -negative


def _solve(
    space: _Space, rows: _Rows, *, prior: Float[np.ndarray, " r"], strength: float, start_bias: float
) -> tuple[Float[np.ndarray, " r"], float]:
    """Step 3: position and bias; an infinite strength keeps the position and finds the bias alone."""
    is_free = np.isfinite(strength)
    known, targets, share = _pairs(rows)

    def objective(x: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        u = x[:-1] if is_free else prior
        margin = (rows.at_mean + rows.coordinates @ u + x[-1])[:, None] - rows.scores
        loss = float(np.sum(share * (np.logaddexp(0.0, margin) - targets * margin), where=known))
        pull = np.sum(share * (sigmoid(margin) - targets), axis=1, where=known)
        if not is_free:
            return loss, np.array([pull.sum()])
        moved = u - prior
        gradient = np.append(rows.coordinates.T @ pull + strength * moved, pull.sum())
        return loss + 0.5 * strength * float(moved @ moved), gradient

    start = np.append(prior, start_bias) if is_free else np.array([start_bias])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-12, "gtol": 1e-8})
    return (found.x[:-1] if is_free else prior), float(found.x[-1])


def _loss(space: _Space, rows: _Rows, position: Float[np.ndarray, " r"], bias: float) -> float:
    known, targets, share = _pairs(rows)
    margin = (rows.at_mean + rows.coordinates @ position + bias)[:, None] - rows.scores
    return float(np.sum(share * (np.logaddexp(0.0, margin) - targets * margin), where=known))


def _pairs(rows: _Rows) -> tuple[Bool[np.ndarray, "n M"], Float[np.ndarray, "n M"], Float[np.ndarray, "n M"]]:
    """Which pairs are known, the new model's win in each, and how much each counts."""
    known = np.isfinite(rows.q_known)
    targets = 0.5 + 0.5 * (rows.q_new[:, None] - np.where(known, rows.q_known, 0.0))
    return known, targets, np.broadcast_to((rows.weights / known.sum(axis=1))[:, None], known.shape)


def _usable(router: MatrixFactorization, labels: JoinLabels) -> tuple[_Rows, Shaped[np.ndarray, " n"] | None]:
    X, q_new, q_known = labels.embeddings, labels.quality_of_new, labels.quality_of_known
    weights = np.ones(len(q_new)) if labels.weights is None else np.asarray(labels.weights, dtype=np.float64)
    faults = []
    if len(router.model_names) < 2:
        faults.append("the router knows one model alone, so nothing says what distinguishes models")
    if X.shape != (len(q_new), router.dimension) or q_known.shape != (len(q_new), len(router.model_names)):
        faults.append(
            f"embeddings {X.shape} and quality_of_known {q_known.shape} for {len(q_new)} rows, dimension "
            f"{router.dimension} and {len(router.model_names)} known models"
        )
    if not np.all(np.isfinite(X)):
        faults.append("an embedding holds NaN or an infinity")
    qualities = np.append(q_new.ravel(), q_known.ravel())
    if np.nanmin(qualities, initial=0.0) < 0 or np.nanmax(qualities, initial=0.0) > 1:
        faults.append("a quality lies outside [0, 1]")
    if len(weights) != len(q_new) or not (np.all(np.isfinite(weights)) and np.min(weights, initial=0.0) >= 0):
        faults.append("weights need one finite number >= 0 per row")
    if faults:
        raise DataError(faults, "Mend the labels with which the model is to join.")
    usable = np.isfinite(q_new) & np.isfinite(q_known).any(axis=1) & (weights > 0)
    if usable.sum() < FEWEST_LABELS:
        raise NotEnoughLabels(
            f"{usable.sum()} rows have the quality of the new model and of a known one; joining needs at least "
            f"{FEWEST_LABELS}, and some 200 to come near full training. Label more queries that both answered."
        )
    space = _Space.of(router)
    hidden = (np.asarray(X[usable], dtype=np.float64) - router.center) * router.scale @ router.text_projection.T
    told = router.classifier * (hidden + router.text_bias)
    rows = _Rows(
        coordinates=told @ space.spread,
        at_mean=told @ space.mean,
        scores=told @ router.model_vectors.T + router.model_biases,
        q_new=np.asarray(q_new[usable], dtype=np.float64),
        q_known=np.asarray(q_known[usable], dtype=np.float64),
        weights=weights[usable],
    )
    return rows, None if labels.groups is None else np.asarray(labels.groups)[usable]
