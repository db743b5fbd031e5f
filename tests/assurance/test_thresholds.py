import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assurance.thresholds import NEVER_STRONG, share_at, share_on_new_traffic, threshold_for_share
from core.errors import NotEnoughLabels

PROBABILITIES = arrays(float, st.integers(1, 40), elements=st.integers(0, 10).map(lambda tenth: tenth / 10))
BUDGETS = st.floats(0, 1)


@given(PROBABILITIES, BUDGETS)
def test_the_budget_is_never_exceeded_on_these_rows(probabilities, budget):
    assert share_at(probabilities, threshold_for_share(probabilities, budget)) <= budget + 1e-9


@given(PROBABILITIES, BUDGETS)
def test_no_lower_probability_of_the_rows_would_keep_the_budget(probabilities, budget):
    threshold = threshold_for_share(probabilities, budget)

    lower = probabilities[probabilities < threshold]
    assert all(share_at(probabilities, value) > budget for value in lower)


@given(PROBABILITIES, BUDGETS, BUDGETS)
def test_a_larger_budget_never_raises_the_threshold(probabilities, budget, other):
    small, large = sorted([budget, other])

    assert threshold_for_share(probabilities, large) <= threshold_for_share(probabilities, small)


def test_a_lower_threshold_sends_more_to_the_strong_model():
    rows = np.array([0.1, 0.4, 0.8])

    assert [share_at(rows, threshold) for threshold in (0.9, 0.8, 0.4, 0.0)] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_ties_that_would_overrun_the_budget_all_go_to_the_weak_model():
    rows = np.array([0.2, 0.7, 0.7, 0.7])

    assert share_at(rows, threshold_for_share(rows, 0.5)) == 0.0


def test_a_third_of_three_rows_is_one_row():
    assert threshold_for_share(np.array([0.1, 0.2, 0.3]), 1 / 3) == 0.3


def test_a_budget_of_one_is_strong_for_every_probability_and_of_zero_for_none():
    rows = np.array([0.4, 1.0])

    assert threshold_for_share(rows, 1.0) == 0.0
    assert threshold_for_share(rows, 0.0) == NEVER_STRONG > 1.0


def test_the_interval_of_the_share_is_exact():
    interval = share_on_new_traffic(np.array([0.0] * 149 + [1.0]), 0.5)

    assert interval.n_resamples == 0
    assert (interval.low, interval.high) == pytest.approx((0.000169, 0.036586), abs=1e-5)


@pytest.mark.parametrize("budget", [-0.1, 1.1, float("nan")])
def test_a_budget_that_is_no_share_is_refused(budget):
    with pytest.raises(ValueError, match=r"lies in \[0, 1\]"):
        threshold_for_share(np.array([0.5]), budget)


def test_a_threshold_needs_rows():
    with pytest.raises(NotEnoughLabels):
        threshold_for_share(np.array([]), 0.5)
