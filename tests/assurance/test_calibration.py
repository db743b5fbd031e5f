import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.calibration import fit_calibrator, with_strata
from assurance.calibration_maps import beta, isotonic, likeliest, platt
from assurance.reliability import brier
from core.calibrator import Calibrator, sigmoid
from core.errors import NotEnoughLabels


def overconfident_world(rng, n):
    """Scores twice as far from one half, in logits, as the true probabilities, and shifted."""
    logits = rng.normal(size=n)
    return sigmoid(2 * logits + 1), rng.random(n) < sigmoid(logits)


def skewed_world(rng, n):
    """Scores whose true map is beta with slopes 0.4 and 1.4: no two numbers on the logit describe it."""
    scores = rng.random(n)
    return scores, rng.random(n) < sigmoid(0.4 * np.log(scores) - 1.4 * np.log1p(-scores) - 1.0)


@pytest.mark.parametrize(("n", "method"), [(199, "platt"), (200, "beta"), (999, "beta"), (1000, "beta")])
def test_platt_below_two_hundred_labels_and_beta_from_there_on(rng, n, method):
    fitted = fit_calibrator(*overconfident_world(rng, n))

    assert (fitted.method, fitted.n_labels) == (method, n)


def test_beta_recovers_the_map_that_made_the_scores(rng):
    found = beta(*skewed_world(rng, 20_000))

    assert (found.slope, found.slope_high, found.intercept) == pytest.approx((0.4, 1.4, -1.0), abs=0.1)


def test_beta_becomes_platts_map_where_nothing_sets_the_slopes_apart(rng):
    found = beta(*overconfident_world(rng, 4000))

    assert (found.slope, found.slope_high, found.intercept) == pytest.approx((0.5, 0.5, -0.5), abs=0.06)
    assert abs(found.slope - found.slope_high) < 0.05


def test_the_likeliest_beta_map_is_that_of_the_authors_library(rng):
    betacal = pytest.importorskip("betacal")
    scores, events = skewed_world(rng, 5000)

    a, b, _ = betacal.BetaCalibration(parameters="abm").fit(scores.reshape(-1, 1), events).calibrator_.map_
    found = likeliest("beta", scores, events)

    assert (found.slope, found.slope_high) == pytest.approx((a, b), abs=0.02)


@pytest.mark.validity
@pytest.mark.parametrize("world", [overconfident_world, skewed_world])
@pytest.mark.parametrize("n", [200, 500])
def test_beta_costs_next_to_nothing_beside_platt_on_fresh_rows(rng, world, n):
    fresh, happened = world(rng, 20_000)
    worse = []
    for _ in range(60):
        scores, events = world(rng, n)
        error = beta(scores, events).apply(fresh) - happened
        worse.append(float(np.mean(error**2 - (platt(scores, events).apply(fresh) - happened) ** 2)))

    assert np.mean(worse) < 3e-4 + 3 * np.std(worse) / np.sqrt(len(worse))


def test_a_rise_of_two_levels_is_shrunk_by_the_noise_that_it_stands_on():
    scores, events = np.repeat([0.2, 0.8], 100), np.tile(np.arange(100), 2) < np.repeat([40, 60], 100)

    fitted = fit_calibrator(scores, events)

    # Platt's smoothed rates are 0.402 and 0.598: A = 200 * 0.098^2 = 1.92, v = 0.2404, c = 0.875, 0.875 * 0.397 = 0.347
    assert fitted.apply(np.array([0.2, 0.8])) == pytest.approx(
        [1 / (1 + np.exp(0.347)), 1 / (1 + np.exp(-0.347))], abs=1e-3
    )


@pytest.mark.validity
@pytest.mark.parametrize(("n", "rate"), [(60, 0.3), (300, 0.1), (1200, 0.2)])
def test_scores_that_say_nothing_cost_at_most_twice_what_estimating_the_base_rate_costs(rng, n, rate):
    """Brier above the true base rate's; the rate of n labels alone costs rate * (1 - rate) / n on average."""
    fresh, cost = np.linspace(0.01, 0.99, 200), []
    for _ in range(60 if n < 1000 else 20):
        events = rng.random(n) < rate
        if 0 < events.sum() < n:
            cost.append(np.mean((fit_calibrator(rng.random(n), events).apply(fresh) - rate) ** 2))

    allowed = 2 * rate * (1 - rate) / n
    assert np.mean(cost) < allowed + 3 * np.std(cost) / np.sqrt(len(cost))
    assert np.mean(cost) < 2.5 * rate * (1 - rate) / n


