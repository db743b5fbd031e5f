import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assurance.sampling import (
    batched_mean,
    choose,
    effective_labels,
    hajek,
    horvitz_thompson,
    inclusion_probabilities,
    systematic_draw,
)
from core.errors import NotEnoughLabels

POOLS = st.integers(1, 60).flatmap(
    lambda pool: st.tuples(arrays(float, pool, elements=st.floats(-5, 5)), st.integers(1, 70))
)


def probabilities(scores, n, *, temperature=0.15, uniform_floor=0.2):
    return inclusion_probabilities(scores, n, temperature=temperature, uniform_floor=uniform_floor)


@given(POOLS, st.floats(0.01, 10), st.floats(0.05, 1))
def test_probabilities_sum_to_the_draw_and_respect_floor_cap_and_order(pool, temperature, uniform_floor):
    scores, n = pool
    inclusion_p = probabilities(scores, n, temperature=temperature, uniform_floor=uniform_floor)

    assert inclusion_p.sum() == pytest.approx(min(n, len(scores)))
    assert np.all(inclusion_p <= 1)
    assert np.all(inclusion_p >= min(1, uniform_floor * n / len(scores)) - 1e-12)
    assert np.all(np.diff(inclusion_p[np.argsort(scores)]) >= -1e-12)


@given(POOLS, st.integers(0, 1000))
def test_a_draw_holds_as_many_rows_as_asked_none_twice_and_every_certain_one(pool, seed):
    scores, n = pool
    draw = choose(scores, n, rng=np.random.default_rng(seed))

    assert len(set(draw.chosen.tolist())) == len(draw.chosen) == min(n, len(scores))
    assert set(np.flatnonzero(draw.pool_inclusion_p == 1)) <= set(draw.chosen)
    assert draw.inclusion_p.tolist() == draw.pool_inclusion_p[draw.chosen].tolist()


def test_rows_that_would_exceed_certainty_give_the_rest_to_the_others():
    # two rows take all of the softmax; three draws make them certain, and one is left for the two others
    inclusion_p = probabilities(np.array([50.0, 50.0, 0.0, 0.0]), 3)

    assert inclusion_p == pytest.approx([1, 1, 0.5, 0.5])


def test_equal_scores_are_a_uniform_draw():
    assert probabilities(np.zeros(8), 2).tolist() == [0.25] * 8


def test_the_same_seed_draws_the_same_rows():
    scores = np.linspace(0, 1, 50)
    first, again = (choose(scores, 10, rng=np.random.default_rng(4)).chosen.tolist() for _ in range(2))

    assert first == again


def test_a_census_has_no_doubt():
    interval = hajek(np.array([0.0, 1.0, 1.0, 0.0]), np.ones(4))

    assert (interval.low, interval.estimate, interval.high) == (0.5, 0.5, 0.5)


@given(arrays(float, 12, elements=st.floats(0, 1)), arrays(float, 12, elements=st.floats(0.05, 1)))
def test_limits_enclose_the_estimate(values, inclusion_p):
    inclusion_p = np.append(inclusion_p, [0.5, 0.5])
    values = np.append(values, [0.0, 1.0])

    for interval in (hajek(values, inclusion_p), horvitz_thompson(values, inclusion_p, pool=40)):
        assert interval.low <= interval.estimate <= interval.high


@given(arrays(float, 12, elements=st.floats(0, 1)))
def test_with_equal_probabilities_both_means_are_the_plain_mean(values):
    inclusion_p = np.full(12, 0.25)

    assert hajek(values, inclusion_p).estimate == pytest.approx(values.mean())
    assert horvitz_thompson(values, inclusion_p, pool=48).estimate == pytest.approx(values.mean())


def test_a_hundred_clean_labels_do_not_prove_that_all_are_clean():
    interval = hajek(np.ones(100), np.full(100, 0.1))

    assert (interval.estimate, interval.high) == (1.0, 1.0)
    assert interval.low == pytest.approx(0.025 ** (1 / 100))


def test_uneven_weights_are_worth_fewer_labels():
    assert effective_labels(np.array([1.0, 0.2])) == pytest.approx((1 + 5) ** 2 / (1 + 25))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, "0 rows are asked for"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"uniform_floor": 0.0}, "could never be drawn"),
        ({"scores": np.array([0.0, np.nan])}, "Row 1 has a score"),
    ],
)
def test_draws_that_cannot_be_kept_are_refused(wrong, message):
    asked = {"scores": np.zeros(2), "n": 1} | wrong

    with pytest.raises(ValueError, match=message):
        choose(asked.pop("scores"), asked.pop("n"), rng=np.random.default_rng(0), **asked)


