"""Choosing the next pairs by score, with exact inclusion probabilities, and honest means over what was chosen.

Rows that score high are chosen more often, so their plain mean says nothing about the pool. Each row's inclusion
probability pi is therefore fixed before anything is drawn, the draw keeps it exactly, and means weight by 1 / pi.
Draws only from the `rng` that is passed. Several draws, each from what the earlier ones left, are joined by
`batched_mean`; weights of rows from different draws never go into one plain weighted mean.

Sources: Madow (1949), *On the theory of systematic sampling, II* (the draw); Särndal, Swensson & Wretman (1992), *Model
Assisted Survey Sampling*, sections 3.6.2 (pi proportional to size), 5.7 (Hájek's mean); Hansen & Hurwitz (1943) for the
variance; Korn & Graubard (1998) for limits of a proportion from few effective labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax
from scipy.stats import beta, t

from assurance.bootstrap import TAIL, Interval
from core.errors import NotEnoughLabels

TEMPERATURE = 0.15
"""Score difference that makes a row e times as likely, before floor and cap."""

UNIFORM_FLOOR = 0.2
"""Share of the draw that ignores scores, so that no weight exceeds 1 / 0.2 times that of a uniform draw."""

CERTAIN = 1.0 - 1e-12
"""From here on a row is chosen for sure."""

NEARLY_NONE = 1e-9
"""A count below this is none: the quantile of its beta distribution underflows."""


@dataclass(frozen=True)
class Draw:
    """Rows that were drawn from a pool, and the chance that every row of the pool had."""

    chosen: Int[np.ndarray, " n"]
    """Indices of the drawn rows, ascending, none twice."""
    pool_inclusion_p: Float[np.ndarray, " pool"]

    @property
    def inclusion_p(self) -> Float[np.ndarray, " n"]:
        """Inclusion probability of each drawn row: store it beside the label."""
        return np.asarray(self.pool_inclusion_p[self.chosen])


def choose(
    scores: Float[np.ndarray, " pool"],
    n: int,
    *,
    rng: np.random.Generator,
    temperature: float = TEMPERATURE,
    uniform_floor: float = UNIFORM_FLOOR,
) -> Draw:
    """Draw n rows, those with higher scores more often, each with exactly its inclusion probability.

    Args:
        scores: how much each row of the pool is worth looking at; higher is more.
        n: rows to draw; all of the pool where it holds fewer.
        rng: draws.
        temperature: score difference that makes a row e times as likely.
        uniform_floor: share of the draw that ignores scores, in (0, 1].

    Raises:
        ValueError: as in `inclusion_probabilities`.

    >>> draw = choose(np.array([0.0, 0.0, 9.0, 0.0, 0.0]), 2, rng=np.random.default_rng(0))
    >>> len(draw.chosen), bool(2 in draw.chosen), draw.pool_inclusion_p.tolist()
    (2, True, [0.25, 0.25, 1.0, 0.25, 0.25])
    """
    inclusion_p = inclusion_probabilities(scores, n, temperature=temperature, uniform_floor=uniform_floor)
    return Draw(chosen=systematic_draw(inclusion_p, rng=rng), pool_inclusion_p=inclusion_p)


def inclusion_probabilities(
    scores: Float[np.ndarray, " pool"], n: int, *, temperature: float, uniform_floor: float
) -> Float[np.ndarray, " pool"]:
    """A softmax of scores with a uniform floor, times n; what exceeds 1 is shared out among the others.

    Raises:
        ValueError: n or temperature is not positive, the floor is not in (0, 1], or a score is not a number.

    >>> inclusion_probabilities(np.array([1.0, 1.0, 1.0, 1.0]), 2, temperature=1.0, uniform_floor=0.2).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    if n < 1:
        raise ValueError(f"{n} rows are asked for; draw at least one.")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it is a score difference above 0.")
    if not 0 < uniform_floor <= 1:
        raise ValueError(f"uniform_floor is {uniform_floor}; without a floor in (0, 1] some rows could never be drawn.")
    if not np.isfinite(scores).all():
        raise ValueError(f"Row {np.flatnonzero(~np.isfinite(scores))[0]} has a score that is not a number. Score it.")
    pool = len(scores)
    if n >= pool:
        return np.ones(pool)
    return proportional_probabilities((1.0 - uniform_floor) * softmax(scores / temperature) + uniform_floor / pool, n)


