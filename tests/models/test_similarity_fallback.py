import numpy as np
import pytest

from core.errors import BundleError
from models.matrix_factorization import PairScorer
from models.router import Router
from models.similarity import SimilarityRouter
from models.similarity_fallback import FallbackRouter
from models.similarity_kernel import Kernel

KERNEL = Kernel(n_neighbours=5, prior_count=0.0, usual_distance=0.2, far_distance=0.4)
KNOWN, NEW, STRANGE = np.eye(3)


def fallback(*, logit=-3.0, gap_of_new=-1.0):
    """Trained near KNOWN on examples that the strong model lost; then examples near NEW were added."""
    similarity = SimilarityRouter.of(np.repeat(KNOWN[None], 5, axis=0), np.full(5, -1.0), kernel=KERNEL)
    router = FallbackRouter(PairScorer(np.zeros(3, dtype=np.float32), logit), similarity, n_trained=5)
    return router.with_examples(np.repeat(NEW[None], 5, axis=0), np.full(5, gap_of_new))


def test_near_the_training_rows_the_factorization_scores():
    router = fallback(logit=0.4)

    assert router.score_embeddings(KNOWN[None]) == pytest.approx([1 / (1 + np.exp(-0.4))])


def test_near_rows_that_were_added_since_the_examples_score():
    assert fallback(logit=3.0).score_embeddings(NEW[None]) == pytest.approx([0.0])
    assert fallback(logit=-3.0, gap_of_new=1.0).score_embeddings(NEW[None]) == pytest.approx([1.0])


def test_far_from_everything_the_query_goes_to_strong():
    assert fallback().score_embeddings(STRANGE[None]) == pytest.approx([1.0])


def test_a_little_outside_the_larger_score_is_moved_part_of_the_way():
    # at distance 0.5 the move is half of what is left: (0.5 - 0.4) / (0.4 - 0.2)
    query = np.array([[0.5, 0.0, np.sqrt(0.75)]])
    larger = 1 / (1 + np.exp(3.0))

    assert fallback().score_embeddings(query) == pytest.approx([larger + 0.5 * (1 - larger)], abs=1e-5)


def test_outside_no_score_is_below_the_factorizations():
    drawn = np.random.default_rng(0).normal(size=(200, 3))
    router = fallback(logit=0.3)
    outside = router.similarity.estimate(drawn).is_outside

    assert outside.sum() > 50
    assert np.all(router.score_embeddings(drawn)[outside] >= 1 / (1 + np.exp(-0.3)) - 1e-6)


def test_what_was_added_since_does_not_widen_what_the_factorization_knows():
    assert fallback().knows(np.stack([KNOWN, NEW, STRANGE])).tolist() == [True, False, False]


def test_it_is_a_router_and_cannot_score_what_is_not_finite():
    router = fallback()

    assert isinstance(router, Router)
    assert np.isnan(router.score_embeddings(np.array([[np.nan, 0.0, 0.0]]))).all()


@pytest.mark.parametrize("n_trained", [0, 6])
def test_a_count_of_trained_rows_that_fits_no_examples_is_refused(n_trained):
    similarity = SimilarityRouter.of(np.repeat(KNOWN[None], 5, axis=0), np.zeros(5), kernel=KERNEL)

    with pytest.raises(BundleError, match=f"counts {n_trained} trained examples of 5"):
        FallbackRouter(PairScorer(np.zeros(3, dtype=np.float32), 0.0), similarity, n_trained=n_trained)


def test_vectors_of_two_lengths_are_refused():
    similarity = SimilarityRouter.of(np.eye(3), np.zeros(3), kernel=KERNEL)

    with pytest.raises(BundleError, match="vectors of 2 and 3 numbers"):
        FallbackRouter(PairScorer(np.zeros(2, dtype=np.float32), 0.0), similarity, n_trained=3)
