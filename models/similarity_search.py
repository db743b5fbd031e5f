"""Finds the nearest of many unit vectors: a sketch proposes candidates, exact cosines choose among them. numpy alone.

A single query against 55,000 vectors of 384 numbers is bound by memory, not by arithmetic: all of them are 84 MB. The
sketch keeps the coordinates along the leading principal directions, a quarter of that. What it likes best, five
candidates for each neighbour, is compared exactly: cosines are exact, and only who is among the last neighbours is
estimated. Below `EXACT_BELOW` vectors there is no sketch and the search is exact.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int

EXACT_BELOW = 16_384
"""Fewer vectors than this are all compared."""

SKETCH_DIMENSION = 96
"""Coordinates of a sketch."""

CANDIDATES_PER_NEIGHBOUR = 5
"""Candidates that the sketch proposes for each neighbour asked for, and at least `FEWEST_CANDIDATES`."""

FEWEST_CANDIDATES = 1_500

_ROWS_FOR_BASIS = 8_192
_CELLS_AT_ONCE = 1 << 23


@dataclass(frozen=True)
class Neighbours:
    """The nearest vectors of each query, nearest first."""

    cosines: Float[np.ndarray, "n k"]
    rows: Int[np.ndarray, "n k"]


@dataclass(frozen=True)
class Sketch:
    """Coordinates of every vector along a few orthonormal directions."""

    basis: Float32[np.ndarray, "d p"]
    coordinates: Float32[np.ndarray, "N p"]


@dataclass(frozen=True)
class NeighbourIndex:
    """Unit vectors that can be searched; immutable, so threads may share it."""

    vectors: Float32[np.ndarray, "N d"]
    sketch: Sketch | None

    @classmethod
    def of(cls, vectors: Float32[np.ndarray, "N d"]) -> "NeighbourIndex":
        """An index over unit vectors; the sketch's directions are those of the first rows' largest spread."""
        if len(vectors) < EXACT_BELOW or vectors.shape[1] <= SKETCH_DIMENSION:
            return cls(vectors, None)
        first = vectors[:_ROWS_FOR_BASIS].astype(np.float64)
        basis = np.linalg.eigh(first.T @ first)[1][:, ::-1][:, :SKETCH_DIMENSION].astype(np.float32)
        return cls(vectors, Sketch(basis, vectors @ basis))

    def with_vectors(self, more: Float32[np.ndarray, "m d"]) -> "NeighbourIndex":
        """An index over these vectors and more, appended; only the new ones are sketched."""
        vectors = np.concatenate([self.vectors, more])
        if self.sketch is None:
            return NeighbourIndex.of(vectors)
        coordinates = np.concatenate([self.sketch.coordinates, more @ self.sketch.basis])
        return NeighbourIndex(vectors, replace(self.sketch, coordinates=coordinates))

    def nearest(self, queries: Float32[np.ndarray, "n d"], k: int) -> Neighbours:
        """The `k` nearest vectors of each query, or all where there are fewer.

        Args:
            queries: unit vectors, or zero where nothing is near.
            k: at least 1.

        >>> index = NeighbourIndex.of(np.eye(3, dtype=np.float32))
        >>> found = index.nearest(np.array([[0.6, 0.0, 0.8]], dtype=np.float32), 2)
        >>> found.rows.tolist(), found.cosines.astype(float).round(2).tolist()
        ([[2, 0]], [[0.8, 0.6]])
        """
        k = min(k, len(self.vectors))
        at_once = max(1, _CELLS_AT_ONCE // len(self.vectors))
        parts = [self._nearest(queries[start : start + at_once], k) for start in range(0, len(queries), at_once)]
        if not parts:
            return Neighbours(np.zeros((0, k)), np.zeros((0, k), dtype=np.int64))
        return Neighbours(np.concatenate([part.cosines for part in parts]), np.concatenate([p.rows for p in parts]))

    def _nearest(self, queries: Float32[np.ndarray, "n d"], k: int) -> Neighbours:
        n_candidates = max(CANDIDATES_PER_NEIGHBOUR * k, FEWEST_CANDIDATES)
        if self.sketch is None or n_candidates >= len(self.vectors):
            return _largest(_products(queries, self.vectors), k)
        coarse = _products(queries @ self.sketch.basis, self.sketch.coordinates)
        found = [_largest(row[None], n_candidates, is_sorted=False).rows[0] for row in coarse]
        exact = [_largest((self.vectors[rows] @ query)[None], k) for rows, query in zip(found, queries, strict=True)]
        return Neighbours(
            np.concatenate([one.cosines for one in exact]),
            np.concatenate([rows[one.rows] for rows, one in zip(found, exact, strict=True)]),
        )


def _products(queries: Float32[np.ndarray, "n d"], vectors: Float32[np.ndarray, "N d"]) -> Float32[np.ndarray, "n N"]:
    return np.asarray((vectors @ queries[0])[None] if len(queries) == 1 else queries @ vectors.T)


def _largest(cosines: Float[np.ndarray, "n N"], k: int, *, is_sorted: bool = True) -> Neighbours:
    rows = np.arange(cosines.shape[1])[None].repeat(len(cosines), axis=0)
    if k < cosines.shape[1]:
        rows = np.argpartition(cosines, -k, axis=1)[:, -k:]
    values = np.take_along_axis(cosines, rows, axis=1)
    if is_sorted:
        order = np.argsort(-values, axis=1, kind="stable")
        rows, values = np.take_along_axis(rows, order, axis=1), np.take_along_axis(values, order, axis=1)
    return Neighbours(values, rows)
