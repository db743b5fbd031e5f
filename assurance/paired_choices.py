"""Two deciders compared on the same requests, or on two draws of them: shares, agreement, and what a change would cost.

Intervals of shares and of their differences are exact, thus a little wide; those of costs are from a bootstrap. Rows
count as independent: hand in one a conversation.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import binomtest

from assurance.bootstrap import LEVEL, N_RESAMPLES, TAIL, Interval, row_weights
from assurance.bounds import binomial_interval, binomial_lower, binomial_upper
from core.records import Record

FEWEST_ROWS = 10
"""Of rows on either side, for a cost of moving from one side to the other."""


class PairedChoices(Record):
    """What two deciders said to the same n requests, yes or no."""

    n: int
    n_only_first: int
    """Requests to which the first alone said yes."""
    n_only_second: int
    agreement: Interval
    """Share of requests on which both said the same."""
    first: Interval
    """Share to which the first said yes."""
    second: Interval
    difference: Interval
    """Second share minus first share, in [-1, 1]."""
    p_value: float
    """Of the hypothesis that both say yes equally often: McNemar's exact test, two-sided."""


def paired_choices(first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"]) -> PairedChoices:
    """Compare them; all intervals are at 95 %.

    The difference is p(second alone) - p(first alone). Each of the two rates is bounded exactly (Clopper-Pearson) on
    either side at half of what a 95 % interval leaves out there, so their difference is covered at least as often as
    said. The test is McNemar's (1947) in its exact form: of the requests on which they differ, half.

    Args:
        first: whether the first said yes, one a request.
        second: the same of the second, in the same order.

    Raises:
        NotEnoughLabels: there are no requests.

    >>> found = paired_choices(np.array([True, True, False, False]), np.array([True, False, False, False]))
    >>> found.agreement.estimate, found.difference.estimate, found.p_value
    (0.75, -0.25, 1.0)
    """
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} choices cannot be compared. Pass one of each a request.")
    n, only_first, only_second = len(first), int((first & ~second).sum()), int((second & ~first).sum())
    differ = only_first + only_second
    return PairedChoices(
        n=n,
        n_only_first=only_first,
        n_only_second=only_second,
        agreement=binomial_interval(n - differ, n),
        first=binomial_interval(int(first.sum()), n),
        second=binomial_interval(int(second.sum()), n),
        difference=_difference((only_first, n), (only_second, n)),
        p_value=1.0 if differ == 0 else float(binomtest(only_first, differ, 0.5).pvalue),
    )


def share_difference(first: tuple[int, int], second: tuple[int, int]) -> Interval:
    """Second share minus first share of two independent draws, with an exact interval that covers at least 95 %.

    Args:
        first: how many of how many.
        second: the same.

    Raises:
        NotEnoughLabels: a draw is empty.

    >>> str(share_difference((0, 100), (100, 100)))
    '1.000 [0.914, 1.000]'
    """
    return _difference(first, second)


def cost_of_moving(
    costs_usd: Float[np.ndarray, " n"],
    first: Bool[np.ndarray, " n"],
    second: Bool[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Interval | None:
    """What a request would cost more, in US dollars, if the second decided in place of the first; None: too few rows.

    A request that would move is taken to cost what requests on that side cost on average. The 95 % interval is the
    bootstrap's, over requests; it knows nothing of requests that cost otherwise because they are others.

    Args:
        costs_usd: what each request cost, decided by the first; finite.
        first: whether the first said yes.
        second: whether the second does.
        rng: draws the resamples.
        n_resamples: how many.

    >>> costs, first = np.repeat([1.0, 10.0], 20), np.repeat([False, True], 20)
    >>> cost_of_moving(costs, first, ~first & False, rng=np.random.default_rng(0)).estimate  # half of all save 9
    -4.5
    """
    if not np.isfinite(costs_usd).all():
        raise ValueError("A cost is not finite. Leave requests of unknown cost out.")
    if min(int(first.sum()), int((~first).sum())) < FEWEST_ROWS:
        return None
    sides = np.stack([~first, first, first & ~second, second & ~first]).astype(np.float64)
    columns = np.stack([*sides, *(sides * costs_usd)], axis=1)  # n rows, counts and sums of the four groups
    drawn = [weights @ columns for weights in row_weights(len(first), rng=rng, n_resamples=n_resamples)]
    estimate = float(_moved(columns.sum(axis=0)[None], len(first))[0])
    values = _moved(np.concatenate(drawn), len(first))
    low, high = np.quantile(values, TAIL), np.quantile(values, 1.0 - TAIL)
    return Interval(estimate=estimate, low=float(low), high=float(high), level=LEVEL, n_resamples=n_resamples)


def mean_with_interval(
    values: Float[np.ndarray, " n"], *, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> Interval | None:
    """The mean with the bootstrap's 95 % interval; None of fewer than ten values.

    >>> str(mean_with_interval(np.ones(10), rng=np.random.default_rng(0)))
    '1.000 [1.000, 1.000]'
    """
    if len(values) < FEWEST_ROWS:
        return None
    drawn = [weights @ values for weights in row_weights(len(values), rng=rng, n_resamples=n_resamples)]
    means = np.concatenate(drawn) / len(values)
    low, high = np.quantile(means, TAIL), np.quantile(means, 1.0 - TAIL)
    return Interval(estimate=float(values.mean()), low=float(low), high=float(high), n_resamples=n_resamples)


def _moved(sums: Float[np.ndarray, "b 8"], n: int) -> Float[np.ndarray, " b"]:
    """Mean change of cost: those that move to `no` at the mean of `no`, those that move to `yes` at that of `yes`."""
    no, yes, to_no, to_yes, cost_no, cost_yes, cost_to_no, cost_to_yes = sums.T
    mean_no, mean_yes = cost_no / np.maximum(no, 1.0), cost_yes / np.maximum(yes, 1.0)
    moved: Float[np.ndarray, " b"] = (to_no * mean_no - cost_to_no + to_yes * mean_yes - cost_to_yes) / n
    return moved


def _difference(first: tuple[int, int], second: tuple[int, int]) -> Interval:
    (k, n), (m, of) = first, second
    low = binomial_lower(m, of, TAIL / 2) - binomial_upper(k, n, TAIL / 2)
    high = binomial_upper(m, of, TAIL / 2) - binomial_lower(k, n, TAIL / 2)
    return Interval(estimate=m / of - k / n, low=low, high=high)
