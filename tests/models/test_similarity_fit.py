import numpy as np
import pytest

from core.errors import NotEnoughLabels
from models.selection import ranking_gain
from models.similarity_fit import choose_kernel, fit, own_distances
from models.similarity_kernel import Kernel


def islands(seed=0, *, n=400, n_islands=12, d=16):
    """Islands of similar queries; each is won by the strong model in a share of its own."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(n_islands, d))
    island = rng.integers(0, n_islands, size=n)
    embeddings = centers[island] + 0.4 * rng.normal(size=(n, d))
    shares = rng.permutation(np.linspace(0.0, 1.0, n_islands))
    return embeddings.astype(np.float32), (rng.random(n) < shares[island]).astype(float)


def test_the_chosen_kernel_orders_unseen_queries_better_than_the_papers():
    embeddings, gap = islands(n=1200)
    seen, unseen = slice(0, 600), slice(600, None)
    local = fit(embeddings[seen], gap[seen]).score_embeddings(embeddings[unseen])
    paper = fit(embeddings[seen], gap[seen], weighting="paper").score_embeddings(embeddings[unseen])

    local_gain, paper_gain = (ranking_gain(scores, gap[unseen]) for scores in (local, paper))
    assert local_gain > 1.05 * paper_gain > 0
    share = gap[seen].mean() / 2 + 0.5
    target = (1 + gap[unseen]) / 2

    def loss(p):
        return float(np.mean(-target * np.log(p) - (1 - target) * np.log(1 - p)))

    assert loss(local) < loss(paper) < loss(np.full(600, share))


def test_noise_gets_more_of_the_overall_share_than_a_signal_does():
    embeddings, gap = islands()
    noise = np.random.default_rng(1).permutation(gap)

    told, not_told = fit(embeddings, gap), fit(embeddings, noise)
    assert np.std(not_told.score_embeddings(embeddings)) < 0.5 * np.std(told.score_embeddings(embeddings))


def test_about_one_example_in_a_hundred_is_beyond_the_99_percent_distance():
    embeddings, gap = islands(n=1500)
    router = fit(embeddings[:1000], gap[:1000])

    assert 0.0 < router.estimate(embeddings[1000:]).is_outside.mean() < 0.03


def test_a_lower_quantile_makes_more_queries_outside():
    embeddings, gap = islands(n=800)
    strict, lax = (fit(embeddings[:400], gap[:400], quantile=q) for q in (0.8, 0.99))

    unseen = embeddings[400:]
    assert strict.estimate(unseen).is_outside.sum() > 3 * lax.estimate(unseen).is_outside.sum()


def test_copies_of_one_question_are_not_each_others_neighbours():
    embeddings, gap = islands(n=200)
    five, groups = np.repeat(embeddings, 6, axis=0), np.repeat(np.arange(200), 6)
    router = fit(five, np.repeat(gap, 6), groups=groups)

    assert own_distances(router)[0] == pytest.approx(0.0, abs=1e-5)
    assert own_distances(router, groups=groups)[0] > 0.05
    assert router.kernel.usual_distance > 0.05


def test_the_same_rows_and_seed_give_the_same_router():
    embeddings, gap = islands()

    assert fit(embeddings, gap, seed=3).sha256 == fit(embeddings, gap, seed=3).sha256


def test_the_choice_does_not_touch_distances():
    embeddings, gap = islands()
    router = fit(embeddings, gap)
    chosen = choose_kernel(router)

    assert chosen.far_distance == router.kernel.far_distance
    assert chosen.usual_distance == router.kernel.usual_distance


def test_too_few_labels_to_compare_kernels_keep_the_default_one_and_measure_distances():
    embeddings, gap = islands(n=39)
    kernel = fit(embeddings, gap).kernel

    assert (kernel.n_neighbours, kernel.bandwidth, kernel.prior_count) == (100, 0.1, 0.3)
    assert kernel.far_distance != Kernel().far_distance


def test_fewer_than_twenty_labels_are_refused():
    embeddings, gap = islands(n=19)

    with pytest.raises(NotEnoughLabels, match="has 19 labels and needs 20"):
        fit(embeddings, gap)
