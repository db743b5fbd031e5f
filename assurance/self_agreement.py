"""Does one expert give the same label again? Agreement with oneself on items that came back after a while.

Exact limits; never draws. Whoever shows the repeats decides how long after, and with the sides swapped.
"""

import numpy as np
from jaxtyping import Int

from assurance.agreement_figures import NO_LABEL
from assurance.bootstrap import Interval
from assurance.bounds import binomial_interval
from core.records import Record


class SelfAgreement(Record):
    """How often an expert's second label was the first one; the rate is None where nothing was repeated."""

    n_repeats: int
    n_same: int
    rate: Interval | None
    """Share of repeats with the same label, with its exact 95 % interval."""
    reason: str = ""


def self_agreement(first: Int[np.ndarray, " n"], again: Int[np.ndarray, " n"]) -> SelfAgreement:
    """Share of repeated items that got the same label twice, with its exact (Clopper-Pearson) 95 % interval.

    Args:
        first: the label of each repeated item at its first showing; -1 for none.
        again: the label at its second showing, in the same terms: of the answers, not of the sides.

    Raises:
        ValueError: the two columns differ in length.

    >>> str(self_agreement(np.array([0, 1, 2, 1]), np.array([0, 1, 2, 0])).rate)
    '0.750 [0.194, 0.994]'
    """
    if len(first) != len(again):
        raise ValueError(
            f"There are {len(first)} first labels and {len(again)} second ones. Pass one of each per repeat."
        )
    labelled = (first != NO_LABEL) & (again != NO_LABEL)
    n_repeats, n_same = int(labelled.sum()), int(np.sum(labelled & (first == again)))
    if not n_repeats:
        reason = "No item came back to this expert and was labelled twice. Show some items again after a week."
        return SelfAgreement(n_repeats=0, n_same=0, rate=None, reason=reason)
    return SelfAgreement(n_repeats=n_repeats, n_same=n_same, rate=binomial_interval(n_same, n_repeats))
