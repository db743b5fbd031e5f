"""The similarity router's kernel: how examples vote, and how far away is outside. Holds no example."""

from typing import Literal, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from core.records import Record

DISTANCE_NEIGHBOURS = 5
"""A query's distance is that to so many nearest examples, on average: one odd example does not vouch for a region."""


class Kernel(Record):
    """How examples vote, and which distances are usual. Chosen on training rows by `similarity_fit.choose_kernel`."""

    weighting: Literal["local", "paper"] = "local"
    n_neighbours: int = Field(default=100, ge=1)
    """Examples that vote; read by `local` alone, as the two below."""
    bandwidth: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """By how much the cosine must fall for a vote to count 1/e as much."""
    prior_count: float = Field(default=0.3, ge=0, allow_inf_nan=False)
    """How many exact copies of the query, labelled with the overall share of wins, are mixed in."""
    usual_distance: float = Field(default=0.5, ge=0, le=2)
    """Median distance of an example from the other examples."""
    far_distance: float = Field(default=1.0, ge=0, le=2)
    """Beyond this distance a query is outside: the 99 % quantile of the examples' own distances, unless set."""

    @model_validator(mode="after")
    def _far_is_farther(self) -> Self:
        if self.far_distance < self.usual_distance:
            raise ValueError(f"far_distance {self.far_distance} is smaller than usual_distance {self.usual_distance}")
        return self


def beyond(distance: Float[np.ndarray, " n"], kernel: Kernel) -> Float[np.ndarray, " n"]:
    """How far outside, in [0, 1]; where all examples are equally far from each other, the least excess counts full."""
    excess, span = distance - kernel.far_distance, kernel.far_distance - kernel.usual_distance
    return np.clip(excess / span, 0.0, 1.0) if span > 0 else (excess > 0).astype(np.float64)