def test_isotonic_takes_over_at_a_thousand_labels_and_mends_what_three_numbers_cannot(rng):
    scores = rng.random(4000)
    events = rng.random(4000) < np.where(scores < 0.5, 0.1, 0.6)

    fitted = fit_calibrator(scores, events)

    assert fitted.method == "isotonic"
    assert fitted.apply(np.array([0.2, 0.8])) == pytest.approx([0.1, 0.6], abs=0.06)


@pytest.mark.parametrize("n", [100, 999, 1000, 3000])
def test_calibration_lowers_the_brier_score_of_overconfident_scores_on_fresh_rows(rng, n):
    fitted = fit_calibrator(*overconfident_world(rng, n))
    scores, events = overconfident_world(rng, 20_000)

    assert brier(fitted.apply(scores), events) < brier(scores, events) - 0.02


@given(st.integers(0, 500), st.sampled_from([20, 999, 1000, 1500]))
def test_calibration_never_reorders_and_never_ties_what_the_router_told_apart(seed, n):
    rng = np.random.default_rng(seed)
    scores, events = overconfident_world(rng, n)
    fitted = fit_calibrator(scores, events)

    ordered = np.sort(rng.random(50))
    probabilities = fitted.apply(ordered)

    assert np.all((probabilities > 0) & (probabilities < 1))
    assert np.all(np.diff(probabilities) > 0)


def test_scores_that_rank_the_event_backwards_become_the_base_rate(rng):
    scores, events = overconfident_world(rng, 800)

    fitted = fit_calibrator(1 - scores, events)

    assert fitted.slope == 0.0
    assert fitted.apply(np.array([0.1, 0.9])) == pytest.approx([events.mean()] * 2, abs=0.01)


def test_separable_labels_give_a_finite_map_short_of_certainty():
    scores = np.linspace(0, 1, 50)

    fitted = fit_calibrator(scores, scores > 0.5)

    assert 0 < fitted.apply(np.array([0.0]))[0] < 0.05
    assert 0.95 < fitted.apply(np.array([1.0]))[0] < 1


def test_constant_scores_become_the_base_rate():
    events = np.arange(100) < 30

    assert fit_calibrator(np.full(100, 0.9), events).apply(np.array([0.9])) == pytest.approx([0.3], abs=0.01)
    many = np.arange(1000) < 300
    assert fit_calibrator(np.full(1000, 0.9), many).apply(np.array([0.9])) == pytest.approx([0.3], abs=0.01)


@pytest.mark.parametrize("event", [True, False])
def test_labels_of_one_kind_are_too_few_and_the_error_counts_them(event):
    with pytest.raises(NotEnoughLabels, match=f"needed in {40 if event else 0} of 40 calibration rows"):
        fit_calibrator(np.linspace(0, 1, 40), np.full(40, event))


def test_scores_outside_zero_and_one_are_refused():
    with pytest.raises(ValueError, match="a calibrator takes scores in"):
        fit_calibrator(np.array([-0.5, 2.0]), np.array([True, False]))


def test_a_map_asked_for_by_name_is_the_map_fitted(rng):
    scores, events = skewed_world(rng, 1200)

    assert fit_calibrator(scores, events, method="platt") == platt(scores, events)
    assert fit_calibrator(scores, events, method="isotonic") == isotonic(scores, events)


def test_an_isotonic_map_of_few_labels_is_refused(rng):
    with pytest.raises(NotEnoughLabels, match="999 labels follows their noise; it needs 1000"):
        fit_calibrator(*skewed_world(rng, 999), method="isotonic")


def two_strata(rng, n, *, shift):
    """The second half is a stratum whose events are likelier by `shift` in logits, at the same scores."""
    scores = rng.uniform(0.1, 0.9, size=n)
    is_hard = np.arange(n) >= n // 2
    events = rng.random(n) < sigmoid(np.log(scores / (1 - scores)) + shift * (is_hard - 0.5))
    return scores, events, np.where(is_hard, "law/high", "tax/high")


