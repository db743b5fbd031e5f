"""Each expert's work beside that of the others: agreement with them and with oneself, sides, known answers, time.

Remarks are invitations to look, by rules that are written here; they decide nothing.

| remark | when, for an expert with twenty judgements or more |
|---|---|
| often of another mind | the share that fits the others' verdict is lower than the others' own, beyond chance |
| favours a side | a preference of five points or more whose 95 % interval excludes 0 |
| misses known answers | the share of known answers found is below the pass mark, beyond chance |
| fast | the median time at work is less than a third of the others' |
| changes their mind | fewer than half of the pairs that came back got the verdict they had, beyond chance |

*Beyond chance*: an exact one-sided bound at 5 %, shared out over the experts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from assurance.bounds import binomial_upper
from assurance.position_effect import PositionEffect
from assurance.self_agreement import SelfAgreement, self_agreement
from labeling.quality.gold import Rate, rate
from labeling.quality.label_columns import CANNOT, PURPOSES, Labels
from labeling.quality.sides import Sides, effect_of, sides_of

ENOUGH_TO_REMARK = 20
DELTA = 0.05
NOTABLE_PREFERENCE = 0.05
FAST = 1 / 3
SAME_AGAIN = 0.5
N_VERDICTS = 4


@dataclass(frozen=True)
class Rater:
    """One expert's work that counts, and what checks say of it."""

    name: str
    n: int
    n_cannot: int
    median_active_s: float | None
    position: PositionEffect
    with_others: Rate | None
    """Own verdicts that fit the verdict of more than half of the others, or the ruling; None where there is none."""
    again: SelfAgreement
    gold: Rate | None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raters:
    """All experts, and what is found over all of them."""

    raters: tuple[Rater, ...]
    sides: Sides
    confusion: Int[np.ndarray, "4 4"]
    """Judgements by own verdict (row) and that of the others or the ruling (column): strong, weak, both, neither."""


def raters_of(labels: Labels, *, rulings: Mapping[str, int], gold: Mapping[str, Rate], pass_share: float) -> Raters:
    """Every expert who gave a judgement that counts, by name.

    Args:
        labels: standing judgements of whatever purpose.
        rulings: code of the verdict, by pair that was adjudicated.
        gold: rates on hidden pairs, by expert.
        pass_share: the share of known answers that is asked for.
    """
    work = labels.work
    reference = others_verdict(work, rulings)
    compared = (reference >= 0) & (work.verdict != CANNOT)
    fits = compared & (reference == work.verdict)
    repeats = _repeats(labels)
    n_experts = len(labels.experts)
    n_compared, n_fit = (np.bincount(work.expert[which], minlength=n_experts) for which in (compared, fits))
    raters = []
    for code in np.unique(work.expert).tolist():
        own, name = work.expert == code, labels.experts[code]
        times = work.active_s[own & ~np.isnan(work.active_s)]
        raters.append(
            Rater(
                name=name,
                n=int(own.sum()),
                n_cannot=int(np.sum(own & (work.verdict == CANNOT))),
                median_active_s=float(np.median(times)) if len(times) else None,
                position=effect_of(work, own),
                with_others=rate(int(n_fit[code]), int(n_compared[code])) if n_compared[code] else None,
                again=self_agreement(*repeats[repeats[:, 0] == code, 1:].T),
                gold=gold.get(name),
            )
        )
    confusion = np.zeros((N_VERDICTS, N_VERDICTS), dtype=np.int64)
    own_tier, other_tier = work.by_tier(work.verdict), work.by_tier(reference)
    np.add.at(confusion, (own_tier[compared], other_tier[compared]), 1)
    return Raters(_with_remarks(raters, work, pass_share), sides_of(work), confusion)


