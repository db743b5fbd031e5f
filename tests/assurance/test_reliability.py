import numpy as np
import pytest

from assurance.reliability import brier, check_calibration, expected_calibration_error, reliability_table
from core.calibrator import sigmoid


def overconfident_world(rng, n):
    """Scores twice as far from one half, in logits, as the true probabilities, and shifted."""
    logits = rng.normal(size=n)
    return sigmoid(2 * logits + 1), rng.random(n) < sigmoid(logits)


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