@pytest.mark.parametrize(
    ("values", "inclusion_p", "message"),
    [
        ([0.5], [1, 1], "1 values and 2"),
        ([0.5, 2], [1, 1], r"outside \[0, 1\]"),
        ([0.5, 1], [1, 0], r"outside \(0, 1\]"),
    ],
)
def test_columns_that_do_not_fit_are_refused(values, inclusion_p, message):
    with pytest.raises(ValueError, match=message):
        hajek(np.array(values, dtype=float), np.array(inclusion_p, dtype=float))


def test_one_label_has_no_interval():
    with pytest.raises(NotEnoughLabels, match="1 rows were labelled"):
        hajek(np.ones(1), np.ones(1))


@pytest.mark.validity
def test_rows_are_drawn_as_often_as_their_probability_says():
    rng = np.random.default_rng(111)
    inclusion_p = probabilities(rng.normal(size=40), 8, temperature=0.5)
    repetitions = 20_000

    drawn = np.zeros(40)
    for _ in range(repetitions):
        drawn[systematic_draw(inclusion_p, rng=rng)] += 1

    sd = np.sqrt(np.maximum(inclusion_p * (1 - inclusion_p), 1e-12) / repetitions)
    assert np.abs((drawn / repetitions - inclusion_p) / sd).max() < 4  # the largest of 40: 4 s.e. is one in 400


@pytest.mark.validity
@pytest.mark.parametrize(("n", "rate"), [(60, 0.3), (200, 0.3), (200, 0.05)])
def test_weighted_means_of_actively_chosen_rows_are_unbiased_and_covered_and_their_plain_mean_is_neither(n, rate):
    rng = np.random.default_rng(112)
    pool, repetitions = 2000, 1500
    score = np.clip(rng.beta(2, 3, pool), 0, 1)
    chance = np.clip(rate * score / score.mean(), 0, 1)
    needed = (rng.random(pool) < chance).astype(float)  # high scores need the strong model more often
    truth = needed.mean()

    means = {"plain": [], "ht": [], "hajek": []}
    covered = {"plain": 0, "ht": 0, "hajek": 0}
    for _ in range(repetitions):
        draw = choose(score, n, rng=rng)
        values = needed[draw.chosen]
        for name, interval in {
            "plain": hajek(values, np.full(n, n / pool)),
            "ht": horvitz_thompson(values, draw.inclusion_p, pool=pool),
            "hajek": hajek(values, draw.inclusion_p),
        }.items():
            means[name].append(interval.estimate)
            covered[name] += interval.low <= truth <= interval.high

    off = {name: (np.mean(m) - truth) / (np.std(m) / np.sqrt(repetitions)) for name, m in means.items()}
    slack = 3 * np.sqrt(0.95 * 0.05 / repetitions)
    assert abs(off["ht"]) < 3
    assert abs(np.mean(means["hajek"]) - truth) < 0.2 * np.std(means["hajek"])
    assert off["plain"] > 20
    assert covered["ht"] / repetitions >= 0.95 - slack
    assert covered["hajek"] / repetitions >= 0.95 - slack
    assert covered["plain"] < covered["hajek"]


@pytest.mark.validity
def test_batches_whose_scores_follow_earlier_labels_still_give_unbiased_and_covered_means():
    rng = np.random.default_rng(113)
    pool, batch, repetitions = 1000, 40, 1200
    group = rng.integers(0, 10, pool)
    needed = (rng.random(pool) < group / 15).astype(float)
    truth = needed.mean()

    estimates, covered, plain = [], 0, []
    for _ in range(repetitions):
        left, seen, batches = np.arange(pool), np.ones(10), []
        for _ in range(4):
            draw = choose(seen[group[left]] / 10, batch, rng=rng)
            rows = left[draw.chosen]
            batches.append((needed[rows], draw.inclusion_p))
            seen += np.bincount(group[rows], weights=needed[rows], minlength=10)  # look where it was found before
            left = np.delete(left, draw.chosen)
        interval = batched_mean(batches, pool=pool)
        estimates.append(interval.estimate)
        covered += interval.low <= truth <= interval.high
        plain.append(np.mean([values for values, _ in batches]))

    standard_error = np.std(estimates) / np.sqrt(repetitions)
    assert abs(np.mean(estimates) - truth) < 3 * standard_error
    assert covered / repetitions >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / repetitions)
    assert np.mean(plain) - truth > 30 * standard_error


def test_no_draw_has_no_mean():
    with pytest.raises(ValueError, match="There is no draw"):
        batched_mean([], pool=10)
