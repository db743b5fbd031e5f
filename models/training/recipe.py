"""How a text network is trained: one frozen record, the same on a CPU, one GPU or many."""

from dataclasses import dataclass
from typing import Literal

Method = Literal["full", "lora", "rslora", "dora", "qlora"]
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class TrainingRecipe:
    """What decides the trained weights, and nothing about where they are trained.

    A step's examples depend on the seed alone. How many processes share a step, and in how many micro-batches, changes
    the sums only in their last bits.
    """

    method: Method = "rslora"
    lora_rank: int = 16
    lora_alpha: float = 32.0
    lora_dropout: float = 0.05
    target_modules: tuple[str, ...] = ()
    """Names (endings) of the linear layers that get an update; empty: every linear layer but the head."""
    learning_rate: float | None = None
    """None: 2e-4 for the LoRA family, 2e-5 for full fine-tuning."""
    weight_decay: float = 0.01
    warmup_share: float = 0.06
    """Share of all steps over which the step size rises; it then falls to zero along a cosine."""
    max_epochs: int = 3
    tokens_per_step: int = 4096
    """Tokens behind one optimiser step, padding not counted, over all processes; a step may hold one text more."""
    tokens_at_once: int = 4096
    """Most tokens, padding counted, in one forward pass of one process. A step has as many passes as its lengths ask
    for, and more where memory does: gradients add up over them."""
    max_gradient_norm: float = 1.0
    evaluations_per_epoch: int = 1
    patience: int = 2
    """Evaluations on the dev rows without a better ranking after which training stops; the best weights are kept."""
    precision: Precision = "auto"
    """`auto`: bf16 on a GPU that has it, else fp32."""
    checkpoint_activations: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    steps_per_checkpoint: int = 50
    max_tokens: int = 256
    """Tokens read of each text; longer texts are cut and counted."""
    seed: int = 0
    n_threads: int = 1
    """CPU threads of torch; weights depend on it in the last bits."""

    @property
    def step_size(self) -> float:
        """The learning rate, or the method's default."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 2e-5 if self.method == "full" else 2e-4
