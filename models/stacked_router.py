"""Several routers as one: each scores the query, a stack mixes the scores. A member without weight is not asked."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from core.errors import BundleError
from models.router import Queries, Router
from models.stacking import Stack


@dataclass(frozen=True)
class StackedRouter:
    """The members in the order of the stack's weights.

    Raises:
        BundleError: members and weights differ in number, or members read vectors of different lengths.
    """

    members: tuple[Router, ...]
    stack: Stack

    def __post_init__(self) -> None:
        families = tuple(member.family for member in self.members)
        if families != self.stack.member_names:
            raise BundleError(
                f"The stack weighs {', '.join(self.stack.member_names)}, and the members are {', '.join(families)}. "
                "Register the bundle anew."
            )
        lengths = {member.dimension for member in self.members} - {None}
        if len(lengths) > 1:
            raise BundleError(
                f"Members read vectors of lengths {sorted(map(str, lengths))}. Train them on one encoder."
            )

    @property
    def family(self) -> str:
        """`stacked`."""
        return "stacked"

    @property
    def dimension(self) -> int | None:
        """Length of the vectors that members read; None where none reads any."""
        return next((member.dimension for member in self.members if member.dimension is not None), None)

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """One score in [0, 1] a query; NaN where a member that has weight cannot score."""
        columns = np.zeros((len(queries), len(self.members)))
        for j, (member, weight) in enumerate(zip(self.members, self.stack.weights, strict=True)):
            if weight > 0:
                columns[:, j] = member.score(queries)
        return self.stack.score(columns)
