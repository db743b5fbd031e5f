import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.money import CostAssumptions, RoutedCosts, savings
from core.errors import NotEnoughLabels

HALF = np.array([True, False] * 10)


def costs(to_strong=HALF, *, weak=0.001, strong=0.01):
    n = len(to_strong)
    return RoutedCosts(np.full(n, weak), np.full(n, strong), to_strong, np.arange(n))


def saved(assumptions=None, *, routed=None, queries=1000):
    routed = routed or costs()
    return savings(
        routed, assumptions or CostAssumptions(), queries=queries, rng=np.random.default_rng(0), n_resamples=300
    )


def test_half_the_calls_at_a_tenth_of_the_price_save_45_per_cent():
    found = saved()

    assert found.saved_share.estimate == pytest.approx(0.45)
    assert found.saved.estimate == pytest.approx(1000 * (0.01 - (0.01 + 0.001) / 2))
    assert found.saved.low < found.saved.estimate < found.saved.high


def test_each_assumption_costs_what_it_says():
    found = saved(
        CostAssumptions(retried_share=0.1, escalated_share=0.2, recheck_usd=0.0004, judged_share=0.05, judge_usd=0.02)
    )

    assert found.parts == pytest.approx(
        {
            "weak": 0.5,
            "strong": 5.0,
            "escalations": 1.0,
            "retries": 0.65,
            "rechecks": 0.2,
            "judge": 1.0,
        }
    )
    assert found.routed.estimate == pytest.approx(8.35)
    assert found.always_strong == pytest.approx(10 * 1.1 + 1.0)


def test_a_router_that_escalates_everything_costs_more_than_always_strong():
    found = saved(CostAssumptions(escalated_share=1.0), routed=costs(np.zeros(20, dtype=bool)))

    assert found.saved.estimate == pytest.approx(-1.0)
    assert found.saved.high < 0


def test_rows_without_a_cost_are_left_out_and_counted():
    routed = costs()
    routed.weak_usd[:5] = np.nan

    found = saved(routed=routed)

    assert (found.n, found.n_unknown) == (15, 5)


def test_without_costs_nothing_is_guessed():
    with pytest.raises(NotEnoughLabels, match="0 of 20 rows say what both answers cost"):
        saved(routed=costs(weak=np.nan))


def test_a_free_strong_model_leaves_no_share_to_save():
    assert saved(routed=costs(weak=0.0, strong=0.0)).saved_share is None


@given(st.integers(1, 10**7))
def test_money_grows_with_the_volume_and_shares_do_not(queries):
    one, many = saved(), saved(queries=queries)

    assert many.saved.estimate == pytest.approx(one.saved.estimate * queries / 1000, abs=1e-6)
    assert many.saved_share == one.saved_share


@pytest.mark.validity
def test_the_interval_holds_the_true_saving_in_95_of_100_studies():
    rng = np.random.default_rng(2)
    truth = 0.7 * (4 * 0.003 - 4 * 0.0002)  # gamma(4, s) has mean 4 s; 70 % stay with the weak model
    n_studies, misses = 600, 0
    for _ in range(n_studies):
        n = 300
        found = savings(
            RoutedCosts(rng.gamma(4, 0.0002, n), rng.gamma(4, 0.003, n), rng.random(n) < 0.3, np.arange(n)),
            CostAssumptions(),
            queries=1,
            rng=rng,
            n_resamples=400,
        ).saved
        misses += not found.low <= truth <= found.high

    assert misses / n_studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_studies)
    assert misses / n_studies >= 0.01
