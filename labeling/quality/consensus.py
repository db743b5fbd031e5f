"""What several judgements of a pair say together: a quality per answer, and a verdict where most agree.

The quality of an answer by one judgement is `Judgement.qualities`. `consensus_of` counts heads. `consensus_table` reads
all pairs at once and weighs experts by what their labels show of them: how reliable they are and which side they favour
(`assurance.rater_model`), and how they mistake acceptable answers (`assurance.dawid_skene`). A ruling overrides both.
Pure: the same judgements give the same table, in whatever order they come.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Protocol

import numpy as np

from assurance.dawid_skene import dawid_skene
from assurance.rater_model import fit_raters
from core.records import Judgement, Record, Verdict

ENOUGH_WEIGHT = 0.6
"""A verdict stands with this share of its pair's reliability: two of three like experts, or three of five."""

_SIDE_OF = {Verdict.FIRST_BETTER: 1, Verdict.SECOND_BETTER: -1}


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


class JointConsensus(Consensus):
    """The view of one pair in the light of all others.

    | method | verdict and share | qualities |
    |---|---|---|
    | `ruling` | the adjudicator's; 1 | by the ruling's verdict and marks |
    | `single` | the one expert's; 1 | as the expert said |
    | `rater_model` | that with 60 % of the experts' reliability, else none; its share of it | chance of acceptable |
    """

    method: str
    p_first_better: float | None = None
    """Chance that the first answer is the better one; None where fewer than two experts could judge."""
    entropy_bits: float | None = None
    """Of that chance: 0 where all is known, 1 where nothing is."""


class Ruled(Protocol):
    """The last word on a pair."""

    @property
    def verdict(self) -> Verdict:
        """The adjudicator's verdict, in canonical order."""

    @property
    def qualities(self) -> tuple[float, float] | None:
        """Quality of the first and of the second answer; None where the pair cannot be judged."""


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


def consensus_table(judgements: Iterable[Judgement], rulings: Mapping[str, Ruled]) -> dict[str, JointConsensus]:
    """The joint view of every pair, by id in order; a pair that nobody could judge, or ruled so, is left out.

    Args:
        judgements: those that count, of any number of pairs; at most one of each expert on each pair.
        rulings: the last ruling by pair id; it overrides the experts.
    """
    by_pair: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        by_pair[judgement.pair_id]  # a pair of which nobody could judge is known all the same
        if judgement.qualities is not None:
            by_pair[judgement.pair_id].append(judgement)
    told = {pair: sorted(each, key=lambda one: (one.expert, one.id)) for pair, each in sorted(by_pair.items())}
    shared = {pair: each for pair, each in told.items() if len(each) > 1}
    found = _by_raters(shared) if shared else {}
    for pair, each in told.items():
        if len(each) == 1:
            (one,) = each
            first, second = one.qualities or (0.0, 0.0)
            found[pair] = JointConsensus(
                verdict=one.verdict, share=1.0, first_quality=first, second_quality=second, n_experts=1, method="single"
            )
    for pair, ruling in rulings.items():
        final = ruling.qualities
        found.pop(pair, None)
        if final is not None:
            found[pair] = JointConsensus(
                verdict=ruling.verdict,
                share=1.0,
                first_quality=final[0],
                second_quality=final[1],
                n_experts=len(told.get(pair, [])),
                method="ruling",
            )
    return dict(sorted(found.items()))


def _by_raters(shared: Mapping[str, Sequence[Judgement]]) -> dict[str, JointConsensus]:
    """Pairs that two experts or more could judge, each a row of both models."""
    rows = [(row, one) for row, each in enumerate(shared.values()) for one in each]
    experts = {name: code for code, name in enumerate(sorted({one.expert for _, one in rows}))}
    # The pair's first answer takes the strong one's place: canonical order is a hash, so nothing leans to it.
    view = fit_raters(
        np.array([row for row, _ in rows]),
        np.array([experts[one.expert] for _, one in rows]),
        verdicts=np.array([_SIDE_OF.get(one.verdict, 0) for _, one in rows]),
        strong_on_left=np.array([not one.swapped for _, one in rows]),
    )
    reliability = {name: view.experts[code].reliability.estimate for name, code in experts.items()}
    release = np.full((2 * len(shared), len(experts)), -1)
    for row, one in rows:
        first, second = one.qualities or (0.0, 0.0)
        release[2 * row : 2 * row + 2, experts[one.expert]] = (int(first), int(second))
    acceptable = dawid_skene(release, n_classes=2).posterior[:, 1].reshape(-1, 2)
    found = {}
    for row, (pair, each) in enumerate(shared.items()):
        weight: dict[Verdict, float] = defaultdict(float)
        for one in each:
            weight[one.verdict] += reliability[one.expert]
        verdict = max(sorted(weight), key=lambda name: weight[name])
        share = weight[verdict] / sum(weight.values())
        found[pair] = JointConsensus(
            verdict=verdict if share >= ENOUGH_WEIGHT - 1e-9 else None,
            share=round(share, 6),
            first_quality=round(float(acceptable[row, 0]), 6),
            second_quality=round(float(acceptable[row, 1]), 6),
            n_experts=len(each),
            method="rater_model",
            p_first_better=round(float(view.strong_better[row]), 6),
            entropy_bits=round(float(view.entropy_bits[row]), 6),
        )
    return found
