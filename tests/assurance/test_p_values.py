import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from scipy.stats import binom

from assurance.bounds import binomial_upper
from assurance.p_values import betting, binomial_tail, hoeffding_bentkus


@given(st.integers(1, 2000), st.data(), st.floats(0.001, 0.5), st.floats(0.01, 0.2))
def test_the_tail_is_below_delta_just_where_the_exact_bound_is_below_the_promise(n, data, max_harm, delta):
    harms = data.draw(st.integers(0, n))
    p_value = float(binomial_tail(np.array([harms]), n, max_harm)[0])
    upper = binomial_upper(harms, n, delta)

    if abs(p_value - delta) > 1e-9:
        assert (p_value <= delta) == (upper <= max_harm)


def test_no_answer_shows_nothing():
    assert binomial_tail(np.array([0]), np.array([0]), 0.1).tolist() == [1.0]


def test_more_harms_than_answers_are_refused():
    with pytest.raises(ValueError, match="more harms"):
        binomial_tail(np.array([3]), 2, 0.1)


def test_hoeffding_bentkus_is_weaker_than_the_exact_tail_and_never_above_one():
    harms = np.arange(0, 40)
    exact = binomial_tail(harms, 500, 0.05)
    loose = hoeffding_bentkus(harms / 500, 500, 0.05)

    assert np.all(loose >= exact - 1e-12)
    assert loose.max() == 1.0


def test_p_values_agree_with_mapie_s():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, alpha = int(rng.integers(20, 3000)), float(rng.uniform(0.005, 0.3))
        harms = int(rng.integers(0, n))
        theirs = compute_hoeffding_bentkus_p_value(np.array([harms / n]), n, np.array([alpha]), binary=True)
        assert abs(float(np.ravel(theirs)[0]) - float(binomial_tail(np.array([harms]), n, alpha)[0])) < 1e-12


@pytest.mark.validity
@pytest.mark.parametrize("low", [0.0, -1.0])
def test_a_bettor_is_fooled_no_more_often_than_delta_allows(low):
    rng = np.random.default_rng(2)
    n, repeats, max_loss = 500, 4000, 0.05
    losses = rng.choice([1.0, low, 0.0], size=(n, repeats), p=[0.1, 0.05, 0.85]) if low else None
    losses = losses if losses is not None else (rng.random((n, repeats)) < max_loss).astype(float)
    fooled = np.mean(betting(losses, max_loss, delta=0.05, low=low) <= 0.05)

    assert fooled <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.validity
def test_repeated_looks_without_betting_would_fool_more_often():
    rng = np.random.default_rng(4)
    harms = np.cumsum(rng.random((400, 2000)) < 0.05, axis=0)
    looks = np.arange(50, 400, 10)
    fooled = np.mean(np.any(binom.cdf(harms[looks], looks[:, None] + 1, 0.05) <= 0.05, axis=0))

    assert fooled > 0.1
