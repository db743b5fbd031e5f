"""What a router learns from a row: targets from qualities, and how much each row counts. Fits nothing, reads no file.

One rule for every kind of router. q_w and q_s are the qualities in [0, 1] of the weak and of the strong answer:

| target | formula | who learns it |
|---|---|---|
| classes (strong, either, neither) | max(q_s - q_w, 0), q_w, 1 - max(q_w, q_s): sum 1 | BERT and causal routers |
| gap | q_s - q_w, in [-1, 1] | words and combined; what every router is ranked by |
| win share of the strong model | (1 + gap) / 2: a tie is a half | matrix factorization, similarity, stacks |

| judgement (no marks of acceptability) | q_w, q_s | strong, either, neither | win share |
|---|---|---|---|
| strong better | 0, 1 | 1, 0, 0 | 1 |
| weak better | 1, 0 | 0, 1, 0 | 0 |
| both acceptable | 1, 1 | 0, 1, 0 | 1/2 |
| neither acceptable | 0, 0 | 0, 0, 1 | 1/2 |
| cannot judge | none | the row is left out | left out |

A mark *acceptable for release?* stands above the verdict: "strong better, and the weak answer is acceptable" is 1, 1.
Ties count and are never dropped. *Neither acceptable* is a class of its own and never a win of the weak model: a
classifier that met it as a tie would learn to send hopeless queries to the weak model. Where experts disagree their
qualities are averaged first (`labeling.quality.consensus`), so one vote each way is (1/2, 1/2): strong 0, either 1/2,
neither 1/2. A row without both qualities is NaN in every target.

Class imbalance is left as it is: the losses are proper, so probabilities come out right at any base rate, and no row is
dropped, repeated or weighed by its class. Sizes: n rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from core.errors import DataError, NotEnoughLabels
from core.records import Judgement

WEIGHT_CAP = 10.0
"""No row counts more than this many times the mean row before clipping: a few rare rows would decide everything."""


@dataclass(frozen=True)
class Targets:
    """The three targets of n rows; NaN in a row of which one quality is not known."""

    classes: Float[np.ndarray, "n 3"]
    """Probability of (strong, either, neither); the order of `models.training.network.CLASSES`."""
    gap: Float[np.ndarray, " n"]
    """Quality of the strong answer minus that of the weak one."""
    win_share: Float[np.ndarray, " n"]
    """The strong model's share of a win, (1 + gap) / 2."""

    @property
    def known(self) -> Bool[np.ndarray, " n"]:
        """Rows that teach something: both qualities are known."""
        return np.asarray(np.isfinite(self.gap))


@dataclass(frozen=True)
class RowWeights:
    """How much each row counts, of mean 1, and what the spread of the weights costs."""

    values: Float[np.ndarray, " n"]
    n_effective: float
    """Kish's effective sample size (sum w)^2 / sum w^2: as many rows of equal weight would tell as much."""
    n_clipped: int
    """Rows whose weight the cap lowered."""


def targets_of(weak_quality: Float[np.ndarray, " n"], strong_quality: Float[np.ndarray, " n"]) -> Targets:
    """Every target by the table above.

    Raises:
        DataError: a known quality lies outside [0, 1], or the two columns differ in length.

    >>> targets_of(np.array([0.0, 0.5]), np.array([1.0, 0.75])).classes.tolist()
    [[1.0, 0.0, 0.0], [0.25, 0.5, 0.25]]
    >>> targets_of(np.array([0.0, 0.5]), np.array([1.0, 0.75])).win_share.tolist()
    [1.0, 0.625]
    """
    weak, strong = (np.asarray(column, dtype=np.float64) for column in (weak_quality, strong_quality))
    if weak.shape != strong.shape or weak.ndim != 1:
        raise DataError(
            [f"qualities of shape {weak.shape} and {strong.shape}"], "Give one number a row for each model."
        )
    for name, column in (("weak", weak), ("strong", strong)):
        bad = np.flatnonzero(~np.isnan(column) & ~((column >= 0) & (column <= 1)))
        if len(bad):
            raise DataError(
                [f"row {i}: quality of the {name} answer is {column[i]}, outside [0, 1]" for i in bad],
                "Give qualities as shares; leave unknown ones NaN.",
            )
    unknown = np.isnan(weak) | np.isnan(strong)
    gap = strong - weak
    classes = np.stack([np.maximum(gap, 0.0), weak, 1.0 - np.maximum(weak, strong)], axis=1)
    classes[unknown] = np.nan
    return Targets(classes, gap, (1.0 + gap) / 2.0)


