import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assurance.curves import (
    CostQualityCurve,
    apgr,
    cost_quality_curve,
    cpt,
    oracle_curve,
    pgr,
    random_curve,
)
from core.errors import NotEnoughLabels

QUALITIES = st.integers(0, 4).map(lambda quarter: quarter / 4)
"""Quarters are exact in binary, so that equalities below are equalities."""


@st.composite
def rows(draw, *, ties=True):
    """Scores and both models' qualities, with a gap worth recovering; scores tie often, or never."""
    n = draw(st.integers(2, 40))
    if ties:
        scores = draw(arrays(float, n, elements=st.integers(0, 5).map(float)))
    else:
        scores = np.array(draw(st.permutations(range(n))), dtype=float)
    weak = draw(arrays(float, n, elements=QUALITIES))
    strong = draw(arrays(float, n, elements=QUALITIES))
    assume(np.sum(strong - weak) >= 0.5)
    return scores, weak, strong


def mid_rank_apgr(scores, weak, strong):
    """APGR as one sum over pairs of rows, with neither curve nor sorting: an independent oracle."""
    gap = strong - weak
    below = (scores[None, :] < scores[:, None]).mean(axis=1)
    equal = (scores[None, :] == scores[:, None]).mean(axis=1)
    return float(gap @ (below + equal / 2) / gap.sum())


def test_curve_has_one_point_per_distinct_score_and_the_two_ends():
    curve = cost_quality_curve(
        np.array([0.5, 0.9, 0.5, 0.1]), np.array([0.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0, 0.0])
    )

    assert curve.share_strong.tolist() == [0.0, 0.25, 0.75, 1.0]
    assert curve.quality.tolist() == [0.25, 0.5, 0.75, 0.5]


def test_ties_are_a_straight_segment_as_random_tie_breaking_gives_on_average(rng):
    weak = (rng.random(60) < 0.4).astype(float)
    strong = (rng.random(60) < 0.8).astype(float)
    scores = np.round(rng.random(60), 1)

    exact = apgr(cost_quality_curve(scores, weak, strong))
    broken = [apgr(cost_quality_curve(scores + 1e-6 * rng.random(60), weak, strong)) for _ in range(4000)]

    standard_error = np.std(broken) / np.sqrt(len(broken))
    assert abs(np.mean(broken) - exact) < 4 * standard_error


@given(rows())
def test_apgr_is_the_mean_mid_rank_of_the_gap(world):
    assert apgr(cost_quality_curve(*world)) == pytest.approx(mid_rank_apgr(*world), abs=1e-12)


@given(rows(), st.integers(-3, 3))
def test_constant_scores_have_an_apgr_of_one_half(world, constant):
    _, weak, strong = world

    assert apgr(cost_quality_curve(np.full(len(weak), float(constant)), weak, strong)) == 0.5


@given(rows())
def test_a_strictly_increasing_transform_leaves_the_curve_unchanged(world):
    scores, weak, strong = world

    curve, transformed = (cost_quality_curve(s, weak, strong) for s in (scores, np.exp(scores / 3) - 7))

    assert curve.share_strong.tolist() == transformed.share_strong.tolist()
    assert curve.quality.tolist() == transformed.quality.tolist()


@given(st.booleans().flatmap(lambda ties: rows(ties=ties)))
def test_reversing_the_scores_gives_one_minus_the_apgr(world):
    scores, weak, strong = world

    forward, backward = (apgr(cost_quality_curve(s, weak, strong)) for s in (scores, -scores))

    assert forward + backward == pytest.approx(1.0, abs=1e-12)


@given(rows(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(world, random):
    scores, weak, strong = world
    shuffled = list(range(len(scores)))
    random.shuffle(shuffled)

    curve = cost_quality_curve(scores, weak, strong)
    again = cost_quality_curve(scores[shuffled], weak[shuffled], strong[shuffled])

    assert curve.quality == pytest.approx(again.quality, abs=1e-12)


@given(rows())
def test_no_router_beats_the_oracle_anywhere(world):
    _, weak, strong = world
    router, oracle = cost_quality_curve(*world), oracle_curve(weak, strong)

    assert all(
        oracle.quality_at(share) >= quality - 1e-12
        for share, quality in zip(router.share_strong, router.quality, strict=True)
    )


@given(rows(), st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6))
def test_recovering_more_of_the_gap_never_takes_fewer_calls(world, targets):
    curve = cost_quality_curve(*world)

    shares = [cpt(curve, target) for target in sorted(targets)]

    assert shares == sorted(shares)


@given(rows(), st.floats(0.01, 1.0))
def test_cpt_is_the_first_share_at_which_the_target_is_reached(world, target):
    curve = cost_quality_curve(*world)
    share = cpt(curve, target)
    gap = curve.strong_quality - curve.weak_quality

    def recovered(x):
        return (curve.quality_at(x) - curve.weak_quality) / gap

    assert recovered(share) == pytest.approx(target, abs=1e-9)
    assert all(recovered(x) < target + 1e-9 for x in np.linspace(0, share, 50)[:-1])


@given(rows())
def test_pgr_runs_from_zero_to_one(world):
    recovered = pgr(cost_quality_curve(*world))

    assert recovered[0] == 0.0
    assert recovered[-1] == 1.0


def test_an_oracle_may_recover_more_than_the_gap():
    assert apgr(oracle_curve(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 1.0]))) == pytest.approx(7 / 6)


def test_cpt_of_a_coin_is_the_target_itself():
    curve = random_curve(np.array([0.0, 0.0]), np.array([1.0, 0.0]))

    assert [cpt(curve, target) for target in (0.2, 0.5, 0.8, 1.0)] == pytest.approx([0.2, 0.5, 0.8, 1.0])


def test_cpt_takes_the_first_crossing_where_interpolation_takes_a_later_one():
    quality = np.array([0.0, 0.2, 0.4, 0.4, 0.6, 0.2, 0.2, 0.2, 0.2, 0.2, 1.0])
    curve = CostQualityCurve(np.arange(11) / 10, quality)

    assert cpt(curve, 0.5) == pytest.approx(0.35)
    assert np.interp(0.5, pgr(curve), curve.share_strong) == pytest.approx(0.9375)


@pytest.mark.parametrize(("weak", "strong"), [([0.5, 0.5], [0.5, 0.5]), ([1.0, 1.0], [0.0, 1.0])])
def test_without_a_gap_there_is_nothing_to_recover_and_the_error_names_both_qualities(weak, strong):
    curve = cost_quality_curve(np.array([0.1, 0.2]), np.array(weak), np.array(strong))

    with pytest.raises(NotEnoughLabels, match=r"strong model has mean quality 0\.5, the weak one"):
        apgr(curve)
    with pytest.raises(NotEnoughLabels):
        cpt(curve, 0.5)


def test_no_rows_is_too_few():
    with pytest.raises(NotEnoughLabels, match="no labelled row"):
        cost_quality_curve(np.array([]), np.array([]), np.array([]))


def test_a_nan_is_refused_with_its_row():
    with pytest.raises(ValueError, match="weak_quality is nan in row 1"):
        cost_quality_curve(np.array([0.1, 0.2]), np.array([0.0, np.nan]), np.array([1.0, 1.0]))


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        cost_quality_curve(np.array([0.1]), np.array([0.0, 1.0]), np.array([1.0, 1.0]))


@pytest.mark.parametrize("target", [0.0, 1.5, float("nan")])
def test_a_target_outside_the_gap_is_refused(target):
    with pytest.raises(ValueError, match="lies in \\(0, 1\\]"):
        cpt(random_curve(np.array([0.0]), np.array([1.0])), target)
