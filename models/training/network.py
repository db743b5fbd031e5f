"""What the engine trains and scores with: token ids in, one logit per class out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    import torch

CLASSES = ("strong", "either", "neither")
"""What a network tells apart: the strong model is needed; the weak answer is good enough; neither answer is."""


class ClassNetwork(Protocol):
    """A torch module behind one function; what it is made of is its own business."""

    @property
    def module(self) -> "torch.nn.Module":
        """Everything with weights, LoRA layers included; what `requires_grad` is trained and checkpointed."""

    @property
    def pad_id(self) -> int:
        """Token id of padding."""

    @property
    def padding_side(self) -> Literal["left", "right"]:
        """Where the padding of a batch stands."""

    def logits(self, input_ids: "torch.Tensor", attention_mask: "torch.Tensor") -> "torch.Tensor":
        """Logits of shape (b, classes), float32, of token ids and mask of shape (b, t)."""


@dataclass(frozen=True)
class Examples:
    """Tokenised queries with what is known of them. n queries, c classes."""

    input_ids: tuple[Int[np.ndarray, " t"], ...]
    """Per query its token ids, special tokens included, not padded."""
    targets: Float[np.ndarray, "n c"]
    """Probability of each class; rows sum to 1."""
    weights: Float[np.ndarray, " n"]
    """How much each query counts, >= 0."""
    gap: Float[np.ndarray, " n"]
    """Quality of the strong answer minus that of the weak one: what the dev rows are ranked by."""

    def __len__(self) -> int:
        return len(self.input_ids)
