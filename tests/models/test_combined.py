"""The combined router and its label mixing: planted rules are learned, files come back, refusals name the way out."""

import json

import numpy as np
import pytest

from core.errors import BundleError, NotEnoughLabels
from models.combined import FACTS_FILE, WEIGHTS_FILE, CombinedRouter
from models.combined_fit import CombinedFit, Labels, fit_combined
from models.label_mixing import mix, topic_gap
from models.selection import ranking_gain


@pytest.fixture(scope="module")
def world():
    """300 queries; the strong model is needed by meaning (first direction), by the word `ratio`, and by digits."""
    rng = np.random.default_rng(0)
    filler = ["revenue", "asset", "year", "report", "table", "cost", "margin", "share"]
    embeddings = rng.normal(size=(300, 8)).astype(np.float32)
    has_word, has_digits = rng.random(300) < 0.5, rng.random(300) < 0.5
    texts = [
        " ".join(rng.choice(filler, 5)) + (" ratio" if word else " price") + (" 12 345 6.7" if digits else "")
        for word, digits in zip(has_word, has_digits, strict=True)
    ]
    need = 1.0 / (1.0 + np.exp(-2.0 * (embeddings[:, 0] + 2 * has_word + 2 * has_digits - 2)))
    gap = (rng.random(300) < need).astype(float)
    return texts, embeddings, gap


@pytest.fixture(scope="module")
def fitted(world) -> CombinedFit:
    texts, embeddings, gap = world
    return fit_combined(texts, embeddings, Labels(gap))


def test_meaning_words_and_looks_each_move_the_score(fitted):
    router, zero, toward = fitted.router, np.zeros((1, 8), np.float32), np.eye(8, dtype=np.float32)[:1]

    plain = router.score_texts(["revenue price"], zero)[0]

    assert router.score_texts(["revenue price"], toward)[0] > plain + 0.05
    assert router.score_texts(["revenue ratio"], zero)[0] > plain + 0.05
    assert router.score_texts(["revenue price 12 345 6.7"], zero)[0] > plain + 0.05


def test_held_out_scores_rank_less_well_than_scores_of_rows_that_were_fitted(world, fitted):
    texts, embeddings, gap = world

    seen = ranking_gain(fitted.router.score_texts(texts, embeddings), gap)
    held_out = ranking_gain(fitted.held_out, gap)

    assert 0.1 * gap.sum() < held_out < seen


def test_labels_that_say_nothing_are_not_ranked_by_their_held_out_scores(world):
    texts, embeddings, gap = world
    shuffled = np.random.default_rng(7).permutation(gap)

    fit = fit_combined(texts, embeddings, Labels(shuffled))

    assert abs(ranking_gain(fit.held_out, shuffled) / shuffled.sum()) < 0.06


def test_equal_arguments_give_equal_files(world, fitted):
    texts, embeddings, gap = world

    assert fit_combined(texts, embeddings, Labels(gap)).router.to_files() == fitted.router.to_files()


def test_files_give_the_same_router_back(world, fitted):
    texts, embeddings, _ = world

    again = CombinedRouter.from_files(fitted.router.to_files())

    assert again.score_texts(texts, embeddings).tolist() == fitted.router.score_texts(texts, embeddings).tolist()


def test_a_query_scores_alone_as_in_a_batch(world, fitted):
    texts, embeddings, _ = world

    alone = [fitted.router.score_texts([texts[i]], embeddings[i : i + 1])[0] for i in range(5)]

    np.testing.assert_allclose(alone, fitted.router.score_texts(texts[:5], embeddings[:5]), atol=1e-6)


def test_an_embedding_that_is_not_finite_gives_no_number(fitted):
    assert np.isnan(fitted.router.score_texts(["asset"], np.full((1, 8), np.nan, np.float32))).all()


def test_other_embeddings_are_refused(fitted):
    with pytest.raises(BundleError, match="1 embeddings of length 8, not an array of shape \\(1, 9\\)"):
        fitted.router.score_texts(["asset"], np.zeros((1, 9), np.float32))


def test_files_of_other_features_or_damaged_ones_are_refused(fitted):
    files = fitted.router.to_files()
    facts = json.loads(files[FACTS_FILE])

    with pytest.raises(BundleError, match="fitted on 1 features"):
        CombinedRouter.from_files({**files, FACTS_FILE: json.dumps(facts | {"features": ["length"]}).encode()})
    with pytest.raises(BundleError, match="cannot be read"):
        CombinedRouter.from_files({**files, WEIGHTS_FILE: b"x"})


def test_too_few_labels_or_no_difference_are_refused(world):
    texts, embeddings, gap = world

    with pytest.raises(NotEnoughLabels, match="19 labels"):
        fit_combined(texts[:19], embeddings[:19], Labels(gap[:19]))
    with pytest.raises(NotEnoughLabels, match="1 different gaps"):
        fit_combined(texts, embeddings, Labels(np.zeros(300)))


def test_a_topic_that_the_text_tells_sharpens_the_held_out_ranking(world):
    texts, embeddings, _ = world
    rng = np.random.default_rng(1)
    topic = (embeddings[:, 1] > 0).astype(int)
    gap = (rng.random(300) < np.array([0.15, 0.55])[topic]).astype(float)
    labels = Labels(gap, topics=[f"topic {number}" for number in topic])

    without = fit_combined(texts, embeddings, Labels(gap)).held_out
    with_topic = fit_combined(texts, embeddings, labels).held_out

    assert ranking_gain(with_topic, gap) > ranking_gain(without, gap)


def test_other_models_count_from_100_rows_a_model_on(world):
    texts, embeddings, gap = world
    others = np.random.default_rng(0).random((300, 4)).round()

    three = fit_combined(texts, embeddings, Labels(gap, other_qualities=others[:, :3])).router.facts["mix"]
    four = fit_combined(texts, embeddings, Labels(gap, other_qualities=others)).router.facts["mix"]

    assert len(three) == 4
    assert len(four) == 1


def test_the_gap_of_a_topic_leaves_out_the_rows_own_group():
    gap = np.array([1.0, 1.0, 0.0])

    prior = topic_gap(["a", "a", "a"], gap, groups=np.array([5, 5, 6]), row_weights=np.ones(3))

    overall = 10 * 2 / 3  # ten rows of the overall mean
    np.testing.assert_allclose(prior, [overall / 11, overall / 11, (2 + overall) / 12])


def test_columns_of_noise_are_left_with_little_or_no_weight():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=4000)
    gap = 0.3 * signal + rng.normal(size=4000)
    columns = np.column_stack([signal, rng.normal(size=(4000, 5))])

    mixed = mix(columns, gap, groups=np.arange(4000), row_weights=np.ones(4000))

    assert np.abs(mixed.weights[1:]).max() < 0.2 * mixed.weights[0]
