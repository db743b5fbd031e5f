"""The BERT classifier: any encoder of transformers under a small head. Reads token ids, never text.

`mean` pools as a sentence encoder was trained: the mean over real tokens, and one new linear layer. `own` is
transformers' classifier of the family, for a checkpoint that was trained with one, or whose family has its own pooling.
On a GPU DeBERTa-v3 (microsoft/deberta-v3-base, saved once as safetensors with its fast tokenizer) is the encoder to
beat; offline, MiniLM.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file

from models.networks.loading import load_pretrained

Pooling = Literal["mean", "own"]

HEAD = "class_head"
"""Name of the layer that `mean` adds."""

HEAD_FILE = "class_head.safetensors"
"""Where a merged checkpoint keeps it, beside transformers' own weights."""


class MeanPooled(torch.nn.Module):
    """An encoder, the mean of its last states over real tokens, and one linear layer."""

    def __init__(self, encoder: Any, n_classes: int) -> None:  # noqa: ANN401 - a transformers model
        super().__init__()
        self.encoder = encoder
        width = int(encoder.config.hidden_size)
        self.norm = torch.nn.LayerNorm(width, elementwise_affine=False)
        self.dropout = torch.nn.Dropout(float(getattr(encoder.config, "hidden_dropout_prob", None) or 0.0))
        self.class_head = torch.nn.Linear(width, n_classes)
        torch.nn.init.normal_(self.class_head.weight, std=0.02)
        torch.nn.init.zeros_(self.class_head.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits of shape (b, classes)."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
        is_token = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * is_token).sum(1) / is_token.sum(1).clamp(min=1.0)
        logits: torch.Tensor = self.class_head(self.dropout(self.norm(mean)))
        return logits


class ClassLogits(torch.nn.Module):
    """A classifier as one function of ids and mask; PEFT may wrap `core`."""

    core: Any

    def __init__(self, core: torch.nn.Module) -> None:
        super().__init__()
        self.core = core

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits of shape (b, classes), float32."""
        found = self.core(input_ids=input_ids, attention_mask=attention_mask)
        logits: torch.Tensor = getattr(found, "logits", found)
        return logits.float()


def bert_module(
    folder: Path, *, pooling: Pooling, n_classes: int, seed: int, arguments: dict[str, Any]
) -> tuple[ClassLogits, tuple[str, ...]]:
    """The classifier over the checkpoint in `folder`, and the names of the layers of its `core` that are its head.

    New layers are drawn from `seed`, so that two processes build the same network.

    Args:
        folder: the checkpoint.
        pooling: `mean`, or the family's `own`.
        n_classes: classes.
        seed: of the new layers.
        arguments: how transformers loads the weights: dtype, quantization.

    Raises:
        BundleError: the checkpoint does not load as an encoder.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if pooling == "mean":
            encoder, _ = load_pretrained("AutoModel", folder, **arguments)
            if getattr(encoder, "pooler", None) is not None:
                encoder.pooler = None  # weights that no logit would depend on
            pooled = MeanPooled(encoder, n_classes)
            if (folder / HEAD_FILE).is_file():
                pooled.class_head.load_state_dict(load_file(folder / HEAD_FILE))
            return ClassLogits(pooled), (HEAD,)
        classifier, missing = load_pretrained(
            "AutoModelForSequenceClassification", folder, num_labels=n_classes, **arguments
        )
    backbone = classifier.base_model_prefix
    own = [name for name, part in classifier.named_children() if name != backbone and list(part.parameters())]
    new = sorted({name.rpartition(".")[0] for name in missing if name.partition(".")[0] not in own})
    return ClassLogits(classifier), (*own, *new)


def save_checkpoint(core: Any, folder: Path) -> None:  # noqa: ANN401 - a core without PEFT
    """Write a classifier's weights and config as a checkpoint that `bert_module` reads."""
    if not isinstance(core, MeanPooled):
        core.save_pretrained(folder)
        return
    core.encoder.save_pretrained(folder)
    save_file(core.class_head.state_dict(), folder / HEAD_FILE)
