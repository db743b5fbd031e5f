import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from assurance.certificates import Promise, Rows, certify
from assurance.planning import (
    auroc_needed,
    auroc_of,
    clean_labels,
    harms_allowed,
    labels_for_power,
    plan_labels,
    power,
    start_of,
)
from core.errors import NotEnoughLabels

rates = st.floats(0.002, 0.3)
deltas = st.floats(0.005, 0.3)


@pytest.mark.parametrize(
    ("max_harm", "delta", "n"),
    [(0.005, 0.05, 598), (0.01, 0.05, 299), (0.02, 0.05, 149), (0.05, 0.05, 59), (0.01, 0.0125, 437), (0.02, 0.1, 114)],
)
def test_the_clean_labels_of_a_promise_are_the_closed_form(max_harm, delta, n):
    assert clean_labels(max_harm, delta) == n


def test_the_table_of_harms_is_exact():
    assert plan_labels(0.02, delta=0.05, harms=5).labels_for_harms == (149, 236, 313, 386, 456, 523)


def test_strata_and_attempts_share_delta():
    assert plan_labels(0.02, delta=0.05, n_strata=4).labels_for_harms[0] == 217  # delta 0.0125
    assert plan_labels(0.02, delta=0.05, attempt=1).labels_for_harms[0] == clean_labels(0.02, 0.025)
    assert plan_labels(0.02, delta=0.05, attempt=2).delta_per_stratum == pytest.approx(0.05 / 6)


def test_the_sentence_names_what_is_missing_or_what_is_allowed():
    assert plan_labels(0.01, delta=0.05, n_labels=180).sentence.endswith("you have 180. Collect 119 more.")
    assert "up to 1 harmful answers" in plan_labels(0.01, delta=0.05, n_labels=480).sentence


@given(st.integers(1, 3000), rates, deltas)
def test_the_harms_allowed_certify_and_one_more_does_not(n, max_harm, delta):
    k = harms_allowed(n, max_harm, delta)

    assert k == -1 or binom.cdf(k, n, max_harm) <= delta
    assert binom.cdf(k + 1, n, max_harm) > delta


@given(st.integers(0, 20), rates, deltas)
def test_a_plan_is_kept_by_the_certificate(harms, max_harm, delta):
    n = plan_labels(max_harm, delta=delta, harms=harms).labels_for_harms[harms]
    weak = np.ones(n)
    weak[:harms] = 0.0
    rows = Rows(probability=np.full(n, 0.5), weak=weak, strong=np.ones(n))

    assert certify("all", rows, Promise(max_loss=max_harm, delta=delta)).is_certified
    fewer = Rows(rows.probability[:-1], rows.weak[:-1], rows.strong[:-1])
    assert not certify("all", fewer, Promise(max_loss=max_harm, delta=delta)).is_certified


@pytest.mark.parametrize(
    ("max_harm", "share", "n"), [(0.01, 0.25, 773), (0.02, 0.25, 386), (0.02, 0.5, 969), (0.05, 0.75, 1679)]
)
def test_labels_for_power_reach_it_and_no_smaller_number_does(max_harm, share, n):
    true = max_harm * share

    assert labels_for_power(max_harm, true, delta=0.05) == n
    assert power(n, max_harm, true, delta=0.05) >= 0.8
    assert all(power(m, max_harm, true, delta=0.05) < 0.8 for m in range(max(1, n - 200), n))


def test_a_true_rate_that_is_not_below_the_promise_is_refused():
    with pytest.raises(ValueError, match="no number of labels helps"):
        labels_for_power(0.02, 0.02, delta=0.05)


def test_the_start_of_a_selective_trial_lets_the_declared_share_leave():
    probabilities = np.random.default_rng(0).random(500)

    start = start_of(probabilities, 0.2)
    assert 0.2 <= np.mean(probabilities < start) < 0.21
    with pytest.raises(NotEnoughLabels):
        start_of(np.array([]), 0.2)


def test_auroc_counts_pairs():
    rng = np.random.default_rng(1)
    scores, event = rng.integers(0, 5, 60) / 5, rng.random(60) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in scores[event] for b in scores[~event]]

    assert auroc_of(scores, event) == pytest.approx(np.mean(pairs))
    assert auroc_of(scores, np.zeros(60, dtype=bool)) is None


def test_a_score_as_good_as_needed_lets_about_the_share_leave_and_a_worse_one_less():
    harm, n, max_harm = 0.3, 1000, 0.02
    needed = auroc_needed(n, harm, max_harm, delta=0.05)

    assert 0.7 < needed < 0.9
    assert auroc_needed(100, harm, max_harm, delta=0.05) == 1.0  # fewer than the clean labels
    assert auroc_needed(n, 0.01, 0.05, delta=0.05) == 0.5  # so little harm that any score will do
    assert auroc_needed(4000, harm, max_harm, delta=0.05) < needed


@pytest.mark.parametrize(("max_harm", "delta"), [(0.0, 0.05), (1.0, 0.05), (0.02, 0.0), (0.02, 1.0)])
def test_rates_out_of_range_are_refused(max_harm, delta):
    with pytest.raises(ValueError, match=r"in \(0, 1\)"):
        plan_labels(max_harm, delta=delta)
