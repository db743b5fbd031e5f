"""The floors: predictors so plain that a router which does not beat them has learned nothing.

| floor | score |
|---|---|
| random | uniform, seeded |
| prompt_length | characters, long or short first, whichever the fitting rows say |
| topic_prior | mean gap of the topic, shrunk toward the overall mean |
| tfidf_ridge | ridge regression of the gap on word TF-IDF, strength by 3-fold cross-validation |

A floor is fitted on texts, topics and the gap (quality of the strong answer minus that of the weak one), and then
scores other rows. Higher means that the strong model is needed more. Scores rank; they are not probabilities.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

Scorer = Callable[[Sequence[str], Sequence[str | None]], Float[np.ndarray, " n"]]
"""Texts and topics of n rows in, n scores out."""

TOPIC_PRIOR_ROWS = 10.0
"""How many rows of the overall mean a topic is mixed with."""

RIDGE_STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)


def random(texts: Sequence[str], topics: Sequence[str | None], gap: Float[np.ndarray, " n"], *, seed: int) -> Scorer:
    """Scores that know nothing: the same seed and number of rows give the same scores."""

    def score(texts: Sequence[str], topics: Sequence[str | None]) -> Float[np.ndarray, " n"]:
        return np.random.default_rng(seed).random(len(texts))

    return score


def prompt_length(
    texts: Sequence[str], topics: Sequence[str | None], gap: Float[np.ndarray, " n"], *, seed: int
) -> Scorer:
    """Longer (or shorter) prompts to the strong model; the sign is learned on the fitting rows.

    >>> floor = prompt_length(["a", "aaaa", "aa"], [None] * 3, np.array([0.0, 1.0, 0.0]), seed=0)
    >>> floor(["bb", "b"], [None, None]).tolist()
    [2.0, 1.0]
    """
    lengths = _lengths(texts)
    longer_is_harder = float(np.sum((lengths - lengths.mean()) * gap)) >= 0

    def score(texts: Sequence[str], topics: Sequence[str | None]) -> Float[np.ndarray, " n"]:
        return _lengths(texts) if longer_is_harder else -_lengths(texts)

    return score


def topic_prior(
    texts: Sequence[str], topics: Sequence[str | None], gap: Float[np.ndarray, " n"], *, seed: int
) -> Scorer:
    """The mean gap of each topic on the fitting rows, mixed with `TOPIC_PRIOR_ROWS` rows of the overall mean.

    >>> floor = topic_prior(["x"] * 20, ["a"] * 10 + ["b"] * 10, np.array([1.0] * 10 + [0.0] * 10), seed=0)
    >>> floor(["x", "x", "x"], ["a", "b", "never seen"]).tolist()
    [0.75, 0.25, 0.5]
    """
    overall = float(np.mean(gap))
    sums: dict[str | None, float] = {}
    counts: dict[str | None, int] = {}
    for topic, value in zip(topics, gap, strict=True):
        sums[topic] = sums.get(topic, 0.0) + float(value)
        counts[topic] = counts.get(topic, 0) + 1
    mean = {topic: (sums[topic] + TOPIC_PRIOR_ROWS * overall) / (counts[topic] + TOPIC_PRIOR_ROWS) for topic in counts}

    def score(texts: Sequence[str], topics: Sequence[str | None]) -> Float[np.ndarray, " n"]:
        return np.array([mean.get(topic, overall) for topic in topics])

    return score


def tfidf_ridge(
    texts: Sequence[str], topics: Sequence[str | None], gap: Float[np.ndarray, " n"], *, seed: int
) -> Scorer:
    """Ridge regression of the gap on word TF-IDF (words and pairs of words); constant where there is no word."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold

    def words() -> TfidfVectorizer:
        return TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=1)

    losses = dict.fromkeys(RIDGE_STRENGTHS, 0.0)
    for seen, held_out in KFold(min(3, len(texts)), shuffle=True, random_state=seed).split(texts):
        counted = words()
        inside = counted.fit_transform([texts[i] for i in seen])
        outside = counted.transform([texts[i] for i in held_out])
        for strength in RIDGE_STRENGTHS:  # the words are counted once a fold, not once a strength
            model = Ridge(strength, solver="sparse_cg").fit(inside, gap[seen])
            losses[strength] += float(np.mean((gap[held_out] - model.predict(outside)) ** 2))
    vocabulary = words().fit(list(texts))
    best = Ridge(min(losses, key=lambda strength: losses[strength]), solver="sparse_cg")
    best.fit(vocabulary.transform(list(texts)), gap)

    def score(texts: Sequence[str], topics: Sequence[str | None]) -> Float[np.ndarray, " n"]:
        return np.asarray(best.predict(vocabulary.transform(list(texts))), dtype=float)

    return score


FLOORS: Mapping[str, Callable[..., Scorer]] = {
    "random": random,
    "prompt_length": prompt_length,
    "topic_prior": topic_prior,
    "tfidf_ridge": tfidf_ridge,
}
"""Every floor by the name under which figures are reported."""


def _lengths(texts: Sequence[str]) -> Float[np.ndarray, " n"]:
    return np.array([float(len(text)) for text in texts])
