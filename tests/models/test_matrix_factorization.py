import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BundleError, DataError, NotEnoughLabels
from models.factorization_fit import choose_l2, fit, fit_with_report
from models.matrix_factorization import MatrixFactorization
from models.selection import grouped_folds, ranking_gain

TINY = MatrixFactorization(
    model_names=("cheap", "dear"),
    model_vectors=np.array([[0.0], [2.0]]),
    model_biases=np.array([0.5, 0.0]),
    text_projection=np.array([[1.0, 0.0]]),
    text_bias=np.array([0.25]),
    classifier=np.array([1.0]),
    center=np.array([1.0, 0.0]),
    scale=3.0,
)


def planted(seed=0, *, n=400, d=6, n_models=2, missing=0.0):
    """Embeddings and qualities in which each model's quality follows a direction of its own."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, d)).astype(np.float32)
    directions = rng.normal(size=(n_models, d))
    quality = (rng.random((n, n_models)) < 1 / (1 + np.exp(-3 * embeddings @ directions.T))).astype(float)
    quality[rng.random(quality.shape) < missing] = np.nan
    return embeddings, quality, directions


def names(n_models):
    return [f"m{i}" for i in range(n_models)]


def test_the_score_is_the_formula_worked_by_hand():
    # x = ((2, 9) - center) * 3 = (3, 27); W x + c = 3.25; delta(dear) - delta(cheap) = 2 * 3.25 - 0.5 = 6
    score = TINY.score_embeddings(np.array([[2.0, 9.0]]), weak="cheap", strong="dear")

    assert score == pytest.approx([1 / (1 + np.exp(-6.0))])


def test_one_embedding_and_a_batch_give_the_same_score():
    pair = TINY.collapse("cheap", "dear")
    embedding = np.array([1.1, 0.3], dtype=np.float32)

    assert pair.score_one(embedding) == pytest.approx(pair.score(embedding[None])[0], abs=1e-6)


@given(seed=st.integers(0, 1000), a=st.integers(0, 3), b=st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_swapping_weak_and_strong_gives_the_complement(seed, a, b):
    embeddings, quality, _ = planted(seed, n=40, n_models=4)
    router = fit(embeddings, quality, names(4))

    there = router.score_embeddings(embeddings, weak=f"m{a}", strong=f"m{b}")
    back = router.score_embeddings(embeddings, weak=f"m{b}", strong=f"m{a}")
    np.testing.assert_allclose(there + back, 1.0, atol=1e-5)


@given(seed=st.integers(0, 1000), shift=st.floats(0, 0.5))
@settings(max_examples=15, deadline=None)
def test_adding_a_constant_to_both_qualities_changes_nothing(seed, shift):
    embeddings, quality, _ = planted(seed, n=60)
    halved = quality / 2

    before, after = fit(embeddings, halved, names(2)), fit(embeddings, halved + shift, names(2))
    np.testing.assert_allclose(after.text_projection, before.text_projection, atol=1e-5)


def test_ties_are_used():
    # On the left both fail, on the right the strong one wins: without its ties the left would be unknown.
    embeddings = np.array([[-1.0], [-1.0], [1.0], [1.0]])
    quality = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    pair = fit(embeddings, quality, names(2), l2=1e-6).collapse("m0", "m1")

    assert pair.score(np.array([[-1.0]])) == pytest.approx([0.5], abs=0.02)
    assert pair.score(np.array([[1.0]])) > [0.98]


def test_ties_alone_teach_that_neither_is_better():
    embeddings, quality, _ = planted(n=50)
    router = fit(embeddings, np.zeros_like(quality), names(2))

    np.testing.assert_allclose(router.score_embeddings(embeddings, weak="m0", strong="m1"), 0.5, atol=1e-6)


def test_the_intercept_is_the_log_odds_where_nothing_else_tells():
    # the strong model wins 3 of 4 and the embeddings are alike: P = 3/4
    router = fit(np.ones((4, 3)), np.array([[0.0, 1.0]] * 3 + [[1.0, 0.0]]), names(2))

    assert router.score_embeddings(np.ones((1, 3)), weak="m0", strong="m1") == pytest.approx([0.75], abs=1e-3)


def test_a_weight_of_two_is_the_row_twice():
    embeddings, quality, _ = planted(n=30)
    weights = np.array([2.0] + [1.0] * 29)
    twice = np.r_[0, np.arange(30)]

    # centre and scale come from the rows, so they are compared on rows that share both
    centred = np.vstack([embeddings, -embeddings])
    quality, weights, twice = np.vstack([quality, quality]), np.r_[weights, weights], np.r_[twice, 30 + twice]
    spread = np.linalg.norm(centred, axis=1, keepdims=True)
    weighted = fit(centred / spread, quality, names(2), weights=weights)
    repeated = fit((centred / spread)[twice], quality[twice], names(2))
    np.testing.assert_allclose(weighted.text_projection, repeated.text_projection, atol=1e-3)


@pytest.mark.parametrize("rank", [2, 8])
def test_models_that_never_met_are_compared_through_others(rank):
    embeddings, quality, directions = planted(n=4000, n_models=5)
    quality[np.arange(4000) % 2 == 0, 4] = np.nan
    quality[np.arange(4000) % 2 == 1, 0] = np.nan  # models 0 and 4 share no query
    router = fit(embeddings, quality, names(5), rank=rank, l2=1.0)

    learned, true = router.collapse("m0", "m4").vector, directions[4] - directions[0]
    assert learned @ true / np.linalg.norm(learned) / np.linalg.norm(true) > (0.9 if rank == 8 else 0.5)


def test_the_gradient_is_that_of_the_loss():
    from models.factorization_fit import _Problem

    embeddings, quality, _ = planted(n=50, d=3, n_models=4, missing=0.2)
    kept = np.isfinite(quality).sum(axis=1) >= 2
    problem = _Problem(embeddings[kept], quality[kept], np.ones(kept.sum()), 2, 3.0)
    point = np.random.default_rng(0).normal(size=2 * 3 + 4 + 4 * 2) * 0.3

    def loss_at(where):
        return problem._loss_and_gradient(where, np.zeros((4, 2)))[0]

    _, gradient = problem._loss_and_gradient(point, np.zeros((4, 2)))
    step = 1e-3 * np.eye(len(point))
    numeric = [(loss_at(point + e) - loss_at(point - e)) / 2e-3 for e in step]
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 16])
def test_the_same_seed_gives_the_same_weights_to_the_bit(rank):
    embeddings, quality, _ = planted(n_models=4)

    assert fit(embeddings, quality, names(4), rank=rank).sha256 == fit(embeddings, quality, names(4), rank=rank).sha256


def test_at_full_rank_the_seed_does_not_matter():
    embeddings, quality, _ = planted(n_models=3)

    assert fit(embeddings, quality, names(3), seed=1).sha256 == fit(embeddings, quality, names(3), seed=2).sha256


def test_the_report_counts_pairs_and_passes():
    embeddings, quality, _ = planted(n=100, n_models=3)
    _, report = fit_with_report(embeddings, quality, names(3))

    assert report.n_pairs == 300
    assert report.has_converged
    assert report.passes >= 1


def test_an_unknown_model_is_answered_with_the_names_that_work():
    with pytest.raises(BundleError, match=r"'gpt-9'.*It knows cheap, dear"):
        TINY.collapse("cheap", "gpt-9")


def test_a_stand_in_scores_as_the_model_it_stands_in_for():
    router = TINY.with_stand_ins({"new-cheap": "cheap", "new-dear": "dear", "dear": "cheap"})
    embeddings = np.array([[0.3, 0.1]])

    assert router.score_embeddings(embeddings, weak="new-cheap", strong="new-dear") == pytest.approx(
        TINY.score_embeddings(embeddings, weak="cheap", strong="dear")
    )
    assert router.model_names == ("cheap", "dear", "new-cheap", "new-dear")


def test_arrays_bring_the_router_back():
    assert MatrixFactorization.from_arrays(TINY.model_names, TINY.to_arrays()).sha256 == TINY.sha256


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.pop("center"),
        lambda arrays: arrays.update(extra=np.zeros(1)),
        lambda arrays: arrays.update(text_bias=np.zeros(9)),
        lambda arrays: arrays.update(center=np.array([np.nan, 0.0])),
    ],
)
def test_weights_that_do_not_fit_together_are_refused(spoil):
    arrays = TINY.to_arrays()
    spoil(arrays)

    with pytest.raises(BundleError):
        MatrixFactorization.from_arrays(TINY.model_names, arrays)


@pytest.mark.parametrize(
    ("quality", "model_names", "says"),
    [
        (np.zeros((3, 2)), ["a", "a"], "one column per distinct name"),
        (np.zeros((3, 1)), ["a"], "at least two"),
        (np.zeros((2, 2)), ["a", "b"], "3 embeddings for 2 rows"),
        (np.full((3, 2), 2.0), ["a", "b"], "outside"),
    ],
)
def test_arrays_that_do_not_describe_outcomes_are_refused(quality, model_names, says):
    with pytest.raises(DataError, match=says):
        fit(np.zeros((3, 4)), quality, model_names)


def test_queries_answered_by_one_model_alone_are_not_enough():
    with pytest.raises(NotEnoughLabels, match="no pair to learn from"):
        fit(np.zeros((2, 4)), np.array([[1.0, np.nan], [np.nan, 0.0]]), ["a", "b"])


def test_noise_asks_for_a_stronger_penalty_than_a_clear_signal():
    embeddings, quality, _ = planted(n=300, d=20)
    noise = np.random.default_rng(1).integers(0, 2, size=quality.shape).astype(float)

    assert choose_l2(embeddings, quality, names(2)) <= choose_l2(embeddings, noise, names(2))


@given(labels=st.lists(st.integers(0, 9), min_size=20, max_size=60), seed=st.integers(0, 99))
def test_a_group_lies_in_one_fold(labels, seed):
    groups = np.array([*labels, *range(5)])
    fold = grouped_folds(len(groups), n_folds=3, seed=seed, groups=groups)

    assert all(len(set(fold[groups == group])) == 1 for group in groups)


def test_more_folds_than_groups_are_refused():
    with pytest.raises(NotEnoughLabels, match="2 groups of rows for 3 folds"):
        grouped_folds(4, n_folds=3, seed=0, groups=np.array([0, 0, 1, 1]))


def test_ranking_gain_of_the_reverse_order_is_the_opposite():
    scores, gap = np.array([0.1, 0.5, 0.9]), np.array([1.0, 0.0, 1.0])

    assert ranking_gain(-scores, gap) == pytest.approx(-ranking_gain(scores, gap))
