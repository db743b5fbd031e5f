"""Ridge regression over blocks of features, each block with a strength of its own. Arrays only, numpy and scipy.

    y = mean + sum over blocks of F_b u_b + noise,    u_b ~ N(0, s_b / c_b I),    noise ~ N(0, v)

with y of variance one and c_b the mean squared length of block b's centred rows, so s_b is about the share of the
variance that the block explains. Shares and noise maximise the marginal likelihood of the labels (Rasmussen and
Williams, 2006, section 5.4) on a seeded sample of rows, with a weak prior that keeps every block in play. So a block
of a hundred thousand word pairs and one of fifty counts are each shrunk as far as they deserve.

Leave-group-out predictions are in closed form and cost no further fit. Suffixes: n rows, c targets, f features.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

if TYPE_CHECKING:  # scipy is imported where rows are fitted: reading a router would wait a second for it
    from scipy.sparse import csr_array

Features: TypeAlias = "np.ndarray | csr_array"
"""A block, float32 of shape (n, f): dense, or sparse in rows."""

PRIOR_SHARE = 0.03
"""What a block is thought to explain before the labels are seen."""

PRIOR_PRECISION = 0.04
"""How firmly, in squared units of log share: a factor of 10 costs about a tenth of a unit of log likelihood."""

SAMPLE_ROWS = 1_200
"""Rows that decide the shares; more would cost time by the cube and move the scores little."""


MOST_ROWS = 12_000
"""Rows of one fit, about five minutes of one core and 2 GB."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockFit:
    """Per target and block a weight per feature, an intercept, and what rows look like that were left out."""

    shares: Mapping[str, float]
    noise: float
    weights: Mapping[str, Float[np.ndarray, "f c"]]
    intercepts: Float[np.ndarray, " c"]
    held_out: Float[np.ndarray, "n c"]
    """Each row's prediction by the fit without its group."""

    def predict(self, blocks: Mapping[str, Features]) -> Float[np.ndarray, "n c"]:
        """Predictions for new rows, block by block."""
        return np.asarray(self.intercepts + sum(blocks[name] @ self.weights[name] for name in self.weights))


def fit_blocks(
    blocks: Mapping[str, Features],
    targets: Float[np.ndarray, "n c"],
    *,
    groups: Shaped[np.ndarray, " n"],
    row_weights: Float[np.ndarray, " n"],
    seed: int = 0,
) -> BlockFit:
    """The fit; the shares are those of the first target, the other targets are fitted with them.

    Memory is 8 n^2 bytes and time grows with n^3: 8,000 rows take about a minute on one core.

    Args:
        blocks: features per block, the same rows in each.
        targets: what is predicted; the first column decides the shares. Not all values of it are equal.
        groups: rows of one group are left out together.
        row_weights: how much each row counts; > 0.
        seed: draws the rows that decide the shares, one row a group.
    """
    n = len(targets)
    group = np.unique(groups, return_inverse=True)[1].ravel()
    center = np.average(targets, axis=0, weights=row_weights)
    grams, lengths = {}, {}
    for name, features in blocks.items():
        grams[name], lengths[name] = _gram(features)
    sample = _one_row_a_group(group, seed=seed)[:SAMPLE_ROWS]
    shares, noise = explained_shares(
        {name: gram[np.ix_(sample, sample)] for name, gram in grams.items()}, targets[sample, 0]
    )
    system = np.zeros((n, n), dtype=np.float32)
    for name in blocks:
        grams[name] *= np.float32(shares[name])
        system += grams.pop(name)
    system[np.diag_indices(n)] += (noise * np.mean(row_weights) / row_weights).astype(np.float32)
    inverse = np.linalg.inv(system)
    del system
    residual = (targets - center).astype(np.float32)
    dual = (inverse @ residual).astype(np.float64)
    held_out = targets - _left_out_residuals(inverse, dual, group)
    weights, intercepts = {}, center.astype(np.float64)
    balanced = dual - dual.mean(axis=0)
    for name, features in blocks.items():
        weights[name] = np.asarray(features.T @ balanced) * (shares[name] / lengths[name])
        intercepts = intercepts - np.asarray(features.mean(axis=0)).ravel() @ weights[name]
    return BlockFit(shares, noise, weights, intercepts, held_out)


