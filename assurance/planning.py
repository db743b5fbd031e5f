"""How many labels a promise takes, before any is made: exact counts, power, and what a better score would change.

Sizes are for harm (a count). A plan assumes what it is told about the true rate; the certificate assumes nothing.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.stats import binom, norm

from assurance.attempts import delta_of_attempt
from assurance.label_value import MOST_LABELS, labels_for_promise
from core.errors import NotEnoughLabels
from core.records import Record

POWER = 0.8
"""Chance of succeeding that a plan aims for."""

WORTH_HAVING = 0.2
"""Share of weak answers from which a certified router is worth its labels; what `auroc_needed` aims for."""


class Plan(Record):
    """What a promise takes. `labels_for_harms[k]` is the fewest labels that certify in spite of k harms.

    `labels_for_power` maps a true harm rate, as a share of the promised one, to the labels with which four studies in
    five succeed. Numbers are per stratum; `delta_per_stratum` is delta over the strata and over the attempts.
    """

    max_harm: float
    delta: float
    n_strata: int
    delta_per_stratum: float
    labels_for_harms: tuple[int, ...]
    labels_for_power: dict[str, int]
    n_labels: int | None
    harms_allowed: int | None
    """The most harms among `n_labels` that still certify; -1: not even none."""
    sentence: str


def plan_labels(
    max_harm: float,
    *,
    delta: float,
    n_labels: int | None = None,
    n_strata: int = 1,
    attempt: int | None = None,
    harms: int = 5,
) -> Plan:
    """The plan of a promise: what it takes, and whether `n_labels` in each stratum are enough.

    Args:
        max_harm: the promised rate.
        delta: allowed probability of a broken promise, over all strata and attempts.
        n_labels: labels at hand in each stratum; None: not said.
        n_strata: strata that are certified at once.
        attempt: which look at these rows it will be, of any number of them (`assurance.attempts`); None: the only one,
            which may spend all of delta.
        harms: the largest number of harms in the table.

    Raises:
        ValueError: a rate or count is out of range.

    >>> plan_labels(0.01, delta=0.05, n_labels=180).sentence
    'To promise harm <= 1.0% takes 299 clean labels in each stratum; you have 180. Collect 119 more.'
    """
    _check(max_harm, delta)
    if n_strata < 1 or harms < 0 or (n_labels is not None and n_labels < 0):
        raise ValueError("Strata are counted from 1, labels and harms from 0. Correct the number.")
    level = delta / n_strata if attempt is None else delta_of_attempt(delta / n_strata, attempt)
    needed = clean_labels(max_harm, level)
    allowed = None if n_labels is None else harms_allowed(n_labels, max_harm, level)
    return Plan(
        max_harm=max_harm,
        delta=delta,
        n_strata=n_strata,
        delta_per_stratum=level,
        labels_for_harms=tuple(labels_for_promise(max_harm, delta=level, harms=k) for k in range(harms + 1)),
        labels_for_power={
            name: labels_for_power(max_harm, max_harm * share, delta=level)
            for name, share in (("quarter", 0.25), ("half", 0.5))
        },
        n_labels=n_labels,
        harms_allowed=allowed,
        sentence=_sentence(max_harm, needed, n_labels, allowed),
    )


def clean_labels(max_harm: float, delta: float) -> int:
    """Fewest labels that promise anything: ln(delta) / ln(1 - max_harm), rounded up; none of them harmful.

    >>> clean_labels(0.01, 0.05), clean_labels(0.02, 0.05)
    (299, 149)
    """
    _check(max_harm, delta)
    return math.ceil(math.log(delta) / math.log1p(-max_harm))


def harms_allowed(n_labels: int, max_harm: float, delta: float) -> int:
    """The most harms among so many labels that still certify; -1 where even none would not.

    >>> harms_allowed(298, 0.01, 0.05), harms_allowed(299, 0.01, 0.05), harms_allowed(473, 0.01, 0.05)
    (-1, 0, 1)
    """
    _check(max_harm, delta)
    k = int(binom.ppf(delta, n_labels, max_harm)) if n_labels else -1
    while k >= 0 and binom.cdf(k, n_labels, max_harm) > delta:
        k -= 1
    return k


def power(n_labels: int, max_harm: float, true_harm: float, *, delta: float) -> float:
    """Chance that one fixed policy of this true harm rate certifies with so many labels.

    >>> round(power(299, 0.01, 0.001, delta=0.05), 4)      # no harm in 299: 0.999 ** 299
    0.7414
    """
    allowed = harms_allowed(n_labels, max_harm, delta)
    return 0.0 if allowed < 0 else float(binom.cdf(allowed, n_labels, true_harm))


def labels_for_power(max_harm: float, true_harm: float, *, delta: float, wanted: float = POWER) -> int:
    """Fewest labels with which a policy of this true harm rate certifies with the wanted chance.

    Chance falls between the sizes at which one more harm is allowed, so those sizes alone are looked at.

    Raises:
        ValueError: a rate is out of range, the true one is not below the promised one, or more than ten million labels
            are needed.

    >>> labels_for_power(0.02, 0.005, delta=0.05)
    386
    """
    if not 0 <= true_harm < max_harm:
        raise ValueError(f"The true rate {true_harm} is not below the promised {max_harm}: no number of labels helps.")

    def succeeds(k: int) -> bool:
        return power(labels_for_promise(max_harm, delta=delta, harms=k), max_harm, true_harm, delta=delta) >= wanted

    k = 0
    while not succeeds(k):
        k += max(1, k // 50)
        if k / max_harm > MOST_LABELS:
            raise ValueError(
                f"More than {MOST_LABELS} labels would be needed. Promise more harm, or train a better one."
            )
    while k > 0 and succeeds(k - 1):
        k -= 1
    return labels_for_promise(max_harm, delta=delta, harms=k)


def start_of(probabilities: Float[np.ndarray, " n"], accept_rate: float) -> float:
    """Where the trial of a selective promise starts: just above the probability that this share of rows stays below.

    Args:
        probabilities: of rows that the trial does not use.
        accept_rate: share of answers that leave at the start, in (0, 1].

    Raises:
        NotEnoughLabels: there is no row.

    >>> start_of(np.array([0.1, 0.2, 0.3, 0.4]), 0.5)
    0.201
    """
    if not len(probabilities):
        raise NotEnoughLabels("No row says where the trial starts. Leave rows for calibration.")
    k = max(1, math.ceil(accept_rate * len(probabilities) - 1e-9))
    return min(1.0, math.floor(float(np.sort(probabilities)[k - 1]) * 1000 + 1e-9) / 1000 + 0.001)


def auroc_of(scores: Float[np.ndarray, " n"], harmful: Sequence[bool] | np.ndarray) -> float | None:
    """Chance that a harmful row scores above a harmless one, ties counting half; None where one kind is missing.

    >>> auroc_of(np.array([0.1, 0.4, 0.35, 0.8]), [False, False, True, True])
    0.75
    """
    event = np.asarray(harmful, dtype=bool)
    n_yes, n_no = int(event.sum()), int((~event).sum())
    if not n_yes or not n_no:
        return None
    values, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]
    assert len(values) == len(counts)
    return float((ranks[event].sum() - n_yes * (n_yes + 1) / 2) / (n_yes * n_no))


def auroc_needed(
    n_labels: int, harm_rate: float, max_harm: float, *, delta: float, share: float = WORTH_HAVING
) -> float:
    """How well a score must tell harm apart so that this share of weak answers can be certified.

    In a world of two normal scores of equal spread, harmful and harmless, it is the AUROC at which as many harms are
    expected among the safest `share` of so many labels as the exact test allows. 1.0 where no score would do.

    >>> round(auroc_needed(1000, 0.15, 0.02, delta=0.05), 2)
    0.67
    """
    allowed = harms_allowed(n_labels, max_harm, delta)
    if allowed <= 0:
        return 1.0
    rate = allowed / n_labels
    if harm_rate * share <= rate:
        return 0.5

    def excess(separation: float) -> float:
        """Harm among the safest share, less what is allowed."""

        def left(cut: float) -> float:
            return float((1 - harm_rate) * norm.cdf(cut) + harm_rate * norm.cdf(cut - separation)) - share

        return harm_rate * float(norm.cdf(brentq(left, -20, 20 + separation) - separation)) - rate

    if excess(12.0) > 0:
        return 1.0
    return float(norm.cdf(brentq(excess, 0.0, 12.0) / math.sqrt(2)))


def _sentence(max_harm: float, needed: int, n_labels: int | None, allowed: int | None) -> str:
    takes = f"To promise harm <= {max_harm:.1%} takes {needed} clean labels in each stratum"
    if n_labels is None or allowed is None:
        return f"{takes}."
    if allowed < 0:
        return f"{takes}; you have {n_labels}. Collect {needed - n_labels} more."
    return f"{takes}; you have {n_labels}, and up to {allowed} harmful answers among those that leave still certify."


def _check(max_harm: float, delta: float) -> None:
    if not 0 < max_harm < 1:
        raise ValueError(f"max_harm is {max_harm}; a share of harmful answers lies in (0, 1).")
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; a probability of being wrong lies in (0, 1).")
