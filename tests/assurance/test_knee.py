"""The knee of a cost-quality curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.curves import CostQualityCurve, cost_quality_curve, oracle_curve, random_curve
from assurance.knee import knee

QUALITIES = st.lists(st.tuples(st.sampled_from([0, 1, 2, 3]), st.booleans(), st.booleans()), min_size=1, max_size=30)


def columns(rows):
    return tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))


@given(QUALITIES)
def test_no_point_of_the_curve_lies_higher_above_the_chord(rows):
    curve = cost_quality_curve(*columns(rows))
    found = knee(curve)
    lifts = curve.quality - np.interp(curve.share_strong, [0, 1], [curve.weak_quality, curve.strong_quality])

    assert (0.0 if found is None else found.lift) == pytest.approx(max(0.0, lifts.max()), abs=2e-9)


@given(QUALITIES, st.floats(0.01, 10), st.floats(-5, 5))
def test_another_scale_of_quality_leaves_the_knee_where_it_is(rows, scale, shift):
    curve = cost_quality_curve(*columns(rows))
    found, rescaled = knee(curve), knee(CostQualityCurve(curve.share_strong, scale * curve.quality + shift))

    if found is not None:
        assert rescaled is not None
        assert rescaled.share_strong == found.share_strong
        assert rescaled.lift == pytest.approx(scale * found.lift)


@given(QUALITIES)
def test_a_ranking_that_tells_nothing_apart_has_no_knee(rows):
    _, weak, strong = columns(rows)

    assert knee(random_curve(weak, strong)) is None


def test_the_oracle_bends_where_the_wins_end():
    weak, strong = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), np.ones(10)
    found = knee(oracle_curve(weak, strong))

    assert found is not None
    assert (found.share_strong, found.quality, round(found.lift, 12)) == (0.3, 1.0, 0.21)


def test_of_equally_high_points_the_cheapest_is_the_knee():
    curve = CostQualityCurve(np.array([0.0, 0.25, 0.5, 1.0]), np.array([0.0, 0.5, 0.75, 1.0]))

    assert knee(curve).share_strong == 0.25


def test_a_curve_below_the_chord_has_no_knee():
    assert knee(CostQualityCurve(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.2, 1.0]))) is None
