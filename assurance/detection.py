"""How well a suspicion tells wrong answers from right ones: AUROC, and what a threshold catches at which false alarms.

A suspicion of NaN counts as 1: what cannot be scored is never passed.
"""

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.stats import rankdata

from assurance.bootstrap import N_RESAMPLES, Interval, percentile_interval
from assurance.bounds import binomial_interval
from core.records import Record


class Detection(Record):
    """What a suspicion is worth on rows that it was not fitted to.

    `catch` is the share of the wrong answers above `tau`, `false_alarms` the share of the right ones above it; None
    where there is no such answer. A coin has an AUROC of 0.5.
    """

    n: int
    n_wrong: int
    auroc: Interval | None
    tau: float
    catch: Interval | None
    false_alarms: Interval | None


def detection_of(
    suspicion: Float[np.ndarray, " n"],
    wrong: Bool[np.ndarray, " n"],
    tau: float,
    *,
    rng: np.random.Generator,
    groups: Shaped[np.ndarray, " n"] | None = None,
    n_resamples: int = N_RESAMPLES,
) -> Detection:
    """The figures with 95 % intervals: of the AUROC from a bootstrap over groups, of the shares exact.

    Args:
        suspicion: one an answer, higher means wrong sooner.
        wrong: whether the answer is not acceptable.
        tau: an answer above it does not leave.
        rng: of the bootstrap.
        groups: rows of one group are drawn together; None: each row alone.
        n_resamples: of the bootstrap.

    >>> suspicion, wrong = np.array([0.1, 0.2, 0.7, 0.9]), np.array([False, True, False, True])
    >>> found = detection_of(suspicion, wrong, 0.5, rng=np.random.default_rng(0))
    >>> found.auroc.estimate, found.catch.estimate, found.false_alarms.estimate
    (0.75, 0.5, 0.5)
    """
    values = np.where(np.isfinite(suspicion), suspicion, 1.0)
    wrong = np.asarray(wrong, dtype=bool)
    caught = values > tau
    n_wrong = int(wrong.sum())
    n_right = len(wrong) - n_wrong
    return Detection(
        n=len(wrong),
        n_wrong=n_wrong,
        auroc=_auroc_interval(values, wrong, groups, rng=rng, n_resamples=n_resamples) if n_wrong and n_right else None,
        tau=tau,
        catch=binomial_interval(int(caught[wrong].sum()), n_wrong) if n_wrong else None,
        false_alarms=binomial_interval(int(caught[~wrong].sum()), n_right) if n_right else None,
    )


def auroc(suspicion: Float[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> float:
    """P(a wrong answer is more suspicious than a right one), ties half; both kinds must be there.

    >>> auroc(np.array([0.1, 0.2, 0.2]), np.array([False, False, True]))
    0.75
    """
    ranks = rankdata(suspicion)
    n_wrong = int(wrong.sum())
    return float((ranks[wrong].sum() - n_wrong * (n_wrong + 1) / 2) / (n_wrong * (len(wrong) - n_wrong)))


def _auroc_interval(
    values: Float[np.ndarray, " n"],
    wrong: Bool[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | None,
    *,
    rng: np.random.Generator,
    n_resamples: int,
) -> Interval:
    """Resamples without a wrong or without a right answer have no AUROC and are drawn again, at most as often."""
    unit = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    order = np.argsort(unit, kind="stable")
    starts = np.searchsorted(unit[order], np.arange(int(unit.max()) + 2))
    rows_of = [order[starts[k] : starts[k + 1]] for k in range(len(starts) - 1)]
    drawn: list[float] = []
    for _ in range(2 * n_resamples):
        index = np.concatenate([rows_of[k] for k in rng.integers(0, len(rows_of), size=len(rows_of))])
        if 0 < wrong[index].sum() < len(index):
            drawn.append(auroc(values[index], wrong[index]))
        if len(drawn) == n_resamples:
            break
    estimate = auroc(values, wrong)
    return percentile_interval(estimate, np.array(drawn or [estimate]))
