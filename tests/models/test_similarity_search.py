import numpy as np
import pytest

from models import similarity_search
from models.similarity_search import NeighbourIndex


@pytest.fixture
def small_sketch(monkeypatch):
    """A sketch of 8 coordinates from 400 vectors on, so that small worlds exercise it."""
    monkeypatch.setattr(similarity_search, "EXACT_BELOW", 400)
    monkeypatch.setattr(similarity_search, "SKETCH_DIMENSION", 8)
    monkeypatch.setattr(similarity_search, "FEWEST_CANDIDATES", 100)


def unit_vectors(seed=0, *, n=1000, d=24):
    """Directions with a falling spectrum, as embeddings of texts have it."""
    drawn = np.random.default_rng(seed).normal(size=(n, d)) * 0.75 ** np.arange(d)
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def test_neighbours_are_those_of_a_full_sort_nearest_first():
    vectors, queries = unit_vectors(), unit_vectors(1, n=20)
    found = NeighbourIndex.of(vectors).nearest(queries, 10)

    assert np.array_equal(found.rows, np.argsort(-(queries @ vectors.T), axis=1)[:, :10])
    np.testing.assert_allclose(found.cosines, -np.sort(-(queries @ vectors.T), axis=1)[:, :10], atol=1e-6)


def test_the_sketch_finds_nearly_all_neighbours_and_their_exact_cosines(small_sketch):
    vectors, queries = unit_vectors(), unit_vectors(1, n=50)
    index = NeighbourIndex.of(vectors)
    found = index.nearest(queries, 10)

    assert index.sketch is not None
    true = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    shared = [len(set(a) & set(b)) for a, b in zip(found.rows, true, strict=True)]
    assert np.mean(shared) >= 9.9
    np.testing.assert_allclose(found.cosines, np.take_along_axis(queries @ vectors.T, found.rows, 1), atol=1e-6)


def test_appending_equals_indexing_all(small_sketch, monkeypatch):
    monkeypatch.setattr(similarity_search, "_ROWS_FOR_BASIS", 500)
    vectors, queries = unit_vectors(), unit_vectors(1, n=20)
    grown, whole = NeighbourIndex.of(vectors[:600]).with_vectors(vectors[600:]), NeighbourIndex.of(vectors)

    assert np.array_equal(grown.vectors, vectors)
    assert np.array_equal(grown.nearest(queries, 10).rows, whole.nearest(queries, 10).rows)


def test_an_index_that_grows_past_the_limit_gets_its_sketch(small_sketch):
    vectors = unit_vectors()
    before = NeighbourIndex.of(vectors[:300])

    assert before.sketch is None
    assert before.with_vectors(vectors[300:]).sketch is not None


def test_asking_for_more_neighbours_than_there_are_gives_all():
    found = NeighbourIndex.of(unit_vectors(n=3)).nearest(unit_vectors(1, n=2), 10)

    assert found.rows.shape == (2, 3)
    assert sorted(found.rows[0].tolist()) == [0, 1, 2]


def test_queries_in_pieces_get_what_they_get_at_once(monkeypatch):
    vectors, queries = unit_vectors(), unit_vectors(1, n=30)
    at_once = NeighbourIndex.of(vectors).nearest(queries, 5)
    monkeypatch.setattr(similarity_search, "_CELLS_AT_ONCE", 7 * len(vectors))

    assert np.array_equal(NeighbourIndex.of(vectors).nearest(queries, 5).rows, at_once.rows)
