"""Adapts the combined router: rows of other domains, of the same pair, beside the target's own, if they help there.

The rows of the base enter the fit with a weight below one. Whether they enter at all, and with which weight, the
target's own rows decide: by their squared error under fits without their group. Where general rows mislead, as they can
inside a specialty, the weight is 0 and the router is that of the target's rows alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32

from models.block_ridge import MOST_ROWS
from models.combined_fit import CombinedFit, Labels, fit_combined

BASE_WEIGHTS = (0.0, 0.3)
"""What the mean row of the base counts, beside 1 of the target's; one row by another, they keep their own weights."""

MOST_BASE_ROWS = 3_000
"""Rows of the base that are used, drawn by the seed: time grows with the cube of all rows."""


@dataclass(frozen=True)
class LabelledRows:
    """Queries with their vectors and labels; n rows. `other_qualities` of the labels is not read here."""

    texts: Sequence[str]
    embeddings: Float32[np.ndarray, "n d"]
    labels: Labels


@dataclass(frozen=True)
class AdaptedFit:
    """The chosen fit; `held_out` of it has the target's rows alone."""

    fit: CombinedFit
    base_weight: float
    errors: dict[float, float]
    """Mean squared error of the target's rows, each by a fit without its group, per weight that was tried. Rows that
    one of the fits left out, having enough, are not counted."""


def fit_adapted(target: LabelledRows, base: LabelledRows, *, seed: int = 0) -> AdaptedFit:
    """The combined router of the target's rows, with rows of the base where these lower its held-out error.

    Args:
        target: rows of the domain that is routed.
        base: rows of other domains for the same pair. No text of the target's test rows may be among them.
        seed: draws the base's rows; seeds the fits.

    Raises:
        NotEnoughLabels, DataError: as `fit_combined`.
    """
    n = len(target.texts)
    wins = (1.0 + np.asarray(target.labels.gap, dtype=np.float64)) / 2.0
    weights = _weights(target)
    room = min(MOST_BASE_ROWS, max(MOST_ROWS - n, 0))  # the target's rows come first
    kept = np.sort(np.random.default_rng(seed).permutation(len(base.texts))[:room]).tolist()
    tried = BASE_WEIGHTS if kept else (0.0,)
    fits, errors = dict[float, CombinedFit](), dict[float, float]()
    for base_weight in tried:
        if base_weight == 0.0:
            fit = fit_combined(target.texts, target.embeddings, target.labels, seed=seed)
        else:
            fit = _fit_together(target, base, kept, base_weight=base_weight, weights=weights, seed=seed)
        fits[base_weight] = replace(fit, held_out=fit.held_out[:n])
    known = np.all([np.isfinite(fit.held_out) for fit in fits.values()], axis=0)  # one fit may take no more rows
    for base_weight, fit in fits.items():
        errors[base_weight] = float(np.average(np.square(fit.held_out - wins)[known], weights=weights[known]))
    chosen = min(tried, key=lambda base_weight: (errors[base_weight], base_weight))
    return AdaptedFit(fits[chosen], chosen, errors)


def _fit_together(
    target: LabelledRows,
    base: LabelledRows,
    kept: list[int],
    *,
    base_weight: float,
    weights: Float[np.ndarray, " n"],
    seed: int,
) -> CombinedFit:
    groups, base_groups = _groups(target), _groups(base)[kept]
    names = np.concatenate([np.char.add("t", groups.astype(str)), np.char.add("b", base_groups.astype(str))])
    if target.labels.groups is not None and base.labels.groups is not None:  # a text's key means the same in both
        names = np.concatenate([groups, base_groups])
    topics = None
    if target.labels.topics is not None and base.labels.topics is not None:
        topics = [*target.labels.topics, *(base.labels.topics[i] for i in kept)]
    base_weights = _weights(base)[kept]
    base_weights = base_weight * weights.mean() * base_weights / base_weights.mean()
    labels = Labels(
        np.concatenate([target.labels.gap, np.asarray(base.labels.gap)[kept]]),
        topics,
        groups=names,
        weights=np.concatenate([weights, base_weights]),
    )
    texts = [*target.texts, *(base.texts[i] for i in kept)]
    return fit_combined(texts, np.concatenate([target.embeddings, base.embeddings[kept]]), labels, seed=seed)


def _groups(rows: LabelledRows) -> np.ndarray:
    return np.arange(len(rows.texts)) if rows.labels.groups is None else np.asarray(rows.labels.groups)


def _weights(rows: LabelledRows) -> Float[np.ndarray, " n"]:
    return np.ones(len(rows.texts)) if rows.labels.weights is None else np.asarray(rows.labels.weights, dtype=float)
