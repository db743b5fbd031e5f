"""Fits the pair router from judged weak answers. numpy and scipy; the same rows and seed give the same router.

The linear part's blocks (meaning, the question's words, the answer's words, the answer's looks and their lengths alone)
are fitted by `models.block_ridge`, each with a strength that the labels decide; the trees by `models.boosted_looks`.
Both count alike. Never sees which model answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Shaped

from core.errors import NotEnoughLabels
from models.answer_looks import LENGTHS
from models.block_ridge import at_most, fit_blocks
from models.boosted_looks import fit_boosted
from models.looks import fit_looks_of
from models.pair_router import PairRouter, blocks_of, mean_of, table_of
from models.pair_text import parted
from models.vocabulary import fit_vocabulary

FEWEST_LABELS = 20


@dataclass(frozen=True)
class PairFit:
    """The router, and its scores of the rows it was fitted on, each by the fit without the row's group."""

    router: PairRouter
    held_out: Float[np.ndarray, " n"]
    """NaN for rows beyond `block_ridge.MOST_ROWS`."""


def fit_pair(
    texts: Sequence[str],
    vectors: Float32[np.ndarray, "n 2d+9"],
    lean: Float[np.ndarray, " n"],
    *,
    groups: Shaped[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    seed: int = 0,
) -> PairFit:
    """The pair router of these judged answers.

    Args:
        texts: pair texts.
        vectors: what `models.pair_router.pair_vectors` gives of them, by the encoder that will serve.
        lean: 1 where the answer is not acceptable, -1 where it is; between, where judges differ.
        groups: rows of one group are held out together.
        weights: how much each row counts, > 0.
        seed: random curves and the sample that decides the strengths.

    Raises:
        NotEnoughLabels: fewer than `FEWEST_LABELS` rows, or all answers are alike.
        DataError: no word occurs in two texts.
    """
    if len(lean) < FEWEST_LABELS or np.ptp(lean) == 0:
        raise NotEnoughLabels(
            f"The classifier of weak answers has {len(lean)} judged answers of {len(np.unique(lean))} kinds; it needs "
            f"at least {FEWEST_LABELS}, some acceptable and some not. Label more queries, or unset "
            "verifiers.suspicion.family."
        )
    used = at_most(np.asarray(groups), seed=seed)
    index = np.flatnonzero(used)
    pairs = [parted(texts[int(i)]) for i in index]
    words = (fit_vocabulary([asked for asked, _ in pairs]), fit_vocabulary([said for _, said in pairs]))
    chosen = np.asarray(vectors[used], dtype=np.float32)
    table = table_of(pairs, chosen)
    looks = fit_looks_of(table, seed=seed)
    blocks = blocks_of(pairs, chosen, table, words=words, looks=looks)
    blocks["lengths"] = blocks["looks"][:, : len(LENGTHS)]
    fit = fit_blocks(
        blocks,
        np.asarray(lean, dtype=np.float64)[used, None],
        groups=np.asarray(groups)[used],
        row_weights=np.asarray(weights, dtype=np.float64)[used],
        seed=seed,
    )
    boosted, beside = fit_boosted(
        table,
        (1.0 + np.asarray(lean, dtype=np.float64)[used]) / 2.0,
        groups=np.asarray(groups)[used],
        weights=np.asarray(weights, dtype=np.float64)[used],
        seed=seed,
    )
    own = {name: column[:, 0].astype(np.float32) for name, column in fit.weights.items()}
    own["looks"][: len(LENGTHS)] += own.pop("lengths")
    router = PairRouter(
        *words,
        looks,
        boosted,
        own,
        intercept=float(fit.intercepts[0]),
        facts={"n_rows": len(index), "shares": dict(fit.shares), "noise": fit.noise, "n_trees": len(boosted.values)},
    )
    held_out = np.full(len(lean), np.nan)
    held_out[used] = mean_of(fit.held_out[:, 0], beside)
    return PairFit(router, held_out)
