import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.budgets import threshold_for_cost, threshold_for_quality
from assurance.presets import PRESETS, presets_text
from core.errors import NotEnoughLabels

shares = st.floats(0, 1, allow_nan=False)
rows = st.lists(st.tuples(shares, shares, shares), min_size=1, max_size=30).map(np.array)


def mean_of(probabilities, below, at_or_above, threshold):
    return np.where(probabilities >= threshold, at_or_above, below).mean()


@given(rows, st.floats(0.001, 1))
def test_a_cost_is_never_exceeded_on_its_rows_and_no_safer_threshold_would_keep_it(values, budget):
    p, weak, strong = values.T
    candidates = [*np.unique(p), 2.0]
    if min(mean_of(p, weak, strong, t) for t in candidates) > budget:
        with pytest.raises(NotEnoughLabels, match="below the cheapest routing"):
            threshold_for_cost(p, weak, strong, usd_per_query=budget)
        return
    found = threshold_for_cost(p, weak, strong, usd_per_query=budget)

    assert mean_of(p, weak, strong, found) <= budget + 1e-9
    assert all(mean_of(p, weak, strong, t) > budget - 1e-9 for t in candidates if t < found)


@given(rows, shares)
def test_a_floor_is_reached_on_its_rows_by_the_highest_threshold_that_does(values, floor):
    p, weak, strong = values.T
    candidates = [*np.unique(p), 2.0]
    if max(mean_of(p, weak, strong, t) for t in candidates) < floor - 1e-9:
        with pytest.raises(NotEnoughLabels, match="No threshold reaches"):
            threshold_for_quality(p, weak, strong, floor=floor)
        return
    found = threshold_for_quality(p, weak, strong, floor=floor)

    assert mean_of(p, weak, strong, found) >= floor - 1e-9
    assert all(mean_of(p, weak, strong, t) < floor + 1e-9 for t in candidates if t > found and t <= 1)


def test_rows_without_costs_are_counted():
    with pytest.raises(NotEnoughLabels, match="1 of 2 calibration rows do not say"):
        threshold_for_cost(np.array([0.1, 0.2]), np.array([np.nan, 1.0]), np.ones(2), usd_per_query=1.0)


def test_every_preset_says_what_it_does_not_promise():
    assert set(PRESETS) == {"faq", "code", "creative"}
    assert all(len(preset.does_not_promise) > 40 for preset in PRESETS.values())
    assert presets_text().count("not promised") == 3
