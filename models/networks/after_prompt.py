"""A causal network that goes on where the prompt's head ended: the head is computed once, not with every query."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from models.networks.building import TextNetwork

if TYPE_CHECKING:
    import torch

    from models.networks.causal_lm import LabelLogits, PromptState


@dataclass(frozen=True, eq=False)
class AfterPrompt:
    """A `models.training.network.ClassNetwork` for rows that begin after the prompt's head."""

    network: TextNetwork
    state: "PromptState"

    @property
    def module(self) -> "LabelLogits":
        """The network's."""
        module: LabelLogits = self.network.module  # type: ignore[assignment]
        return module

    @property
    def pad_id(self) -> int:
        """The network's."""
        return self.network.pad_id

    @property
    def padding_side(self) -> Literal["left", "right"]:
        """The network's."""
        return self.network.padding_side

    def logits(self, input_ids: "torch.Tensor", attention_mask: "torch.Tensor") -> "torch.Tensor":
        """Logits of shape (b, classes), float32, of rows without the head."""
        return self.module.row_logits(input_ids, attention_mask, prompt=self.state)
