"""Fits the matrix-factorization router: pairwise logistic loss with soft targets, L-BFGS, an analytic gradient.

Each query gives every pair of models whose quality is known the target (1 + q_a - q_b) / 2: a tie is half a win each
and is never dropped. With rank >= M - 1 the model vectors are a fixed basis of the contrasts between models, the
problem is convex and its solution depends on no seed. Below that rank, vectors and projection are fitted together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.linalg import helmert
from scipy.optimize import minimize

from core.errors import DataError, NotEnoughLabels
from models.matrix_factorization import MatrixFactorization
from models.selection import grouped_folds, ranking_gain

L2_GRID = (100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
"""Strengths that `choose_l2` tries: from a few thousand easy queries to a few hundred hard ones."""

DEFAULT_L2 = 1_000.0
"""Prior precision of each coefficient of a pair, features of mean variance one: a standard deviation of 0.03."""

DEFAULT_RANK = 16

_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Convergence:
    """What the optimiser did; `passes` counts evaluations of loss and gradient over all pairs."""

    n_pairs: int
    passes: int
    loss: float
    has_converged: bool


def fit(  # noqa: PLR0913 - data, and the four knobs of one fit
    embeddings: Float[np.ndarray, "n d"],
    quality: Float[np.ndarray, "n M"],
    model_names: Sequence[str],
    *,
    rank: int = DEFAULT_RANK,
    l2: float | None = DEFAULT_L2,
    weights: Float[np.ndarray, " n"] | None = None,
    groups: Shaped[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> MatrixFactorization:
    """The router that explains the known qualities best; `l2=None` lets `choose_l2` find the strength.

    `groups` is read by that choice alone; the other arguments and the refusals are those of `fit_with_report`.
    """
    if l2 is None:
        _check(embeddings, quality, model_names, weights)
        l2 = choose_l2(embeddings, quality, model_names, rank=rank, groups=groups, seed=seed)
    return fit_with_report(embeddings, quality, model_names, rank=rank, l2=l2, weights=weights, seed=seed)[0]


def fit_with_report(  # noqa: PLR0913 - as fit
    embeddings: Float[np.ndarray, "n d"],
    quality: Float[np.ndarray, "n M"],
    model_names: Sequence[str],
    *,
    rank: int = DEFAULT_RANK,
    l2: float = DEFAULT_L2,
    weights: Float[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> tuple[MatrixFactorization, Convergence]:
    """The router that explains the known qualities best, and what the optimiser did.

    Minimises, per query, the mean logistic loss over its known pairs, plus l2 / 2 times the mean squared norm of a
    pair's vector (over all pairs of models), both divided by the number of queries. So `l2` means the same for any
    number of models. Intercepts are free.

    Args:
        embeddings: one row a query.
        quality: in [0, 1]; NaN where a model's answer is unknown.
        model_names: one name a column of `quality`.
        rank: length of the model vectors; more than M - 1 adds nothing and is cut to it.
        l2: see above; `choose_l2` finds one.
        weights: how much each query counts; None: all alike.
        seed: starting point where rank < M - 1.

    Raises:
        DataError: columns and names disagree, a quality is outside [0, 1], or an embedding is not finite.
        NotEnoughLabels: no query has two known qualities.
    """
    _check(embeddings, quality, model_names, weights)
    row_weights = np.ones(len(quality)) if weights is None else np.asarray(weights, dtype=np.float64)
    known = np.isfinite(quality)
    usable = (known.sum(axis=1) >= 2) & (row_weights > 0)
    if not usable.any():
        raise NotEnoughLabels(
            f"None of the {len(quality)} queries has a quality for two models, so there is no pair to learn from. "
            "Give outcomes in which at least two models answered the same query."
        )
    X, Q, row_weights = np.asarray(embeddings[usable], dtype=np.float32), quality[usable], row_weights[usable]
    center = X.mean(axis=0, dtype=np.float64)
    X = X - center.astype(np.float32)
    spread = float(np.sqrt(np.mean(np.square(X, dtype=np.float64))))
    scale = 1.0 / spread if spread > 0 else 1.0
    X *= np.float32(scale)
    problem = _Problem(X, Q, row_weights, min(rank, Q.shape[1] - 1), l2)
    vectors, projection, biases, convergence = problem.solve(np.random.default_rng(seed))
    k = vectors.shape[1]
    router = MatrixFactorization(
        model_names=tuple(model_names),
        model_vectors=vectors,
        model_biases=biases,
        text_projection=projection,
        text_bias=np.zeros(k),
        classifier=np.ones(k),
        center=center,
        scale=scale,
    )
    return router, convergence


def choose_l2(
    embeddings: Float[np.ndarray, "n d"],
    quality: Float[np.ndarray, "n M"],
    model_names: Sequence[str],
    *,
    rank: int = DEFAULT_RANK,
    groups: Shaped[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> float:
    """The strength of `L2_GRID` that ranks held-out queries best, by 3-fold cross-validation grouped by `groups`.

    The statistic is the mean over pairs of models of `ranking_gain`, each pair turned so that its better model is the
    strong one. Equal gains go to the stronger penalty.

    Raises:
        DataError, NotEnoughLabels: as `fit`; or there are fewer groups than folds.
    """
    fold = grouped_folds(len(quality), n_folds=3, seed=seed, groups=groups)
    return max(
        sorted(L2_GRID, reverse=True),
        key=lambda l2: sum(
            _held_out_gain(
                fit(embeddings[fold != f], quality[fold != f], model_names, rank=rank, l2=l2, seed=seed),
                embeddings[fold == f],
                quality[fold == f],
            )
            for f in range(3)
        ),
    )


def _held_out_gain(
    router: MatrixFactorization, embeddings: Float[np.ndarray, "n d"], quality: Float[np.ndarray, "n M"]
) -> float:
    total = 0.0
    for a, b in zip(*np.triu_indices(quality.shape[1], 1), strict=True):
        rows = np.isfinite(quality[:, a]) & np.isfinite(quality[:, b])
        if not rows.any():
            continue
        gap = quality[rows, b] - quality[rows, a]
        weak, strong, sign = (a, b, 1.0) if gap.sum() >= 0 else (b, a, -1.0)
        pair = router.collapse(router.model_names[weak], router.model_names[strong])
        total += ranking_gain(embeddings[rows] @ pair.vector, sign * gap)
    return total


class _Problem:
    """Loss and gradient over all known pairs. Suffixes: n queries, M models, k rank, p known pairs of one batch."""

    def __init__(
        self,
        X: Float[np.ndarray, "n d"],
        Q: Float[np.ndarray, "n M"],
        row_weights: Float[np.ndarray, " n"],
        k: int,
        l2: float,
    ) -> None:
        self.X = X
        self.k, self.n_models, self.l2 = k, Q.shape[1], l2
        self.total = float(row_weights.sum())
        self.is_convex = k == self.n_models - 1
        self.batches = list(_pair_batches(Q, row_weights))
        self.n_pairs = sum(len(batch.row) for batch in self.batches)
        self.passes = 0

    def solve(
        self, rng: np.random.Generator
    ) -> tuple[Float[np.ndarray, "M k"], Float[np.ndarray, "k d"], Float[np.ndarray, " M"], Convergence]:
        d = self.X.shape[1]
        vectors = helmert(self.n_models).T  # orthonormal contrasts: M x (M - 1)
        if not self.is_convex:
            vectors = rng.normal(scale=1.0 / np.sqrt(self.k), size=(self.n_models, self.k))
        projection = np.zeros((self.k, d)) if self.is_convex else rng.normal(scale=0.1 / np.sqrt(d), size=(self.k, d))
        free_vectors = np.zeros(0) if self.is_convex else vectors.ravel()
        start = np.concatenate([projection.ravel(), np.zeros(self.n_models), free_vectors])
        found = minimize(
            self._loss_and_gradient,
            start,
            args=(vectors,),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 300, "ftol": 1e-7, "gtol": 1e-6, "maxcor": 20},
        )
        projection, biases, vectors = self._unpack(found.x, vectors)
        convergence = Convergence(self.n_pairs, self.passes, float(found.fun), bool(found.success))
        return vectors, projection, biases - biases.mean(), convergence

    def _unpack(
        self, parameters: Float[np.ndarray, " x"], vectors: Float[np.ndarray, "M k"]
    ) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, " M"], Float[np.ndarray, "M k"]]:
        end = self.k * self.X.shape[1]
        projection = parameters[:end].reshape(self.k, -1)
        biases = parameters[end : end + self.n_models]
        return projection, biases, vectors if self.is_convex else parameters[end + self.n_models :].reshape(-1, self.k)

    def _loss_and_gradient(
        self, parameters: Float[np.ndarray, " x"], vectors: Float[np.ndarray, "M k"]
    ) -> tuple[float, Float[np.ndarray, " x"]]:
        self.passes += 1
        projection, biases, vectors = self._unpack(parameters, vectors)
        hidden_nk = (self.X @ projection.astype(np.float32).T).astype(np.float64)
        delta_nM = hidden_nk @ vectors.T + biases
        grad_nM = np.empty_like(delta_nM)
        loss = 0.0
        for batch in self.batches:
            loss += batch.loss_into(grad_nM[batch.rows], delta_nM[batch.rows])
        grad_hidden = (grad_nM @ vectors).astype(np.float32)
        grad_projection = (grad_hidden.T @ self.X).astype(np.float64)
        grad_vectors = grad_nM.T @ hidden_nk
        # sum over models of |theta_m|^2, theta = vectors @ projection; 2 / (M - 1) makes it a mean over pairs
        vtv, wwt = vectors.T @ vectors, projection @ projection.T
        strength = self.l2 * 2.0 / (self.n_models - 1)
        loss += 0.5 * strength * float(np.sum(vtv * wwt))
        gradient = [grad_projection + strength * (vtv @ projection), grad_nM.sum(axis=0)]
        if not self.is_convex:
            gradient.append(grad_vectors + strength * (vectors @ wwt))
        return loss / self.total, np.concatenate([part.ravel() for part in gradient]) / self.total


@dataclass(frozen=True)
class _PairBatch:
    """The known pairs of consecutive queries; `row` counts from the batch's first query."""

    rows: slice
    row: Int[np.ndarray, " p"]
    a: Int[np.ndarray, " p"]
    b: Int[np.ndarray, " p"]
    target: Float[np.ndarray, " p"]
    weight: Float[np.ndarray, " p"]

    def loss_into(self, grad: Float[np.ndarray, "m M"], delta: Float[np.ndarray, "m M"]) -> float:
        """Summed loss; its gradient by `delta` is written into `grad`."""
        n_models = delta.shape[1]
        margin = delta[self.row, self.a] - delta[self.row, self.b]
        half = np.tanh(0.5 * margin)
        loss = float(np.sum(self.weight * (np.logaddexp(0.0, margin) - self.target * margin)))
        pull = self.weight * (0.5 + 0.5 * half - self.target)
        size = grad.size
        at_a = np.bincount(self.row * n_models + self.a, pull, minlength=size)
        at_b = np.bincount(self.row * n_models + self.b, pull, minlength=size)
        grad[...] = (at_a - at_b).reshape(grad.shape)
        return loss


