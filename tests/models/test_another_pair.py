import numpy as np
import pytest

from models.another_pair import for_pair
from models.families import Reading, files_of, router_from
from models.matrix_factorization import MatrixFactorization
from models.mf_router import MfRouter
from models.router import Queries
from models.stacked_router import StackedRouter
from models.stacking import fit_stack


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def mf_of(rng, names):
    return MatrixFactorization(
        names,
        rng.normal(size=(len(names), 3)),
        rng.normal(size=len(names)),
        rng.normal(size=(3, 4)),
        rng.normal(size=3),
        rng.normal(size=3),
        np.zeros(4),
        1.0,
    )


def scores(router, vectors):
    return router.score(Queries(["text"] * len(vectors), lambda texts: vectors))


def test_unknown_models_stand_in_for_those_that_the_router_was_made_for(rng):
    vectors = rng.normal(size=(9, 4)).astype(np.float32)
    router = MfRouter(mf_of(rng, ("cheap", "dear")), "cheap", "dear")

    taken = for_pair(router, "tiny", "huge")

    assert np.array_equal(scores(taken, vectors), scores(router, vectors))
    again = router_from("mf", files_of(taken), Reading("tiny", "huge"))
    assert np.allclose(scores(again, vectors), scores(router, vectors))


def test_a_model_that_the_router_knows_keeps_what_it_knows_of_it(rng):
    vectors = rng.normal(size=(9, 4)).astype(np.float32)
    known = mf_of(rng, ("cheap", "dear", "huge"))

    taken = for_pair(MfRouter(known, "cheap", "dear"), "cheap", "huge")

    assert np.array_equal(scores(taken, vectors), scores(MfRouter(known, "cheap", "huge"), vectors))


def test_the_members_of_a_stack_are_taken_with_it(rng):
    vectors = rng.normal(size=(9, 4)).astype(np.float32)
    member = MfRouter(mf_of(rng, ("cheap", "dear")), "cheap", "dear")
    columns = rng.random((40, 1))
    stack = StackedRouter((member,), fit_stack(columns, rng.random(40), member_names=("mf",)))

    taken = for_pair(stack, "tiny", "huge")

    assert np.array_equal(scores(taken, vectors), scores(stack, vectors))
    assert router_from("stacked", files_of(taken), Reading("tiny", "huge")).members[0].weak == "tiny"
