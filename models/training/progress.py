"""What a training tells while it runs and when it is done. Records only; they are written as JSON and read back."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True)
class DevFigures:
    """How the network does on the dev rows after a step."""

    ranking: float
    """`models.selection.ranking_gain` of the probability that the strong model is needed; 0 is a coin."""
    loss: float
    """Weighted mean cross-entropy."""
    is_best: bool
    """Ranks better than every evaluation before; of equal rankings the lower loss is better."""


@dataclass(frozen=True)
class StepReport:
    """One finished optimiser step: what a progress bar shows and a curve is drawn of."""

    step: int
    """From 1."""
    n_steps: int
    epoch: int
    """From 1."""
    loss: float
    """Weighted mean cross-entropy of the step's examples, before the step."""
    learning_rate: float
    gradient_norm: float
    """Of the whole step, before clipping; NaN where DeepSpeed does not tell."""
    tokens_per_s: float
    """Real tokens, without padding, over all processes; evaluation is not timed."""
    dev: DevFigures | None

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "StepReport":
        """The report that `to_json` wrote."""
        dev = value["dev"]
        return cls(**{**value, "dev": None if dev is None else DevFigures(**dev)})


OnStep = Callable[[StepReport], None]


def unheard(report: StepReport) -> None:
    """The listener where nobody listens."""


@dataclass(frozen=True)
class TrainingFacts:
    """Where and on what a training ran: with recipe and data, all that the weights depend on."""

    device: str
    precision: str
    """`fp32` or `bf16` (autocast; the weights stay float32)."""
    n_processes: int
    n_threads: int
    """CPU threads of torch in each process; weights depend on it in the last bits."""
    torch_version: str
    n_trained: int
    """Parameters that were trained."""
    resumed_at: tuple[int, ...]
    """Steps from which the training was taken up again after an interruption."""


@dataclass(frozen=True)
class Trained:
    """The best weights and how they came about."""

    weights: Mapping[str, Float32[np.ndarray, "..."]]
    """Every trained parameter by its name in the network's module, at the best evaluation."""
    history: tuple[StepReport, ...]
    best_step: int
    """Where the dev rows were ranked best; the last step where there are no dev rows."""
    stopped_early: bool
    facts: TrainingFacts
