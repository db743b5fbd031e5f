import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from assurance.bounds import binomial_interval, binomial_lower, binomial_upper
from core.errors import NotEnoughLabels

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
DELTAS = st.floats(0.001, 0.5)


@pytest.mark.parametrize(("max_harm", "n"), [(0.01, 299), (0.02, 149), (0.05, 59)])
def test_no_harm_in_n_answers_promises_no_more_than_the_zero_failure_table(max_harm, n):
    assert binomial_upper(0, n, 0.05) <= max_harm < binomial_upper(0, n - 1, 0.05)


@pytest.mark.parametrize(("harms", "n"), [(1, 236), (2, 313), (5, 523), (10, 845)])
def test_labels_needed_for_two_percent_harm_after_some_harms(harms, n):
    assert binomial_upper(harms, n, 0.05) <= 0.02 < binomial_upper(harms, n - 1, 0.05)


@given(COUNTS, DELTAS)
def test_the_upper_bound_solves_its_defining_equation(count, delta):
    harms, n = count
    upper = binomial_upper(harms, n, delta)

    assert upper == 1.0 if harms == n else math.isclose(binom.cdf(harms, n, upper), delta, rel_tol=1e-6)


@given(COUNTS, DELTAS)
def test_lower_and_upper_mirror_each_other(count, delta):
    successes, n = count

    assert binomial_lower(successes, n, delta) == pytest.approx(1 - binomial_upper(n - successes, n, delta), abs=1e-9)


@given(COUNTS, DELTAS)
def test_one_more_harm_raises_the_bound_and_one_more_good_answer_lowers_it(count, delta):
    harms, n = count

    assert binomial_upper(harms + 1, n + 1, delta) >= binomial_upper(harms, n, delta)
    assert binomial_upper(harms, n + 1, delta) <= binomial_upper(harms, n, delta)


@given(COUNTS)
def test_the_interval_holds_its_estimate(count):
    interval = binomial_interval(*count)

    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_nothing_judged_has_no_bound():
    with pytest.raises(NotEnoughLabels, match="No answer was judged"):
        binomial_upper(0, 0, 0.05)


@pytest.mark.parametrize(("harms", "n", "delta"), [(-1, 5, 0.05), (6, 5, 0.05), (1, 5, 0.0), (1, 5, 1.0)])
def test_counts_and_probabilities_out_of_range_are_refused(harms, n, delta):
    with pytest.raises(ValueError, match=r"not between|lies in \(0, 1\)"):
        binomial_upper(harms, n, delta)
