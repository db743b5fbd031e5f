"""Vocabulary and words router: scikit-learn's TF-IDF as data, harmless unknown words, files that come back."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from core.errors import BundleError, DataError, NotEnoughLabels
from models.vocabulary import fit_vocabulary
from models.words import TERMS_FILE, WEIGHTS_FILE, WordsRouter, fit_words

TEXTS = ["What is the net loss in 2019?", "Net loss of the net-net kind", "Is the CAFÉ open?", "the the the loss", ""]


@pytest.fixture(scope="module")
def planted():
    """Sixty queries: those with the word `ratio` need the strong model."""
    rng = np.random.default_rng(0)
    filler = ["revenue", "asset", "year", "report", "table", "cost", "margin", "share"]
    is_hard = np.arange(60) % 2 == 0
    texts = [" ".join(rng.choice(filler, 4)) + (" ratio" if hard else "") for hard in is_hard]
    return texts, is_hard.astype(float)


def test_vectors_are_those_of_scikit_learn():
    ours = fit_vocabulary(TEXTS, fewest_texts=1)
    theirs = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit(TEXTS)

    assert ours.terms == tuple(theirs.get_feature_names_out())
    np.testing.assert_allclose(ours.vectors(TEXTS).toarray(), theirs.transform(TEXTS).toarray(), atol=1e-6)


def test_terms_of_one_text_alone_are_left_out():
    assert fit_vocabulary(TEXTS).terms == ("is", "is the", "loss", "net", "net loss", "the", "the net")


def test_texts_that_share_no_word_have_no_vocabulary():
    with pytest.raises(DataError, match="no word occurs in 2 of the 2 texts"):
        fit_vocabulary(["one thing", "another matter"])


def test_a_planted_word_is_learned(planted):
    texts, gap = planted

    router, held_out = fit_words(texts, gap)

    assert router.score_texts(["ratio"])[0] > 0.8
    assert router.score_texts(["revenue asset"])[0] < 0.7
    assert held_out[gap == 1].min() > held_out[gap == 0].max()


def test_unknown_words_do_not_move_a_score(planted):
    router, _ = fit_words(*planted)

    assert router.score_texts(["zyx wvu"]) == router.score_texts([""])
    assert router.score_texts([""])[0] == pytest.approx((1 + router.intercept) / 2)


def test_files_give_the_same_router_back(planted):
    router, _ = fit_words(*planted)

    again = WordsRouter.from_files(router.to_files())

    texts = ["ratio of margin", "cost \ud800 year", "", "revenue asset"]
    assert again.score_texts(texts).tolist() == router.score_texts(texts).tolist()


def test_damaged_files_are_refused(planted):
    files = fit_words(*planted)[0].to_files()

    with pytest.raises(BundleError, match="cannot be read"):
        WordsRouter.from_files({**files, WEIGHTS_FILE: b"x"})
    with pytest.raises(BundleError, match="cannot be read"):
        WordsRouter.from_files({TERMS_FILE: files[TERMS_FILE]})
    with pytest.raises(BundleError, match="has 1 terms"):
        WordsRouter.from_files({**files, TERMS_FILE: b'{"terms": ["ratio"], "intercept": 0}'})


def test_too_few_labels_are_refused(planted):
    texts, gap = planted

    with pytest.raises(NotEnoughLabels, match="19 labels"):
        fit_words(texts[:19], gap[:19])
    with pytest.raises(NotEnoughLabels, match="1 different gaps"):
        fit_words(texts, np.zeros(60))


def test_of_more_rows_than_a_fit_can_take_whole_groups_are_drawn(monkeypatch):
    monkeypatch.setattr("models.block_ridge.MOST_ROWS", 41)
    texts, gap = ["net loss", "gross gain"] * 50, np.array([1.0, 0.0] * 50)

    _, held_out = fit_words(texts, gap, groups=np.arange(100) // 2)

    assert np.isfinite(held_out).sum() == 40
    assert np.array_equal(np.isfinite(held_out[::2]), np.isfinite(held_out[1::2]))
