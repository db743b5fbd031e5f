import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.calibration import (
    brier,
    check_calibration,
    expected_calibration_error,
    fit_calibrator,
    reliability_table,
)
from core.calibrator import sigmoid
from core.errors import NotEnoughLabels


def overconfident_world(rng, n):
    """Scores twice as far from one half, in logits, as the true probabilities, and shifted."""
    logits = rng.normal(size=n)
    return sigmoid(2 * logits + 1), rng.random(n) < sigmoid(logits)


def test_platt_recovers_the_map_that_made_the_scores(rng):
    scores, events = overconfident_world(rng, 999)

    fitted = fit_calibrator(scores, events)

    assert (fitted.method, fitted.n_labels) == ("platt", 999)
    assert (fitted.slope, fitted.intercept) == pytest.approx((0.5, -0.5), abs=0.12)


def test_platts_map_stays_where_many_labels_show_nothing_to_mend(rng):
    assert fit_calibrator(*overconfident_world(rng, 4000)).method == "platt"


def test_a_rise_of_two_levels_is_shrunk_by_the_noise_that_it_stands_on():
    scores, events = np.repeat([0.2, 0.8], 100), np.tile(np.arange(100), 2) < np.repeat([40, 60], 100)

    fitted = fit_calibrator(scores, events)

    # Platt's smoothed rates are 0.402 and 0.598: A = 200 * 0.098^2 = 1.92, v = 0.2404, c = 0.875, 0.875 * 0.397 = 0.347
    assert fitted.apply(np.array([0.2, 0.8])) == pytest.approx(
        [1 / (1 + np.exp(0.347)), 1 / (1 + np.exp(-0.347))], abs=1e-3
    )


@pytest.mark.validity
@pytest.mark.parametrize(("n", "rate"), [(60, 0.3), (300, 0.1), (1200, 0.2)])
def test_scores_that_say_nothing_cost_at_most_twice_what_estimating_the_base_rate_costs(rng, n, rate):
    """Brier above the true base rate's; the rate of n labels alone costs rate * (1 - rate) / n on average."""
    fresh, cost = np.linspace(0.01, 0.99, 200), []
    for _ in range(60 if n < 1000 else 20):
        events = rng.random(n) < rate
        if 0 < events.sum() < n:
            cost.append(np.mean((fit_calibrator(rng.random(n), events).apply(fresh) - rate) ** 2))

    allowed = 2 * rate * (1 - rate) / n
    assert np.mean(cost) < allowed + 3 * np.std(cost) / np.sqrt(len(cost))
    assert np.mean(cost) < 2.5 * rate * (1 - rate) / n


def test_isotonic_takes_over_at_a_thousand_labels_and_mends_what_platt_cannot(rng):
    scores = rng.random(4000)
    events = rng.random(4000) < np.where(scores < 0.5, 0.1, 0.6)

    fitted = fit_calibrator(scores, events)

    assert fitted.method == "isotonic"
    assert fitted.apply(np.array([0.2, 0.8])) == pytest.approx([0.1, 0.6], abs=0.06)


@pytest.mark.parametrize("n", [100, 999, 1000, 3000])
def test_calibration_lowers_the_brier_score_of_overconfident_scores_on_fresh_rows(rng, n):
    fitted = fit_calibrator(*overconfident_world(rng, n))
    scores, events = overconfident_world(rng, 20_000)

    assert brier(fitted.apply(scores), events) < brier(scores, events) - 0.02


@given(st.integers(0, 500), st.sampled_from([20, 999, 1000, 1500]))
def test_calibration_never_reorders_and_never_ties_what_the_router_told_apart(seed, n):
    rng = np.random.default_rng(seed)
    scores, events = overconfident_world(rng, n)
    fitted = fit_calibrator(scores, events)

    ordered = np.sort(rng.random(50))
    probabilities = fitted.apply(ordered)

    assert np.all((probabilities > 0) & (probabilities < 1))
    assert np.all(np.diff(probabilities) > 0)


def test_scores_that_rank_the_event_backwards_become_the_base_rate(rng):
    scores, events = overconfident_world(rng, 800)

    fitted = fit_calibrator(1 - scores, events)

    assert fitted.slope == 0.0
    assert fitted.apply(np.array([0.1, 0.9])) == pytest.approx([events.mean()] * 2, abs=0.01)


def test_separable_labels_give_a_finite_map_short_of_certainty():
    scores = np.linspace(0, 1, 50)

    fitted = fit_calibrator(scores, scores > 0.5)

    assert 0 < fitted.apply(np.array([0.0]))[0] < 0.05
    assert 0.95 < fitted.apply(np.array([1.0]))[0] < 1


def test_constant_scores_become_the_base_rate():
    events = np.arange(100) < 30

    assert fit_calibrator(np.full(100, 0.9), events).apply(np.array([0.9])) == pytest.approx([0.3], abs=0.01)
    many = np.arange(1000) < 300
    assert fit_calibrator(np.full(1000, 0.9), many).apply(np.array([0.9])) == pytest.approx([0.3], abs=0.01)


@pytest.mark.parametrize("event", [True, False])
def test_labels_of_one_kind_are_too_few_and_the_error_counts_them(event):
    with pytest.raises(NotEnoughLabels, match=f"needed in {40 if event else 0} of 40 calibration rows"):
        fit_calibrator(np.linspace(0, 1, 40), np.full(40, event))


def test_scores_outside_zero_and_one_are_refused():
    with pytest.raises(ValueError, match="a calibrator takes scores in"):
        fit_calibrator(np.array([-0.5, 2.0]), np.array([True, False]))


def test_brier_and_ece_of_a_hand_made_table():
    probabilities = np.array([0.1, 0.1, 0.1, 0.1, 0.7, 0.7, 0.7, 0.7])
    events = np.array([1, 0, 0, 0, 1, 1, 0, 0], dtype=bool)

    assert expected_calibration_error(probabilities, events) == pytest.approx((0.15 + 0.2) / 2)
    assert brier(probabilities, events) == pytest.approx((0.81 + 3 * 0.01 + 2 * 0.09 + 2 * 0.49) / 8)


def test_equal_probabilities_share_a_bin(rng):
    bins = reliability_table(np.repeat([0.1, 0.5], 50), rng.random(100) < 0.3, rng=rng)

    assert [row.n for row in bins] == [50, 50]
    assert [row.predicted for row in bins] == pytest.approx([0.1, 0.5])


def test_bins_hold_as_many_rows_each(rng):
    bins = reliability_table(rng.random(1000), rng.random(1000) < 0.5, rng=rng)

    assert {row.n for row in bins} == {100}


def test_overconfident_scores_fall_outside_the_band_of_a_perfect_model(rng):
    check = check_calibration(*overconfident_world(rng, 2000), rng=rng)

    assert check.ece > check.ece_null_high
    assert check.ece_p_value == pytest.approx(1 / 1001)
    assert any(not row.low <= row.observed <= row.high for row in check.bins)


def test_null_ece_of_a_perfect_model_is_that_of_the_literature(rng):
    probabilities = rng.random(2000)

    check = check_calibration(probabilities, rng.random(2000) < probabilities, rng=rng)

    assert 0.02 < check.ece_null_high < 0.04


def test_the_base_rate_brier_is_that_of_the_constant_forecast(rng):
    events = np.arange(10) < 3

    check = check_calibration(rng.random(10), events, rng=rng)

    assert check.brier_base_rate == pytest.approx(brier(np.full(10, 0.3), events))
