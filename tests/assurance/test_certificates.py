import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.certificates import (
    ALL_STRONG,
    Loss,
    Promise,
    Rows,
    certify,
    certify_family,
    certify_strata,
    fixed_sequence,
)

HARM_RATE, GAIN_RATE, SEPARATION = 0.15, 0.03, 1.092
"""A world of harms and gains in which the router's AUROC for harm is 0.78 (two normals 1.092 apart)."""


def world(n, rng):
    """Rows with normal scores: harmful weak answers score higher by SEPARATION, squeezed into (0, 1)."""
    kind = rng.choice(3, size=n, p=[HARM_RATE, GAIN_RATE, 1 - HARM_RATE - GAIN_RATE])
    score = rng.normal(size=n) + SEPARATION * (kind == 0)
    weak = np.where(kind == 0, 0.0, 1.0)
    strong = np.where(kind == 1, 0.0, 1.0)
    suspicion = rng.normal(size=n) + 1.29 * (kind == 0)
    return Rows(probability=1 / (1 + np.exp(-(score - 1))), weak=weak, strong=strong, suspicion=suspicion)


def clean(n, *, n_harmful=0):
    """Rows of rising probability, harmless but for the last."""
    weak = np.ones(n)
    weak[n - n_harmful :] = 0.0
    return Rows(probability=np.linspace(0.05, 0.95, n), weak=weak, strong=np.ones(n))


def test_clean_answers_certify_from_the_number_that_the_promise_takes():
    promise = Promise(max_loss=0.02)

    assert not certify("all", clean(148), promise).is_certified
    found = certify("all", clean(149), promise)
    assert (found.is_certified, found.threshold, found.n_accepted) == (True, 1.0, 149)
    assert found.upper == pytest.approx(1 - 0.05 ** (1 / 149))


def test_too_few_labels_are_named_with_the_number_that_is_missing():
    found = certify("all", clean(180), Promise(max_loss=0.01))

    assert found.threshold == ALL_STRONG
    assert "takes 299 clean labels; there are 180. Collect 119 more." in found.why


def test_a_router_that_cannot_tell_harm_apart_certifies_nothing():
    rng = np.random.default_rng(3)
    weak = (rng.random(1000) > 0.3).astype(float)
    rows = Rows(probability=rng.random(1000), weak=weak, strong=np.ones(1000))
    found = certify("all", rows, Promise(max_loss=0.02))

    assert found.n_accepted < 100
    assert found.threshold < 0.1


def test_the_threshold_stops_before_the_harmful_answers():
    found = certify("all", clean(400, n_harmful=100), Promise(max_loss=0.02))

    assert 0.7 < found.threshold < 0.75
    assert found.mean_loss < 0.02


def test_a_verifier_lets_more_weak_answers_leave():
    rows = world(4000, np.random.default_rng(5))
    promise = Promise(max_loss=0.02)
    alone = certify("all", rows, promise)
    rechecked = certify("all", rows, promise, tau=0.84)

    assert rechecked.n_accepted > alone.n_accepted


def test_an_answer_that_fails_a_hard_check_never_leaves():
    n = 200
    rows = Rows(
        probability=np.linspace(0, 0.9, n),
        weak=np.ones(n),
        strong=np.ones(n),
        suspicion=np.zeros(n),
        passes=np.arange(n) % 2 == 0,
    )

    assert certify("all", rows, Promise(max_loss=0.02), tau=0.5).n_accepted == 100


def test_without_a_verifier_tau_is_refused():
    with pytest.raises(ValueError, match="no suspicion"):
        certify("all", clean(200), Promise(max_loss=0.02), tau=0.5)


def test_a_value_that_is_no_number_is_refused():
    rows = Rows(probability=np.array([0.1, np.nan]), weak=np.ones(2), strong=np.ones(2))

    with pytest.raises(ValueError, match="not a number"):
        certify("all", rows, Promise(max_loss=0.02))


def test_strata_share_the_delta():
    found = certify_strata({"b": clean(300), "a": clean(300)}, dict.fromkeys("ab", Promise(max_loss=0.02)))

    assert [(one.stratum, one.delta) for one in found] == [("a", 0.025), ("b", 0.025)]


def test_a_family_of_verifier_thresholds_shares_the_delta_and_holds_verifier_off():
    found = certify_family("all", world(2000, np.random.default_rng(1)), Promise(max_loss=0.05), [None, 0.0, 1.0])

    assert [one.tau for one in found] == [None, 0.0, 1.0]
    assert {one.delta for one in found} == {0.05 / 3}


def test_nothing_after_a_failure_is_rejected():
    assert fixed_sequence(np.array([0.01, np.nan, 0.01]), 0.05) == 1


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.02, 0.05]))
def test_a_stricter_promise_never_raises_the_threshold(seed, max_loss):
    rows = world(600, np.random.default_rng(seed))
    loose, strict = (certify("all", rows, Promise(max_loss=rate)).threshold for rate in (max_loss, max_loss / 2))

    assert strict <= loose


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 599), max_size=20))
def test_turning_good_answers_bad_never_raises_the_threshold(seed, spoiled):
    rows = world(600, np.random.default_rng(seed))
    weak = rows.weak.copy()
    weak[spoiled] = 0.0
    worse = Rows(probability=rows.probability, weak=weak, strong=rows.strong)
    promise = Promise(max_loss=0.05)

    assert certify("all", worse, promise).threshold <= certify("all", rows, promise).threshold


@pytest.mark.parametrize("loss", list(Loss))
def test_net_loss_certifies_at_least_as_much_as_harm_and_graded_as_its_bound_allows(loss):
    rows = world(3000, np.random.default_rng(11))
    found = certify("all", rows, Promise(loss=loss, max_loss=0.05))

    assert found.is_certified
    assert found.mean_loss <= 0.05
