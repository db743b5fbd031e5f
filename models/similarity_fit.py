"""Fits the similarity router: bandwidth, neighbours and prior by grouped cross-validation, distances by leave-one-out.

How examples vote (bandwidth, number of neighbours, prior) is judged on held-out rows by two statistics, `ranking_gain`
and logistic loss, since a score must order queries and be near a probability. Each is brought to one scale by its
standard error over the held-out rows, and their sum decides. numpy alone.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.stats import rankdata

from core.errors import NotEnoughLabels
from models.selection import grouped_folds
from models.similarity import SimilarityRouter
from models.similarity_kernel import DISTANCE_NEIGHBOURS, Kernel

NEIGHBOURS = (10, 30, 100, 300, 1000)
BANDWIDTHS = (0.06, 0.12, 0.25, 0.5)
PRIOR_SHARES = (0.3, 1.0, 3.0, 10.0)
"""Weight of the overall share, relative to the usual sum of votes."""

FOLDS = 4
MOST_HELD_OUT = 4_000
"""Rows that are scored to choose a kernel; more rows than this are sampled, all others vote."""

MOST_FOR_DISTANCE = 2_000
"""Rows whose own distances make the quantiles."""

FEWEST_LABELS = 20
"""Below this, the examples' own distances say nothing."""

FEWEST_TO_CHOOSE = 40
"""Below this, folds are too small to compare kernels, and the default one stays."""


def fit(  # noqa: PLR0913 - data, and the two choices that are not made here
    embeddings: Float[np.ndarray, "n d"],
    gap: Float[np.ndarray, " n"],
    *,
    weighting: Literal["local", "paper"] = "local",
    weights: Float[np.ndarray, " n"] | None = None,
    groups: Shaped[np.ndarray, " n"] | None = None,
    dtype: type[np.float32] | type[np.float16] = np.float32,
    quantile: float = 0.99,
    seed: int = 0,
) -> SimilarityRouter:
    """The router of all rows, its kernel chosen on them where there are `FEWEST_TO_CHOOSE`.

    Args:
        embeddings: one row a labelled query.
        gap: quality of the strong answer minus that of the weak one, in [-1, 1].
        weighting: `paper` has nothing to choose but distances.
        weights: how much each row counts; None: all alike.
        groups: rows of one group (copies of one question) neither share folds nor count as each other's neighbours.
        dtype: how examples are kept.
        quantile: of the rows' own distances, beyond which a query is outside.
        seed: shuffles the folds and draws the samples.

    Raises:
        DataError: as `SimilarityRouter.of`.
        NotEnoughLabels: fewer than `FEWEST_LABELS` rows, or fewer groups than folds.
    """
    router = SimilarityRouter.of(embeddings, gap, kernel=Kernel(weighting=weighting), weights=weights, dtype=dtype)
    n = len(router.win_share)
    if n < FEWEST_LABELS:
        raise NotEnoughLabels(
            f"The similarity router has {n} labels and needs {FEWEST_LABELS}. "
            "Label more pairs, or name the kernel (`SimilarityRouter.of`)."
        )
    has_choice = weighting == "local" and n >= FEWEST_TO_CHOOSE
    chosen = choose_kernel(router, groups=groups, seed=seed) if has_choice else router.kernel
    usual, far = own_distances(router, groups=groups, quantile=quantile, seed=seed)
    kernel = chosen.model_copy(update={"usual_distance": usual, "far_distance": far})
    return SimilarityRouter(router.examples, router.win_share, router.weights, kernel)


