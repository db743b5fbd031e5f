import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assurance.charged import Answered, Policies, charged_apgr, charged_curve, resampled_charged_apgr
from assurance.curves import apgr, cost_quality_curve
from core.errors import NotEnoughLabels


def router_policies(scores, weak, strong):
    """The router's thresholds as policies: it pays the model that it sends a query to, and nothing else."""
    sent = scores[None, :] >= np.sort(np.unique(scores))[::-1][:, None]
    return Policies(np.where(sent, strong.cost_usd, weak.cost_usd), np.where(sent, strong.quality, weak.quality))


def answers(n, rng, *, weak_usd=1.0, strong_usd=10.0):
    weak, strong = Answered(np.full(n, weak_usd), rng.integers(0, 2, n).astype(float)), np.ones(n)
    return weak, Answered(np.full(n, strong_usd), strong)


@given(st.integers(0, 10_000), st.floats(0.01, 1.0), st.floats(1.5, 100.0))
@settings(max_examples=50)
def test_a_router_that_pays_one_of_two_prices_has_the_apgr_by_calls(seed, weak_usd, strong_usd):
    rng = np.random.default_rng(seed)
    weak, strong = answers(30, rng, weak_usd=weak_usd, strong_usd=strong_usd)
    weak = Answered(weak.cost_usd, np.concatenate([[0.0], weak.quality[1:]]))
    scores = rng.integers(0, 8, 30).astype(float)

    by_cost = charged_apgr(charged_curve(router_policies(scores, weak, strong), weak, strong))

    assert by_cost == pytest.approx(apgr(cost_quality_curve(scores, weak.quality, strong.quality)))


def test_asking_the_second_model_is_charged_whether_it_helps_or_not():
    weak, strong = Answered(np.ones(2), np.array([0.0, 1.0])), Answered(np.full(2, 11.0), np.ones(2))
    free = Policies(np.array([[12.0, 1.0]]), np.ones((1, 2)))
    paid = Policies(free.cost_usd + 1.0, free.quality)

    # 5.5 of 10 dollars more recover the gap; then 6.5 of 10 do.
    assert charged_apgr(charged_curve(free, weak, strong)) == pytest.approx(1 - 0.55 / 2)
    assert charged_apgr(charged_curve(paid, weak, strong)) == pytest.approx(1 - 0.65 / 2)


def test_a_policy_dearer_than_always_strong_is_never_bought():
    weak, strong = Answered(np.ones(2), np.zeros(2)), Answered(np.full(2, 3.0), np.ones(2))
    both = Policies(np.full((1, 2), 5.0), np.ones((1, 2)))
    curve = charged_curve(both, weak, strong)

    assert curve.budget.max() == 1.0
    assert curve.recovered_at(0.5) == 0.25
    assert charged_apgr(curve) == pytest.approx(0.25)


def test_a_cheaper_policy_after_a_dear_one_is_bought_at_the_dear_ones_price():
    weak, strong = Answered(np.zeros(1), np.zeros(1)), Answered(np.ones(1), np.ones(1))
    made = Policies(np.array([[0.5], [0.2]]), np.array([[0.1], [0.8]]))
    curve = charged_curve(made, weak, strong)

    assert curve.budget.tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]
    assert charged_apgr(curve) == pytest.approx(0.5 * 0.1 / 2 + 0.5 * (0.8 + 1.0) / 2)


def test_no_policy_at_all_is_a_coin():
    weak, strong = answers(10, np.random.default_rng(0))
    nothing = Policies(np.zeros((0, 10)), np.zeros((0, 10)))

    assert charged_apgr(charged_curve(nothing, weak, strong)) == pytest.approx(0.5)


def test_one_resample_of_every_row_once_gives_the_estimate():
    rng = np.random.default_rng(1)
    weak, strong = answers(400, rng)
    policies = router_policies(rng.random(400) + 0.5 * (1 - weak.quality), weak, strong)
    estimate = charged_apgr(charged_curve(policies, weak, strong))

    drawn = resampled_charged_apgr({"a": policies}, weak, strong, rng=rng, n_resamples=500)["a"]

    assert drawn.mean() == pytest.approx(estimate, abs=0.01)
    assert 0.005 < drawn.std() < 0.05


def test_families_are_drawn_together():
    rng = np.random.default_rng(2)
    weak, strong = answers(60, rng)
    policies = router_policies(rng.random(60), weak, strong)

    drawn = resampled_charged_apgr({"a": policies, "b": policies}, weak, strong, rng=rng, n_resamples=50)

    assert drawn["a"].tolist() == drawn["b"].tolist()


def test_where_there_is_nothing_to_gain_or_to_save_there_is_no_curve():
    same = Answered(np.ones(3), np.ones(3))
    dear = Answered(np.full(3, 2.0), np.ones(3))
    better = Answered(np.ones(3), np.ones(3))
    worse = Answered(np.full(3, 2.0), np.zeros(3))
    none = Policies(np.zeros((0, 3)), np.zeros((0, 3)))

    with pytest.raises(NotEnoughLabels, match="no gap to recover"):
        charged_curve(none, same, dear)
    with pytest.raises(ValueError, match="nothing to save"):
        charged_curve(none, worse, better)


def test_policies_on_other_rows_are_refused():
    weak, strong = answers(3, np.random.default_rng(0))
    weak = Answered(weak.cost_usd, np.zeros(3))

    with pytest.raises(ValueError, match="do not fit 3 rows"):
        charged_curve(Policies(np.ones((1, 2)), np.ones((1, 2))), weak, strong)
