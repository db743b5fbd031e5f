"""Texts that are nearly the same: pairs whose shingles overlap enough, found by an inverted index, without sampling.

Pure functions of texts. A shingle is the eight bytes at the start of each word of the normalised text, so a changed
word changes two or three shingles. Legend: D texts, S distinct shingles, E = sum of the texts' shingles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt64
from scipy import sparse

from core.fingerprint import normalised_text

LEAST_SIMILARITY = 0.75
"""Texts with at least this Jaccard similarity are near duplicates: of twenty words, one may differ."""

MAX_CHARS = 20_000
"""What is read of each text."""

REACH = 64
"""Neighbours looked at in one posting list. Longer lists occur where over 64 texts are near duplicates of each other;
there each is still linked to its 64 nearest in order, so none goes unnoticed."""

_PAIRS_AT_ONCE = 20_000
_WORD = np.uint8(32)


@dataclass(frozen=True)
class NearPair:
    """Two texts, by their places, and the share of their shingles that both have."""

    first: int
    second: int
    similarity: float


def shingles_of(text: str) -> UInt64[np.ndarray, "e"]:
    """The distinct shingles of a text, sorted; empty where it has no letter or digit.

    >>> len(shingles_of("Code the fracture, the fracture")), len(shingles_of("?!"))
    (3, 0)
    """
    normalised = normalised_text(text[:MAX_CHARS]).encode()
    if not normalised:
        return np.zeros(0, dtype=np.uint64)
    padded = np.frombuffer(b" " + normalised + b"\0" * 7, dtype=np.uint8)
    starts = np.flatnonzero(padded[: len(normalised)] == _WORD) + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, 8)[starts]
    shingles: UInt64[np.ndarray, "e"] = np.unique(np.ascontiguousarray(windows).view("<u8").ravel())
    return shingles


def near_pairs(
    shingles: Sequence[UInt64[np.ndarray, "_"]], *, least_similarity: float = LEAST_SIMILARITY
) -> list[NearPair]:
    """All pairs of texts whose Jaccard similarity is at least the bound, most similar first.

    Candidates share one of a text's rarest shingles, which any such pair must (prefix filtering); each is then compared
    exactly. Source: Bayardo, Ma & Srikant (2007), section 3; Xiao et al. (2008), lemma 1.

    Args:
        shingles: per text, what `shingles_of` gives.
        least_similarity: the bound, in (0, 1].

    >>> texts = ["code a closed fracture of the left femur in an adult", "Excision of skin",
    ...          "Code a closed fracture of the right femur in an adult."]
    >>> [(p.first, p.second) for p in near_pairs([shingles_of(text) for text in texts], least_similarity=0.5)]
    [(0, 2)]
    """
    sizes_D = np.array([len(one) for one in shingles], dtype=np.int64)
    if sizes_D.sum() == 0:
        return []
    ranks_E = _ranks(np.concatenate(shingles))
    texts_E = np.repeat(np.arange(len(shingles)), sizes_D)
    order = np.lexsort((ranks_E, texts_E))
    ranks_E, texts_E = ranks_E[order], texts_E[order]
    first, second = _candidates(ranks_E, texts_E, sizes_D, least_similarity)
    matrix = sparse.csr_array(
        (np.ones(len(ranks_E), dtype=np.int32), ranks_E, np.concatenate([[0], np.cumsum(sizes_D)])),
        shape=(len(shingles), int(ranks_E.max()) + 1),
    )
    similarity = _similarities(matrix, sizes_D, first, second)
    kept = np.flatnonzero(similarity >= least_similarity)
    kept = kept[np.lexsort((second[kept], first[kept], -similarity[kept]))]
    return [NearPair(int(first[at]), int(second[at]), float(similarity[at])) for at in kept]


def _ranks(shingles_E: UInt64[np.ndarray, "E"]) -> Int[np.ndarray, "E"]:
    """Each shingle's place among the distinct ones, rarest first."""
    _, inverse_E, counts_S = np.unique(shingles_E, return_inverse=True, return_counts=True)
    rank_S = np.empty(len(counts_S), dtype=np.int64)
    rank_S[np.argsort(counts_S, kind="stable")] = np.arange(len(counts_S))
    ranks: Int[np.ndarray, "E"] = rank_S[inverse_E]
    return ranks


def _candidates(
    ranks_E: Int[np.ndarray, "E"], texts_E: Int[np.ndarray, "E"], sizes_D: Int[np.ndarray, "D"], bound: float
) -> tuple[Int[np.ndarray, "c"], Int[np.ndarray, "c"]]:
    """Pairs of texts that share one of their rarest shingles and whose sizes allow the similarity."""
    prefix_D = sizes_D - np.ceil(bound * sizes_D - 1e-9).astype(np.int64) + 1
    start_D = np.cumsum(sizes_D) - sizes_D
    in_prefix = np.arange(len(ranks_E)) - start_D[texts_E] < prefix_D[texts_E]
    ranks, texts = ranks_E[in_prefix], texts_E[in_prefix]
    # Sorted by shingle, then by size: neighbours in a long list are the likeliest partners.
    order = np.lexsort((texts, sizes_D[texts], ranks))
    ranks, texts = ranks[order], texts[order]
    found: list[Int[np.ndarray, "c"]] = []
    for step in range(1, REACH + 1):
        same = np.flatnonzero(ranks[step:] == ranks[:-step])
        if len(same) == 0:
            break
        one, other = texts[same], texts[same + step]
        low, high = np.minimum(one, other), np.maximum(one, other)
        fits = np.minimum(sizes_D[low], sizes_D[high]) >= bound * np.maximum(sizes_D[low], sizes_D[high]) - 1e-9
        found.append(np.unique(low[fits] * len(sizes_D) + high[fits]))
    keys = np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)
    return keys // len(sizes_D), keys % len(sizes_D)


def _similarities(
    matrix: sparse.csr_array, sizes_D: Int[np.ndarray, "D"], first: Int[np.ndarray, "c"], second: Int[np.ndarray, "c"]
) -> Float[np.ndarray, "c"]:
    shared = np.zeros(len(first), dtype=np.int64)
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        piece = slice(start, start + _PAIRS_AT_ONCE)
        shared[piece] = matrix[first[piece]].multiply(matrix[second[piece]]).sum(axis=1)
    similarity: Float[np.ndarray, "c"] = shared / (sizes_D[first] + sizes_D[second] - shared)
    return similarity
