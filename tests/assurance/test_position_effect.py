import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest

from assurance.position_effect import position_effect, wilson_interval
from assurance.self_agreement import self_agreement

JUDGED = st.integers(1, 40).flatmap(lambda n: st.tuples(arrays(bool, n), arrays(int, n, elements=st.integers(-1, 1))))


def verdicts(rng, n, *, win_rate, left_preference, on_left):
    """Sides of the strong answer and the preferred sides of an expert who favours the left."""
    strong_wins = rng.random(n) < win_rate + np.where(on_left, left_preference, -left_preference)
    return on_left, np.where(strong_wins == on_left, 1, -1)


def balanced(rng, n):
    return rng.permutation(np.arange(n) % 2 == 0)


@given(JUDGED)
def test_mirroring_the_screen_turns_the_preference_around_and_leaves_the_win_rate(judged):
    on_left, preferred = judged
    effect, mirrored = position_effect(on_left, preferred), position_effect(~on_left, -preferred)

    assert effect.win_rate == mirrored.win_rate
    if effect.left_preference is not None:
        assert mirrored.left_preference.estimate == -effect.left_preference.estimate
        assert mirrored.left_preference.low == pytest.approx(-effect.left_preference.high)


@given(JUDGED)
def test_exchanging_the_models_leaves_the_preference_and_turns_the_win_rate_around(judged):
    on_left, preferred = judged
    effect, exchanged = position_effect(on_left, preferred), position_effect(~on_left, preferred)

    if effect.win_rate is not None:
        assert exchanged.win_rate.estimate == pytest.approx(1 - effect.win_rate.estimate)
        assert exchanged.left_preference.estimate == pytest.approx(effect.left_preference.estimate)


@given(JUDGED)
def test_intervals_enclose_their_estimates_within_what_is_possible(judged):
    effect = position_effect(*judged)

    if effect.win_rate is not None:
        assert 0 <= effect.win_rate.low <= effect.win_rate.estimate <= effect.win_rate.high <= 1
        preference = effect.left_preference
        assert -0.5 <= preference.low <= preference.estimate <= preference.high <= 0.5
    else:
        assert effect.reason


def test_an_expert_who_always_takes_the_left_has_a_preference_of_half_and_no_opinion_of_the_models():
    effect = position_effect(np.array([True, False] * 50), np.ones(100, dtype=int))

    assert effect.left_preference.estimate == 0.5
    assert effect.win_rate.estimate == 0.5
    assert effect.is_shown


def test_undecided_verdicts_count_for_nothing():
    on_left, preferred = np.array([True, False] * 20), np.array([1, -1, -1, 1] * 10)
    with_ties = position_effect(np.append(on_left, [True] * 7), np.append(preferred, [0] * 7))

    assert with_ties.n_undecided == 7
    assert with_ties.model_copy(update={"n_undecided": 0}) == position_effect(on_left, preferred)


def test_one_side_alone_has_a_naive_rate_and_no_other():
    effect = position_effect(np.ones(10, dtype=bool), np.array([1] * 7 + [-1] * 3))

    assert effect.naive_win_rate.estimate == 0.7
    assert (effect.win_rate, effect.left_preference) == (None, None)
    assert "In all 10 decisive verdicts the strong answer stood on the left" in effect.reason
    assert not effect.is_shown


def test_no_decisive_verdict_says_so():
    effect = position_effect(np.array([True]), np.array([0]))

    assert (effect.naive_win_rate, effect.reason) == (None, "No verdict prefers a side. Have more pairs judged.")


@pytest.mark.parametrize(
    ("on_left", "preferred", "message"),
    [([True], [1, 1], "1 sides and 2 verdicts"), ([True], [2], "none of 1")],
)
def test_columns_that_do_not_fit_are_refused(on_left, preferred, message):
    with pytest.raises(ValueError, match=message):
        position_effect(np.array(on_left), np.array(preferred))


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_wilson_interval_is_scipys(count):
    successes, n = count
    oracle = binomtest(successes, n).proportion_ci(method="wilson")

    interval = wilson_interval(successes, n)
    assert (interval.low, interval.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_self_agreement_counts_items_labelled_both_times():
    found = self_agreement(np.array([0, 1, 2, -1, 3]), np.array([0, 1, 0, 1, -1]))

    assert (found.n_repeats, found.n_same) == (3, 2)


def test_never_differing_in_twenty_repeats_leaves_one_in_six_possible():
    found = self_agreement(np.zeros(20, dtype=int), np.zeros(20, dtype=int))

    assert found.rate.low == pytest.approx(0.025 ** (1 / 20))


def test_no_repeat_has_no_rate_and_says_why():
    found = self_agreement(np.array([0, -1]), np.array([-1, 0]))

    assert found.rate is None
    assert "No item came back to this expert" in found.reason


def test_repeats_without_their_first_label_are_refused():
    with pytest.raises(ValueError, match="1 first labels and 2 second ones"):
        self_agreement(np.array([0]), np.array([0, 1]))


@pytest.mark.validity
@pytest.mark.parametrize("n", [100, 2000])
def test_with_balanced_sides_win_rate_and_left_preference_are_covered_and_with_one_side_the_rate_is_not(n):
    rng = np.random.default_rng(81)
    world = {"win_rate": 0.6, "left_preference": 0.08}
    repetitions = 2000

    covered = {"win_rate": 0, "left_preference": 0, "one_side": 0}
    for _ in range(repetitions):
        effect = position_effect(*verdicts(rng, n, **world, on_left=balanced(rng, n)))
        for name, truth in world.items():
            interval = getattr(effect, name)
            covered[name] += interval.low <= truth <= interval.high
        one_side = position_effect(*verdicts(rng, n, **world, on_left=np.ones(n, dtype=bool))).naive_win_rate
        covered["one_side"] += one_side.low <= 0.6 <= one_side.high

    slack = 3 * np.sqrt(0.95 * 0.05 / repetitions)
    assert covered["win_rate"] / repetitions >= 0.95 - slack
    assert covered["left_preference"] / repetitions >= 0.95 - slack
    assert covered["one_side"] / repetitions < (0.75 if n == 100 else 0.01)


@pytest.mark.validity
def test_estimates_are_centred_on_the_truth_also_where_sides_are_uneven_and_the_naive_rate_is_not():
    rng = np.random.default_rng(82)
    n, repetitions = 500, 1000
    on_left = np.arange(n) % 5 != 0  # the strong answer on the left in four of five

    effects = [
        position_effect(*verdicts(rng, n, win_rate=0.6, left_preference=0.08, on_left=on_left))
        for _ in range(repetitions)
    ]

    def off(values, truth):
        return abs(np.mean(values) - truth) / (np.std(values) / np.sqrt(repetitions))

    assert off([effect.win_rate.estimate for effect in effects], 0.6) < 3
    assert off([effect.left_preference.estimate for effect in effects], 0.08) < 3
    assert off([effect.naive_win_rate.estimate for effect in effects], 0.6) > 30


@pytest.mark.validity
def test_an_expert_without_a_preference_is_said_to_have_one_in_at_most_one_of_twenty_studies():
    rng = np.random.default_rng(83)
    repetitions = 2000

    shown = sum(
        position_effect(*verdicts(rng, 200, win_rate=0.6, left_preference=0.0, on_left=balanced(rng, 200))).is_shown
        for _ in range(repetitions)
    )

    assert shown / repetitions <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)