def at_most(groups: Shaped[np.ndarray, " n"], *, seed: int) -> Bool[np.ndarray, " n"]:
    """Which rows a fit should take: all, or of more than `MOST_ROWS` whole groups in random order while they fit."""
    if len(groups) <= MOST_ROWS:
        return np.ones(len(groups), dtype=bool)
    group = np.unique(groups, return_inverse=True)[1].ravel()
    order = np.random.default_rng(seed).permutation(int(group.max()) + 1)
    kept = order[np.cumsum(np.bincount(group)[order]) <= MOST_ROWS]
    used = np.asarray(np.isin(group, kept))
    LOG.info("The ridge is fitted on %d of %d rows.", int(used.sum()), len(groups))
    return used


def explained_shares(
    grams: Mapping[str, Float[np.ndarray, "n n"]], target: Float[np.ndarray, " n"]
) -> tuple[dict[str, float], float]:
    """Each block's share and the noise, by marginal likelihood: L-BFGS on their logarithms.

    Args:
        grams: inner products of the centred rows, of mean diagonal about one.
        target: what the blocks explain; not all values are equal.

    >>> rng = np.random.default_rng(0)
    >>> signal, idle = (rows @ rows.T / 5 for rows in rng.normal(size=(2, 200, 5)))
    >>> y = np.linalg.cholesky(signal + 1e-6 * np.eye(200)) @ rng.normal(size=200)
    >>> shares, noise = explained_shares({"signal": signal, "idle": idle}, y)
    >>> shares["signal"] > 0.5 > shares["idle"] and noise < 0.1
    True
    """
    from scipy.linalg.lapack import dpotrf, dpotri
    from scipy.optimize import minimize

    y = (target - target.mean()) / target.std()
    parts = [np.asarray(gram, dtype=np.float64) for gram in grams.values()]
    n, prior = len(y), np.log([PRIOR_SHARE] * len(parts))

    def objective(logs: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        values = np.exp(logs)
        covariance = sum((value * part for value, part in zip(values, parts, strict=False)), values[-1] * np.eye(n))
        factor, _ = dpotrf(covariance, lower=1)
        inverse, _ = dpotri(factor, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        explained = inverse @ y
        slopes = [np.einsum("ij,ij->", inverse, part) - explained @ part @ explained for part in parts]
        slopes.append(float(np.trace(inverse) - explained @ explained))
        distance = logs[:-1] - prior
        loss = 0.5 * y @ explained + np.log(np.diag(factor)).sum() + 0.5 * PRIOR_PRECISION * distance @ distance
        return float(loss), 0.5 * values * np.array(slopes) + PRIOR_PRECISION * np.append(distance, 0.0)

    bounds = [(np.log(1e-4), np.log(2.0))] * len(parts) + [(np.log(0.05), np.log(2.0))]
    found = minimize(
        objective, np.append(prior, 0.0), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 25}
    )
    shares = np.exp(found.x)
    return dict(zip(grams, shares[:-1].tolist(), strict=True)), float(shares[-1])


def _gram(features: Features) -> tuple[Float32[np.ndarray, "n n"], float]:
    """Inner products of the centred rows over their mean squared length, and that length."""
    product = features @ features.T
    gram = np.asarray(product if isinstance(product, np.ndarray) else product.toarray(), dtype=np.float32)
    row_mean = gram.mean(axis=0, dtype=np.float64).astype(np.float32)
    gram -= row_mean
    gram -= (row_mean - row_mean.mean())[:, None]
    length = float(np.mean(np.diag(gram), dtype=np.float64))
    length = length if length > 1e-9 else 1.0
    gram /= np.float32(length)
    return gram, length


def _left_out_residuals(
    inverse: Float32[np.ndarray, "n n"], dual: Float[np.ndarray, "n c"], group: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n c"]:
    """Target minus its prediction without the row's group: solve(inverse[g, g], dual[g]), leave-one-out by blocks."""
    residuals = dual / np.diag(inverse).astype(np.float64)[:, None]
    for rows in _rows_by_group(group):
        if len(rows) > 1:
            residuals[rows] = np.linalg.solve(inverse[np.ix_(rows, rows)].astype(np.float64), dual[rows])
    return residuals


def _rows_by_group(group: Int[np.ndarray, " n"]) -> list[Int[np.ndarray, " r"]]:
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _one_row_a_group(group: Int[np.ndarray, " n"], *, seed: int) -> Int[np.ndarray, " g"]:
    """A row of each group, in random order: copies of one text would pass for what its words explain."""
    order = np.random.default_rng(seed).permutation(len(group))
    return order[np.sort(np.unique(group[order], return_index=True)[1])]