def others_verdict(work: Labels, rulings: Mapping[str, int]) -> Int[np.ndarray, " n"]:
    """Per judgement, the verdict of more than half of the other experts on its pair; a ruling stands above; -1 none.

    The expert's own judgement is left out, so that nobody is compared with themselves.
    """
    told = work.verdict != CANNOT
    counts = np.zeros((len(work.pairs), N_VERDICTS), dtype=np.int64)
    np.add.at(counts, (work.pair[told], work.verdict[told]), 1)
    others = counts[work.pair]
    others[np.flatnonzero(told), work.verdict[told]] -= 1
    best = others.argmax(axis=1)
    has_majority = 2 * others[np.arange(len(work)), best] > others.sum(axis=1)
    ruled = np.array([rulings.get(pair, -1) for pair in work.pairs], dtype=np.int64)
    ruled = np.where(ruled == CANNOT, -1, ruled)[work.pair] if len(work.pairs) else np.zeros(0, dtype=np.int64)
    return np.where(ruled >= 0, ruled, np.where(has_majority, best, -1))


def _repeats(labels: Labels) -> Int[np.ndarray, "r 3"]:
    """Expert, verdict at first and verdict again of every pair that came back; *cannot judge* is no label."""
    is_repeat = labels.purpose == PURPOSES.index("repeat")
    code = labels.expert * max(1, len(labels.pairs)) + labels.pair
    first = dict(_told(labels, labels.purpose == 0, code))
    rows = [
        (place // max(1, len(labels.pairs)), first[place], verdict)
        for place, verdict in _told(labels, is_repeat, code)
        if place in first
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _told(labels: Labels, which: Bool[np.ndarray, " n"], code: Int[np.ndarray, " n"]) -> list[tuple[int, int]]:
    told = which & (labels.verdict != CANNOT)
    return list(zip(code[told].tolist(), labels.verdict[told].tolist(), strict=True))


def _with_remarks(raters: Sequence[Rater], work: Labels, pass_share: float) -> tuple[Rater, ...]:
    delta = DELTA / max(1, len(raters))
    rules: tuple[Callable[[Rater, Sequence[Rater]], str], ...] = (
        lambda one, others: _of_another_mind(one, others, delta),
        lambda one, _: _favours_a_side(one),
        lambda one, _: _misses_known(one, pass_share, delta),
        lambda one, others: _fast(one, others),
        lambda one, _: _changes_mind(one, delta),
    )
    found = []
    for one in raters:
        others = [other for other in raters if other is not one]
        remarks = [rule(one, others) for rule in rules] if one.n >= ENOUGH_TO_REMARK else []
        found.append(replace(one, remarks=tuple(remark for remark in remarks if remark)))
    return tuple(found)


def _of_another_mind(one: Rater, others: Sequence[Rater], delta: float) -> str:
    known = [other.with_others for other in others if other.with_others is not None]
    n = sum(each.n for each in known)
    if one.with_others is None or not n:
        return ""
    usual = sum(each.n_right for each in known) / n
    if binomial_upper(one.with_others.n_right, one.with_others.n, delta) >= usual:
        return ""
    return f"Fits the others in {one.with_others.share.estimate:.0%} of cases; they fit each other in {usual:.0%}."


def _favours_a_side(one: Rater) -> str:
    effect = one.position.left_preference
    if effect is None or not one.position.is_shown or abs(effect.estimate) < NOTABLE_PREFERENCE:
        return ""
    side = "left" if effect.estimate > 0 else "right"
    return f"Favours the {side} by {100 * abs(effect.estimate):.0f} points."


def _misses_known(one: Rater, pass_share: float, delta: float) -> str:
    if one.gold is None or binomial_upper(one.gold.n_right, one.gold.n, delta) >= pass_share:
        return ""
    return f"Finds {one.gold.share.estimate:.0%} of known answers; {pass_share:.0%} are asked for."


def _fast(one: Rater, others: Sequence[Rater]) -> str:
    medians = [other.median_active_s for other in others if other.median_active_s is not None]
    if one.median_active_s is None or not medians:
        return ""
    usual = float(np.median(medians))
    if one.median_active_s >= FAST * usual:
        return ""
    return f"Takes {one.median_active_s:.0f} s for a pair; the others take {usual:.0f} s."


def _changes_mind(one: Rater, delta: float) -> str:
    again = one.again
    if not again.n_repeats or binomial_upper(again.n_same, again.n_repeats, delta) >= SAME_AGAIN:
        return ""
    return f"Gave the same verdict again to {again.n_same} of {again.n_repeats} pairs that came back."
