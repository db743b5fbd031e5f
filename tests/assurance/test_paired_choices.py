"""Two deciders compared: known values, refusals, and intervals that cover as often as they say."""

import numpy as np
import pytest

from assurance.paired_choices import cost_of_moving, mean_with_interval, paired_choices, share_difference
from core.errors import NotEnoughLabels


def choices(both, first, second, neither):
    parts = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    return tuple(np.array(column, dtype=bool) for column in zip(*parts, strict=True))


def test_the_exact_test_halves_the_requests_on_which_they_differ():
    found = paired_choices(*choices(both=40, first=1, second=9, neither=50))

    assert found.p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert (found.n_only_first, found.n_only_second) == (1, 9)
    assert found.difference.estimate == pytest.approx(0.08)
    assert found.agreement.estimate == 0.9


def test_two_that_always_agree_differ_by_nothing_and_the_interval_says_how_surely():
    found = paired_choices(*choices(both=50, first=0, second=0, neither=50))

    assert (found.p_value, found.difference.estimate) == (1.0, 0.0)
    assert -found.difference.low == found.difference.high == pytest.approx(1 - 0.0125 ** (1 / 100))


def test_nothing_cannot_be_compared():
    with pytest.raises(NotEnoughLabels):
        paired_choices(np.zeros(0, bool), np.zeros(0, bool))
    with pytest.raises(ValueError, match="cannot be compared"):
        paired_choices(np.zeros(2, bool), np.zeros(3, bool))


def test_a_move_to_the_cheap_side_saves_what_the_sides_differ_by():
    costs, first = np.repeat([2.0, 10.0], 50), np.repeat([False, True], 50)
    second = first.copy()
    second[50:60] = False
    second[0:5] = True

    found = cost_of_moving(costs, first, second, rng=np.random.default_rng(0))
    assert found.estimate == pytest.approx((10 * -8 + 5 * 8) / 100)
    assert found.low < found.estimate < found.high


def test_a_side_of_fewer_than_ten_requests_has_no_mean_to_move_to():
    costs, first = np.ones(100), np.arange(100) < 9

    assert cost_of_moving(costs, first, ~first, rng=np.random.default_rng(0)) is None
    assert mean_with_interval(np.ones(9), rng=np.random.default_rng(0)) is None
    with pytest.raises(ValueError, match="not finite"):
        cost_of_moving(np.array([np.nan]), np.ones(1, bool), np.ones(1, bool), rng=np.random.default_rng(0))


@pytest.mark.validity
@pytest.mark.parametrize(("n", "rates"), [(40, (0.3, 0.05, 0.1)), (300, (0.2, 0.02, 0.01)), (120, (0.1, 0.25, 0.25))])
def test_the_paired_difference_is_covered_at_least_as_often_as_said_and_the_test_errs_no_more_often(n, rates):
    rng, repetitions = np.random.default_rng(5), 500
    both, only_first, only_second = rates
    shares = [both, only_first, only_second, 1 - both - only_first - only_second]
    covered = refused = 0
    for counts in rng.multinomial(n, shares, size=repetitions):
        found = paired_choices(*choices(*counts.tolist()))
        covered += found.difference.low <= only_second - only_first <= found.difference.high
        refused += found.p_value <= 0.05

    assert covered / repetitions >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / repetitions)
    if only_first == only_second:
        assert refused / repetitions <= 0.05 + 3 * np.sqrt(0.95 * 0.05 / repetitions)


@pytest.mark.validity
@pytest.mark.parametrize(("n", "m", "p", "q"), [(30, 200, 0.1, 0.2), (150, 20, 0.5, 0.5)])
def test_the_difference_of_two_draws_is_covered_at_least_as_often_as_said(n, m, p, q):
    rng, repetitions = np.random.default_rng(6), 800
    drawn = zip(rng.binomial(n, p, repetitions), rng.binomial(m, q, repetitions), strict=True)
    found = [share_difference((int(k), n), (int(j), m)) for k, j in drawn]
    covered = np.mean([one.low <= q - p <= one.high for one in found])

    assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / repetitions)


@pytest.mark.validity
def test_the_cost_of_moving_is_covered_at_about_its_level_where_those_who_move_cost_like_the_others():
    rng, repetitions, n = np.random.default_rng(7), 200, 300
    truth = 0.06 * 8 - 0.10 * 8  # 6 % move to the dear side, 10 % to the cheap one; the sides' means differ by 8
    covered = 0
    for _ in range(repetitions):
        first = rng.random(n) < 0.4
        second = np.where(first, rng.random(n) >= 0.10 / 0.4, rng.random(n) < 0.06 / 0.6)
        costs = rng.gamma(4.0, np.where(first, 10.0, 2.0) / 4.0)
        found = cost_of_moving(costs, first, second, rng=rng, n_resamples=400)
        covered += found.low <= truth <= found.high

    slack = 3 * np.sqrt(0.95 * 0.05 / repetitions)
    assert 0.95 - slack - 0.015 <= covered / repetitions <= 0.95 + slack + 0.015


@pytest.mark.validity
def test_the_mean_is_covered_at_about_its_level():
    rng, repetitions = np.random.default_rng(8), 200
    found = [mean_with_interval(rng.gamma(4.0, 0.5, 200), rng=rng, n_resamples=400) for _ in range(repetitions)]
    covered = np.mean([one.low <= 2.0 <= one.high for one in found])

    slack = 3 * np.sqrt(0.95 * 0.05 / repetitions)
    assert 0.95 - slack - 0.015 <= covered <= 0.95 + slack + 0.015