def proportional_probabilities(size: Float[np.ndarray, " pool"], n: int) -> Float[np.ndarray, " pool"]:
    """The share of each row in all sizes, n times over; what exceeds 1 is shared out among the others.

    Args:
        size: positive; how much of the pool each row stands for.
        n: rows to draw, at least one; all of the pool where it holds fewer.

    >>> proportional_probabilities(np.array([1.0, 1.0, 2.0]), 2).tolist()
    [0.5, 0.5, 1.0]
    """
    pool = len(size)
    if n >= pool:
        return np.ones(pool)
    is_certain = np.zeros(pool, dtype=bool)
    while True:
        open_n = n - int(is_certain.sum())
        inclusion_p = np.where(is_certain, 1.0, open_n * size / size[~is_certain].sum())
        exceeds = ~is_certain & (inclusion_p >= CERTAIN)
        if not exceeds.any():
            return inclusion_p
        is_certain |= exceeds


def systematic_draw(
    inclusion_p: Float[np.ndarray, " pool"],
    *,
    rng: np.random.Generator,
    places: Float[np.ndarray, " pool"] | None = None,
) -> Int[np.ndarray, " n"]:
    """Rows drawn so that each is in with exactly its probability, and as many as the probabilities sum to.

    Madow's draw: the rows lie end to end, each as long as its probability, and a comb of teeth one apart is laid on
    them at a uniform offset. Where rows that resemble each other lie near each other, the draw is spread evenly over
    what there is, as if it had been stratified.

    Args:
        inclusion_p: chance of each row, in (0, 1]; they sum to a whole number.
        rng: draws the offset, and the order where no places are given or where they are equal.
        places: rows lie in ascending order of these; None: in random order.
    """
    is_certain = inclusion_p >= CERTAIN
    order = rng.permutation(np.flatnonzero(~is_certain))
    if places is not None:
        order = order[np.argsort(places[order], kind="stable")]
    n_open = round(float(inclusion_p[order].sum()))
    teeth = rng.random() + np.arange(n_open)
    hit = np.searchsorted(np.cumsum(inclusion_p[order]), teeth, side="right")
    drawn = order[np.minimum(hit, len(order) - 1)]
    return np.sort(np.concatenate([np.flatnonzero(is_certain), drawn]))


def horvitz_thompson(values: Float[np.ndarray, " n"], inclusion_p: Float[np.ndarray, " n"], *, pool: int) -> Interval:
    """Unbiased mean of the pool, sum(value / pi) / pool, with conservative 95 % limits.

    Args:
        values: of the drawn rows, each in [0, 1].
        inclusion_p: their inclusion probabilities.
        pool: rows in the pool they were drawn from.

    Raises:
        NotEnoughLabels: fewer than two rows.
        ValueError: columns differ in length, a value is outside [0, 1], or a probability is outside (0, 1].

    >>> horvitz_thompson(np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.25, 1.0]), pool=6).estimate
    0.5
    """
    return batched_mean([(values, inclusion_p)], pool=pool)


def batched_mean(batches: Sequence[tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]], *, pool: int) -> Interval:
    """Unbiased mean of the pool from several draws, each from the rows that the earlier draws left.

    Scores may depend on earlier labels. Each draw alone estimates the mean (labels before it as they are, the rest by
    Horvitz and Thompson), its error has mean 0 given all before it, and the draws count by their numbers of rows.
    Source: the construction of Des Raj (1956) for ordered draws, with draws of many rows.

    Args:
        batches: per draw, in order, the values of its rows, each in [0, 1], and their inclusion probabilities.
        pool: rows in the pool before the first draw.

    Raises:
        NotEnoughLabels: a draw has fewer than two rows.
        ValueError: as in `horvitz_thompson`, or there is no draw.

    Two of eight rows are drawn, both 1: the draw says (4 + 4) / 8. Two of the six that are left are both 0: with the
    two that are known, that draw says (2 + 0) / 8. Both count alike:

    >>> batched_mean([(np.ones(2), np.full(2, 1 / 4)), (np.zeros(2), np.full(2, 1 / 3))], pool=8).estimate
    0.625
    """
    if not batches:
        raise ValueError("There is no draw. Pass the values and inclusion probabilities of one at least.")
    for values, inclusion_p in batches:
        _check(values, inclusion_p)
    n = sum(len(values) for values, _ in batches)
    known = estimate = 0.0
    terms = []
    for values, inclusion_p in batches:
        share = len(values) / n
        terms.append(share * values / inclusion_p / pool)
        estimate += share * known / pool + float(terms[-1].sum())
        known += float(values.sum())
    return _with_limits(estimate, terms, [inclusion_p for _, inclusion_p in batches])


