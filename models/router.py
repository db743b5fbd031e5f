"""What every router is: queries in, scores out. Nothing here decides; thresholds live with the bundle."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


class Queries:
    """Texts to be scored and, once some router asks for them, their vectors: encoded once, whoever asks."""

    def __init__(self, texts: Sequence[str], encode: Callable[[Sequence[str]], Float[np.ndarray, "n d"]]) -> None:
        self.texts = texts
        self._encode = encode

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def embeddings(self) -> Float[np.ndarray, "n d"]:
        """One vector a text."""
        return self._encode(self.texts)


@runtime_checkable
class Router(Protocol):
    """Predicts, per query, how likely it is that the strong model is needed."""

    @property
    def family(self) -> str:
        """The kind of router, such as `mf`; it says how the files of a bundle are read."""

    @property
    def dimension(self) -> int | None:
        """Length of the vectors that it reads; None for a router that reads the text alone."""

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """One raw score in [0, 1] a query; higher means that the strong model is needed more; NaN: cannot be scored."""
