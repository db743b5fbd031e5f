"""Which weak answers may leave at 5 % harm, by the router alone and with a second model: as found, and as certified."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from assurance.bootstrap import row_weights
from assurance.certificates import Certified, Promise, Rows, accepted_share, certify
from assurance.planning import start_of

MAX_HARM = 0.05
DELTA = 0.05
SHARES = (0.6, 0.7, 0.8, 0.9, None)
"""Shares of the acceptable training answers that a tau lets pass, declared beforehand; None: no recheck."""


@dataclass(frozen=True)
class Judged:
    """Rows with the router's probability and the suspicion that also knows whether the second model agreed."""

    probability: Float[np.ndarray, " n"]
    suspicion: Float[np.ndarray, " n"]
    weak: Float[np.ndarray, " n"]
    strong: Float[np.ndarray, " n"]

    def rows(self, *, score: str = "probability") -> Rows:
        """As rows of a certificate, walked by either score."""
        return Rows(getattr(self, score), self.weak, self.strong, self.suspicion)

    @property
    def harm(self) -> Float[np.ndarray, " n"]:
        """1 where the weak answer is wrong and the strong one right."""
        return ((self.strong > 0.5) & (self.weak <= 0.5)).astype(float)


def found_shares(
    scores: Float[np.ndarray, "s n"],
    harm: Float[np.ndarray, " n"],
    *,
    is_selective: bool,
    groups: Int[np.ndarray, " n"],
    rng: np.random.Generator,
) -> tuple[list[float], Float[np.ndarray, "s b"]]:
    """Largest share of weak answers whose harm is at most 5 %, by the safest first, per score; and in 1,000 resamples.

    Read off the rows themselves, so it is what a perfect choice of threshold would ship, not what can be promised.
    """
    orders = [np.argsort(column, kind="stable") for column in scores]
    ends = [np.append(column[o][1:] != column[o][:-1], True) for column, o in zip(scores, orders, strict=True)]

    def shares(weights: Float[np.ndarray, "b n"], order: np.ndarray, end: np.ndarray) -> Float[np.ndarray, " b"]:
        ordered = weights[:, order]
        left, harmed = np.cumsum(ordered, axis=1), np.cumsum(ordered * harm[order], axis=1)
        n = left[:, -1:]
        rate = harmed / np.maximum(left if is_selective else n, 1e-12)
        kept = np.where(end & (rate <= MAX_HARM), left / n, 0.0)
        return np.asarray(kept.max(axis=1))

    ones = np.ones((1, len(harm)))
    found = [float(shares(ones, o, e)[0]) for o, e in zip(orders, ends, strict=True)]
    drawn = [
        np.stack([shares(weights.astype(float), o, e) for o, e in zip(orders, ends, strict=True)])
        for weights in row_weights(len(harm), rng=rng, n_resamples=1000, groups=groups)
    ]
    return found, np.concatenate(drawn, axis=1)


def certified_shares(train: Judged, held: Judged, test: Judged, *, is_selective: bool) -> dict[str, dict[str, Any]]:
    """Share of test answers that leave under a certificate from the rows `held`, and their harm, by each way.

    | way | trial |
    |---|---|
    | router | the router's threshold, at the full delta |
    | two_thresholds | the router's threshold behind each of five declared taus of suspicion, at a fifth of delta each |
    | suspicion | the threshold of suspicion alone, at the full delta: the second model is always asked |
    """
    promise = Promise(max_loss=MAX_HARM, delta=DELTA, is_selective=is_selective)
    starts = min(1.0, 2 * np.log(1 / DELTA) / MAX_HARM / len(held.weak))
    acceptable = train.suspicion[train.harm < 0.5]
    taus = [None if share is None else float(np.quantile(acceptable, share)) for share in SHARES]

    def start(score: Float[np.ndarray, " n"]) -> float:
        return start_of(score, starts) if is_selective else 0.0

    alone = certify("all", held.rows(), promise, start=start(train.probability))
    split = promise.model_copy(update={"delta": DELTA / len(taus)})
    tried = []
    for tau in taus:
        passed = train.probability if tau is None else np.where(train.suspicion <= tau, train.probability, np.inf)
        share = float(np.mean(np.isfinite(passed)))
        begins = start_of(passed, min(starts, share)) if is_selective else 0.0
        tried.append(certify("all", held.rows(), split, tau=tau, start=begins))
    best = max(tried, key=lambda one: accepted_share(held.rows(), one.threshold, one.tau))
    by_suspicion = certify("all", held.rows(score="suspicion"), promise, start=start(train.suspicion))
    return {
        "router": _shipped(test, alone),
        "two_thresholds": _shipped(test, best),
        "suspicion": _shipped(test, by_suspicion, score="suspicion"),
    }


def _shipped(test: Judged, certified: Certified, *, score: str = "probability") -> dict[str, Any]:
    rows = test.rows(score=score)
    leaves = rows.probability < certified.threshold
    if certified.tau is not None:
        leaves &= test.suspicion <= certified.tau
    n_left = int(leaves.sum())
    return {
        "is_certified": certified.is_certified,
        "share": n_left / len(leaves),
        "n": len(leaves),
        "n_left": n_left,
        "n_harmed": int(test.harm[leaves].sum()),
    }
