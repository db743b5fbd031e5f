"""The causal router: any causal model of transformers, read at one place. Never generates.

The last position of a left-padded batch is where the label is due. Of the output embedding only the rows of the label
tokens are multiplied with the state there: for V tokens in the vocabulary and t in a prompt, c products instead of t V.
"""

import inspect
from pathlib import Path
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from core.errors import BundleError
from models.networks.loading import load_pretrained

PromptState = tuple[tuple[torch.Tensor, torch.Tensor], ...]
"""Per layer the keys and values of a prompt's head, of shape (1, heads, t, d)."""


class LabelLogits(torch.nn.Module):
    """A causal model that gives the logits of the label tokens at the last position.

    Where the model does more with its logits than one product (caps or scales them, as Gemma and Cohere do), or where
    its output layer carries an update, the model's own logits of the last position are taken.
    """

    label_ids: torch.Tensor
    core: Any

    def __init__(self, core: Any, label_ids: tuple[int, ...]) -> None:  # noqa: ANN401 - a transformers model
        super().__init__()
        self.core = core
        self.register_buffer("label_ids", torch.tensor(label_ids, device=core.device), persistent=False)
        self._takes_positions = "position_ids" in inspect.signature(core.base_model.forward).parameters
        self.is_one_product = self._rows_suffice()

    @property
    def lm(self) -> Any:  # noqa: ANN401 - a transformers model
        """The causal model itself; PEFT may wrap `core`."""
        return self.core.get_base_model() if hasattr(self.core, "get_base_model") else self.core

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits of shape (b, classes), float32, of left-padded ids and their mask."""
        if self.is_one_product and type(self.lm.get_output_embeddings()) is torch.nn.Linear:
            return self.row_logits(input_ids, attention_mask)
        return self.full_logits(input_ids, attention_mask)

    def row_logits(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, *, prompt: PromptState | None = None
    ) -> torch.Tensor:
        """By the label tokens' rows of the output embedding alone.

        Args:
            input_ids: of shape (b, t); without the prompt's head where `prompt` stands for it.
            attention_mask: of the same shape.
            prompt: what `prompt_state` gave.
        """
        arguments: dict[str, Any] = {"attention_mask": attention_mask, **self._arguments(attention_mask)}
        if prompt is not None:
            n_prompt, n_rows = prompt[0][0].shape[2], len(input_ids)
            shared = DynamicCache(config=self.lm.config)
            for layer, (keys, values) in enumerate(prompt):
                shared.update(keys.expand(n_rows, -1, -1, -1), values.expand(n_rows, -1, -1, -1), layer)
            arguments = {
                "attention_mask": torch.nn.functional.pad(attention_mask, (n_prompt, 0), value=1),
                "position_ids": arguments["position_ids"] + n_prompt,
                "past_key_values": shared,
                "use_cache": True,
            }
        states = self.lm.base_model(input_ids=input_ids, **arguments).last_hidden_state[:, -1]
        output = self.lm.get_output_embeddings()
        bias = None if output.bias is None else output.bias[self.label_ids]
        return torch.nn.functional.linear(states, output.weight[self.label_ids], bias).float()

    def full_logits(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """By the model's own logits of the whole vocabulary at the last position."""
        logits: torch.Tensor = self.lm(
            input_ids=input_ids, attention_mask=attention_mask, logits_to_keep=1, **self._arguments(attention_mask)
        ).logits
        return logits[:, -1, self.label_ids].float()

    @torch.no_grad()
    def prompt_state(self, head: tuple[int, ...], tail: tuple[int, ...]) -> PromptState | None:
        """Keys and values of every layer after the prompt's head, which is the same for all queries.

        None where the model cannot go on from such a state: it keeps another kind (a window, a recurrent state), or a
        row between head and tail does not come out as it does when it is read whole.

        Args:
            head: ids before every query.
            tail: ids after every query.
        """
        if not head or not self._takes_positions or not self.is_one_product:
            return None
        device = self.label_ids.device
        cache: Any = DynamicCache(config=self.lm.config)
        prefix = torch.tensor([head], device=device)
        self.lm.base_model(input_ids=prefix, attention_mask=torch.ones_like(prefix), past_key_values=cache)
        if len(cache) != self.lm.config.num_hidden_layers or any(type(one) is not DynamicLayer for one in cache.layers):
            return None
        state = tuple((layer.keys, layer.values) for layer in cache.layers)
        if any(keys.shape[2] != len(head) for keys, _ in state):
            return None
        rest = torch.tensor([[*self.label_ids.tolist(), *tail]], device=device)
        whole = torch.cat([prefix, rest], dim=1)
        read_whole = self.row_logits(whole, torch.ones_like(whole)).softmax(-1)
        gone_on = self.row_logits(rest, torch.ones_like(rest), prompt=state).softmax(-1)
        tolerance = 1e-4 if self.lm.dtype == torch.float32 else 5e-2
        return state if torch.allclose(read_whole, gone_on, rtol=0, atol=tolerance) else None

    def _arguments(self, attention_mask: torch.Tensor) -> dict[str, Any]:
        if not self._takes_positions:
            return {"use_cache": False}
        return {"use_cache": False, "position_ids": (attention_mask.cumsum(-1) - 1).clamp(min=0)}

    @torch.no_grad()
    def _rows_suffice(self) -> bool:
        """Whether the label rows give the model's own logits, seen on a row of two tokens."""
        if type(self.lm.get_output_embeddings()) is not torch.nn.Linear:
            return False
        ids = self.label_ids[:2].unsqueeze(0)
        rows, full = (read(ids, torch.ones_like(ids)) for read in (self.row_logits, self.full_logits))
        tolerance = 1e-4 if self.lm.dtype == torch.float32 else 2e-2
        return torch.allclose(rows, full, rtol=tolerance, atol=tolerance)


def causal_module(folder: Path, *, label_ids: tuple[int, ...], arguments: dict[str, Any]) -> LabelLogits:
    """The causal model in `folder`, read at its label tokens.

    Args:
        folder: the checkpoint.
        label_ids: token id of each class.
        arguments: how transformers loads the weights: dtype, quantization.

    Raises:
        BundleError: the checkpoint does not load as a causal model.
    """
    lm, missing = load_pretrained("AutoModelForCausalLM", folder, **arguments)
    if missing:
        raise BundleError(
            f"The checkpoint {folder.name} lacks {', '.join(sorted(missing)[:3])}, so its predictions would be random. "
            "Name a causal model with all its weights."
        )
    return LabelLogits(lm.eval(), label_ids)
