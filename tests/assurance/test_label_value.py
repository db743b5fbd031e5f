import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.bootstrap import Interval
from assurance.bounds import binomial_upper
from assurance.label_value import (
    half_width,
    interval_label_value,
    labels_for_half_width,
    labels_for_promise,
    rate_label_value,
)
from assurance.learning_curve import LearningCurve
from core.errors import NotEnoughLabels

COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def curve_with(gain, *, more=50):
    apgr = Interval(estimate=0.6, low=0.5, high=0.7)
    forecast = Interval(estimate=gain, low=0.0, high=2 * gain)
    return LearningCurve(sizes=(100, 200), apgr=(apgr, apgr), gains=(apgr,), more=more, forecast=forecast)


@pytest.mark.parametrize(
    ("n", "even", "nine_in_ten"),
    [(50, 0.134, 0.085), (100, 0.096, 0.060), (200, 0.069, 0.042), (300, 0.056, 0.034), (600, 0.040, 0.024)],
)
def test_half_widths_of_the_planning_table(n, even, nine_in_ten):
    assert (round(half_width(0.5, n), 3), round(half_width(0.9, n), 3)) == (even, nine_in_ten)


@pytest.mark.parametrize(("max_harm", "delta", "n"), [(0.01, 0.05, 299), (0.02, 0.05, 149), (0.05, 0.05, 59)])
def test_clean_labels_for_a_promise_are_those_of_the_zero_failure_table(max_harm, delta, n):
    assert labels_for_promise(max_harm, delta=delta) == n == math.ceil(math.log(delta) / math.log(1 - max_harm))


@pytest.mark.parametrize(("harms", "n"), [(1, 236), (2, 313), (5, 523), (10, 845), (20, 1449)])
def test_labels_for_a_promise_of_two_percent_after_some_harms(harms, n):
    assert labels_for_promise(0.02, delta=0.05, harms=harms) == n


@given(st.integers(0, 30), st.floats(0.005, 0.5), st.floats(0.001, 0.3))
def test_the_plan_is_enough_and_one_label_fewer_is_not(harms, max_harm, delta):
    n = labels_for_promise(max_harm, delta=delta, harms=harms)

    assert binomial_upper(harms, n, delta) <= max_harm
    assert n == harms + 1 or binomial_upper(harms, n - 1, delta) > max_harm


@given(st.floats(0, 1), st.floats(0.01, 0.4))
def test_a_width_is_reached_with_as_many_labels_as_planned_and_not_with_one_fewer(rate, wanted):
    n = labels_for_half_width(rate, wanted)

    assert half_width(rate, n) <= wanted
    assert n == 1 or half_width(rate, n - 1) > wanted


@given(COUNTS, st.integers(1, 200))
def test_more_labels_always_narrow_and_ever_less(counts, more):
    successes, n = counts
    first = rate_label_value(successes, n, more=more)
    later = rate_label_value(2 * successes, 2 * n, more=more)

    assert 0 < later.narrowing < first.narrowing
    assert 0 < first.half_width_after < first.half_width < 0.5


def test_fifty_labels_are_worth_a_sitting_and_the_fifty_after_a_thousand_are_not():
    few, many = rate_label_value(25, 50), rate_label_value(500, 1000)

    assert not few.should_stop
    assert few.sentence == "50 more labels narrow the interval from +-0.134 to +-0.096. That is still worth a sitting."
    assert many.should_stop
    assert many.sentence.endswith("That is less than the 0.005 asked for: stop.")


def test_a_router_that_still_learns_keeps_labeling_going_when_the_interval_is_narrow():
    assert not rate_label_value(500, 1000, curve=curve_with(0.01)).should_stop
    assert rate_label_value(500, 1000, curve=curve_with(0.001)).should_stop


def test_an_interval_of_any_kind_narrows_as_one_over_the_root_of_labels():
    value = interval_label_value(Interval(estimate=0.6, low=0.5, high=0.8), 300, more=900)

    assert (value.half_width, value.half_width_after) == pytest.approx((0.15, 0.075))


def test_no_label_has_no_value():
    with pytest.raises(NotEnoughLabels, match="No answer was judged"):
        rate_label_value(0, 0)
    with pytest.raises(NotEnoughLabels, match="n is 0"):
        interval_label_value(Interval(estimate=0.5, low=0.4, high=0.6), 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rate_label_value(5, 10, more=0), "more is 0"),
        (lambda: rate_label_value(5, 10, curve=curve_with(0.1, more=500)), "forecasts for 500 further labels"),
        (lambda: labels_for_half_width(0.5, 0.0), "half-width wanted is 0.0"),
        (lambda: labels_for_half_width(0.5, 1e-6), "More than 10000000 labels"),
        (lambda: labels_for_promise(1.0, delta=0.05), "max_harm is 1.0"),
        (lambda: half_width(1.5, 10), "is not between 0 and n"),
    ],
)
def test_questions_without_an_answer_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
