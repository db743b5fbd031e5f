"""The stack: non-negative weights, members that add nothing get none, verdicts that admit defeat."""

import numpy as np
import pytest

from core.errors import BundleError, NotEnoughLabels
from models.selection import ranking_gain
from models.stacking import Stack, fit_stack, verdict


@pytest.fixture(scope="module")
def members():
    """Two members that each see half of the truth, one of noise, one that ranks backwards."""
    rng = np.random.default_rng(0)
    a, b, noise = rng.normal(size=(3, 4000))
    gap = (rng.random(4000) < 1 / (1 + np.exp(-(a + b)))).astype(float)
    columns = 1 / (1 + np.exp(-np.column_stack([a, b, noise, -a])))
    return columns, gap, ("a", "b", "noise", "backwards")


def test_two_halves_of_the_truth_are_weighted_alike_and_the_rest_near_nothing(members):
    columns, gap, names = members

    stack = fit_stack(columns, gap, member_names=names)

    a, b, noise, backwards = stack.weights
    assert a == pytest.approx(b, rel=0.25)
    assert noise < 0.15 * a
    assert backwards == 0.0


def test_the_stack_ranks_rows_it_never_saw_better_than_each_member(members):
    columns, gap, names = members

    stack = fit_stack(columns[:2000], gap[:2000], member_names=names)

    gain = ranking_gain(stack.score(columns[2000:]), gap[2000:])
    assert gain > max(ranking_gain(columns[2000:, j], gap[2000:]) for j in range(4))


def test_members_that_rank_backwards_leave_a_constant(members):
    columns, gap, _ = members

    stack = fit_stack(columns[:, 3:], gap, member_names=["backwards"])

    assert np.ptp(stack.score(columns[:, 3:])) == 0.0


def test_a_constant_member_gets_no_weight(members):
    columns, gap, _ = members

    stack = fit_stack(np.column_stack([columns[:, 0], np.full(4000, 0.5)]), gap, member_names=["a", "constant"])

    assert stack.weights[1] == 0.0


def test_json_gives_the_same_stack_back(members):
    columns, gap, names = members
    stack = fit_stack(columns, gap, member_names=names)

    assert Stack.from_json(stack.to_json()) == stack


def test_a_stack_with_a_negative_weight_or_a_missing_field_is_refused():
    stack = Stack(("a",), (-1.0,), (0.0,), (1.0,), 0.0)

    with pytest.raises(BundleError, match="1 members has weights"):
        Stack.from_json(stack.to_json())
    with pytest.raises(BundleError, match="cannot be read"):
        Stack.from_json(b'{"member_names": ["a"]}')


def test_a_member_that_gives_no_number_leaves_no_number():
    stack = Stack(("a", "b"), (1.0, 1.0), (0.0, 0.0), (1.0, 1.0), 0.0)

    assert np.isnan(stack.score(np.array([[0.5, np.nan]]))).all()


def test_missing_columns_and_too_few_rows_are_refused(members):
    columns, gap, names = members

    with pytest.raises(BundleError, match="reads 4 columns"):
        fit_stack(columns, gap, member_names=names).score(columns[:, :2])
    with pytest.raises(NotEnoughLabels, match="19 rows"):
        fit_stack(columns[:19], gap[:19], member_names=names)


def test_a_stack_is_said_to_beat_its_members_only_where_every_interval_does():
    assert verdict({"a": (0.03, 0.01, 0.05), "b": (0.02, 0.001, 0.04)}).beats_each
    defeat = verdict({"a": (0.03, 0.01, 0.05), "b": (0.0, -0.02, 0.02)})
    assert not defeat.beats_each
    assert defeat.not_beaten == ("b",)
