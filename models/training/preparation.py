"""What stands between a network and its training: the wrapper that launchers see, and AdamW. Changes no weight."""

from typing import Any

from core.errors import TrainingError
from models.training.network import ClassNetwork
from models.training.recipe import TrainingRecipe


def prepared(network: ClassNetwork, recipe: TrainingRecipe, accelerator: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """The network as accelerate wraps it, and AdamW over what requires a gradient.

    Vectors (biases, norms) are not decayed; the step size is set by the loop.

    Raises:
        TrainingError: nothing requires a gradient, or a trained weight is not float32.
    """
    import torch

    trained = [weight for weight in network.module.parameters() if weight.requires_grad]
    if not trained:
        raise TrainingError("No weight of the network requires a gradient. Choose a method, or unfreeze a head.")
    if wrong := {str(weight.dtype) for weight in trained} - {"torch.float32"}:
        raise TrainingError(
            f"Weights to be trained are {', '.join(sorted(wrong))}, in which small steps are rounded away. "
            "Load the network with dtype=torch.float32; precision bf16 computes in bf16 all the same."
        )

    class Forward(torch.nn.Module):
        """A module whose forward is the network's logits."""

        def __init__(self) -> None:
            super().__init__()
            self.module = network.module

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return network.logits(input_ids, attention_mask)

    groups = [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    is_plain = accelerator.device.type in ("cpu", "cuda")
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=0.0, fused=is_plain)
    model, optimizer = accelerator.prepare(Forward(), optimizer)
    return model, optimizer
