"""Targets and weights: the one rule by which every router learns from a row."""

import re
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.errors import DataError, NotEnoughLabels
from core.records import Judgement, Verdict
from labeling.quality.consensus import consensus_of
from models.targets import effective_n, pair_quality, row_weights, targets_of
from models.training.network import CLASSES

shares = st.floats(0, 1)
columns = st.integers(1, 20).flatmap(
    lambda n: st.tuples(arrays(float, n, elements=shares), arrays(float, n, elements=shares))
)
weights = st.integers(1, 30).flatmap(lambda n: arrays(float, n, elements=st.floats(1e-6, 1e6)))


def judgement(verdict, first=None, second=None, expert="e1"):
    return Judgement(
        id=f"{expert}-{verdict}",
        pair_id="p",
        expert=expert,
        verdict=verdict,
        first_acceptable=first,
        second_acceptable=second,
        reason="no record",
        at=datetime(2026, 11, 24, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("verdict", "weak_mark", "strong_mark", "classes", "win_share"),
    [
        (Verdict.FIRST_BETTER, None, None, (1, 0, 0), 1),  # the strong answer stands first
        (Verdict.SECOND_BETTER, None, None, (0, 1, 0), 0),
        (Verdict.BOTH_ACCEPTABLE, None, None, (0, 1, 0), 0.5),
        (Verdict.NEITHER_ACCEPTABLE, None, None, (0, 0, 1), 0.5),
        (Verdict.FIRST_BETTER, True, True, (0, 1, 0), 0.5),  # better, and the weak one may be released
        (Verdict.FIRST_BETTER, False, False, (0, 0, 1), 0.5),  # better, and still not good enough
        (Verdict.SECOND_BETTER, False, False, (0, 0, 1), 0.5),
        (Verdict.CANNOT_JUDGE, None, None, (np.nan,) * 3, np.nan),
    ],
)
def test_each_verdict_teaches_the_row_of_the_table(verdict, weak_mark, strong_mark, classes, win_share):
    weak, strong = pair_quality([judgement(verdict, strong_mark, weak_mark)], is_strong_first=True)
    targets = targets_of(np.array([weak]), np.array([strong]))

    np.testing.assert_array_equal(targets.classes[0], classes)
    np.testing.assert_array_equal(targets.win_share[0], win_share)
    assert targets.known.tolist() == [verdict is not Verdict.CANNOT_JUDGE]


def test_the_table_in_docs_formats_is_what_is_computed():
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    table = re.findall(r"^\| ([a-z][^|]*) \| ([01]), ([01]) \| ([01]), ([01]), ([01]) \| (1|0|1/2) \|", page, re.M)

    assert len(table) == 6
    for label, weak, strong, *classes, win_share in table:
        targets = targets_of(np.array([float(weak)]), np.array([float(strong)]))
        assert targets.classes[0].tolist() == [float(share) for share in classes], label
        assert targets.win_share[0] == float(Fraction(win_share)), label


def test_the_classes_stand_in_the_order_that_the_networks_know():
    assert CLASSES == ("strong", "either", "neither")


def test_sides_do_not_matter_only_who_is_strong():
    there = pair_quality([judgement(Verdict.FIRST_BETTER)], is_strong_first=True)
    back = pair_quality([judgement(Verdict.SECOND_BETTER)], is_strong_first=False)

    assert there == back == (0.0, 1.0)


def test_experts_are_averaged_and_those_who_could_not_judge_are_left_out():
    votes = [
        judgement(Verdict.FIRST_BETTER, expert="e1"),
        judgement(Verdict.BOTH_ACCEPTABLE, expert="e2"),
        judgement(Verdict.NEITHER_ACCEPTABLE, expert="e3"),
        judgement(Verdict.CANNOT_JUDGE, expert="e4"),
    ]

    assert pair_quality(votes, is_strong_first=True) == pytest.approx((1 / 3, 2 / 3))


@given(st.lists(st.tuples(st.sampled_from(Verdict), st.sampled_from([None, True, False])), min_size=1, max_size=5))
def test_judgements_give_the_qualities_that_a_frozen_dataset_holds(votes):
    judgements = []
    for i, (verdict, mark) in enumerate(votes):
        marks = {Verdict.BOTH_ACCEPTABLE: True, Verdict.NEITHER_ACCEPTABLE: False}
        judgements.append(judgement(verdict, marks.get(verdict, mark), None, expert=f"e{i}"))
    joint = consensus_of(judgements)
    weak, strong = pair_quality(judgements, is_strong_first=True)

    if joint is None:
        assert np.isnan(weak) and np.isnan(strong)
    else:
        assert (strong, weak) == pytest.approx((joint.first_quality, joint.second_quality))


@given(columns)
def test_classes_are_a_distribution_and_never_nan_for_known_rows(columns):
    targets = targets_of(*columns)

    assert np.isfinite(targets.classes).all() and targets.known.all()
    assert (targets.classes >= 0).all()
    np.testing.assert_allclose(targets.classes.sum(axis=1), 1.0, atol=1e-12)


@given(columns)
def test_swapping_the_models_turns_gap_and_win_share_around_and_leaves_neither_alone(columns):
    weak, strong = columns
    there, back = targets_of(weak, strong), targets_of(strong, weak)

    np.testing.assert_array_equal(there.gap, -back.gap)
    np.testing.assert_allclose(there.win_share + back.win_share, 1.0)
    np.testing.assert_array_equal(there.classes[:, 2], back.classes[:, 2])


@given(columns)
def test_the_strong_class_is_the_part_of_the_gap_that_the_strong_model_wins(columns):
    targets = targets_of(*columns)

    np.testing.assert_array_equal(targets.classes[:, 0], np.maximum(targets.gap, 0))
    np.testing.assert_allclose(targets.classes[:, 0] + targets.classes[:, 1], np.maximum(*columns), atol=1e-12)


def test_a_row_that_lacks_one_quality_is_unknown_in_every_target():
    targets = targets_of(np.array([0.5, np.nan]), np.array([np.nan, 1.0]))

    assert not targets.known.any()
    assert np.isnan(targets.classes).all() and np.isnan(targets.win_share).all()


def test_a_quality_outside_the_range_is_named_with_its_row():
    with pytest.raises(DataError) as caught:
        targets_of(np.array([0.0, 1.5]), np.array([np.inf, 0.0]))
    assert caught.value.faults == ("row 1: quality of the weak answer is 1.5, outside [0, 1]",)


def test_a_row_that_had_a_quarter_of_the_chance_counts_four_times_as_much():
    found = row_weights(np.array([1.0, 1.0, 2.0]), np.array([1.0, 0.25, np.nan]))

    np.testing.assert_allclose(found.values, np.array([1, 4, 2]) * 3 / 7)
    assert found.n_effective == pytest.approx(49 / 21)


def test_weights_by_chance_of_inclusion_undo_the_choice():
    # Hard queries (quality 0) are a tenth of all, and were chosen ten times as often as the others.
    rng = np.random.default_rng(0)
    is_hard = rng.random(20_000) < 0.1
    chance = np.where(is_hard, 0.5, 0.05)
    chosen = rng.random(20_000) < chance
    quality = np.where(is_hard, 0.0, 1.0)[chosen]
    found = row_weights(np.ones(len(quality)), chance[chosen])

    assert quality.mean() < 0.55  # what was chosen says half
    assert np.average(quality, weights=found.values) == pytest.approx(0.9, abs=0.02)


def test_no_row_counts_more_than_the_cap_and_the_cut_rows_are_counted():
    chance = np.ones(100)
    chance[0] = 1e-4
    found = row_weights(np.ones(100), chance, cap=10.0)

    # Before: 10,000 beside 99 ones, so the mean is 100.99 and the rare row weighs 99.02 means: cut to 10.
    assert found.n_clipped == 1
    assert found.values[0] / found.values[1] == pytest.approx(10 * 100.99)
    assert found.n_effective < 2
    assert row_weights(np.ones(100), chance, cap=np.inf).n_clipped == 0


@given(weights, st.floats(1e-3, 1e3))
def test_weights_have_mean_one_and_forget_their_unit(weight, unit):
    found = row_weights(weight)

    assert found.values.mean() == pytest.approx(1.0)
    assert 1.0 - 1e-9 <= found.n_effective <= len(weight) + 1e-9
    np.testing.assert_allclose(row_weights(unit * weight).values, found.values, rtol=1e-9)


def test_equal_weights_cost_nothing():
    assert row_weights(np.full(7, 3.0)).n_effective == pytest.approx(7)
    assert effective_n(np.array([0.0, 5.0])) == 1.0


def test_the_smallest_chance_that_a_number_can_hold_does_not_overflow():
    found = row_weights(np.array([1e300, 1.0]), np.array([5e-324, 1.0]))

    assert np.isfinite(found.values).all()


@pytest.mark.parametrize(
    ("weight", "chance", "fault"),
    [
        ([1.0, 0.0], [1.0, 1.0], "row 1: weight 0.0"),
        ([np.nan], [1.0], "row 0: weight nan"),
        ([1.0], [1.5], "row 0: inclusion probability 1.5"),
        ([1.0], [0.0], "row 0: inclusion probability 0.0"),
        ([1.0], [1.0, 1.0], "2 inclusion probabilities for 1 weights"),
    ],
)
def test_weights_out_of_range_are_named(weight, chance, fault):
    with pytest.raises(DataError) as caught:
        row_weights(np.array(weight), np.array(chance))
    assert fault in caught.value.faults


def test_a_cap_below_the_mean_and_no_rows_at_all_are_refused():
    with pytest.raises(DataError, match=r"the cap is 0\.5"):
        row_weights(np.ones(2), cap=0.5)
    with pytest.raises(NotEnoughLabels, match="no row to weigh"):
        row_weights(np.zeros(0))
