import numpy as np
import pytest

from core.errors import BundleError, DataError, NotEnoughLabels
from models.factorization_fit import fit
from models.factorization_join import FEWEST_LABELS, JoinLabels, join


def world(seed=0, *, n=3000, d=8, n_models=6):
    """Models whose quality follows directions in one plane: ability, and a trait that some share."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, d)).astype(np.float32)
    plane, places = rng.normal(size=(2, d)), rng.normal(size=(n_models, 2))
    quality = (rng.random((n, n_models)) < 1 / (1 + np.exp(-embeddings @ (places @ plane).T))).astype(float)
    return embeddings, quality, places @ plane


def names(n_models):
    return [f"m{i}" for i in range(n_models)]


@pytest.fixture(scope="module")
def five_of_six():
    embeddings, quality, directions = world()
    return embeddings, quality, directions, fit(embeddings, quality[:, :5], names(5), l2=10.0)


def labels_of(embeddings, quality, n, **more):
    return JoinLabels(embeddings[:n], quality[:n, 5], quality[:n, :5], **more)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_two_hundred_labels_find_the_direction_of_a_model_that_resembles_the_known_ones(five_of_six):
    embeddings, quality, directions, router = five_of_six
    joined = join(router, "m5", labels_of(embeddings, quality, 200)).router

    apart = [m for m in range(5) if np.linalg.norm(directions[5] - directions[m]) > 3.0]
    found = [cosine(joined.collapse(f"m{m}", "m5").vector, directions[5] - directions[m]) for m in apart]
    assert apart == [0, 2, 3, 4]
    assert min(found) > 0.95


def test_every_score_between_known_models_stays_to_the_bit(five_of_six):
    embeddings, quality, _, router = five_of_six
    joined = join(router, "m5", labels_of(embeddings, quality, 60)).router

    before = router.score_embeddings(embeddings[:50], weak="m1", strong="m3")
    assert np.array_equal(joined.score_embeddings(embeddings[:50], weak="m1", strong="m3"), before)
    assert joined.model_names == ("m0", "m1", "m2", "m3", "m4", "m5")
    assert router.model_names == ("m0", "m1", "m2", "m3", "m4")


def test_the_pair_routed_decides_the_score_and_needs_no_training(five_of_six):
    embeddings, quality, _, router = five_of_six
    joined = join(router, "m5", labels_of(embeddings, quality, 200)).router

    against_0 = joined.score_embeddings(embeddings[:50], weak="m0", strong="m5")
    against_1 = joined.score_embeddings(embeddings[:50], weak="m1", strong="m5")
    assert np.abs(against_0 - against_1).max() > 0.1
    back = joined.score_embeddings(embeddings[:50], weak="m5", strong="m0")
    np.testing.assert_allclose(against_0 + back, 1.0, atol=1e-5)


def test_a_copy_of_a_known_model_gets_that_models_scores(five_of_six):
    embeddings, quality, _, router = five_of_six
    twin = JoinLabels(embeddings[:400], quality[:400, 2], quality[:400, :5])
    joined = join(router, "twin", twin).router

    as_twin = joined.score_embeddings(embeddings[400:600], weak="m0", strong="twin")
    as_original = joined.score_embeddings(embeddings[400:600], weak="m0", strong="m2")
    assert np.corrcoef(as_twin, as_original)[0, 1] > 0.97
    assert joined.model_biases[-1] == pytest.approx(router.model_biases[2], abs=0.25)


def test_the_bias_is_the_log_odds_where_the_text_tells_nothing():
    # The known models tie on all rows; the new one wins 3 of 4 against both.
    embeddings = np.zeros((40, 3))
    known = np.full((40, 2), 0.0)
    router = fit(embeddings, known, ["a", "b"])
    won = np.tile([1.0, 1.0, 1.0, 0.0], 10)
    joined = join(router, "new", JoinLabels(embeddings, won, known), strength=1.0).router

    # three wins and a tie in four: P = (1 + 1 + 1 + 1/2) / 4 = 7/8
    assert joined.score_embeddings(embeddings[:1], weak="a", strong="new") == pytest.approx([7 / 8], abs=1e-4)


def test_the_basis_in_which_vectors_are_written_does_not_matter(five_of_six):
    from dataclasses import replace

    embeddings, quality, _, router = five_of_six
    turn = np.random.default_rng(1).normal(size=(router.rank, router.rank))
    turned = replace(
        router,
        model_vectors=router.model_vectors @ turn,
        text_projection=np.linalg.solve(turn, router.text_projection),
        text_bias=np.linalg.solve(turn, router.text_bias),
    )
    labels = labels_of(embeddings, quality, 100)

    here, there = (join(one, "m5", labels, strength=3.0).router.collapse("m0", "m5") for one in (router, turned))
    np.testing.assert_allclose(here.vector, there.vector, rtol=1e-3, atol=1e-5)


def test_rows_without_the_new_model_or_without_any_other_are_passed_over(five_of_six):
    embeddings, quality, _, router = five_of_six
    quality = quality.copy()
    quality[100:150, 5] = np.nan
    quality[150:200, :5] = np.nan
    quality[::3, 1] = np.nan  # one unknown among known ones does not cost the row

    with_gaps = join(router, "m5", labels_of(embeddings, quality, 200))
    without = join(router, "m5", labels_of(embeddings, quality, 100))
    assert with_gaps.n_labels == 100
    assert with_gaps.router.sha256 == without.router.sha256


def test_a_weight_of_two_is_the_row_twice(five_of_six):
    embeddings, quality, _, router = five_of_six
    weights, twice = np.r_[2.0, np.ones(59)], np.r_[0, np.arange(60)]

    weighted = join(router, "m5", labels_of(embeddings, quality, 60, weights=weights), strength=np.inf)
    repeated = join(router, "m5", JoinLabels(embeddings[twice], quality[twice, 5], quality[twice, :5]), strength=np.inf)
    assert weighted.router.model_biases[-1] == pytest.approx(repeated.router.model_biases[-1], abs=1e-4)


def test_noise_leaves_the_model_nearer_to_the_mean_than_a_signal_does(five_of_six):
    embeddings, quality, _, router = five_of_six
    noise = quality.copy()
    noise[:, 5] = np.random.default_rng(2).integers(0, 2, size=len(noise))
    mean = router.model_vectors.mean(axis=0)

    def distance(outcomes):
        joined = join(router, "m5", labels_of(embeddings, outcomes, 200)).router
        return np.linalg.norm((joined.model_vectors[-1] - mean) @ router.text_projection)

    assert distance(noise) < 0.6 * distance(quality)


def test_a_third_model_joins_a_router_of_two():
    embeddings, quality, _ = world(n=600, n_models=3)
    router = fit(embeddings, quality[:, :2], names(2), l2=10.0)
    joined = join(router, "m2", JoinLabels(embeddings[:100], quality[:100, 2], quality[:100, :2])).router

    assert np.all(np.isfinite(joined.score_embeddings(embeddings, weak="m0", strong="m2")))


def test_the_same_labels_give_the_same_router(five_of_six):
    embeddings, quality, _, router = five_of_six
    labels = labels_of(embeddings, quality, 100)

    assert join(router, "m5", labels).router.sha256 == join(router, "m5", labels).router.sha256


def test_the_strength_is_the_one_with_the_least_held_out_loss(five_of_six):
    embeddings, quality, _, router = five_of_six
    joined = join(router, "m5", labels_of(embeddings, quality, 100))
    losses = dict(joined.held_out_losses)

    assert losses[joined.strength] == min(losses.values())
    assert len(losses) == 5


def test_a_name_that_is_taken_is_refused(five_of_six):
    embeddings, quality, _, router = five_of_six

    with pytest.raises(BundleError, match="knows 'm3' already"):
        join(router, "m3", labels_of(embeddings, quality, 100))


def test_too_few_labels_are_refused_with_their_number(five_of_six):
    embeddings, quality, _, router = five_of_six

    with pytest.raises(NotEnoughLabels, match=f"19 rows .* at least {FEWEST_LABELS}"):
        join(router, "m5", labels_of(embeddings, quality, 19))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda e, new, known: (e[:, :3], new, known), "dimension 8"),
        (lambda e, new, known: (e, new, known[:, :4]), "5 known models"),
        (lambda e, new, known: (e, new + 1.5, known), "outside"),
        (lambda e, new, known: (e * np.nan, new, known), "NaN"),
    ],
)
def test_labels_that_do_not_fit_the_router_are_refused(five_of_six, spoil, says):
    embeddings, quality, _, router = five_of_six

    with pytest.raises(DataError, match=says):
        join(router, "m5", JoinLabels(*spoil(embeddings[:50], quality[:50, 5], quality[:50, :5])))
