"""How surprising few losses would be if the true risk were above the promised one: the p-values behind a certificate.

The hypothesis is always that the risk exceeds `max_loss`; a small p-value speaks against it, so for the promise.
Each is valid at every sample size: P(p <= u) <= u for every u wherever the hypothesis is true.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import xlogy
from scipy.stats import binom


def binomial_tail(
    harms: Int[np.ndarray, " m"], n: Int[np.ndarray, " m"] | int, max_harm: float
) -> Float[np.ndarray, " m"]:
    """P(at most `harms` harms in `n` answers) if each harmed with probability `max_harm`: for losses of 0 or 1.

    The exact test; it is below delta just where the Clopper-Pearson bound (`assurance.bounds`) is below `max_harm`.
    Source: Angelopoulos et al. (2021), *Learn then Test*, section 2.1; Clopper & Pearson (1934).

    Args:
        harms: counted harms, one per hypothesis.
        n: answers counted, one number for all or one per hypothesis. Where it is 0 the p-value is 1.
        max_harm: the promised rate, in (0, 1).

    Raises:
        ValueError: a count or the rate is out of range.

    >>> np.round(binomial_tail(np.array([0, 1]), 149, 0.02), 4).tolist()      # (1 - 0.02) ** 149
    [0.0493, 0.1991]
    """
    counts, totals = np.broadcast_arrays(np.asarray(harms), np.asarray(n))
    _check_rate(max_harm)
    if np.any(counts < 0) or np.any(counts > totals):
        raise ValueError("There are more harms than answers, or fewer than none.")
    return np.where(totals == 0, 1.0, binom.cdf(counts, totals, max_harm))


def hoeffding_bentkus(mean_loss: Float[np.ndarray, " m"], n: int, max_loss: float) -> Float[np.ndarray, " m"]:
    """A p-value for losses anywhere in [0, 1], from their mean alone.

    The smaller of Hoeffding's bound in relative-entropy form and Bentkus's, which is e times the binomial tail.
    Source: Angelopoulos et al. (2021), *Learn then Test*, proposition 3; Bentkus (2004).

    Args:
        mean_loss: mean of the n losses, one per hypothesis, in [0, 1].
        n: how many losses stand behind each mean.
        max_loss: the promised mean, in (0, 1).

    Raises:
        ValueError: a mean or the promise is out of range.

    >>> np.round(hoeffding_bentkus(np.array([0.0]), 149, 0.02), 4).tolist()   # the mean is 0: (1 - 0.02) ** 149
    [0.0493]
    """
    means = np.asarray(mean_loss, dtype=float)
    _check_rate(max_loss)
    if np.any(means < 0) or np.any(means > 1):
        raise ValueError("A mean loss is outside [0, 1].")
    below = np.minimum(means, max_loss)
    entropy = xlogy(below, below / max_loss) + xlogy(1 - below, (1 - below) / (1 - max_loss))
    # A mean of k / n comes back as k and a rounding error; without the slack it would count one loss too many.
    tail = binom.cdf(np.ceil(n * means - 1e-9), n, max_loss)
    return np.asarray(np.minimum(1.0, np.minimum(np.exp(-n * entropy), np.e * tail)))


def betting(
    losses: Float[np.ndarray, "n m"], max_loss: float, *, delta: float, low: float = 0.0
) -> Float[np.ndarray, " m"]:
    """A p-value for losses in [low, 1] that learns their variance as it goes: one over the best wealth of a bettor.

    The rows must come in an order that has nothing to do with the losses, fixed beforehand.
    Source: Waudby-Smith & Ramdas (2023), *Estimating means of bounded random variables by betting*, section 4.2 and
    its plug-in bets; Ville (1939) for the running maximum.

    Args:
        losses: one row per answer, one column per hypothesis, in [low, 1].
        max_loss: the promised mean, in (low, 1).
        delta: the level at which the p-value will be read; it sets the size of the bets, and validity holds at any.
        low: the smallest possible loss: 0, or -1 where a weak answer may also gain.

    Raises:
        ValueError: a loss or the promise is out of range.

    >>> float(betting(np.zeros((300, 1)), 0.02, delta=0.05)[0]) < 0.05
    True
    """
    if losses.size and (losses.min() < low or losses.max() > 1):
        raise ValueError(f"A loss is outside [{low:g}, 1].")
    if not low < max_loss < 1:
        raise ValueError(f"The promised mean is {max_loss}; it lies in ({low:g}, 1).")
    scaled = (losses - low) / (1 - low)
    target = (max_loss - low) / (1 - low)
    n = len(scaled)
    before = np.arange(1, n + 1)[:, None]
    means = (0.5 + np.cumsum(scaled, axis=0)) / (before + 1)
    variances = (0.25 + np.cumsum((scaled - means) ** 2, axis=0)) / (before + 1)
    known = np.vstack([np.full((1, scaled.shape[1]), 0.25), variances[:-1]])  # the bet on a row knows the rows before
    bets = np.minimum(np.sqrt(2 * np.log(1 / delta) / (max(n, 1) * known)), 0.9 / (1 - target))
    log_wealth = np.cumsum(np.log1p(-bets * (scaled - target)), axis=0)
    best = np.max(log_wealth, axis=0, initial=0.0)
    return np.asarray(np.exp(-best))


def _check_rate(rate: float) -> None:
    if not 0 < rate < 1:
        raise ValueError(f"The promised rate is {rate}; it lies in (0, 1).")
