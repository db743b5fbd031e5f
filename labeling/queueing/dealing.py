"""What kind of pair each turn of an expert brings: work, or a check that looks the same. Pure.

The kinds are drawn from the expert's seed: nobody can foresee them, and they can be drawn again. So the number of turns
that remain is known in advance, checks included, and the page's count never jumps when a check is dealt.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

FORESEEN_TURNS = 2_000
"""So many turns are gone through one by one; of longer queues the rest is estimated."""


@dataclass(frozen=True)
class OfferRules:
    """How pairs are dealt out: the lease of an opened pair, and the shares of hidden gold and of repeats."""

    lease: timedelta = timedelta(hours=1)
    gold_rate: float = 0.05
    repeat_rate: float = 0.03
    repeat_after: timedelta = timedelta(days=7)


DEFAULT_RULES = OfferRules()


def purposes(seed: int, turn: int, rules: OfferRules) -> tuple[str, ...]:
    """What to try at an expert's `turn`-th pair, in order: a check gives way to work where there is none.

    >>> purposes(7, 0, OfferRules(gold_rate=0.0, repeat_rate=0.0)), purposes(7, 0, OfferRules(gold_rate=1.0))
    (('work',), ('gold', 'work'))
    """
    drawn = int.from_bytes(hashlib.sha256(f"{seed}/purpose/{turn}".encode()).digest()[:8]) / 2**64
    if drawn < rules.gold_rate:
        return "gold", "work"
    if drawn < rules.gold_rate + rules.repeat_rate:
        return "repeat", "work"
    return ("work",)


def turns_left(seed: int, turn: int, rules: OfferRules, *, n_work: int, n_gold: int, n_repeats: int) -> int:
    """How many pairs an expert will be dealt until the work is done, if nobody else takes any.

    Args:
        seed: the expert's.
        turn: how many pairs they were dealt so far.
        rules: the shares of checks.
        n_work: pairs of work that are open to them.
        n_gold: pairs of hidden gold that they have not seen.
        n_repeats: pairs of theirs that may come back.

    >>> turns_left(7, 0, OfferRules(gold_rate=1.0), n_work=5, n_gold=2, n_repeats=0)
    7
    """
    left = {"work": n_work, "gold": n_gold, "repeat": n_repeats}
    if not (n_gold and rules.gold_rate) and not (n_repeats and rules.repeat_rate):
        return n_work
    for n_turns in range(FORESEEN_TURNS):
        kind = next((name for name in purposes(seed, turn + n_turns, rules) if left[name]), None)
        if kind is None:
            return n_turns
        left[kind] -= 1
    checks = min(left["gold"], round(left["work"] * rules.gold_rate))
    # In hundreds: past what is foreseen, a count that moves by one would tell of a check.
    return FORESEEN_TURNS + -(-(left["work"] + checks) // 100) * 100