@pytest.mark.parametrize("kind", ["platt", "beta", "isotonic"])
def test_a_stratum_that_lies_elsewhere_gets_a_map_of_its_own(rng, kind):
    scores, events, strata = two_strata(rng, 4000, shift=2.0)

    fitted = with_strata(fit_calibrator(scores, events, method=kind), scores, events, strata)

    assert fitted.strata["law/high"].apply(np.array([0.5])) == pytest.approx([0.731], abs=0.05)
    assert fitted.strata["tax/high"].apply(np.array([0.5])) == pytest.approx([0.269], abs=0.05)
    assert fitted.apply(np.array([0.5]), ["unheard of"]) == pytest.approx(fitted.apply(np.array([0.5])))


def test_a_stratum_of_few_labels_takes_the_map_of_all(rng):
    scores, events, strata = two_strata(rng, 1000, shift=0.0)
    strata[:29] = "few/high"

    assert "few/high" not in with_strata(fit_calibrator(scores, events), scores, events, strata).strata


def test_one_stratum_alone_needs_no_map_of_its_own(rng):
    scores, events = overconfident_world(rng, 400)

    assert with_strata(fit_calibrator(scores, events), scores, events, ["law/high"] * 400).strata == {}


@pytest.mark.validity
@pytest.mark.parametrize(("n", "shift"), [(120, 0.0), (400, 0.0), (120, 0.8), (400, 0.8)])
def test_maps_by_stratum_win_where_strata_differ_and_cost_less_than_one_number_where_not(rng, n, shift):
    """Brier on fresh rows, less that of one map for all; two free numbers each would cost 4 * 0.2 / n more."""
    fresh, happened, where = two_strata(rng, 20_000, shift=shift)
    gain = []
    for _ in range(60):
        scores, events, strata = two_strata(rng, n, shift=shift)
        one = fit_calibrator(scores, events)
        error = with_strata(one, scores, events, strata).apply(fresh, where) - happened
        gain.append(float(np.mean((one.apply(fresh) - happened) ** 2 - error**2)))

    margin = 3 * np.std(gain) / np.sqrt(len(gain))
    assert np.mean(gain) > (-0.2 / n if shift == 0 else 0.002) - margin
    assert np.mean(gain) > -0.4 / n if shift == 0 else np.mean(gain) > 0


@given(st.integers(0, 300), st.sampled_from([40, 250, 1100]))
def test_within_a_stratum_no_query_is_reordered_or_tied(seed, n):
    rng = np.random.default_rng(seed)
    scores, events, strata = two_strata(rng, n, shift=rng.normal() * 2)
    if not 0 < events.sum() < n:
        return
    fitted = with_strata(fit_calibrator(scores, events), scores, events, strata)
    ordered = np.sort(rng.random(40))

    for stratum in ("law/high", "tax/high", "unheard of"):
        probabilities = fitted.apply(ordered, [stratum] * 40)
        assert np.all((probabilities > 0) & (probabilities < 1))
        assert np.all(np.diff(probabilities) > 0)


def test_the_same_labels_in_another_order_give_the_same_maps(rng):
    scores, events, strata = two_strata(rng, 600, shift=1.0)
    order = rng.permutation(600)

    one = with_strata(fit_calibrator(scores, events), scores, events, strata)
    other = with_strata(fit_calibrator(scores[order], events[order]), scores[order], events[order], strata[order])

    assert one.numbers() == pytest.approx(other.numbers(), abs=1e-3)


def test_a_calibrator_written_before_strata_existed_keeps_its_hash():
    assert Calibrator(method="platt", slope=0.5).model_dump(mode="json") == {
        "method": "platt",
        "slope": 0.5,
        "intercept": 0.0,
        "knot_scores": [],
        "knot_probabilities": [],
        "n_labels": 0,
    }


def test_a_calibrator_survives_its_json(rng):
    scores, events, strata = two_strata(rng, 600, shift=1.0)
    fitted = with_strata(fit_calibrator(scores, events), scores, events, strata)

    assert Calibrator.model_validate_json(fitted.model_dump_json()) == fitted
