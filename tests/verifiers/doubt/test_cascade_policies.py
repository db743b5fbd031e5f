import numpy as np
import pytest

from assurance.charged import Answered
from benchmarks.cascade import MANNERS_OF_ASKING, expect, features_of, policies_of
from benchmarks.priced_sets import PricedRows


def rows_of(n=400, *, second_usd=0.1, seed=0):
    """Weak answers cost 1 and are wrong in 30 %, strong ones cost 10 and are right; the second differs if wrong."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(n) < 0.3
    return PricedRows(
        texts=[str(i) for i in range(n)],
        topics=["t"] * n,
        text_key=np.arange(n),
        size=np.column_stack([rng.integers(50, 500, n), np.full(n, 4)]).astype(float),
        weak=Answered(np.full(n, 1.0), 1.0 - wrong),
        strong=Answered(np.full(n, 10.0), np.ones(n)),
        seconds={"other": Answered(np.full(n, second_usd), np.ones(n))},
        disagrees={"other": wrong.astype(float)},
    )


def made(rows, manner):
    at = np.arange(len(rows.texts))
    X = features_of(rows, np.full(len(at), 0.5), at)
    return policies_of(rows, "other", expect(rows, "other", X, at), X=X, at=at, manner=manner)


def test_the_router_alone_pays_one_model_a_query():
    paid = made(rows_of(), "router").cost_usd

    assert set(np.unique(paid)) <= {1.0, 10.0}


def test_asking_always_pays_weak_and_second_for_every_query():
    policies = made(rows_of(), "second_always")

    assert policies.cost_usd.min() == pytest.approx(1.1)
    assert set(np.unique(policies.cost_usd).round(6)) <= {1.1, 11.1}


def test_a_second_model_that_tells_wrong_answers_is_asked_and_what_it_says_is_heeded():
    rows = rows_of()
    policies = made(rows, "second_where_it_pays")
    best = np.argmax(policies.quality.mean(axis=1) - 0.01 * policies.cost_usd.mean(axis=1))

    escalated = policies.cost_usd[best] > 5
    assert np.array_equal(escalated, rows.disagrees["other"] > 0.5)
    assert policies.quality[best].mean() == 1.0


def test_a_second_model_dearer_than_the_strong_one_is_never_asked():
    paid = made(rows_of(second_usd=50.0), "second_where_it_pays").cost_usd

    assert set(np.unique(paid)) <= {1.0, 10.0}


def test_spending_rises_as_quality_grows_dear():
    for manner in MANNERS_OF_ASKING:
        spent = made(rows_of(), manner).cost_usd.mean(axis=1)
        assert spent[-1] >= spent[0]
        assert spent[0] <= 1.1
