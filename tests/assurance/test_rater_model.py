import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import check_grad
from scipy.special import expit
from scipy.stats import norm

from assurance.rater_model import _count, _loss, fit_raters
from core.errors import NotEnoughLabels


def world(rng, *, n_items, a, b, c=None, m=0.5, t=0.5, per_item=None, d=None):
    """Labels of experts with known reliability and biases; each item is judged by `per_item` of them."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    c = np.zeros(len(a)) if c is None else np.asarray(c, dtype=float)
    d = rng.normal(m, 1.5, n_items) if d is None else d
    per_item = len(a) if per_item is None else per_item
    experts = np.concatenate([rng.permutation(len(a))[:per_item] for _ in range(n_items)])
    items = np.repeat(np.arange(n_items), per_item)
    on_left = rng.random(len(items)) < 0.5
    eta = a[experts] * d[items] + b[experts] * np.where(on_left, 1, -1) + c[experts]
    u = rng.random(len(items))
    verdicts = np.where(u < expit(eta - t), 1, np.where(u > 1 - expit(-eta - t), -1, 0))
    return {"items": items, "experts": experts, "verdicts": verdicts, "strong_on_left": on_left}, d


def fit(labels):
    return fit_raters(
        labels["items"], labels["experts"], verdicts=labels["verdicts"], strong_on_left=labels["strong_on_left"]
    )


@pytest.mark.parametrize("t", [0.5, 0.0])
def test_the_gradient_is_that_of_the_loss(rng, t):
    labels, _ = world(rng, n_items=40, a=[1, 2, 0.5], b=[0.3, -0.3, 0], t=t)
    counts, n_experts = _count(**labels)
    theta = rng.normal(size=11 if t else 10) * 0.5

    error = check_grad(lambda x: _loss(x, counts, n_experts)[0], lambda x: _loss(x, counts, n_experts)[1], theta)
    assert error < 1e-3


def test_planted_reliability_and_position_bias_are_found_again(rng):
    a, b, c = [1.5, 1.0, 0.4, 1.2, 0.8], [0.5, 0.0, -0.4, 0.2, 0.0], [0.0, 0.6, 0.0, -0.4, 0.0]
    labels, d = world(rng, n_items=2000, a=a, b=b, c=c)

    view = fit(labels)

    found = view.experts
    assert [expert.reliability.estimate for expert in found] == pytest.approx(a, rel=0.25)
    assert [expert.position_bias.estimate for expert in found] == pytest.approx(b, abs=0.15)
    assert np.corrcoef(view.strength, d)[0, 1] > 0.8


def test_an_item_s_posterior_is_the_integral_that_the_model_says(rng):
    labels, _ = world(rng, n_items=300, a=[1.5, 0.6], b=[0.4, 0.0], t=0.0)
    view = fit(labels)
    mine = labels["items"] == 0

    def joint(d):
        chance = norm.pdf(d, view.mean_strength.estimate, 1.5)
        for j, verdict, left in zip(
            labels["experts"][mine], labels["verdicts"][mine], labels["strong_on_left"][mine], strict=True
        ):
            expert = view.experts[j]
            eta = expert.reliability.estimate * d + expert.leaning.estimate
            chance *= expit(verdict * (eta + expert.position_bias.estimate * (1 if left else -1)))
        return chance

    total = quad(joint, -15, 15)[0]
    assert view.strong_better[0] == pytest.approx(quad(joint, 0, 15)[0] / total, abs=1e-3)
    assert view.strength[0] == pytest.approx(quad(lambda d: d * joint(d), -15, 15)[0] / total, abs=1e-4)


def test_exchanging_the_models_turns_items_and_leanings_around(rng):
    labels, _ = world(rng, n_items=100, a=[1.5, 0.6], b=[0.4, 0.0], c=[0.5, 0.0])
    view = fit(labels)
    exchanged = fit(labels | {"verdicts": -labels["verdicts"], "strong_on_left": ~labels["strong_on_left"]})

    assert exchanged.strong_better == pytest.approx(1 - view.strong_better, abs=1e-3)
    for one, other in zip(view.experts, exchanged.experts, strict=True):
        assert other.leaning.estimate == pytest.approx(-one.leaning.estimate, abs=1e-3)
        assert other.position_bias.estimate == pytest.approx(one.position_bias.estimate, abs=1e-3)
        assert other.reliability.estimate == pytest.approx(one.reliability.estimate, abs=1e-3)


def test_an_expert_who_looks_away_counts_less_than_one_who_looks(rng):
    labels, _ = world(rng, n_items=400, a=[2.0, 2.0, 0.05], b=[0, 0, 0], t=0.0)
    labels["items"] = np.append(labels["items"], [400, 401])
    labels["experts"] = np.append(labels["experts"], [0, 2])
    labels["verdicts"] = np.append(labels["verdicts"], [1, 1])
    labels["strong_on_left"] = np.append(labels["strong_on_left"], [True, True])

    view = fit(labels)

    assert view.experts[2].reliability.high < view.experts[0].reliability.low
    assert view.entropy_bits[400] < view.entropy_bits[401]


def test_an_item_without_a_label_keeps_its_prior(rng):
    labels, _ = world(rng, n_items=50, a=[1.0, 1.0], b=[0, 0])
    labels["items"] = labels["items"] + 1  # item 0 was not judged

    view = fit(labels)

    assert view.strength[0] == pytest.approx(view.mean_strength.estimate, abs=1e-3)
    assert view.strength_sd[0] == pytest.approx(1.5, abs=1e-3)


def test_a_handful_of_labels_moves_nobody_far_from_the_priors():
    one = np.zeros(1, dtype=int)
    view = fit_raters(one, one, verdicts=one + 1, strong_on_left=np.array([True]))

    expert = view.experts[0]
    assert expert.reliability.low < 1 < expert.reliability.high
    assert 0.5 < view.strong_better[0] < 0.9


def test_no_label_and_columns_that_do_not_fit_are_refused():
    none, one = np.zeros(0, dtype=int), np.zeros(1, dtype=int)

    with pytest.raises(NotEnoughLabels, match="There is no label"):
        fit_raters(none, none, verdicts=none, strong_on_left=none.astype(bool))
    with pytest.raises(ValueError, match="differ in length"):
        fit_raters(one, one, verdicts=none, strong_on_left=one.astype(bool))
    with pytest.raises(ValueError, match="none of 1"):
        fit_raters(one, one, verdicts=one + 2, strong_on_left=one.astype(bool))


@pytest.mark.validity
@pytest.mark.parametrize("per_item", [2, 3])
def test_limits_cover_and_soft_labels_are_right_as_often_as_they_say_when_experts_come_from_the_priors(per_item):
    rng = np.random.default_rng(91)
    repetitions, n_experts = 50, 6

    covered, soft, true = {"a": [], "b": [], "m": []}, [], []
    for _ in range(repetitions):
        a, b = np.exp(rng.normal(0, 0.5, n_experts)), rng.normal(0, 0.3, n_experts)
        c, m, t = rng.normal(0, 0.5, n_experts), rng.normal(0, 1), np.exp(rng.normal(np.log(0.5), 1))
        labels, d = world(rng, n_items=200, a=a, b=b, c=c, m=m, t=t, per_item=per_item)
        view = fit(labels)
        covered["a"] += [e.reliability.low <= x <= e.reliability.high for e, x in zip(view.experts, a, strict=True)]
        covered["b"] += [e.position_bias.low <= x <= e.position_bias.high for e, x in zip(view.experts, b, strict=True)]
        covered["m"].append(view.mean_strength.low <= m <= view.mean_strength.high)
        soft.append(view.strong_better)
        true.append(d > 0)

    for name, hits in covered.items():
        assert np.mean(hits) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / len(hits)), (name, np.mean(hits))
    soft, true = np.array(soft), np.array(true)
    for low, high in [(0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)]:
        inside = (soft >= low) & (soft <= high)
        off = np.where(inside, true - soft, 0.0).sum(axis=1)  # one sum per study: items of a study share its experts
        assert abs(off.mean()) < 3 * off.std() / np.sqrt(repetitions), (low, high)
