"""What the quality page promises, held against simulated experts on pairs and sides that the queue really dealt."""

from dataclasses import replace

import numpy as np
import pytest

from core.store import create_tables, open_store
from labeling.content.importing import import_pairs
from labeling.quality.gold import rate
from labeling.quality.label_columns import read_labels
from labeling.quality.raters import raters_of
from labeling.quality.report import quality_report
from labeling.quality.sides import sides_of
from tests.labeling.conftest import ONCE, START, Clock, row, want, write_rows
from tests.labeling.judged_stores import Simulated, judge_all

pytestmark = pytest.mark.validity

N_STUDIES = 200
SLACK = 3 * np.sqrt(0.05 * 0.95 / N_STUDIES)
STRONG_IS_BETTER = 0.60
"""Share of pairs whose strong answer is the better one."""
SKILL, GOES_LEFT = 0.7, 0.8
"""An expert sees which is better in seven of ten verdicts; else they go left in eight of ten."""
WIN_RATE = SKILL * STRONG_IS_BETTER + (1 - SKILL) * 0.5
LEFT = (1 - SKILL) * (GOES_LEFT - 0.5)


def dealt(tmp_path, experts, *, n_pairs, wanted, rng):
    """The judgements of a store whose pairs these experts were offered and judged."""
    store, clock = open_store(f"sqlite:///{tmp_path / 'dealt.db'}"), Clock()
    create_tables(store)
    path = write_rows(tmp_path / "pairs.jsonl", [row(number) for number in range(n_pairs)])
    import_pairs(store, [path], by="lead", now=START, rules=ONCE)
    want(store, wanted)
    judge_all(store, experts, clock, rng=rng)
    with store.connect() as connection:
        labels, report = read_labels(connection), quality_report(connection, pass_share=0.8)
    store.dispose()
    return labels, report


def strong_on_left(labels):
    return (labels.first_is_strong[labels.pair] == 1) != labels.swapped


def judged(labels, strong_wins):
    """The same judgements with other winners: 0 first better, 1 second better."""
    return replace(labels, verdict=np.where(strong_wins == (labels.first_is_strong[labels.pair] == 1), 0, 1))


def found_in(labels):
    return raters_of(labels, rulings={}, gold={}, pass_share=0.8)


def drawn(labels, on_left, rng):
    """Winners in a new study on the same offers: pairs are drawn anew, and experts see the same pairs."""
    strong_is_better = (rng.random(len(labels.pairs)) < STRONG_IS_BETTER)[labels.pair]
    goes_left = rng.random(len(labels)) < GOES_LEFT
    return np.where(rng.random(len(labels)) < SKILL, strong_is_better, goes_left == on_left)


def covers(interval, truth):
    return interval.low <= truth <= interval.high


def test_a_left_preference_leaves_the_win_rate_right_and_is_reported(tmp_path):
    rng = np.random.default_rng(2)
    team = [Simulated(f"expert {k}", skill=SKILL, left=GOES_LEFT - 0.5) for k in range(5)]
    labels, report = dealt(tmp_path, team, n_pairs=60, wanted=3, rng=rng)
    # In what was submitted the strong answer is always the better one.
    submitted = report.raters.sides.of_strong
    for found, truth in ((submitted.win_rate, SKILL + (1 - SKILL) / 2), (submitted.left_preference, LEFT)):
        assert abs(found.estimate - truth) <= 3 * (found.high - found.low) / (2 * 1.96)

    on_left, everywhere, studies = strong_on_left(labels), np.ones(len(labels), dtype=bool), []
    always_left = replace(labels, swapped=labels.first_is_strong[labels.pair] == 0)
    assert np.mean(on_left) == pytest.approx(0.5, abs=0.03)
    for _ in range(N_STUDIES):
        effect = sides_of(judged(labels, drawn(labels, on_left, rng))).of_strong
        naive = sides_of(judged(always_left, drawn(labels, everywhere, rng))).of_strong
        assert naive.win_rate is None
        studies.append(
            (
                covers(effect.win_rate, WIN_RATE),
                covers(effect.left_preference, LEFT),
                covers(naive.naive_win_rate, WIN_RATE),
            )
        )
    of_rate, of_preference, of_naive = np.mean(studies, axis=0)
    assert of_rate >= 0.95 - SLACK
    assert of_preference >= 0.95 - SLACK
    # Had the queue shown the strong answer on the left alone, the promise would be broken.
    assert of_naive < 0.75


def test_a_careless_expert_is_remarked_on_and_alike_experts_are_not(tmp_path):
    rng = np.random.default_rng(4)
    team = [Simulated(f"expert {k}") for k in range(6)]
    labels, _ = dealt(tmp_path, team, n_pairs=100, wanted=3, rng=rng)
    careless = labels.expert == 0
    n_found = n_blamed = 0
    for _ in range(N_STUDIES):
        truth = rng.random(len(labels.pairs)) < STRONG_IS_BETTER
        looks = rng.random(len(labels)) < 0.9
        alike = np.where(looks, truth[labels.pair], ~truth[labels.pair])
        guessed = np.where(careless, rng.random(len(labels)) < 0.5, alike)
        n_found += bool(_of_another_mind(judged(labels, guessed))[0])
        n_blamed += any(_of_another_mind(judged(labels, alike)))
    assert n_found / N_STUDIES > 0.9
    assert n_blamed / N_STUDIES <= 0.05 + SLACK


def test_exact_limits_of_known_answers_hold_at_their_rate():
    rng = np.random.default_rng(6)
    drawn = rng.binomial(20, 0.85, size=N_STUDIES)

    covered = [rate(int(n), 20).share.low <= 0.85 <= rate(int(n), 20).share.high for n in drawn]
    assert np.mean(covered) >= 0.95 - SLACK


def _of_another_mind(labels):
    return [
        [remark for remark in one.remarks if remark.startswith("Fits the others")] for one in found_in(labels).raters
    ]
