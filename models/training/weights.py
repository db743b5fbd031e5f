"""The trained weights of a network and the optimiser's memory of them, by name: copied, put back, kept, compared.

Only what requires a gradient; the frozen base is nobody's business here. Where FSDP spread a weight over processes,
`copy`, `put_back`, `state` and `load_state` deal with this process's part, and `arrays` gathers the whole.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32

from core.errors import TrainingError

_MEMORY = {"first": "exp_avg", "second": "exp_avg_sq", "count": "step"}
"""Names in a checkpoint, and AdamW's own."""


class Weights:
    """The trained weights of one prepared network.

    Args:
        module: after accelerate prepared it.
        optimizer: accelerate's AdamW over these weights.
    """

    def __init__(self, module: Any, optimizer: Any) -> None:  # noqa: ANN401 - torch is imported late
        self._weights = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self._optimizer = getattr(optimizer, "optimizer", optimizer)

    @property
    def parameters(self) -> list[Any]:
        """The weights themselves."""
        return list(self._weights.values())

    @property
    def shapes(self) -> dict[str, list[int]]:
        """Whole shape of each weight."""
        return {name: list(weight.shape) for name, weight in self._weights.items()}

    @property
    def n_trained(self) -> int:
        """Numbers that are trained."""
        return sum(weight.numel() for weight in self._weights.values())

    @property
    def is_sharded(self) -> bool:
        """Whether processes hold parts of weights."""
        return any(hasattr(weight, "to_local") for weight in self._weights.values())

    def copy(self) -> dict[str, Any]:
        """A copy in main memory, as `put_back` takes it."""
        return {name: _part(weight).detach().cpu().clone() for name, weight in self._weights.items()}

    def put_back(self, copied: Mapping[str, Any]) -> None:
        """Give every weight the value it had in `copy`."""
        import torch

        with torch.no_grad():
            for name, weight in self._weights.items():
                _part(weight).copy_(copied[name])

    def arrays(self) -> dict[str, Float32[np.ndarray, "..."]]:
        """Every weight, whole. All processes must call it."""
        whole = {
            name: weight.full_tensor() if hasattr(weight, "full_tensor") else weight
            for name, weight in self._weights.items()
        }
        return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in whole.items()}

    def state(self) -> dict[str, Any]:
        """Weights and AdamW's moments and counts, flat: `weights/NAME`, `first/NAME`, `second/NAME`, `count/NAME`."""
        flat = {f"weights/{name}": tensor for name, tensor in self.copy().items()}
        for name, weight in self._weights.items():
            memory = self._optimizer.state.get(weight, {})
            for ours, theirs in _MEMORY.items():
                if theirs in memory:
                    flat[f"{ours}/{name}"] = _part(memory[theirs]).detach().cpu().clone()
        return flat

    def load_state(self, flat: Mapping[str, Any]) -> None:
        """Take up where `state` was taken."""
        import torch

        self.put_back({name: flat[f"weights/{name}"] for name in self._weights})
        for name, weight in self._weights.items():
            if f"count/{name}" not in flat:
                continue  # no gradient ever reached it
            memory: dict[str, Any] = {"step": flat[f"count/{name}"].to(weight.device)}
            for ours in ("first", "second"):
                moment = torch.zeros_like(weight)
                _part(moment).copy_(flat[f"{ours}/{name}"])
                memory[_MEMORY[ours]] = moment
            self._optimizer.state[weight] = memory

    def check_processes_agree(self, accelerator: Any) -> None:  # noqa: ANN401 - an Accelerator
        """Refuse to go on when processes hold different weights, bit for bit.

        Raises:
            TrainingError: they do; gradients did not reach all of them.
        """
        if accelerator.num_processes == 1 or self.is_sharded:
            return
        import torch

        total = torch.stack([weight.detach().double().sum() for weight in self.parameters]).sum()
        totals = accelerator.gather(total.reshape(1)).cpu()
        if not bool((totals == totals[0]).all()):
            raise TrainingError(
                f"The {accelerator.num_processes} processes hold different weights ({totals.tolist()}). "
                "Train on one process, and report which network it was."
            )


def set_weights(module: Any, weights: Mapping[str, Float32[np.ndarray, "..."]]) -> None:  # noqa: ANN401 - torch
    """Give a network the weights that a training returned, by name.

    Raises:
        TrainingError: a name or a shape is unknown to the network.
    """
    import torch

    own = dict(module.named_parameters())
    wrong = [name for name, value in weights.items() if name not in own or tuple(own[name].shape) != value.shape]
    if wrong:
        raise TrainingError(
            f"The network has no weight {wrong[0]} of shape {list(weights[wrong[0]].shape)} "
            f"({len(wrong)} such of {len(weights)}). Build the network that these weights were trained with."
        )
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(torch.from_numpy(np.ascontiguousarray(value)))


def weights_to_bytes(weights: Mapping[str, Float32[np.ndarray, "..."]]) -> bytes:
    """The weights as a safetensors file."""
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(value) for name, value in weights.items()}))


def shapes_text(shapes: Mapping[str, list[int]]) -> str:
    """Names and shapes as one text, for fingerprints."""
    return json.dumps(shapes, sort_keys=True)


def _part(tensor: Any) -> Any:  # noqa: ANN401 - a tensor
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor
