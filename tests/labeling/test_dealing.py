from hypothesis import given
from hypothesis import strategies as st

from labeling.queueing.dealing import FORESEEN_TURNS, OfferRules, purposes, turns_left

RATES = st.floats(0, 0.5)


def dealt(seed, rules, left):
    """Go through the turns as the queue does; what each brought."""
    kinds = []
    while kind := next((name for name in purposes(seed, len(kinds), rules) if left[name]), None):
        left[kind] -= 1
        kinds.append(kind)
    return kinds


@given(st.integers(0, 2**48), RATES, RATES, *[st.integers(0, 30)] * 3)
def test_turns_left_is_what_dealing_needs(seed, gold_rate, repeat_rate, n_work, n_gold, n_repeats):
    rules = OfferRules(gold_rate=gold_rate, repeat_rate=repeat_rate)
    left = {"work": n_work, "gold": n_gold, "repeat": n_repeats}

    assert turns_left(seed, 0, rules, n_work=n_work, n_gold=n_gold, n_repeats=n_repeats) == len(
        dealt(seed, rules, left)
    )


def test_of_10_000_turns_the_share_of_each_check_is_its_rate():
    first = [purposes(7, turn, OfferRules(gold_rate=0.05, repeat_rate=0.03))[0] for turn in range(10_000)]

    # Three standard errors: 3 (0.05 x 0.95 / 10,000)^(1/2) = 0.0065.
    assert abs(first.count("gold") / 10_000 - 0.05) < 0.0065
    assert abs(first.count("repeat") / 10_000 - 0.03) < 0.0052


def test_a_long_queue_is_told_in_hundreds():
    left = turns_left(7, 0, OfferRules(), n_work=100_000, n_gold=50, n_repeats=0)

    assert (left - FORESEEN_TURNS) % 100 == 0
    assert 100_000 <= left <= 100_300
