import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from core.errors import BundleError, DataError, NotEnoughLabels
from models.router import Queries, Router
from models.similarity import SimilarityRouter
from models.similarity_kernel import Kernel, beyond

ROOMY = {"usual_distance": 1.0, "far_distance": 2.0}
"""Distances at which no query is outside."""


def clustered(seed=0, *, n=300, d=8, spread=0.3):
    """Two clusters of queries; the strong model is needed in the first alone."""
    rng = np.random.default_rng(seed)
    centers = np.zeros((2, d))
    centers[0, 0] = centers[1, 1] = 1.0
    cluster = rng.integers(0, 2, size=n)
    embeddings = centers[cluster] + spread * rng.normal(size=(n, d))
    gap = np.where(cluster == 0, 1.0, 0.0)
    return embeddings.astype(np.float32), gap, centers


def bradley_terry(weights, win_share):
    """The paper's fit for one query and pair: a weighted logistic regression on ln 10 without intercept; P(strong)."""

    def loss(rating):
        margin = np.log(10.0) * rating[0]
        wins, losses = weights @ win_share, weights @ (1.0 - win_share)
        return wins * np.logaddexp(0.0, -margin) + losses * np.logaddexp(0.0, margin)

    return 1.0 / (1.0 + np.exp(-np.log(10.0) * minimize(loss, np.zeros(1), tol=1e-12).x[0]))


def test_a_local_score_is_the_formula_worked_by_hand():
    # cosines 1 and 0.6, votes 1 and e^-0.4; the third example, at -1, is not among the two nearest
    kernel = Kernel(n_neighbours=2, bandwidth=1.0, prior_count=0.5, **ROOMY)
    examples = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    router = SimilarityRouter.of(examples, np.array([1.0, 0.0, -1.0]), kernel=kernel)

    votes = np.exp(-0.4)
    expected = (0.5 * 0.5 + 1.0 * 1.0 + votes * 0.5) / (0.5 + 1.0 + votes)  # the overall share is 1/2
    assert router.score_embeddings(np.array([[3.0, 0.0]])) == pytest.approx([expected])


def test_the_papers_score_is_its_bradley_terry_fit():
    embeddings, gap, _ = clustered(n=60)
    gap[::5] = -1.0
    router = SimilarityRouter.of(embeddings, gap, kernel=Kernel(weighting="paper", **ROOMY))
    query = np.ones((1, 8), dtype=np.float32)

    cosines = embeddings @ query[0] / np.linalg.norm(embeddings, axis=1) / np.sqrt(8.0)
    expected = bradley_terry(10.0 * 10.0 ** (cosines / cosines.max()), (1.0 + gap) / 2.0)
    assert router.score_embeddings(query) == pytest.approx([expected], abs=1e-5)


def test_the_papers_score_is_that_of_its_own_code():
    linear_model = pytest.importorskip("sklearn.linear_model")
    embeddings, gap, _ = clustered(n=40)
    router = SimilarityRouter.of(embeddings, gap, kernel=Kernel(weighting="paper", **ROOMY))
    query = np.eye(8, dtype=np.float32)[:1]

    cosines = embeddings @ query[0] / np.linalg.norm(embeddings, axis=1)
    weights = 10.0 * 10.0 ** (cosines / cosines.max())
    # every battle twice, a tie one win each way; a column a model (weak, strong), as its ratings are
    X = np.log(10.0) * np.tile([-1.0, 1.0], (80, 1))
    y = np.r_[np.where(gap == 1, 1.0, 0.0), np.where(gap >= 0, 1.0, 0.0)]
    fitted = linear_model.LogisticRegression(fit_intercept=False, C=1e9, tol=1e-10).fit(X, y, np.r_[weights, weights])
    weak, strong = 400.0 * fitted.coef_[0] + 1000.0
    expected = 1.0 - 1.0 / (1.0 + 10.0 ** ((strong - weak) / 400.0))
    assert router.score_embeddings(query) == pytest.approx([expected], abs=1e-4)


def test_the_papers_weights_are_nearly_global_and_the_local_ones_are_not():
    embeddings, gap, centers = clustered()
    paper = SimilarityRouter.of(embeddings, gap, kernel=Kernel(weighting="paper", **ROOMY)).score_embeddings(centers)
    local = SimilarityRouter.of(embeddings, gap, kernel=Kernel(n_neighbours=30, **ROOMY)).score_embeddings(centers)

    assert local[0] > 0.95 > paper[0]
    assert local[1] < 0.55 < paper[1]


def test_it_is_a_router():
    embeddings, gap, _ = clustered()
    router = SimilarityRouter.of(embeddings, gap, kernel=Kernel(**ROOMY))

    assert isinstance(router, Router)
    assert (router.family, router.dimension) == ("similarity", 8)
    scores = router.score(Queries(["a", "b"], lambda texts: embeddings[: len(texts)]))
    assert np.array_equal(scores, router.score_embeddings(embeddings[:2]))