def hajek(values: Float[np.ndarray, " n"], inclusion_p: Float[np.ndarray, " n"]) -> Interval:
    """Mean weighted by 1 / pi, with conservative 95 % limits; usually narrower than Horvitz and Thompson's.

    A ratio: its bias is of order 1 / n, small beside its limits. It needs no size of the pool and stays in [0, 1].

    Raises:
        NotEnoughLabels: fewer than two rows.
        ValueError: as in `horvitz_thompson`.

    >>> round(hajek(np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.25, 1.0])).estimate, 4)  # (2 + 1) / (2 + 4 + 1)
    0.4286
    """
    _check(values, inclusion_p)
    weights = 1.0 / inclusion_p
    mean = float(weights @ values / weights.sum())
    return _with_limits(mean, [weights * (values - mean) / weights.sum()], [inclusion_p])


def effective_labels(inclusion_p: Float[np.ndarray, " n"]) -> float:
    """Labels of a uniform draw that would say as much, where values have nothing to do with pi (Kish).

    >>> effective_labels(np.array([0.5, 0.5, 0.5]))
    3.0
    """
    weights = 1.0 / inclusion_p
    return float(weights.sum() ** 2 / np.sum(weights**2))


def _with_limits(
    estimate: float, terms: Sequence[Float[np.ndarray, " n"]], inclusion_p: Sequence[Float[np.ndarray, " n"]]
) -> Interval:
    """The wider of two pairs of limits: Student's t, and exact binomial at the effective number of labels.

    The variance is that of draws with replacement: a systematic draw in random order varies less. Rows that were
    certain do not vary. A systematic draw has no unbiased variance of its own: some pairs of rows never come together.

    Args:
        estimate: the mean.
        terms: per draw, what each row adds to it.
        inclusion_p: per draw, the inclusion probabilities.
    """
    variable = [term[p < CERTAIN] for term, p in zip(terms, inclusion_p, strict=True)]
    variable = [term for term in variable if len(term)]
    if not variable:
        return Interval(estimate=estimate, low=estimate, high=estimate)
    if min(len(term) for term in variable) < 2:
        raise NotEnoughLabels("One row was drawn by chance; a mean of one has no interval. Draw at least two.")
    variance = sum(len(term) * float(np.var(term, ddof=1)) for term in variable)
    half = float(t.isf(TAIL, sum(len(term) - 1 for term in variable))) * variance**0.5
    rate = min(max(estimate, 0.0), 1.0)
    n = sum(effective_labels(p) for p in inclusion_p)
    if variance > 0 and 0 < rate < 1:
        n = min(n, rate * (1.0 - rate) / variance)
    k = rate * n
    low = float(beta.ppf(TAIL, k, n - k + 1.0)) if k > NEARLY_NONE else 0.0
    high = float(beta.isf(TAIL, k + 1.0, n - k)) if n - k > NEARLY_NONE else 1.0
    return Interval(
        estimate=estimate,
        low=min(estimate, max(0.0, min(low, estimate - half))),
        high=max(estimate, min(1.0, max(high, estimate + half))),
    )


def _check(values: Float[np.ndarray, " n"], inclusion_p: Float[np.ndarray, " n"]) -> None:
    if len(values) != len(inclusion_p):
        raise ValueError(
            f"There are {len(values)} values and {len(inclusion_p)} probabilities. Pass one of each per row."
        )
    if len(values) < 2:
        raise NotEnoughLabels(f"{len(values)} rows were labelled; an interval needs at least two. Label more.")
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError("A value is outside [0, 1]. Pass qualities or shares.")
    if not np.all((inclusion_p > 0) & (inclusion_p <= 1)):
        raise ValueError("An inclusion probability is outside (0, 1]. Pass those stored when the rows were drawn.")
