"""Steps, step sizes and evaluations are functions of the step's number alone."""

from itertools import pairwise

import numpy as np
import pytest

from models.training.recipe import TrainingRecipe
from models.training.schedule import Schedule, learning_rate


def test_three_epochs_of_four_steps_visit_every_row_three_times():
    schedule = Schedule(np.full(8, 10), TrainingRecipe(tokens_per_step=20, max_epochs=3))

    rows = np.concatenate([schedule.rows(step) for step in range(schedule.n_steps)])

    assert schedule.n_steps == 12
    assert np.bincount(rows).tolist() == [3] * 8
    assert [schedule.epoch_of(step) for step in (0, 3, 4, 11)] == [0, 0, 1, 2]


def test_the_rows_of_a_step_do_not_depend_on_which_steps_were_asked_before():
    recipe = TrainingRecipe(tokens_per_step=20, max_epochs=3)

    walked = Schedule(np.full(8, 10), recipe)
    for step in range(9):
        walked.rows(step)

    assert walked.rows(9).tolist() == Schedule(np.full(8, 10), recipe).rows(9).tolist()


@pytest.mark.parametrize(("per_epoch", "expected"), [(1, [4, 9]), (2, [2, 4, 7, 9]), (9, list(range(10)))])
def test_dev_rows_are_looked_at_after_each_part_of_an_epoch(per_epoch, expected):
    recipe = TrainingRecipe(tokens_per_step=10, max_epochs=2, evaluations_per_epoch=per_epoch)
    schedule = Schedule(np.full(5, 10), recipe)

    assert [step for step in range(10) if schedule.is_evaluated(step)] == expected


def test_the_step_size_rises_to_its_peak_and_falls_to_almost_nothing():
    rates = [learning_rate(step, n_steps=100, warmup_share=0.06, peak=2e-4) for step in range(100)]

    assert rates[0] == pytest.approx(2e-4 / 6)
    assert max(rates) == rates[6] == 2e-4
    assert rates[-1] < 2e-4 / 1000
    assert all(a > b for a, b in pairwise(rates[6:]))