@pytest.mark.parametrize("weighting", ["local", "paper"])
def test_one_query_and_a_batch_give_the_same_score(weighting):
    embeddings, gap, _ = clustered()
    router = SimilarityRouter.of(embeddings, gap, kernel=Kernel(weighting=weighting, far_distance=0.6))

    one_by_one = [router.score_embeddings(row[None])[0] for row in embeddings[:20]]
    np.testing.assert_allclose(one_by_one, router.score_embeddings(embeddings[:20]), atol=1e-6)


@given(seed=st.integers(0, 1000), weighting=st.sampled_from(["local", "paper"]), length=st.floats(0.01, 100.0))
@settings(max_examples=25, deadline=None)
def test_scores_lie_between_0_and_1_and_do_not_depend_on_a_querys_length(seed, weighting, length):
    rng = np.random.default_rng(seed)
    kernel = Kernel(weighting=weighting, n_neighbours=5, usual_distance=0.2, far_distance=0.5)
    router = SimilarityRouter.of(rng.normal(size=(20, 3)), rng.uniform(-1, 1, size=20), kernel=kernel)
    queries = rng.normal(size=(10, 3))

    scores = router.score_embeddings(queries)
    assert np.all((scores >= 0.0) & (scores <= 1.0))
    np.testing.assert_allclose(router.score_embeddings(length * queries), scores, atol=1e-4)


@pytest.mark.parametrize("weighting", ["local", "paper"])
def test_a_query_unlike_every_example_says_so_and_goes_to_strong(weighting):
    embeddings, _, centers = clustered(spread=0.1)
    kernel = Kernel(weighting=weighting, usual_distance=0.2, far_distance=0.4)
    router = SimilarityRouter.of(embeddings, np.full(len(embeddings), -1.0), kernel=kernel)
    stranger = np.zeros((1, 8))
    stranger[0, 7] = -1.0
    estimate = router.estimate(np.vstack([centers, stranger]))

    assert estimate.is_outside.tolist() == [False, False, True]
    assert estimate.share == pytest.approx([0.0, 0.0, 0.0])
    assert estimate.score == pytest.approx([0.0, 0.0, 1.0])
    np.testing.assert_allclose(router.neighbour_distance(centers), estimate.distance[:2])


def test_the_way_to_strong_is_a_line_from_far_to_as_far_again():
    kernel = Kernel(n_neighbours=1, prior_count=0.0, usual_distance=0.1, far_distance=0.3)
    router = SimilarityRouter.of(np.array([[1.0, 0.0]]), np.array([-1.0]), kernel=kernel)

    def at(distance):
        cosine = 1.0 - distance
        return router.score_embeddings(np.array([[cosine, np.sqrt(1.0 - cosine**2)]]))[0]

    # far is 0.3, the span 0.2: at 0.35 a quarter of the way, at 0.5 all of it
    assert [at(d) for d in (0.0, 0.29, 0.35, 0.4, 0.5, 0.9)] == pytest.approx([0, 0, 0.25, 0.5, 1, 1], abs=1e-5)


@given(share=st.floats(-1, 1), near=st.floats(0, 1), step=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_being_farther_outside_never_lowers_a_score(share, near, step):
    kernel = Kernel(usual_distance=0.2, far_distance=0.5)
    moved = beyond(np.array([near, near + step]), kernel)
    assert moved[0] <= moved[1]


def test_an_embedding_that_is_not_finite_has_no_score_and_is_outside():
    embeddings, gap, _ = clustered()
    router = SimilarityRouter.of(embeddings, gap, kernel=Kernel(**ROOMY))
    queries = embeddings[:2].copy()
    queries[0, 3] = np.nan
    estimate = router.estimate(queries)

    assert np.isnan(estimate.score).tolist() == [True, False]
    assert estimate.is_outside.tolist() == [True, False]


def test_no_query_gives_no_score():
    embeddings, gap, _ = clustered()

    assert SimilarityRouter.of(embeddings, gap, kernel=Kernel()).score_embeddings(np.zeros((0, 8))).shape == (0,)


@pytest.mark.parametrize("weighting", ["local", "paper"])
def test_adding_examples_equals_having_had_them_all_along(weighting):
    embeddings, gap, _ = clustered()
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=300)
    kernel = Kernel(weighting=weighting, n_neighbours=20, far_distance=0.6)
    before = SimilarityRouter.of(embeddings[:200], gap[:200], kernel=kernel, weights=weights[:200])
    grown = before.with_examples(embeddings[200:], gap[200:], weights=weights[200:])
    whole = SimilarityRouter.of(embeddings, gap, kernel=kernel, weights=weights)

    assert grown.sha256 == whole.sha256
    assert np.array_equal(grown.score_embeddings(embeddings), whole.score_embeddings(embeddings))
    assert len(before.win_share) == 200


