"""Adapting the combined router: rows of the base enter where they help, and stay out where they mislead."""

from dataclasses import replace

import numpy as np
import pytest

from models.combined_adapt import LabelledRows, fit_adapted
from models.combined_fit import Labels, fit_combined
from models.selection import ranking_gain

DIRECTION = np.array([1.5, -1.0, 0.5, 0.0, 0.0, 0.0])


def rows(n: int, *, sign: float, seed: int) -> LabelledRows:
    """Queries whose need of the strong model follows one direction of meaning, or its opposite."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, 6)).astype(np.float32)
    need = 1.0 / (1.0 + np.exp(-sign * embeddings @ DIRECTION))
    texts = [" ".join(rng.choice(["cost", "asset", "margin", "year"], 4)) for _ in range(n)]
    return LabelledRows(texts, embeddings, Labels((rng.random(n) < need).astype(float)))


@pytest.fixture(scope="module")
def target() -> LabelledRows:
    return rows(60, sign=1.0, seed=0)


def test_a_base_that_agrees_enters_and_ranks_new_rows_better_than_the_target_alone(target):
    base, new = rows(800, sign=1.0, seed=1), rows(1500, sign=1.0, seed=2)

    adapted = fit_adapted(target, base)
    alone = fit_combined(target.texts, target.embeddings, target.labels).router

    assert adapted.base_weight == 0.3
    gain = ranking_gain(adapted.fit.router.score_texts(new.texts, new.embeddings), new.labels.gap)
    assert gain > ranking_gain(alone.score_texts(new.texts, new.embeddings), new.labels.gap)


def test_a_base_that_misleads_stays_out(target):
    adapted = fit_adapted(target, rows(800, sign=-1.0, seed=1))
    alone = fit_combined(target.texts, target.embeddings, target.labels)

    assert adapted.base_weight == 0.0
    assert adapted.errors[0.0] < adapted.errors[0.3]
    assert adapted.fit.router.to_files() == alone.router.to_files()


def test_held_out_scores_are_those_of_the_targets_rows_alone(target):
    assert len(fit_adapted(target, rows(200, sign=1.0, seed=1)).fit.held_out) == 60


def test_rows_of_the_base_keep_their_own_weights(target):
    agree, mislead = rows(400, sign=1.0, seed=1), rows(400, sign=-1.0, seed=3)
    gap = np.concatenate([agree.labels.gap, mislead.labels.gap])
    weights = np.repeat([1.0, 1e-3], 400)
    both = LabelledRows([*agree.texts, *mislead.texts], np.vstack([agree.embeddings, mislead.embeddings]), Labels(gap))

    weighed = fit_adapted(target, replace(both, labels=Labels(gap, weights=weights)))

    assert weighed.errors[0.3] < fit_adapted(target, both).errors[0.3]  # those that mislead count for next to nothing


def test_rows_that_one_fit_left_out_do_not_keep_a_base_that_agrees_out(target, monkeypatch):
    monkeypatch.setattr("models.block_ridge.MOST_ROWS", 600)

    adapted = fit_adapted(target, rows(800, sign=1.0, seed=1))

    assert np.isfinite(adapted.errors[0.3])
    assert adapted.base_weight == 0.3