def _pair_batches(Q: Float[np.ndarray, "n M"], row_weights: Float[np.ndarray, " n"]) -> Iterator[_PairBatch]:
    first, second = np.triu_indices(Q.shape[1], 1)
    at_once = max(1, min(_ROWS_AT_ONCE, (1 << 24) // len(first)))
    for start in range(0, len(Q), at_once):
        rows = slice(start, min(start + at_once, len(Q)))
        gap = Q[rows][:, first] - Q[rows][:, second]
        known = np.isfinite(gap)
        row, pair = np.nonzero(known)
        per_query = row_weights[rows] / known.sum(axis=1)
        yield _PairBatch(rows, row, first[pair], second[pair], 0.5 + 0.5 * gap[row, pair], per_query[row])


def _check(
    embeddings: Float[np.ndarray, "n d"],
    quality: Float[np.ndarray, "n M"],
    model_names: Sequence[str],
    weights: Float[np.ndarray, " n"] | None,
) -> None:
    faults = []
    if quality.ndim != 2 or quality.shape[1] != len(model_names) or len(set(model_names)) != len(model_names):
        faults.append(
            f"quality has shape {quality.shape} for the models {list(model_names)}; one column per distinct name"
        )
    elif len(model_names) < 2:
        faults.append("one model alone: a router chooses between at least two")
    if len(embeddings) != len(quality):
        faults.append(f"{len(embeddings)} embeddings for {len(quality)} rows of quality")
    if not np.all(np.isfinite(embeddings)):
        faults.append("an embedding holds NaN or an infinity")
    if np.nanmin(quality, initial=0.0) < 0 or np.nanmax(quality, initial=0.0) > 1:
        faults.append("a quality lies outside [0, 1]")
    if weights is not None and (
        len(weights) != len(quality) or not np.all(np.isfinite(weights)) or np.min(weights, initial=0.0) < 0
    ):
        faults.append("weights need one finite number >= 0 per row")
    if faults:
        raise DataError(faults, "Mend the arrays that were passed to the router's fit.")