def test_a_new_example_counts_at_once_where_it_lies():
    embeddings, gap, centers = clustered(spread=0.1)
    kernel = Kernel(n_neighbours=10, usual_distance=0.2, far_distance=0.4)
    router = SimilarityRouter.of(embeddings, gap, kernel=kernel)
    stranger = np.zeros((1, 8))
    stranger[0, 7] = 1.0
    grown = router.with_examples(np.repeat(stranger, 10, axis=0), np.full(10, -1.0))

    assert router.score_embeddings(stranger) == pytest.approx([1.0])
    assert grown.score_embeddings(stranger)[0] < 0.1
    np.testing.assert_allclose(grown.score_embeddings(centers), router.score_embeddings(centers), atol=0.02)


def test_a_weight_of_two_is_the_example_twice():
    embeddings, gap, _ = clustered(n=30)
    kernel = Kernel(n_neighbours=60, **ROOMY)
    weighted = SimilarityRouter.of(embeddings, gap, kernel=kernel, weights=np.r_[2.0, np.ones(29)])
    twice = SimilarityRouter.of(embeddings[np.r_[0, :30]], gap[np.r_[0, :30]], kernel=kernel)

    np.testing.assert_allclose(weighted.estimate(embeddings).share, twice.estimate(embeddings).share, atol=1e-5)


def test_half_precision_examples_halve_the_file_and_keep_the_scores():
    embeddings, gap, _ = clustered()
    single = SimilarityRouter.of(embeddings, gap, kernel=Kernel(**ROOMY))
    half = SimilarityRouter.of(embeddings, gap, kernel=Kernel(**ROOMY), dtype=np.float16)

    assert 2 * half.to_arrays()["examples"].nbytes == single.to_arrays()["examples"].nbytes
    np.testing.assert_allclose(half.score_embeddings(embeddings), single.score_embeddings(embeddings), atol=2e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_arrays_bring_the_router_back(dtype):
    embeddings, gap, _ = clustered()
    router = SimilarityRouter.of(embeddings, gap, kernel=Kernel(n_neighbours=7), dtype=dtype)
    back = SimilarityRouter.from_arrays(Kernel.model_validate(router.kernel.model_dump()), router.to_arrays())

    assert back.sha256 == router.sha256
    assert np.array_equal(back.score_embeddings(embeddings), router.score_embeddings(embeddings))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.pop("weights"),
        lambda arrays: arrays.update(extra=np.zeros(1, dtype=np.float32)),
        lambda arrays: arrays.update(weights=np.zeros(300, dtype=np.float32)),
        lambda arrays: arrays.update(weights=np.ones(299, dtype=np.float32)),
        lambda arrays: arrays.update(win_share=np.full(300, 1.5, dtype=np.float32)),
        lambda arrays: arrays.update(examples=arrays["examples"].astype(np.float64)),
        lambda arrays: arrays.update(examples=np.full((300, 8), np.nan, dtype=np.float32)),
        lambda arrays: arrays.update(examples=arrays["examples"] * 3.0),
        lambda arrays: arrays.update({name: array[:0] for name, array in arrays.items()}),
    ],
)
def test_examples_that_do_not_fit_together_are_refused(spoil):
    embeddings, gap, _ = clustered()
    arrays = SimilarityRouter.of(embeddings, gap, kernel=Kernel()).to_arrays()
    spoil(arrays)

    with pytest.raises(BundleError, match="Train or fetch the bundle again"):
        SimilarityRouter.from_arrays(Kernel(), arrays)


@pytest.mark.parametrize(
    ("embeddings", "gap", "weights", "says"),
    [
        (np.ones((3, 2)), np.zeros(2), None, "3 embeddings, 2 gaps"),
        (np.full((2, 2), np.inf), np.zeros(2), None, "infinity"),
        (np.ones((2, 2)), np.array([0.0, np.nan]), None, "gap lies outside"),
        (np.ones((2, 2)), np.array([0.0, 1.5]), None, "gap lies outside"),
        (np.ones((2, 2)), np.zeros(2), np.array([1.0, 0.0]), "above 0"),
    ],
)
def test_rows_that_are_no_examples_are_refused(embeddings, gap, weights, says):
    with pytest.raises(DataError, match=says):
        SimilarityRouter.of(embeddings, gap, kernel=Kernel(), weights=weights)


def test_no_example_at_all_is_refused():
    with pytest.raises(NotEnoughLabels, match="no example"):
        SimilarityRouter.of(np.zeros((0, 2)), np.zeros(0), kernel=Kernel())


def test_examples_of_another_encoder_are_refused():
    embeddings, gap, _ = clustered()

    with pytest.raises(DataError, match="embeddings of 3 numbers, and the router's have 8"):
        SimilarityRouter.of(embeddings, gap, kernel=Kernel()).with_examples(np.ones((1, 3)), np.zeros(1))


def test_a_kernel_whose_far_is_nearer_than_usual_is_refused():
    with pytest.raises(ValueError, match="smaller than usual_distance"):
        Kernel(usual_distance=0.5, far_distance=0.4)
