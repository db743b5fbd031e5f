"""Whole packs against planted faults, on other seeds than those of the checks' own tests."""

import numpy as np
import pytest

from benchmarks.seeded_faults import LEAST_CAUGHT, MOST_ALARMS, measured, planted


@pytest.fixture(scope="module")
def result():
    return measured(planted(np.random.default_rng(2026), 20))


def test_every_kind_of_planted_fault_is_caught(result):
    missed = {kind: one.n - one.n_not_passed for kind, one in result.caught.items()}

    assert {kind: n for kind, n in missed.items() if n > 20 * (1 - LEAST_CAUGHT) + 1} == {}
    assert sum(missed.values()) <= (1 - LEAST_CAUGHT) * 20 * len(missed)


def test_untouched_answers_pass(result):
    n = sum(one.n for one in result.alarms.values())
    alarms = {pack: dict(one.reasons) for pack, one in result.alarms.items() if one.n_not_passed}

    assert sum(one.n_not_passed for one in result.alarms.values()) <= MOST_ALARMS * n, alarms


def test_the_kinds_that_matter_are_planted(result):
    assert {
        *("swapped_digit", "wrong_side", "missing_seventh_character", "excludes1_pair", "wrong_unit", "shifted_date"),
        *("fabricated_citation", "changed_quote", "wrong_total"),
    } <= set(result.caught)
