"""Exact bounds on a rate from a count. They hold at every sample size, with no normal approximation.

Source: Clopper & Pearson (1934), *The use of confidence or fiducial limits illustrated in the case of the binomial*.
"""

from scipy.stats import beta

from assurance.bootstrap import TAIL, Interval
from core.errors import NotEnoughLabels


def binomial_upper(harms: int, n: int, delta: float) -> float:
    """Largest rate that `harms` out of `n` judged answers cannot rule out.

    The true rate is below it with probability at least 1 - delta over the draw of the n answers.

    Args:
        harms: answers judged harmful, 0 <= harms <= n.
        n: answers judged, all from one stratum.
        delta: allowed probability of being wrong, in (0, 1).

    Raises:
        NotEnoughLabels: n is 0.
        ValueError: a count or delta is out of range.

    >>> round(binomial_upper(0, 149, delta=0.05), 4)      # the rule of three: 3 / n
    0.0199
    """
    _check(harms, n, delta)
    return 1.0 if harms == n else float(beta.ppf(1.0 - delta, harms + 1, n - harms))


def binomial_lower(successes: int, n: int, delta: float) -> float:
    """Smallest rate that `successes` out of `n` cannot rule out; the true rate is above it with probability 1 - delta.

    Args:
        successes: how many of the n, 0 <= successes <= n.
        n: how many were looked at.
        delta: allowed probability of being wrong, in (0, 1).

    Raises:
        NotEnoughLabels: n is 0.
        ValueError: a count or delta is out of range.

    >>> binomial_lower(0, 10, delta=0.05)
    0.0
    >>> round(binomial_lower(10, 10, delta=0.05) ** 10, 6)
    0.05
    """
    _check(successes, n, delta)
    return 0.0 if successes == 0 else float(beta.ppf(delta, successes, n - successes + 1))


def binomial_interval(successes: int, n: int) -> Interval:
    """The rate `successes` / `n` with its exact two-sided 95 % interval: both bounds at half of delta.

    Raises:
        NotEnoughLabels: n is 0.
        ValueError: a count is out of range.

    >>> str(binomial_interval(5, 10))
    '0.500 [0.187, 0.813]'
    """
    low, high = binomial_lower(successes, n, TAIL), binomial_upper(successes, n, TAIL)
    return Interval(estimate=successes / n, low=low, high=high)


def _check(count: int, n: int, delta: float) -> None:
    if n == 0:
        raise NotEnoughLabels("No answer was judged, so its rate has no bound below 1. Judge at least one.")
    if not 0 <= count <= n:
        raise ValueError(f"The count {count} is not between 0 and n = {n}.")
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; a probability of being wrong lies in (0, 1).")
