"""What several judgements of a pair say together: a quality per answer, and a verdict where most agree.

| judgement | quality of an answer |
|---|---|
| marked acceptable / not acceptable | 1 / 0, whatever the verdict |
| no mark, and it is the better one or both are acceptable | 1 |
| no mark, and it is the worse one or neither is acceptable | 0 |
| cannot judge | none: the judgement is left out |
"""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from core.records import Judgement, Record, Verdict

_BY_VERDICT = {
    Verdict.FIRST_BETTER: (1.0, 0.0),
    Verdict.SECOND_BETTER: (0.0, 1.0),
    Verdict.BOTH_ACCEPTABLE: (1.0, 1.0),
    Verdict.NEITHER_ACCEPTABLE: (0.0, 0.0),
}


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
    if judgement.verdict is Verdict.CANNOT_JUDGE:
        return None
    first, second = _BY_VERDICT[judgement.verdict]
    if judgement.first_acceptable is not None:
        first = float(judgement.first_acceptable)
    if judgement.second_acceptable is not None:
        second = float(judgement.second_acceptable)
    return first, second


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
