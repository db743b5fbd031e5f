"""How much a label of each waiting query is worth, by the declared policy: arrays in, scores and reasons out.

    score = 0.35 band(|p - threshold|) + 0.25 disagreement + 0.15 verifier conflict + 0.15 novelty + 0.10 stakes

Every part is a share in [0, 1]. A part that is known of no query leaves its weight to the others; a query that lacks a
part which others have counts there as their mean. Of near-duplicates the best counts whole, the next a half, and so
on. Nothing here draws or reads a store.
"""

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

Shares: TypeAlias = Float[np.ndarray, " n"]

BAND = 0.1
"""A query this far from the threshold has e^(-1/2) = 61 % of the band's score of one that stands on it."""

WEIGHTS = {"band": 0.35, "disagreement": 0.25, "conflict": 0.15, "novelty": 0.15, "stakes": 0.10}
"""What each part counts."""

REASONS = {
    "band": "near the threshold",
    "disagreement": "routers disagree",
    "conflict": "verifier conflict",
    "novelty": "unlike labelled queries",
    "stakes": "high stakes",
}
"""What a part that speaks for a query is called."""

FLOOR_REASON = "random floor"
"""The reason of a query that no part speaks for: the uniform share of the draw chose it."""


@dataclass(frozen=True)
class Parts:
    """What is known of n waiting queries, each in [0, 1]; NaN where it was not measured."""

    band: Shares
    disagreement: Shares
    conflict: Shares
    novelty: Shares
    stakes: Shares


@dataclass(frozen=True)
class Scored:
    """Scores in [0, 1], the weights that were in force, and the parts' contributions, one column a part."""

    scores: Shares
    weights: dict[str, float]
    contributions: Float[np.ndarray, "n p"]

    def reasons(self, index: int) -> str:
        """Why a query was worth a label: the parts that lift it above the mean query, the strongest first.

        At most three; the random floor where there is none.
        """
        lift = self.contributions[index] - self.contributions.mean(axis=0)
        strongest = sorted(zip(-lift, self.weights, strict=True))[:3]
        named = [REASONS[name] for minus_lift, name in strongest if minus_lift < -1e-9]
        return ", ".join(named) or FLOOR_REASON


def band(probability: Shares, threshold: Shares) -> Shares:
    """1 on the threshold, falling like a bell with the distance to it; NaN stays NaN.

    >>> band(np.array([0.5, 0.6, 0.9]), np.array([0.5, 0.5, 0.5])).round(3).tolist()
    [1.0, 0.607, 0.0]
    """
    return np.asarray(np.exp(-0.5 * np.square((probability - threshold) / BAND)))


def score(parts: Parts, *, twins: Int[np.ndarray, " n"], n_known_twins: Int[np.ndarray, " n"]) -> Scored:
    """Score every query by the policy of this module.

    Args:
        parts: what is known.
        twins: queries of one number are near-duplicates of each other.
        n_known_twins: how many near-duplicates of each were judged or chosen before.

    >>> nothing, two = np.array([np.nan, np.nan]), np.array([0, 1])
    >>> parts = Parts(np.array([1.0, 0.0]), nothing, nothing, nothing, stakes=np.array([0.0, 1.0]))
    >>> score(parts, twins=two, n_known_twins=np.zeros(2, int)).scores.round(3).tolist()  # 0.35 / 0.45, 0.10 / 0.45
    [0.778, 0.222]
    """
    known = {part.name: getattr(parts, part.name) for part in fields(Parts)}
    known = {name: values for name, values in known.items() if not np.isnan(values).all()}
    total = sum(WEIGHTS[name] for name in known)
    weights = {name: WEIGHTS[name] / total for name in known}
    columns = [weights[name] * np.where(np.isnan(values), np.nanmean(values), values) for name, values in known.items()]
    contributions = np.stack(columns, axis=1) if columns else np.zeros((len(twins), 0))
    plain = contributions.sum(axis=1)
    return Scored(np.asarray(plain / (1 + n_known_twins + _place_among(twins, plain))), weights, contributions)


def missing(parts: Parts) -> tuple[str, ...]:
    """Names of the parts that are known of no query."""
    return tuple(part.name for part in fields(Parts) if np.isnan(getattr(parts, part.name)).all())


def _place_among(twins: Int[np.ndarray, " n"], values: Shares) -> Int[np.ndarray, " n"]:
    """Per query, how many of its near-duplicates stand before it: those of higher score, and equal ones before it.

    >>> _place_among(np.array([0, 0, 1, 0]), np.array([0.1, 0.9, 0.5, 0.9])).tolist()
    [2, 0, 0, 1]
    """
    order = np.lexsort((np.arange(len(twins)), -values, twins))
    starts: Bool[np.ndarray, " n"] = np.append(True, np.diff(twins[order]) != 0) if len(twins) else np.zeros(0, bool)
    first = np.flatnonzero(starts)
    place = np.empty(len(twins), dtype=np.int64)
    place[order] = np.arange(len(twins)) - np.repeat(first, np.diff(np.append(first, len(twins))))
    return place
