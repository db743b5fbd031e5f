"""What every router is: texts in, scores out. Nothing here decides; thresholds live with the bundle."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class Router(Protocol):
    """Predicts, per query, how likely it is that the strong model is needed."""

    @property
    def family(self) -> str:
        """The kind of router, such as `matrix_factorization`; it names the files of a bundle."""

    def score(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """One raw score in [0, 1] a text; higher means that the strong model is needed more."""
