"""When things happen in a training: which rows a step has, its step size, whether the dev rows are looked at.

Everything is a function of the step's number, so that a training can be taken up at any step. Holds no state.
"""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Int

from models.training.batches import epoch_steps
from models.training.recipe import TrainingRecipe


class Schedule:
    """The steps of one training, numbered from 0.

    Args:
        lengths: tokens of each training example.
        recipe: seed, budget, epochs, warm-up, evaluations.
    """

    def __init__(self, lengths: Int[np.ndarray, " n"], recipe: TrainingRecipe) -> None:
        self._recipe = recipe
        self._epoch = lru_cache(maxsize=1)(
            lambda epoch: epoch_steps(lengths, tokens_per_step=recipe.tokens_per_step, seed=recipe.seed, epoch=epoch)
        )
        self._first_step = np.cumsum([0, *(len(self._epoch(epoch)) for epoch in range(recipe.max_epochs))])

    @property
    def n_steps(self) -> int:
        """Steps of all epochs."""
        return int(self._first_step[-1])

    def epoch_of(self, step: int) -> int:
        """From 0."""
        return int(np.searchsorted(self._first_step, step, side="right")) - 1

    def rows(self, step: int) -> Int[np.ndarray, " b"]:
        """The examples behind a step."""
        epoch = self.epoch_of(step)
        return self._epoch(epoch)[step - int(self._first_step[epoch])]

    def is_evaluated(self, step: int) -> bool:
        """Whether the dev rows are scored after this step: at the end of each equal part of its epoch."""
        epoch = self.epoch_of(step)
        begin, end = int(self._first_step[epoch]), int(self._first_step[epoch + 1])
        parts = self._recipe.evaluations_per_epoch
        return step - begin + 1 in {math.ceil(part * (end - begin) / parts) for part in range(1, parts + 1)}

    def learning_rate(self, step: int) -> float:
        """The step size of a step."""
        return learning_rate(
            step, n_steps=self.n_steps, warmup_share=self._recipe.warmup_share, peak=self._recipe.step_size
        )


def learning_rate(step: int, *, n_steps: int, warmup_share: float, peak: float) -> float:
    """The step size of `step`, from 0: it rises in a line over the warm-up, then falls to zero along a cosine.

    >>> [round(learning_rate(step, n_steps=6, warmup_share=1 / 3, peak=1.0), 3) for step in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    n_warmup = round(warmup_share * n_steps)
    if step < n_warmup:
        return peak * (step + 1) / n_warmup
    done = (step - n_warmup) / max(1, n_steps - n_warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * done))