def choose_kernel(router: SimilarityRouter, *, groups: Shaped[np.ndarray, " n"] | None = None, seed: int = 0) -> Kernel:
    """The kernel under which the examples predict each other best; distances stay those of the router's kernel.

    Raises:
        NotEnoughLabels: there are fewer groups than folds.
    """
    n = len(router.win_share)
    fold = grouped_folds(n, n_folds=FOLDS, seed=seed, groups=groups)
    asked = np.sort(np.random.default_rng(seed).permutation(n)[:MOST_HELD_OUT])
    votes = [_held_out_votes(router, fold, asked[fold[asked] == k], k) for k in range(FOLDS)]
    usual = np.median(np.concatenate([one.total for one in votes]), axis=0)  # per neighbours and bandwidth
    gap, weight = [2.0 * router.win_share[asked].astype(float) - 1.0, router.weights[asked].astype(float)]
    order = np.argsort(np.concatenate([np.flatnonzero(fold[asked] == k) for k in range(FOLDS)]))
    statistics = {}
    for i, n_neighbours in enumerate(NEIGHBOURS):
        for j, bandwidth in enumerate(BANDWIDTHS):
            for share in PRIOR_SHARES:
                prior = float(share * usual[i, j])
                scores = [one.scores(i, j, prior) for one in votes]
                ranks = np.concatenate([(rankdata(part) - 0.5) / max(len(part), 1) for part in scores])[order]
                kernel = router.kernel.model_copy(
                    update={"n_neighbours": n_neighbours, "bandwidth": bandwidth, "prior_count": prior}
                )
                statistics[kernel] = (weight * gap * (ranks - 0.5), -weight * _loss(np.concatenate(scores)[order], gap))
    return _best(statistics)


def own_distances(
    router: SimilarityRouter, *, groups: Shaped[np.ndarray, " n"] | None = None, quantile: float = 0.99, seed: int = 0
) -> tuple[float, float]:
    """Median and `quantile` of the examples' distances from each other, each left out with all of its group."""
    vectors = router.index.vectors
    group = np.arange(len(vectors)) if groups is None else np.unique(groups, return_inverse=True)[1]
    asked = np.random.default_rng(seed).permutation(len(vectors))[:MOST_FOR_DISTANCE]
    distances = []
    for rows in np.array_split(asked, max(1, len(asked) // 128)):
        cosines = vectors[rows] @ vectors.T
        cosines[group[rows][:, None] == group[None]] = -1.0
        k = min(DISTANCE_NEIGHBOURS, len(vectors) - 1)
        distances.append(1.0 - np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1, dtype=np.float64))
    usual, far = np.quantile(np.concatenate(distances), (0.5, quantile))
    return float(usual), float(max(far, usual))


@dataclass(frozen=True)
class _Votes:
    """Of held-out rows: sum of votes and of winning votes per number of neighbours and bandwidth."""

    total: Float[np.ndarray, "m K B"]
    won: Float[np.ndarray, "m K B"]
    overall: float

    def scores(self, i: int, j: int, prior: float) -> Float[np.ndarray, " m"]:
        return (prior * self.overall + self.won[:, i, j]) / np.maximum(prior + self.total[:, i, j], 1e-300)


def _held_out_votes(
    router: SimilarityRouter, fold: Int[np.ndarray, " n"], asked: Int[np.ndarray, " m"], k: int
) -> _Votes:
    seen = np.flatnonzero(fold != k)
    voters = SimilarityRouter(router.examples[seen], router.win_share[seen], router.weights[seen], router.kernel)
    found = voters.index.nearest(router.index.vectors[asked], max(NEIGHBOURS))
    upto = np.minimum(NEIGHBOURS, found.rows.shape[1]) - 1
    weights, shares = voters.weights[found.rows], voters.win_share[found.rows]
    total, won = [], []
    for bandwidth in BANDWIDTHS:
        votes = weights * np.exp((found.cosines.astype(np.float64) - 1.0) / bandwidth)
        total.append(np.cumsum(votes, axis=1)[:, upto])
        won.append(np.cumsum(votes * shares, axis=1)[:, upto])
    return _Votes(np.stack(total, axis=2), np.stack(won, axis=2), voters.overall_share)


def _loss(scores: Float[np.ndarray, " m"], gap: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    p, target = np.clip(scores, 1e-6, 1.0 - 1e-6), (1.0 + gap) / 2.0
    return np.asarray(-target * np.log(p) - (1.0 - target) * np.log1p(-p))


def _best(statistics: dict[Kernel, tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]]) -> Kernel:
    """The kernel with the largest sum of both statistics, each over its standard error against the mean kernel."""
    total = np.zeros(len(statistics))
    for which in (0, 1):
        values = np.stack([one[which] for one in statistics.values()])
        against = values - values.mean(axis=0)
        error = against.std(axis=1).mean() * np.sqrt(values.shape[1])
        total += against.sum(axis=1) / error if error > 0 else 0.0
    return list(statistics)[int(np.argmax(total))]
