import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.queueing.scoring import FLOOR_REASON, WEIGHTS, Parts, band, missing, score

SHARES = st.floats(0, 1)


def parts(n=2, **known):
    columns = {name: np.full(n, np.nan) for name in ("band", "disagreement", "conflict", "novelty", "stakes")}
    return Parts(**{**columns, **{name: np.array(values, dtype=float) for name, values in known.items()}})


def scored(given_parts, twins=None, known=None):
    n = len(given_parts.band)
    return score(
        given_parts,
        twins=np.arange(n) if twins is None else np.array(twins),
        n_known_twins=np.zeros(n, dtype=int) if known is None else np.array(known),
    )


def test_the_weights_are_the_declared_ones_and_sum_to_one():
    assert WEIGHTS == {"band": 0.35, "disagreement": 0.25, "conflict": 0.15, "novelty": 0.15, "stakes": 0.10}
    everything = parts(band=[1, 0], disagreement=[1, 0], conflict=[1, 0], novelty=[1, 0], stakes=[1, 0])

    assert scored(everything).scores.tolist() == pytest.approx([1.0, 0.0])


def test_a_part_that_nobody_measured_leaves_its_weight_to_the_others():
    given_parts = parts(band=[1, 0], stakes=[0, 1])

    assert missing(given_parts) == ("disagreement", "conflict", "novelty")
    assert scored(given_parts).weights == pytest.approx({"band": 35 / 45, "stakes": 10 / 45})


def test_a_query_without_a_signal_is_as_good_as_the_mean_of_the_others():
    found = scored(parts(3, band=[1.0, 0.0, np.nan], stakes=[0, 0, 0]))

    assert found.scores[2] == pytest.approx((found.scores[0] + found.scores[1]) / 2)


def test_the_band_is_symmetric_around_the_threshold():
    assert band(np.array([0.2, 0.4]), np.array([0.3, 0.3])).tolist() == pytest.approx([np.exp(-0.5)] * 2)


def test_of_near_duplicates_the_best_counts_whole_the_next_a_half_and_a_known_one_before_them_counts_too():
    same = parts(3, band=[0.8, 0.8, 0.8])

    assert scored(same, twins=[0, 0, 1]).scores.tolist() == pytest.approx([0.8, 0.4, 0.8])
    assert scored(same, twins=[0, 0, 1], known=[1, 1, 0]).scores.tolist() == pytest.approx([0.4, 0.8 / 3, 0.8])


def test_the_reasons_are_the_parts_that_lift_a_query_above_the_mean_one():
    found = scored(parts(4, band=[1, 0, 0, 0], disagreement=[0.9, 0, 0, 0.1], stakes=[0, 1, 0, 0]))

    assert [found.reasons(i) for i in range(3)] == ["near the threshold, routers disagree", "high stakes", FLOOR_REASON]


@given(st.lists(st.tuples(*[SHARES] * 5), min_size=1, max_size=20))
def test_scores_are_shares_whatever_is_known(rows):
    columns = np.array(rows).T
    found = scored(Parts(*columns))

    assert np.all((found.scores >= 0) & (found.scores <= 1 + 1e-12))


@given(st.lists(st.tuples(*[SHARES] * 5), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_queries_changes_no_score(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    columns = np.array(rows).T

    assert scored(Parts(*columns[:, order])).scores == pytest.approx(scored(Parts(*columns)).scores[order])
