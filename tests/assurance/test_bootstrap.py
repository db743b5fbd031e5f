import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.bootstrap import Interval, apgr_interval, metrics_with_intervals, paired_apgr_difference
from assurance.curves import apgr, cost_quality_curve, cpt
from core.errors import NotEnoughLabels


def world(rng, n, *, noise=1.0):
    """Rows whose strong model is needed in 4 of 10, and scores that see it through normal noise."""
    needed = (rng.random(n) < 0.4).astype(float)
    return needed + noise * rng.normal(size=n), 1.0 - needed, np.ones(n)


def test_estimates_are_those_of_the_exact_curve(rng):
    rows = world(rng, 200)

    found = metrics_with_intervals(*rows, rng=rng, n_resamples=50)

    curve = cost_quality_curve(*rows)
    assert {name: interval.estimate for name, interval in found.items()} == {
        "apgr": apgr(curve),
        "cpt50": cpt(curve, 0.5),
        "cpt80": cpt(curve, 0.8),
    }


def test_resampled_curves_are_those_of_the_repeated_rows(rng):
    scores, weak, strong = world(rng, 30)
    scores = np.round(scores, 0)
    seed = 7

    found = metrics_with_intervals(scores, weak, strong, rng=np.random.default_rng(seed), n_resamples=200)

    same_rng = np.random.default_rng(seed)
    drawn = same_rng.integers(0, 30, size=(200, 30))
    curves = [cost_quality_curve(scores[rows], weak[rows], strong[rows]) for rows in drawn]
    expected = {
        "apgr": [apgr(curve) for curve in curves],
        "cpt50": [cpt(curve, 0.5) for curve in curves],
        "cpt80": [cpt(curve, 0.8) for curve in curves],
    }
    for name, values in expected.items():
        low, high = np.quantile(values, [0.025, 0.975], method="inverted_cdf")
        assert (found[name].low, found[name].high) == pytest.approx((low, high), abs=1e-12), name


def test_the_same_seed_gives_the_same_interval():
    rows = world(np.random.default_rng(1), 100)

    first, second = (apgr_interval(*rows, rng=np.random.default_rng(5), n_resamples=100) for _ in range(2))

    assert first == second


@given(st.integers(0, 1000))
def test_a_paired_difference_of_a_router_with_itself_is_exactly_zero(seed):
    rng = np.random.default_rng(seed)
    scores, weak, strong = world(rng, 60)

    difference = paired_apgr_difference(scores, 3 * scores + 1, strong - weak, rng=rng, n_resamples=50)

    assert (difference.estimate, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_a_paired_difference_is_tighter_than_two_separate_intervals(rng):
    scores, weak, strong = world(rng, 500)
    better = scores + (strong - weak) * 0.3

    paired = paired_apgr_difference(better, scores, strong - weak, rng=rng)
    alone = apgr_interval(scores, weak, strong, rng=rng)

    assert 0 < paired.low < paired.high
    assert paired.high - paired.low < (alone.high - alone.low) / 2


def test_swapping_the_routers_flips_the_difference(rng):
    scores, weak, strong = world(rng, 200)
    other = rng.normal(size=200)

    forward = paired_apgr_difference(scores, other, strong - weak, rng=np.random.default_rng(3), n_resamples=199)
    backward = paired_apgr_difference(other, scores, strong - weak, rng=np.random.default_rng(3), n_resamples=199)

    assert backward.estimate == -forward.estimate
    assert (backward.low, backward.high) == pytest.approx((-forward.high, -forward.low), abs=0.01)


def test_rows_of_one_patient_widen_the_interval_as_their_number_asks(rng):
    rows = world(rng, 100)
    repeated = tuple(np.repeat(column, 4) for column in rows)

    naive = apgr_interval(*repeated, rng=rng)
    grouped = apgr_interval(*repeated, rng=rng, groups=np.repeat(np.arange(100), 4))

    assert (grouped.high - grouped.low) / (naive.high - naive.low) == pytest.approx(2.0, rel=0.1)


def test_groups_may_be_named_by_text(rng):
    rows = world(rng, 40)

    by_number = apgr_interval(*rows, rng=np.random.default_rng(2), groups=np.repeat([0, 1, 2, 3], 10))
    by_name = apgr_interval(*rows, rng=np.random.default_rng(2), groups=np.repeat(["a", "b", "c", "d"], 10))

    assert by_number == by_name


def test_groups_that_miss_a_row_are_refused(rng):
    with pytest.raises(ValueError, match="39 groups for 40 rows"):
        apgr_interval(*world(rng, 40), rng=rng, groups=np.arange(39))


def test_one_group_has_no_interval(rng):
    with pytest.raises(NotEnoughLabels, match="one group of rows"):
        apgr_interval(*world(rng, 40), rng=rng, groups=np.zeros(40))


def test_an_interval_is_refused_when_resamples_disagree_on_which_model_is_better(rng):
    weak = np.tile([0.0, 1.0], 20)
    strong = 1.0 - weak
    strong[1] = 1.0

    with pytest.raises(NotEnoughLabels, match=r"In \d+\.\d% of the resamples the strong model is not better"):
        apgr_interval(rng.normal(size=40), weak, strong, rng=rng)


def test_rare_resamples_without_a_gap_widen_the_interval_and_stay_finite():
    rng = np.random.default_rng(0)
    gap = np.zeros(200)
    gap[:5] = 1.0  # a resample holds none of the five in 0.7 % of draws

    interval = apgr_interval(rng.normal(size=200), np.zeros(200), gap, rng=rng)

    assert np.isfinite([interval.low, interval.high]).all()
    assert interval.low <= interval.estimate <= interval.high


def test_intervals_stay_on_the_scale_of_a_share(rng):
    found = metrics_with_intervals(*world(rng, 50), rng=rng)

    assert all(0 <= found[name].low <= found[name].high <= 1 for name in ("cpt50", "cpt80"))


def test_an_interval_prints_as_in_the_tables():
    assert str(Interval(estimate=0.7, low=0.65, high=0.754)) == "0.700 [0.650, 0.754]"


@pytest.mark.slow
def test_two_thousand_resamples_of_three_thousand_rows_take_under_three_seconds(rng):
    rows = world(rng, 3000)

    start = time.process_time()
    metrics_with_intervals(*rows, rng=rng, n_resamples=2000)

    assert time.process_time() - start < 3.0
