import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from assurance.calibration import fit_calibrator
from assurance.venn_abers import midpoint, venn_abers
from core.calibrator import Calibrator, ScoreIntervals, sigmoid


def rate_with_one_more(scores, events, score, event):
    """Isotonic regression with one more row, by the library, read at that row."""
    _, row, counts = np.unique(np.append(scores, score), return_inverse=True, return_counts=True)
    rates = np.bincount(row, weights=np.append(events.astype(float), event)) / counts
    return isotonic_regression(rates, weights=counts.astype(float)).x[row[-1]]


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_the_interval_is_the_isotonic_rate_with_the_row_added_as_no_event_and_as_event(seed, n):
    rng = np.random.default_rng(seed)
    scores, events = np.round(rng.random(n), 1), rng.random(n) < rng.random()
    asked = np.concatenate([np.round(rng.random(4), 2), scores[:3], [0.0, 1.0]])

    low, high = venn_abers(scores, events).at(asked)

    assert low == pytest.approx([rate_with_one_more(scores, events, score, 0.0) for score in asked], abs=1e-9)
    assert high == pytest.approx([rate_with_one_more(scores, events, score, 1.0) for score in asked], abs=1e-9)


def test_the_interval_is_that_of_the_authors_library(rng):
    library = pytest.importorskip("venn_abers")
    scores = rng.random(400)
    events, asked = rng.random(400) < scores, rng.random(50)
    oracle = library.VennAbers()
    oracle.fit(np.stack([1 - scores, scores], axis=1), events.astype(int))

    expected = oracle.predict_proba(np.stack([1 - asked, asked], axis=1))[1]

    assert np.stack(venn_abers(scores, events).at(asked), axis=1) == pytest.approx(expected, abs=1e-4)


def test_more_labels_make_it_narrower(rng):
    widths = []
    for n in (50, 500, 5000):
        scores = rng.random(n)
        low, high = venn_abers(scores, rng.random(n) < scores).at(np.linspace(0.1, 0.9, 50))
        widths.append(float(np.mean(high - low)))

    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_where_no_label_lies_it_is_wide(rng):
    scores = np.concatenate([rng.uniform(0.0, 0.3, 300), rng.uniform(0.7, 1.0, 300)])

    low, high = venn_abers(scores, rng.random(600) < scores).at(np.array([0.2, 0.5, 0.8]))

    assert high[1] - low[1] > 0.3
    assert max(high[0] - low[0], high[2] - low[2]) < 0.1


@pytest.mark.validity
def test_one_of_the_two_probabilities_is_calibrated(rng):
    """Each row beside 40 others: the limit of the row's own class, averaged, equals the rate of the event."""
    chosen, events = [], []
    for _ in range(4000):
        scores = rng.random(41)
        happened = rng.random(41) < sigmoid(3 * scores - 1)
        low, high = venn_abers(scores[:-1], happened[:-1]).at(scores[-1:])
        chosen.append(float(high[0] if happened[-1] else low[0]))
        events.append(float(happened[-1]))
    difference = np.array(chosen) - np.array(events)

    assert abs(np.mean(difference)) < 3 * np.std(difference) / np.sqrt(len(difference))


def test_the_midpoint_lies_between_the_two():
    low, high = np.array([0.0, 0.2, 0.5]), np.array([1.0, 0.4, 0.5])

    assert midpoint(low, high) == pytest.approx([0.5, 1 / 3, 0.5])


def test_queries_of_which_too_little_is_known_go_to_the_strong_model(rng):
    scores = np.concatenate([rng.uniform(0.0, 0.3, 300), rng.uniform(0.7, 1.0, 300)])
    events = rng.random(600) < scores
    fitted = fit_calibrator(scores, events)

    careful = fitted.model_copy(update={"intervals": venn_abers(scores, events), "widest": 0.25})

    asked = np.array([0.2, 0.5, 0.8])
    assert careful.apply(asked).tolist() == [fitted.apply(asked)[0], 1.0, fitted.apply(asked)[2]]


@pytest.mark.parametrize(
    "steps",
    [
        {"low_from": (0.5, 0.5), "low": (0.1, 0.2)},
        {"low_from": (0.1, 0.5), "low": (0.2, 0.1)},
        {"low_from": (0.1,), "low": ()},
    ],
)
def test_steps_that_are_none_are_refused(steps):
    with pytest.raises(ValueError, match="steps must rise"):
        ScoreIntervals(**steps, high_to=(), high=())


def test_a_limit_without_intervals_is_refused():
    with pytest.raises(ValueError, match="widest limits intervals"):
        Calibrator(widest=0.2)
