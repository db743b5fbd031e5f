"""Scores come in the order of the queries, whatever the batch; what is not finite is NaN."""

import numpy as np
import pytest
import torch

from models.training.scoring import class_probabilities


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_llama"])
def test_a_query_scores_alone_as_it_scores_among_others(tiny, family):
    network = getattr(tiny, family)(seed=3)
    queries = tiny.examples(40).input_ids

    together = class_probabilities(network, queries, tokens_at_once=256)

    alone = np.concatenate([class_probabilities(network, [ids]) for ids in queries])
    assert together.shape == (40, 3)
    assert together.dtype == np.float64
    assert together == pytest.approx(alone, abs=1e-6)
    assert together.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-12)


def test_dropout_is_off_while_scoring_and_on_again_afterwards(tiny):
    network = tiny.tiny_bert(dropout=0.5)
    network.module.train()
    queries = tiny.examples(10).input_ids

    first, second = (class_probabilities(network, queries) for _ in range(2))

    assert np.array_equal(first, second)
    assert network.module.training


def test_a_row_that_is_not_finite_is_nan_and_the_others_are_not(tiny):
    network = tiny.tiny_bert()
    with torch.no_grad():
        network.module.bert.embeddings.word_embeddings.weight[39] = torch.inf

    scores = class_probabilities(network, [np.array([2, 5]), np.array([2, 39]), np.array([2, 6, 7])])

    assert np.isnan(scores).all(axis=1).tolist() == [False, True, False]


def test_a_query_longer_than_the_memory_gets_a_pass_of_its_own(tiny):
    scores = class_probabilities(tiny.tiny_bert(), [np.full(30, 4), np.full(3, 4)], tokens_at_once=8)

    assert np.isfinite(scores).all()


def test_no_query_has_no_score(tiny):
    assert class_probabilities(tiny.tiny_bert(), []).shape == (0, 3)