def pair_quality(judgements: Sequence[Judgement], *, is_strong_first: bool) -> tuple[float, float]:
    """Mean quality of the weak and of the strong answer over the experts who could judge one pair; NaN if none could.

    The same numbers as in the `outcomes.jsonl` of a frozen dataset.

    Args:
        judgements: of one pair, in its canonical order.
        is_strong_first: whether the pair's first answer is the strong model's.
    """
    graded = [grade for judgement in judgements if (grade := judgement.qualities) is not None]
    if not graded:
        return np.nan, np.nan
    first, second = np.mean(graded, axis=0)
    return (float(second), float(first)) if is_strong_first else (float(first), float(second))


def row_weights(
    weight: Float[np.ndarray, " n"],
    inclusion_probability: Float[np.ndarray, " n"] | None = None,
    *,
    cap: float = WEIGHT_CAP,
) -> RowWeights:
    """Row weight over inclusion probability, divided by its mean, cut at `cap`, and divided by its mean again.

    Undoes the choice of an active queue: rows that were picked often stand for fewer like them. The cut trades a
    little bias for much variance (Ionides, 2008, truncated importance sampling).

    Args:
        weight: as the file says, > 0; 1 where it says nothing.
        inclusion_probability: in (0, 1]; NaN, or None for all: not known, and then the weight stands as it is.
        cap: largest weight, in units of the mean weight before the cut; infinity cuts nothing.

    Raises:
        DataError: a weight or a probability is out of range, or `cap` is below 1.
        NotEnoughLabels: there are no rows.

    >>> found = row_weights(np.array([1.0, 1.0]), np.array([1.0, 0.25]))
    >>> found.values.round(9).tolist(), round(found.n_effective, 4)  # (0.4 + 1.6)^2 / (0.16 + 2.56)
    ([0.4, 1.6], 1.4706)
    """
    weight = np.asarray(weight, dtype=np.float64)
    chance = np.full(len(weight), np.nan) if inclusion_probability is None else np.asarray(inclusion_probability)
    faults = [f"row {i}: weight {weight[i]}" for i in np.flatnonzero(~((weight > 0) & np.isfinite(weight)))]
    out_of_range = ~np.isnan(chance) & ~((chance > 0) & (chance <= 1))
    faults += [f"row {i}: inclusion probability {chance[i]}" for i in np.flatnonzero(out_of_range)]
    if len(chance) != len(weight):
        faults.append(f"{len(chance)} inclusion probabilities for {len(weight)} weights")
    if not cap >= 1:
        faults.append(f"the cap is {cap}, below the mean weight of 1")
    if faults:
        raise DataError(faults, "Weights are > 0, inclusion probabilities in (0, 1], the cap is at least 1.")
    if not len(weight):
        raise NotEnoughLabels("There is no row to weigh. Label pairs, or correct data.files.")
    log_raw = np.log(weight) - np.log(np.where(np.isnan(chance), 1.0, chance))
    raw = np.exp(log_raw - log_raw.max())  # a chance of 1e-308 must not overflow
    relative = raw / raw.mean()
    values = np.minimum(relative, cap)
    values = values / values.mean()
    return RowWeights(values, effective_n(values), int(np.count_nonzero(relative > cap)))


def effective_n(weights: Float[np.ndarray, " n"]) -> float:
    """Kish's effective sample size: (sum w)^2 / sum w^2.

    Source: Kish (1965), section 11.7.

    >>> effective_n(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    return float(np.sum(weights) ** 2 / np.sum(np.square(weights)))
