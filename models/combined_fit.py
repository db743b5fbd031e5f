"""Fits the combined router from labelled rows. numpy and scipy; the same rows and seed give the same router.

Four blocks (embedding, words, looks, and of the looks the size alone) are fitted by `models.block_ridge` to several
targets at once: the gap, the gap of the row's topic, and the qualities of other models where they are known. Their
held-out predictions are mixed by `models.label_mixing`, and as everything is linear, the mix is one weight per feature
again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Shaped

from core.errors import NotEnoughLabels
from models.block_ridge import at_most, fit_blocks
from models.combined import CombinedRouter
from models.label_mixing import Mix, mix, topic_gap
from models.looks import fit_looks
from models.text_features import SIZE
from models.vocabulary import fit_vocabulary

FEWEST_LABELS = 20
ROWS_PER_MODEL = 100
"""Fewer labelled rows for each further model cannot tell its part in the mix from chance."""


@dataclass(frozen=True)
class Labels:
    """What is known of the labelled rows; n rows, M other models."""

    gap: Float[np.ndarray, " n"]
    """Quality of the strong answer minus that of the weak one, in [-1, 1]."""
    topics: Sequence[str | None] | None = None
    """Known when fitting, never when scoring."""
    other_qualities: Float[np.ndarray, "n M"] | None = None
    """Qualities of further models on the same rows, none missing; used from `ROWS_PER_MODEL` rows a model on."""
    groups: Shaped[np.ndarray, " n"] | None = None
    """Rows of one group are held out together; None: each row alone."""
    weights: Float[np.ndarray, " n"] | None = None
    """How much each row counts, > 0; None: all alike."""


@dataclass(frozen=True)
class CombinedFit:
    """The router, and its scores of the rows it was fitted on, each by the fit without the row's group."""

    router: CombinedRouter
    held_out: Float[np.ndarray, " n"]
    """NaN for rows beyond `block_ridge.MOST_ROWS`; what a stack may be fitted on."""


def fit_combined(
    texts: Sequence[str], embeddings: Float32[np.ndarray, "n d"], labels: Labels, *, seed: int = 0
) -> CombinedFit:
    """The combined router of one pair.

    Args:
        texts: the queries.
        embeddings: their vectors, from the encoder that will serve.
        labels: gap, and what else is known of the rows.
        seed: random curves, sample and folds.

    Raises:
        NotEnoughLabels: fewer than `FEWEST_LABELS` rows, or the models never differ.
        DataError: no word occurs in two texts.
    """
    gap = np.asarray(labels.gap, dtype=np.float64)
    if len(gap) < FEWEST_LABELS or np.ptp(gap) == 0:
        raise NotEnoughLabels(
            f"The combined router has {len(gap)} labels with {len(np.unique(gap))} different gaps; it needs at least "
            f"{FEWEST_LABELS} labels and two different gaps. Label more queries."
        )
    groups = np.arange(len(gap)) if labels.groups is None else np.unique(labels.groups, return_inverse=True)[1].ravel()
    used = at_most(groups, seed=seed)
    places = np.flatnonzero(used).tolist()
    chosen = [texts[i] for i in places]
    vocabulary, looks = fit_vocabulary(chosen), fit_looks(chosen, seed=seed)
    blocks = {
        "meaning": np.asarray(embeddings[used], dtype=np.float32),
        "words": vocabulary.vectors(chosen),
        "looks": looks.vectors(chosen),
    }
    blocks["size"] = blocks["looks"][:, : len(SIZE)]
    weights = np.ones(len(chosen)) if labels.weights is None else np.asarray(labels.weights, dtype=np.float64)[used]
    columns = [gap[used]]
    if labels.topics is not None:
        topics = [labels.topics[i] for i in places]
        columns.append(topic_gap(topics, gap[used], groups=groups[used], row_weights=weights))
    others = labels.other_qualities
    if others is not None and len(chosen) >= ROWS_PER_MODEL * others.shape[1]:
        columns += list(np.asarray(others, dtype=np.float64)[used].T)
    fit = fit_blocks(blocks, np.stack(columns, axis=1), groups=groups[used], row_weights=weights, seed=seed)
    mixed = mix(fit.held_out, gap[used], groups=groups[used], row_weights=weights, seed=seed)
    held_out = np.full(len(gap), np.nan)
    held_out[used] = np.clip((1.0 + mixed.apply(fit.held_out)) / 2.0, 0.0, 1.0)
    collapsed = {name: (block @ mixed.weights).astype(np.float32) for name, block in fit.weights.items()}
    collapsed["looks"][: len(SIZE)] += collapsed["size"]
    router = CombinedRouter(
        vocabulary,
        looks,
        collapsed["meaning"],
        collapsed["words"],
        collapsed["looks"],
        intercept=float(fit.intercepts @ mixed.weights + mixed.intercept),
        facts={"n_rows": len(chosen), "shares": dict(fit.shares), "noise": fit.noise} | _mix_facts(mixed),
    )
    return CombinedFit(router, held_out)


def _mix_facts(mixed: Mix) -> dict[str, object]:
    penalty = mixed.penalty if np.isfinite(mixed.penalty) else None
    return {"mix": mixed.weights.tolist(), "mix_penalty": penalty}
