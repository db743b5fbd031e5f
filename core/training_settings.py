"""Settings of the families bert and causal_lm: the pretrained network, and how it is fine-tuned."""

from typing import Literal

from pydantic import Field

from core.settings_section import Settings


class NetworkSettings(Settings):
    """The pretrained network behind the families bert and causal_lm."""

    base: str | None = None
    """`minilm`, `smollm2`, a folder, or a Hugging Face id. Unset: minilm for bert, smollm2 for causal_lm."""
    keep: Literal["adapter", "merged"] = "adapter"
    """What a bundle holds: the LoRA update beside the name and hash of its base, or the merged weights."""


class TrainingSettings(Settings):
    """How the networks of bert and causal_lm are fine-tuned; the same on a CPU, one GPU or many."""

    method: Literal["full", "lora", "rslora", "dora", "qlora"] = "rslora"
    """`full` trains every weight; the others a low-rank update; `qlora` holds the base in 4 bits, and then
    both training and serving need CUDA."""
    lora_rank: int = Field(16, ge=1, le=512)
    """Rank of the update."""
    lora_alpha: float = Field(32.0, gt=0)
    """Scale of the update."""
    lora_dropout: float = Field(0.05, ge=0, lt=1)
    """Share of inputs of the update that a step leaves out."""
    target_modules: tuple[str, ...] = ()
    """Names of the layers that get an update; unset means every linear one but the head. Unknown names are refused."""
    learning_rate: float | None = Field(None, gt=0)
    """Step size of AdamW at its height; unset means 2e-4, or 2e-5 for `full`."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW's decay."""
    warmup_share: float = Field(0.06, ge=0, lt=1)
    """Share of steps over which the step size rises; it then falls along a cosine."""
    max_epochs: int = Field(3, ge=1)
    """Passes over the rows at most; the dev rows stop it earlier."""
    tokens_per_step: int = Field(4096, ge=64)
    """Tokens behind one step of the optimiser, padding not counted, over all processes; one text more at most."""
    tokens_at_once: int = Field(4096, ge=64)
    """Padded tokens in one forward pass of a process; fewer than `tokens_per_step` accumulates gradients."""
    max_gradient_norm: float = Field(1.0, gt=0)
    """Longest gradient that is not shortened."""
    evaluations_per_epoch: int = Field(1, ge=1)
    """How often an epoch asks the dev rows."""
    patience: int = Field(2, ge=1)
    """Evaluations without a better ranking of the dev rows after which training stops."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 on a GPU that has it, else fp32."""
    checkpoint_activations: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    steps_per_checkpoint: int = Field(50, ge=1)
    """Steps after which training can be resumed."""
    max_tokens: int = Field(256, ge=16, le=32768)
    """Tokens read of each text; longer ones are cut and counted."""
    dev_share: float = Field(0.15, ge=0, lt=0.5)
    """Share of the training rows' groups that choose when to stop; 0 runs every epoch and keeps the last weights."""
    processes: int = Field(1, ge=1)
    """Training processes on this machine: one a GPU, or CPU processes."""
    seed: int = 0
    """Seed of order, dropout and the new weights."""
