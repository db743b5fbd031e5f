"""Simulations of every statistical promise of the room: seeded, with a slack of three standard errors."""

import numpy as np
import pytest
from scipy.stats import norm

from assurance.bootstrap import apgr_interval, metrics_with_intervals, paired_apgr_difference
from assurance.bounds import binomial_interval, binomial_lower, binomial_upper
from assurance.curves import apgr, cost_quality_curve, cpt
from assurance.reliability import check_calibration
from assurance.thresholds import share_at, share_on_new_traffic, threshold_for_share

pytestmark = pytest.mark.validity


def slack(rate: float, repetitions: int) -> float:
    """Three standard errors of a simulated rate."""
    return 3 * float(np.sqrt(rate * (1 - rate) / repetitions))


def graded_world(rng, n, *, rounding=None):
    """Graded qualities in which the strong model sometimes loses, and scores that see the gap through noise."""
    weak = rng.integers(0, 3, n) / 2
    strong = np.minimum(1.0, np.maximum(weak, (rng.random(n) < 0.7) * 1.0)) - 0.5 * (rng.random(n) < 0.1)
    strong = np.clip(strong, 0.0, 1.0)
    scores = (strong - weak) + rng.normal(size=n)
    return (scores if rounding is None else np.round(scores, rounding)), weak, strong


@pytest.mark.parametrize(("n", "rounding"), [(150, None), (600, None), (300, 0)])
def test_the_interval_of_every_metric_covers_the_truth_at_about_its_level(n, rounding):
    rng = np.random.default_rng(11)
    curve = cost_quality_curve(*graded_world(rng, 1_000_000, rounding=rounding))
    truth = {"apgr": apgr(curve), "cpt50": cpt(curve, 0.5), "cpt80": cpt(curve, 0.8)}
    repetitions = 400

    covered = dict.fromkeys(truth, 0)
    for _ in range(repetitions):
        found = metrics_with_intervals(*graded_world(rng, n, rounding=rounding), rng=rng, n_resamples=400)
        for name, value in truth.items():
            covered[name] += found[name].low <= value <= found[name].high

    for name, count in covered.items():
        assert count / repetitions >= 0.95 - 0.02 - slack(0.95, repetitions), (name, count / repetitions)


def test_the_grouped_interval_covers_where_the_naive_one_does_not():
    rng = np.random.default_rng(12)
    truth = apgr(cost_quality_curve(*graded_world(rng, 1_000_000)))
    groups = np.repeat(np.arange(80), 5)
    repetitions = 300

    grouped = naive = 0
    for _ in range(repetitions):
        rows = tuple(np.repeat(column, 5) for column in graded_world(rng, 80))
        inside = apgr_interval(*rows, rng=rng, n_resamples=300, groups=groups)
        outside = apgr_interval(*rows, rng=rng, n_resamples=300)
        grouped += inside.low <= truth <= inside.high
        naive += outside.low <= truth <= outside.high

    assert grouped / repetitions >= 0.95 - 0.02 - slack(0.95, repetitions)
    assert naive / repetitions < 0.8


@pytest.mark.parametrize("n", [100, 500])
def test_two_equally_good_routers_are_told_apart_in_at_most_one_of_twenty_studies(n):
    rng = np.random.default_rng(13)
    repetitions = 500

    told_apart = 0
    for _ in range(repetitions):
        scores, weak, strong = graded_world(rng, n)
        twin = (strong - weak) + rng.normal(size=n)
        difference = paired_apgr_difference(scores, twin, strong - weak, rng=rng, n_resamples=400)
        told_apart += not difference.low <= 0 <= difference.high

    assert told_apart / repetitions <= 0.05 + slack(0.05, repetitions)


def test_a_real_difference_is_found():
    rng = np.random.default_rng(14)
    repetitions = 100

    found = 0
    for _ in range(repetitions):
        scores, weak, strong = graded_world(rng, 400)
        found += paired_apgr_difference(scores, rng.normal(size=400), strong - weak, rng=rng, n_resamples=300).low > 0

    assert found / repetitions > 0.95


@pytest.mark.parametrize("n", [20, 149, 1000])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_binomial_bounds_hold_in_at_least_1_minus_delta_of_repeated_studies(n, rate):
    rng = np.random.default_rng(15)
    counts = rng.binomial(n, rate, 4000).tolist()
    delta = 0.05

    below = np.mean([binomial_upper(count, n, delta) < rate for count in counts])
    above = np.mean([binomial_lower(count, n, delta) > rate for count in counts])
    outside = np.mean([not i.low <= rate <= i.high for i in (binomial_interval(count, n) for count in counts)])

    assert max(below, above, outside) <= delta + slack(delta, len(counts))


@pytest.mark.parametrize("budget", [0.1, 0.3, 0.7])
def test_the_budget_holds_on_fresh_rows_in_expectation_and_the_interval_covers_the_share(budget):
    rng = np.random.default_rng(16)
    repetitions = 2000

    shares, covered = [], 0
    for _ in range(repetitions):
        probabilities = norm.cdf(rng.normal(size=200))
        threshold = threshold_for_share(probabilities, budget)
        true_share = 1.0 - threshold  # these probabilities are uniform
        shares.append(share_at(norm.cdf(rng.normal(size=200)), threshold))
        interval = share_on_new_traffic(probabilities, threshold)
        covered += interval.low <= true_share <= interval.high

    assert np.mean(shares) <= budget + 3 * np.std(shares) / np.sqrt(repetitions)
    assert covered / repetitions >= 0.95 - slack(0.95, repetitions)


def test_a_perfectly_calibrated_model_is_called_miscalibrated_in_at_most_one_of_twenty_studies():
    rng = np.random.default_rng(17)
    repetitions = 300

    flagged = 0
    for _ in range(repetitions):
        probabilities = rng.beta(2, 3, 300)
        check = check_calibration(probabilities, rng.random(300) < probabilities, rng=rng, n_simulations=199)
        flagged += check.ece_p_value <= 0.05

    assert flagged / repetitions <= 0.05 + slack(0.05, repetitions)
