"""How well a suspicion tells wrong answers apart: known values, ties, missing kinds, coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from assurance.detection import auroc, detection_of


def test_what_cannot_be_scored_is_caught_and_counts_as_a_false_alarm_where_the_answer_is_right():
    suspicion, wrong = np.array([np.nan, np.nan, 0.1, 0.2]), np.array([True, False, True, False])
    found = detection_of(suspicion, wrong, 0.5, rng=np.random.default_rng(0), n_resamples=50)

    assert (found.catch.estimate, found.false_alarms.estimate) == (0.5, 0.5)


def test_rows_of_one_kind_have_no_auroc():
    found = detection_of(np.array([0.2, 0.9]), np.array([True, True]), 0.5, rng=np.random.default_rng(0))

    assert (found.auroc, found.false_alarms, found.catch.estimate) == (None, None, 0.5)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=4, max_size=40))
def test_auroc_is_that_of_scikit_learn_ties_included(rows):
    suspicion, wrong = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows])
    if 0 < wrong.sum() < len(wrong):
        assert auroc(suspicion, wrong) == pytest.approx(roc_auc_score(wrong, suspicion))


@pytest.mark.validity
def test_the_interval_of_the_auroc_holds_the_true_one_in_95_of_100_studies():
    rng, true, n_studies = np.random.default_rng(3), 0.7602, 200  # Phi(1 / sqrt 2)
    held = 0
    for _ in range(n_studies):
        wrong = rng.random(200) < 0.4
        suspicion = rng.normal(size=200) + wrong
        interval = detection_of(suspicion, wrong, 0.0, rng=rng, n_resamples=200).auroc
        held += interval.low <= true <= interval.high

    assert held / n_studies >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / n_studies) - 0.01  # percentile limits are a bit short
