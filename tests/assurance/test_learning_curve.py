import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assurance.bootstrap import apgr_interval, paired_apgr_difference
from assurance.learning_curve import learning_curve
from core.errors import NotEnoughLabels


def scores_of(noise, *, n=400, seed=0):
    """Scores that see a binary gap through growing or falling noise, one row a level."""
    rng = np.random.default_rng(seed)
    gap = (rng.random(n) < 0.5).astype(float)
    return np.stack([gap + level * rng.normal(size=n) for level in noise]), gap


def test_points_and_gains_are_those_of_the_bootstrap_on_the_same_rows():
    scores, gap = scores_of([2.0, 0.5])

    curve = learning_curve([50, 100], scores, gap, more=100, rng=np.random.default_rng(3))

    alone = apgr_interval(scores[1], np.zeros(400), gap, rng=np.random.default_rng(3))
    paired = paired_apgr_difference(scores[1], scores[0], gap, rng=np.random.default_rng(3))
    assert curve.apgr[1] == alone
    assert curve.gains == (paired,)


def test_less_noise_is_a_gain_with_an_interval_above_zero():
    scores, gap = scores_of([4.0, 1.0, 0.5])
    curve = learning_curve([50, 100, 200], scores, gap, more=200, rng=np.random.default_rng(0))

    assert all(gain.low > 0 for gain in curve.gains)
    assert curve.forecast.low > 0


def test_a_router_that_learns_nothing_is_not_promised_a_gain():
    scores, gap = scores_of([9.0, 9.0, 9.0, 9.0], n=900)
    curve = learning_curve([50, 100, 200, 400], scores, gap, more=400, rng=np.random.default_rng(0))

    assert curve.forecast.low <= 0


@given(seed=st.integers(0, 500), more=st.integers(1, 1000))
@settings(max_examples=15, deadline=None)
def test_the_forecast_never_promises_a_loss_and_grows_with_more_labels(seed, more):
    scores, gap = scores_of([3.0, 2.0], seed=seed, n=120)
    few = learning_curve([20, 80], scores, gap, more=more, rng=np.random.default_rng(1)).forecast
    many = learning_curve([20, 80], scores, gap, more=2 * more, rng=np.random.default_rng(1)).forecast

    assert 0 <= few.estimate <= many.estimate
    assert 0 <= few.low <= few.high


def test_one_size_is_no_curve():
    scores, gap = scores_of([1.0])

    with pytest.raises(NotEnoughLabels, match="at least two numbers of labels; there are 1"):
        learning_curve([50], scores, gap, more=10, rng=np.random.default_rng(0))
