"""Simulated studies of every certificate: how often the true risk exceeds the promise, against the delta it allows."""

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm

from assurance.certificates import GRID, Loss, Promise, Rows, accepted_share, certify, certify_family, certify_strata
from tests.assurance.test_certificates import HARM_RATE, SEPARATION, world

REPEATS = 2000
DELTA = 0.05
SLACK = 3 * np.sqrt(DELTA * (1 - DELTA) / REPEATS)
SUSPICION_SEPARATION = 1.29
CELLS = [(n, max_harm) for n in (500, 1000, 2000) for max_harm in (0.01, 0.02, 0.05)]

pytestmark = pytest.mark.validity


def true_harm(threshold, tau=None, *, harm_rate=HARM_RATE):
    """The risk of a threshold in the world of `world`, in closed form."""
    if threshold <= 0:
        return 0.0
    below = norm.cdf(logit(threshold) + 1 - SEPARATION) if threshold < 1 else 1.0
    return harm_rate * below * (1.0 if tau is None else norm.cdf(tau - SUSPICION_SEPARATION))


def plug_in(rows, max_harm):
    """The threshold that just keeps the promise on the rows themselves: what tuning does."""
    harmful = (rows.strong > 0.5) & (rows.weak <= 0.5)
    shares = [np.mean(harmful & (rows.probability < threshold)) for threshold in GRID[::5]]
    return GRID[::5][np.flatnonzero(np.array(shares) <= max_harm)[-1]]


@pytest.mark.parametrize(("n", "max_harm"), CELLS)
def test_a_single_certificate_is_wrong_no_more_often_than_delta(n, max_harm):
    rng = np.random.default_rng([n, round(1000 * max_harm)])
    promise = Promise(max_loss=max_harm, delta=DELTA)
    wrong = [true_harm(certify("all", world(n, rng), promise).threshold) > max_harm for _ in range(REPEATS)]

    assert np.mean(wrong) <= DELTA + SLACK


@pytest.mark.parametrize(("n", "max_harm"), [(500, 0.01), (1000, 0.02), (2000, 0.05)])
def test_tuning_the_threshold_on_the_same_rows_breaks_the_promise_far_too_often(n, max_harm):
    rng = np.random.default_rng([n, round(1000 * max_harm), 1])
    wrong = [true_harm(plug_in(world(n, rng), max_harm)) > max_harm for _ in range(300)]

    assert np.mean(wrong) > 0.3


@pytest.mark.parametrize(("n", "max_harm"), CELLS)
def test_a_certificate_with_a_fixed_verifier_threshold_holds_too(n, max_harm):
    rng = np.random.default_rng([n, round(1000 * max_harm), 2])
    promise, tau = Promise(max_loss=max_harm, delta=DELTA), 0.84
    wrong = [
        true_harm(certify("all", world(n, rng), promise, tau=tau).threshold, tau) > max_harm for _ in range(REPEATS)
    ]

    assert np.mean(wrong) <= DELTA + SLACK


@pytest.mark.parametrize(("n", "max_harm"), [(500, 0.02), (1000, 0.01), (2000, 0.05)])
def test_every_member_of_a_declared_family_holds_at_once(n, max_harm):
    rng = np.random.default_rng([n, round(1000 * max_harm), 3])
    promise = Promise(max_loss=max_harm, delta=DELTA)
    taus = [None, 0.0, 0.5, 1.0, 1.5]
    wrong = [
        any(true_harm(one.threshold, one.tau) > max_harm for one in certify_family("all", world(n, rng), promise, taus))
        for _ in range(REPEATS // 2)
    ]

    assert np.mean(wrong) <= DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / (REPEATS // 2))


@pytest.mark.parametrize(("n", "max_harm"), CELLS)
def test_certificates_of_three_strata_hold_all_at_once(n, max_harm):
    rng = np.random.default_rng([n, round(1000 * max_harm), 4])
    promise = Promise(max_loss=max_harm, delta=DELTA)
    wrong = []
    for _ in range(REPEATS):
        found = certify_strata({name: world(n // 2, rng) for name in "abc"}, dict.fromkeys("abc", promise))
        wrong.append(any(true_harm(one.threshold) > max_harm for one in found))

    assert np.mean(wrong) <= DELTA + SLACK


@pytest.mark.parametrize("loss", [Loss.NET, Loss.GRADED])
def test_net_and_graded_certificates_hold(loss):
    rng = np.random.default_rng(9)
    promise = Promise(loss=loss, max_loss=0.05, delta=DELTA)
    reference = world(400_000, np.random.default_rng(10))
    value = reference.strong - reference.weak if loss is Loss.NET else np.maximum(reference.strong - reference.weak, 0)
    wrong = []
    for _ in range(200):
        threshold = certify("all", world(500, rng), promise, grid=GRID[::20]).threshold
        wrong.append(np.mean(value * (reference.probability < threshold)) > 0.05)

    assert np.mean(wrong) <= DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / 200)


@pytest.mark.parametrize(("n", "max_harm"), [(1000, 0.05), (2000, 0.1)])
def test_a_selective_certificate_holds_among_the_accepted(n, max_harm):
    rng = np.random.default_rng([n, 5])
    promise = Promise(max_loss=max_harm, delta=DELTA, is_selective=True)
    reference = world(200_000, np.random.default_rng(12))
    wrong = []
    for _ in range(REPEATS):
        threshold = certify("all", world(n, rng), promise, start=0.2).threshold
        share = accepted_share(reference, threshold)
        wrong.append(share > 0 and true_harm(threshold) / share > max_harm)

    assert np.mean(wrong) <= DELTA + SLACK


def test_rows_in_bunches_of_equal_probability_do_not_break_the_promise():
    rng = np.random.default_rng(13)
    promise = Promise(max_loss=0.02, delta=DELTA)
    wrong = []
    for _ in range(REPEATS // 2):
        rows = world(1000, rng)
        bunched = Rows(probability=np.round(rows.probability, 1), weak=rows.weak, strong=rows.strong)
        threshold = certify("all", bunched, promise).threshold
        # A threshold lets leave what rounds below it: everything under the last tenth before it, and half a tenth more.
        reached = (np.ceil(threshold * 10 - 1e-9) - 1) / 10 + 0.05 if threshold > 0 else 0.0
        wrong.append(true_harm(min(reached, 1.0)) > 0.02)

    assert np.mean(wrong) <= DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / (REPEATS // 2))
