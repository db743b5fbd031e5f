"""The floors: each learns the one thing that it is for, and nothing else."""

import numpy as np
import pytest

from models.floors import FLOORS, RIDGE_STRENGTHS, TOPIC_PRIOR_ROWS, prompt_length, random, tfidf_ridge, topic_prior

TEXTS = [
    "gout of the knee",
    "a broken arm after a fall from a ladder at home",
    "asthma",
    "fall from a roof, broken leg",
]
GAP = np.array([0.0, 1.0, 0.0, 1.0])
NONE = [None] * 4


def test_the_random_floor_depends_on_the_seed_and_on_nothing_it_was_shown():
    there = random(TEXTS, NONE, GAP, seed=3)(["x"] * 1000, [None] * 1000)
    again = random(["other"], ["topic"], -GAP[:1], seed=3)(["y"] * 1000, ["t"] * 1000)
    other = random(TEXTS, NONE, GAP, seed=4)(["x"] * 1000, [None] * 1000)

    np.testing.assert_array_equal(there, again)
    assert abs(np.corrcoef(there, other)[0, 1]) < 0.1
    assert there.min() >= 0 and there.max() < 1
    assert there.mean() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(("gap", "longer_first"), [(GAP, True), (1 - GAP, False)])
def test_prompt_length_learns_whether_long_or_short_prompts_need_the_strong_model(gap, longer_first):
    score = prompt_length(TEXTS, NONE, gap, seed=0)
    short, long = score(["ab", "abcd"], [None, None])

    assert (abs(short), abs(long)) == (2.0, 4.0)
    assert bool(long > short) is longer_first


def test_topic_prior_is_the_shrunk_mean_gap_of_the_topic():
    topics = ["a"] * 30 + ["b"] * 10 + [None] * 10
    gap = np.array([1.0] * 30 + [0.0] * 10 + [-1.0] * 10)
    score = topic_prior(["x"] * 50, topics, gap, seed=0)
    overall = 20 / 50

    assert TOPIC_PRIOR_ROWS == 10
    assert score(["x"] * 4, ["a", "b", None, "never seen"]) == pytest.approx(
        [(30 + 10 * overall) / 40, (0 + 10 * overall) / 20, (-10 + 10 * overall) / 20, overall]
    )


def test_topic_prior_reads_no_text():
    score = topic_prior(TEXTS, ["a", "b", "a", "b"], GAP, seed=0)

    assert score(["short"], ["b"]) == score(["something quite different and long"], ["b"])


def test_tfidf_ridge_learns_which_words_need_the_strong_model():
    rng = np.random.default_rng(0)
    filler = ["alpha", "beta", "gamma", "delta", "omega"]
    texts = [f"{' '.join(rng.choice(filler, 3))} {'sepsis' if i % 2 else 'cough'}" for i in range(60)]
    score = tfidf_ridge(texts, [None] * 60, np.array([float(i % 2) for i in range(60)]), seed=0)
    sepsis, cough = score(["zeta sepsis", "zeta cough"], [None, None])

    assert sepsis > cough + 0.3


def test_tfidf_ridge_gives_texts_without_a_known_word_the_same_score():
    score = tfidf_ridge(TEXTS, NONE, GAP, seed=0)
    scores = score(["", "zzz qqq", "!!! ???"], [None] * 3)

    assert scores.tolist() == [scores[0]] * 3
    assert -1 <= scores[0] <= 1


@pytest.mark.parametrize("name", FLOORS)
@pytest.mark.parametrize("gap", [GAP, np.zeros(4), np.ones(4), -GAP], ids=["mixed", "none", "all", "weak wins"])
def test_no_floor_is_ever_nan_on_texts_and_topics_that_it_has_not_seen(name, gap):
    score = FLOORS[name](TEXTS, ["a", None, "a", "b"], gap, seed=0)
    scores = score(["", "never seen", "broken leg", "𝄞 é \x00"], [None, "never seen", "a", ""])

    assert scores.shape == (4,)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", ["prompt_length", "topic_prior", "tfidf_ridge"])
def test_where_the_gap_is_the_same_everywhere_topic_and_words_say_nothing(name):
    score = FLOORS[name](TEXTS, ["a", "b", "a", "b"], np.full(4, 0.25), seed=0)
    scores = score(["gout", "leg!"], ["a", "b"])

    assert scores[0] == pytest.approx(scores[1])


@pytest.mark.parametrize("name", FLOORS)
def test_equal_seeds_give_equal_scores(name):
    there, again = (FLOORS[name](TEXTS, NONE, GAP, seed=5)(TEXTS, NONE) for _ in range(2))

    np.testing.assert_array_equal(there, again)


@pytest.mark.parametrize("name", ["random", "prompt_length", "topic_prior"])
def test_scoring_no_rows_gives_no_scores(name):
    assert len(FLOORS[name](TEXTS, NONE, GAP, seed=0)([], [])) == 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_strength_of_the_words_is_the_one_that_grid_search_finds(seed):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.pipeline import make_pipeline

    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice([f"w{i}" for i in range(30)], 6)) for _ in range(60)]
    gap = np.array([float("w1 " in f"{text} ") for text in texts]) + rng.normal(0, 0.3 * seed, 60)
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), Ridge(solver="sparse_cg"))
    search = GridSearchCV(
        model,
        {"ridge__alpha": RIDGE_STRENGTHS},
        cv=KFold(3, shuffle=True, random_state=seed),
        scoring="neg_mean_squared_error",
    ).fit(texts, gap)

    new = ["w1 w2", "w3 w4 w5", "", "unknown"]
    scores = tfidf_ridge(texts, [None] * 60, gap, seed=seed)(new, [None] * 4)
    np.testing.assert_allclose(scores, search.predict(new), atol=1e-6)
