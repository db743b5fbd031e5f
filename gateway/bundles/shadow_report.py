"""Champion against challenger, and champion against canary, in figures with intervals. Reads no store."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from assurance.bootstrap import Interval
from assurance.bounds import binomial_interval
from assurance.paired_choices import (
    PairedChoices,
    cost_of_moving,
    mean_with_interval,
    paired_choices,
    share_difference,
)
from core.records import Record
from gateway.bundles.choices_on_record import Choice, Pair

FEWEST_SCORES = 10
"""Requests for a correlation of scores."""


class Differs(Record):
    """A request on which the two would have done otherwise."""

    id: str
    stratum: str
    champion_strong: bool
    champion_probability: float
    challenger_probability: float | None


class ShadowFigures(Record):
    """One challenger beside one champion, on the same requests, one a conversation."""

    champion: str
    challenger: str
    overall: PairedChoices
    """`first` and `second` are the shares that went, or would have gone, to the strong model."""
    by_stratum: Mapping[str, PairedChoices]
    rank_correlation: float | None
    """Spearman's, of the two probabilities; None of fewer than ten, or where one is always the same."""
    n_not_scored: int
    """Requests that the challenger could not score; it would have asked the strong model."""
    cost_change_usd: Interval | None
    """More per request, in US dollars, if the challenger decided (`assurance.paired_choices.cost_of_moving`)."""
    n_without_cost: int
    differ: tuple[Differs, ...]
    """The first of them, by time."""


class ArmFigures(Record):
    """What one arm of a canary did."""

    arm: str
    bundles: tuple[str, ...]
    n: int
    asked_strong: Interval
    """Share that its router sent to the strong model."""
    escalated: Interval | None
    """Of those sent to the weak model, the share that the strong one answered in the end; None: there were none."""
    cost_usd: Interval | None
    """Mean of a request; None of fewer than ten whose cost is known."""
    verdicts: Mapping[str, int]


class CanaryFigures(Record):
    """Both arms over the same time, one request a conversation."""

    champion: ArmFigures
    canary: ArmFigures
    asked_strong: Interval
    """Canary minus champion."""
    escalated: Interval | None


def shadow_figures(pairs: Sequence[Pair], *, rng: np.random.Generator, most: int = 20) -> tuple[ShadowFigures, ...]:
    """Figures of each champion with each challenger, the newest first.

    Args:
        pairs: requests that both decided, in the order of time.
        rng: draws the resamples of costs.
        most: requests that differ are listed up to this number.
    """
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        if pair.choice.arm == "canary":
            continue
        groups.setdefault((pair.choice.bundle, pair.bundle), []).append(pair)
    newest = sorted(groups.items(), key=lambda item: item[1][-1].choice.at, reverse=True)
    return tuple(_shadow(names, rows, rng, most) for names, rows in newest)


def canary_figures(
    choices: Sequence[Choice], *, weak: str, strong: str, rng: np.random.Generator
) -> CanaryFigures | None:
    """Figures of both arms since the canary's first decision, in the domains that it decided; None: it decided nothing.

    Args:
        choices: what routers decided, in the order of time.
        weak: the weak model's name.
        strong: the strong model's name.
        rng: draws the resamples of costs.
    """
    canary = [one for one in choices if one.arm == "canary"]
    if not canary:
        return None
    domains = {one.stratum.rpartition("/")[0] for one in canary}
    beside = [
        one
        for one in choices
        if one.arm == "champion" and one.at >= canary[0].at and one.stratum.rpartition("/")[0] in domains
    ]
    if not beside:
        return None
    arms = [_arm(name, rows, weak, strong, rng) for name, rows in (("champion", beside), ("canary", canary))]
    asked = [(sum(one.ask_strong for one in rows), len(rows)) for rows in (beside, canary)]
    sent = [_escalated(rows, weak, strong) for rows in (beside, canary)]
    return CanaryFigures(
        champion=arms[0],
        canary=arms[1],
        asked_strong=share_difference(asked[0], asked[1]),
        escalated=share_difference(sent[0], sent[1]) if sent[0][1] and sent[1][1] else None,
    )


def _shadow(names: tuple[str, str], rows: Sequence[Pair], rng: np.random.Generator, most: int) -> ShadowFigures:
    champion = np.array([row.choice.ask_strong for row in rows], dtype=bool)
    challenger = np.array([row.ask_strong for row in rows], dtype=bool)
    strata = np.array([row.choice.stratum for row in rows])
    costs = np.array([np.nan if row.choice.cost_usd is None else row.choice.cost_usd for row in rows])
    known = np.isfinite(costs)
    scored = [(row.choice.probability, row.probability) for row in rows if row.probability is not None]
    differ = [row for row in rows if row.ask_strong != row.choice.ask_strong]
    return ShadowFigures(
        champion=names[0],
        challenger=names[1],
        overall=paired_choices(champion, challenger),
        by_stratum={
            str(one): paired_choices(champion[strata == one], challenger[strata == one]) for one in np.unique(strata)
        },
        rank_correlation=_correlation(scored),
        n_not_scored=len(rows) - len(scored),
        cost_change_usd=cost_of_moving(costs[known], champion[known], challenger[known], rng=rng),
        n_without_cost=int((~known).sum()),
        differ=tuple(
            Differs(
                id=row.choice.id,
                stratum=row.choice.stratum,
                champion_strong=row.choice.ask_strong,
                champion_probability=row.choice.probability,
                challenger_probability=row.probability,
            )
            for row in differ[:most]
        ),
    )


def _correlation(scored: Sequence[tuple[float, float]]) -> float | None:
    if len(scored) < FEWEST_SCORES:
        return None
    first, second = np.array(scored).T
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)


def _arm(arm: str, rows: Sequence[Choice], weak: str, strong: str, rng: np.random.Generator) -> ArmFigures:
    escalated, sent = _escalated(rows, weak, strong)
    costs = np.array([one.cost_usd for one in rows if one.cost_usd is not None])
    return ArmFigures(
        arm=arm,
        bundles=tuple(dict.fromkeys(one.bundle for one in rows)),
        n=len(rows),
        asked_strong=binomial_interval(sum(one.ask_strong for one in rows), len(rows)),
        escalated=binomial_interval(escalated, sent) if sent else None,
        cost_usd=mean_with_interval(costs, rng=rng),
        verdicts=dict(Counter(one.verdict or "none" for one in rows)),
    )


def _escalated(rows: Sequence[Choice], weak: str, strong: str) -> tuple[int, int]:
    """How many that the router sent to the weak model the strong one answered, of how many either answered."""
    sent = [one for one in rows if not one.ask_strong and one.answered_by in (weak, strong)]
    return sum(one.answered_by == strong for one in sent), len(sent)
