"""A judge's errors against experts, and what its labels may show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from assurance.certificates import GRID, Loss, Promise, Rows, certify
from assurance.judge_error import (
    UNDECIDED,
    JudgedRows,
    cohen_kappa,
    judge_reliability,
    promise_on_judged,
    refuse_high_stakes,
)
from core.errors import PreceptorError

DELTA = 0.05


def said_and_true(caught, missed, cleared, alarms, undecided_harms=0):
    said = [1] * caught + [0] * missed + [0] * cleared + [1] * alarms + [UNDECIDED] * undecided_harms
    harm = [True] * (caught + missed) + [False] * (cleared + alarms) + [True] * undecided_harms
    return np.array(said), np.array(harm)


def test_a_judge_that_catches_enough_may_gate_high_stakes():
    found = judge_reliability("law/high", *said_and_true(95, 5, 190, 10))

    assert found.may_gate_high_stakes
    assert (found.sensitivity.estimate, found.specificity.estimate) == (0.95, 0.95)
    assert found.sensitivity.low == pytest.approx(beta.ppf(0.025, 95, 6))


def test_the_lower_limit_decides_and_not_the_estimate():
    found = judge_reliability("law/high", *said_and_true(18, 2, 190, 10))

    assert found.sensitivity.estimate == 0.9
    assert not found.may_gate_high_stakes
    assert found.why.startswith("Its sensitivity is 0.68 at least, and 0.80 is needed.")


def test_without_a_harm_nothing_is_known_of_the_sensitivity():
    found = judge_reliability("law/low", *said_and_true(0, 0, 200, 0))

    assert found.sensitivity is None
    assert not found.may_gate_high_stakes


def test_a_judge_that_never_decides_has_caught_nothing():
    found = judge_reliability("law/high", *said_and_true(0, 0, 200, 0, undecided_harms=100))

    assert (found.n_undecided, found.n_caught, found.sensitivity.estimate) == (100, 0, 0.0)


@pytest.mark.parametrize(
    ("first", "second", "kappa"),
    [([1, 1, 0, 0], [1, 1, 0, 0], 1.0), ([1, 0, 1, 0], [0, 1, 0, 1], -1.0), ([1, 0, 1, 0], [1, 1, 0, 0], 0.0)],
)
def test_kappa_is_one_for_copies_zero_for_chance_and_minus_one_for_opposites(first, second, kappa):
    assert cohen_kappa(np.array(first, dtype=bool), np.array(second, dtype=bool)) == kappa


def test_kappa_has_no_value_where_both_say_one_thing_only():
    assert cohen_kappa(np.ones(5, dtype=bool), np.ones(5, dtype=bool)) is None


@pytest.mark.parametrize("stratum", ["law/high", "law", "oncology", "low"])
def test_judges_promise_nothing_about_high_stakes_however_good_they_are(stratum):
    rows, experts = study(2000, 2000, np.random.default_rng(0), sensitivity=1.0)

    with pytest.raises(PreceptorError, match=rf"'{stratum}' is of high stakes.*promise nothing.*experts label"):
        promise_on_judged(stratum, rows, experts, Promise(max_loss=0.5), start=0.4)
    refuse_high_stakes("law/low")


@pytest.mark.parametrize("promise", [Promise(max_loss=0.05, loss=Loss.NET), Promise(max_loss=0.05, is_selective=True)])
def test_judges_show_harm_over_all_queries_alone(promise):
    rows, experts = study(100, 100, np.random.default_rng(0))

    with pytest.raises(PreceptorError, match="Have experts label"):
        promise_on_judged("law/low", rows, experts, promise, start=0.4)


def test_a_judge_whose_sensitivity_nobody_measured_shows_nothing():
    rows, _ = study(5000, 1, np.random.default_rng(0))
    none = JudgedRows(np.array([0.1]), np.array([False]), np.array([False]))
    found = promise_on_judged("law/low", rows, none, Promise(max_loss=0.5), start=0.4)

    assert (found.is_shown, found.threshold) == (False, 0.0)
    assert found.why.startswith("Experts found no harm among the answers that would leave")


def test_what_is_shown_is_the_exact_test_at_the_shrunk_target():
    judged = JudgedRows(np.full(1000, 0.2), np.arange(1000) < 5)
    experts = JudgedRows(np.full(50, 0.2), np.arange(50) < 45, np.ones(50, dtype=bool))
    found = promise_on_judged("law/low", judged, experts, Promise(max_loss=0.02, delta=0.1), start=0.3)

    assert found.is_shown
    assert (found.n_flagged, found.n_caught, found.n_harms) == (5, 45, 50)
    assert found.sensitivity_lower == pytest.approx(beta.ppf(0.05, 45, 6))
    assert found.target == pytest.approx(0.02 * beta.ppf(0.05, 45, 6))
    assert found.upper == pytest.approx(beta.ppf(0.95, 6, 995) / beta.ppf(0.05, 45, 6))
    assert found.upper <= 0.02


@given(st.integers(0, 200), st.integers(0, 2**32 - 1))
def test_more_flags_never_loosen_the_threshold(n_more, seed):
    rows, experts = study(1000, 500, np.random.default_rng(seed))
    flagged = rows.is_flagged.copy()
    flagged[:n_more] = True
    promise = Promise(max_loss=0.05)
    before = promise_on_judged("law/low", rows, experts, promise, start=0.4)
    after = promise_on_judged("law/low", JudgedRows(rows.probability, flagged), experts, promise, start=0.4)

    assert after.threshold <= before.threshold


def true_harm(threshold):
    """Harm over all queries in the world of `study`, in closed form: the integral of 0.2 p up to the threshold."""
    return 0.1 * threshold**2


def study(n, n_experts, rng, *, sensitivity=0.7):
    """Probabilities are even, a weak answer harms with a fifth of them, and the judge misses some of the harms."""

    def draw(size):
        probability = rng.random(size)
        is_harm = rng.random(size) < 0.2 * probability
        return JudgedRows(probability, is_harm & (rng.random(size) < sensitivity), is_harm)

    return draw(n), draw(n_experts)


@pytest.mark.validity
def test_a_judge_taken_at_its_word_breaks_the_promise_and_the_shrunk_target_keeps_it():
    rng, promise, n_repeats = np.random.default_rng(17), Promise(max_loss=0.05, delta=DELTA), 600
    naive, shrunk, shown = [], [], []
    for _ in range(n_repeats):
        judged, experts = study(2000, 1500, rng)
        taken = Rows(judged.probability, np.where(judged.is_flagged, 0.0, 1.0), np.ones(2000))
        naive.append(true_harm(certify("law/low", taken, promise).threshold) > 0.05)
        found = promise_on_judged("law/low", judged, experts, promise, start=0.4)
        shrunk.append(true_harm(found.threshold) > 0.05)
        shown.append(found.is_shown)

    assert np.mean(naive) > 0.3
    assert np.mean(shrunk) <= DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / n_repeats)
    assert np.mean(shown) > 0.8  # the promise is not kept by never showing anything


@pytest.mark.validity
def test_both_bounds_are_needed_the_judges_estimated_sensitivity_is_not_enough():
    """Every answer leaves, harm is exactly what must not be promised, and sensitivity rests on few harms."""
    rng, n, n_repeats, max_harm = np.random.default_rng(3), 20_000, 1000, 0.05
    promise = Promise(max_loss=max_harm, delta=DELTA)
    kept, plug_in = [], []
    for _ in range(n_repeats):
        n_flagged, n_caught = rng.binomial(n, 0.7 * max_harm), rng.binomial(40, 0.7)
        judged = JudgedRows(np.zeros(n), np.arange(n) < n_flagged)
        experts = JudgedRows(np.zeros(40), np.arange(40) < n_caught, np.ones(40, dtype=bool))
        kept.append(promise_on_judged("law/low", judged, experts, promise, start=1.0).is_shown)
        taken = Rows(np.zeros(n), np.where(judged.is_flagged, 0.0, 1.0), np.ones(n))
        target = promise.model_copy(update={"max_loss": max_harm * n_caught / 40})
        plug_in.append(certify("law/low", taken, target, grid=GRID[-1:]).is_certified)

    assert np.mean(kept) <= DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / n_repeats)
    assert np.mean(plug_in) > 4 * DELTA
