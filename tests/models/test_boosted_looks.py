"""Boosted trees over features: what they learn, what they refuse, and how they travel."""

import numpy as np
import pytest

from models.boosted_looks import DEPTH, MOST_TREES, BoostedLooks, fit_boosted


def world(n=400, seed=0):
    """Features of which the first two matter only together."""
    table = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    return table, ((table[:, 0] > 0) != (table[:, 1] > 0)).astype(float)


def fitted(table, event, **changes):
    n = len(table)
    return fit_boosted(table, event, **{"groups": np.arange(n), "weights": np.ones(n)} | changes)


def test_it_learns_what_one_feature_says_only_beside_another():
    table, event = world()
    fresh, truth = world(seed=1)
    trees, held_out = fitted(table, event)

    assert np.mean((trees.score(fresh) > 0.5) == (truth == 1)) > 0.9
    assert np.mean((held_out > 0.5) == (event == 1)) > 0.85


def test_features_that_say_nothing_leave_the_base_rate():
    rng = np.random.default_rng(2)
    table, event = rng.normal(size=(300, 5)).astype(np.float32), (rng.random(300) < 0.3).astype(float)
    trees, _ = fitted(table, event)

    assert len(trees.values) < MOST_TREES / 4
    assert trees.score(table).std() < 0.1
    assert trees.score(table).mean() == pytest.approx(event.mean(), abs=0.02)


def test_a_row_of_weight_three_counts_as_three_rows():
    table, event = world(60)
    groups = np.arange(60) % 6
    thrice = np.repeat(np.arange(60), np.where(np.arange(60) < 30, 3, 1))
    weights = np.where(np.arange(60) < 30, 3.0, 1.0)

    weighed = fitted(table, event, groups=groups, weights=weights)[0].prior
    repeated = fitted(table[thrice], event[thrice], groups=groups[thrice], weights=np.ones(len(thrice)))[0].prior
    assert weighed == pytest.approx(repeated)


def test_equal_rows_give_equal_trees_and_files_give_them_back_to_the_bit():
    table, event = world()
    one, other = fitted(table, event)[0], fitted(table, event)[0]
    back = BoostedLooks.from_arrays(one.to_arrays(), n_features=4)

    assert one.score(table).tobytes() == other.score(table).tobytes() == back.score(table).tobytes()


def test_constant_features_and_rows_of_one_group_are_no_fault():
    event = np.array([0.0, 1.0] * 20)
    trees, held_out = fitted(np.zeros((40, 3), np.float32), event, groups=np.zeros(40, dtype=int))

    assert trees.score(np.zeros((2, 3), np.float32)).tolist() == [0.5, 0.5]
    assert np.isfinite(held_out).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"features": np.full((1, DEPTH), 9, np.int32)},
        {"values": np.full((1, 8), np.nan, np.float32)},
        {"thresholds": np.zeros((2, DEPTH), np.float32)},
    ],
    ids=["a feature that is not there", "a value that is not finite", "another number of trees"],
)
def test_altered_trees_are_refused(changes):
    arrays = {
        "features": np.zeros((1, DEPTH), np.int32),
        "thresholds": np.zeros((1, DEPTH), np.float32),
        "values": np.zeros((1, 8), np.float32),
        "prior": np.zeros(1),
    }

    with pytest.raises(ValueError, match="tree"):
        BoostedLooks.from_arrays(arrays | changes, n_features=4)
