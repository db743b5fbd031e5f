"""What several judgements of a pair say together: a quality per answer, and a verdict where most agree.

The quality of an answer by one judgement is `Judgement.qualities`; experts are averaged.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from core.records import Judgement, Record, Verdict


class Consensus(Record):
    """Several experts' view of one pair, in canonical order."""

    verdict: Verdict | None
    """The verdict of more than half of those who could judge; None where no verdict has that."""
    share: float
    """Share of experts behind the commonest verdict."""
    first_quality: float
    second_quality: float
    """Mean quality over experts, in [0, 1]."""
    n_experts: int


def qualities(judgement: Judgement) -> tuple[float, float] | None:
    """Quality of the first and the second answer by one judgement; None when it could not be judged."""
    return judgement.qualities


def consensus_of(judgements: Sequence[Judgement]) -> Consensus | None:
    """The joint view of judgements of one pair; None when nobody could judge it."""
    graded = [(judgement.verdict, grade) for judgement in judgements if (grade := qualities(judgement)) is not None]
    if not graded:
        return None
    verdict, n_behind = Counter(verdict for verdict, _ in graded).most_common(1)[0]
    return Consensus(
        verdict=verdict if 2 * n_behind > len(graded) else None,
        share=n_behind / len(graded),
        first_quality=fmean(first for _, (first, _) in graded),
        second_quality=fmean(second for _, (_, second) in graded),
        n_experts=len(graded),
    )
