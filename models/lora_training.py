"""Trains the LoRA update of a matrix-factorization router: PEFT and AdamW. The adaptation's one file with torch.

The loss is the weighted mean logistic loss over the labels plus weight_decay / (2 * sum of weights) times the squared
length of what the update adds to the pair's collapsed vector: decay toward the base, whatever the factors A and B look
like. AdamW's own decay is off: it would shrink each factor, and pull with a force that depends on rank and step size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from core.errors import MissingExtra
from models.matrix_factorization import MatrixFactorization

MODULES = ("text_projection", "classifier")
"""What LoRA updates."""

PREFIX = "base_model.model."
"""How PEFT begins the name of every module."""


@dataclass(frozen=True)
class Recipe:
    """How LoRA trains. Every epoch is one step on all labels; the step size falls to zero along a cosine."""

    rank: int = 16
    alpha: float = 32.0
    learning_rate: float = 0.003
    max_epochs: int = 200
    weight_decay: float | None = None
    """Pull toward the base, as a prior precision; None means chosen by cross-validation on the labels."""
    seed: int = 0
    n_threads: int = 1
    """Threads of torch while it trains; the weights depend on it in the last bits."""


def trained_network(  # noqa: PLR0913 - data, pair and recipe
    base: MatrixFactorization,
    features: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, " n"],
    *,
    pair: tuple[str, str],
    recipe: Recipe,
    on_epoch: Callable[[int, int], None],
    weights: Float[np.ndarray, " n"] | None = None,
) -> Any:  # noqa: ANN401 - a PEFT model; torch is imported late
    """The PEFT model after `max_epochs` over all rows; equal arguments give equal weights on one machine.

    Args:
        base: frozen; its weights are copied.
        features: centred and scaled embeddings.
        targets: in [0, 1]; a tie is 0.5.
        pair: names of the weak and the strong model.
        recipe: with a `weight_decay` that is a number.
        on_epoch: told of finished epochs and their number.
        weights: how much each row counts, > 0; None: each once.

    Raises:
        MissingExtra: torch or peft is not installed.
    """
    torch, _ = _libraries()
    n_threads_before = torch.get_num_threads()
    torch.set_num_threads(recipe.n_threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            model = untrained_network(base, recipe)
        counts = np.ones(len(targets)) if weights is None else weights
        labels = features, targets, counts
        loss = _loss(torch, model, base, labels, pair=pair, weight_decay=recipe.weight_decay or 0.0)
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=recipe.max_epochs)
        for epoch in range(recipe.max_epochs):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
            schedule.step()
            on_epoch(epoch + 1, recipe.max_epochs)
    finally:
        torch.set_num_threads(n_threads_before)
    return model


def untrained_network(base: MatrixFactorization, recipe: Recipe) -> Any:  # noqa: ANN401 - a PEFT model
    """The base as a torch module under PEFT's LoRA; its update is zero as yet.

    Raises:
        MissingExtra: torch or peft is not installed.
    """
    torch, peft = _libraries()
    config = peft.LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        use_rslora=True,
        target_modules=list(MODULES),
        bias="lora_only",
    )
    model = peft.get_peft_model(base_network(torch, base), config)
    check_modules(model, MODULES)
    return model


def base_network(torch: Any, base: MatrixFactorization) -> Any:  # noqa: ANN401 - torch is imported late
    """The router as a torch module whose linear layers PEFT can find by name."""

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            k, d = base.text_projection.shape
            self.text_projection = torch.nn.Linear(d, k)
            self.classifier = torch.nn.Linear(k, 1, bias=False)
            with torch.no_grad():
                self.text_projection.weight.copy_(torch.from_numpy(base.text_projection))
                self.text_projection.bias.copy_(torch.from_numpy(base.text_bias))
                self.classifier.weight.copy_(torch.from_numpy(base.classifier)[None])

        def forward(self, features: Any, direction: Any) -> Any:  # noqa: ANN401 - torch tensors
            return self.classifier(self.text_projection(features) * direction)[:, 0]

    return Network()


def check_modules(model: Any, modules: tuple[str, ...]) -> None:  # noqa: ANN401 - a PEFT model
    """Refuse a model in which PEFT did not put an update on each of `modules`; PEFT itself passes over misses.

    Raises:
        ValueError: names the modules that got no update.
    """
    got = {name.split(".lora_A")[0].removeprefix(PREFIX) for name, _ in model.named_parameters() if ".lora_A" in name}
    if missed := sorted(set(modules) - got):
        raise ValueError(
            f"LoRA found no module named {', '.join(missed)}; it updates {', '.join(sorted(got)) or 'none'}."
        )


def exported(model: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:  # noqa: ANN401 - a PEFT model
    """The update's tensors and config as PEFT saves them, without any path of this machine."""
    _, peft = _libraries()
    state = peft.get_peft_model_state_dict(model)
    tensors = {name: tensor.detach().contiguous().numpy().copy() for name, tensor in state.items()}
    values = model.peft_config["default"].to_dict()
    return tensors, {key: _plain(values[key]) for key in sorted(_KEPT_CONFIG)}


_KEPT_CONFIG = (
    "bias",
    "fan_in_fan_out",
    "lora_alpha",
    "lora_dropout",
    "peft_type",
    "r",
    "target_modules",
    "use_rslora",
)
"""What of PEFT's config decides the update; its other fields stand at their defaults or name paths of this machine."""


def _loss(
    torch: Any,  # noqa: ANN401
    model: Any,  # noqa: ANN401
    base: MatrixFactorization,
    labels: tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    *,
    pair: tuple[str, str],
    weight_decay: float,
) -> Callable[[], Any]:
    weak, strong = (base.index_of(name) for name in pair)
    inputs, goals, counts = (torch.from_numpy(np.asarray(column, dtype=np.float32)) for column in labels)
    total = float(counts.sum())
    direction = torch.from_numpy((base.model_vectors[strong] - base.model_vectors[weak]).astype(np.float32))
    intercept = float(base.model_biases[strong] - base.model_biases[weak])
    projection, classifier = (getattr(model.base_model.model, name) for name in MODULES)
    before = (classifier.base_layer.weight[0] * direction) @ projection.base_layer.weight

    def loss() -> Any:  # noqa: ANN401 - a torch scalar
        logits = model(inputs, direction) + intercept
        weights = (layer.base_layer.weight + layer.get_delta_weight("default") for layer in (projection, classifier))
        projected, classified = weights
        moved = (classified[0] * direction) @ projected - before
        pull = weight_decay / (2 * total) * (moved @ moved)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, goals, weight=counts, reduction="sum")
        return losses / total + pull

    return loss


def _plain(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    return sorted(value) if isinstance(value, set) else value


def _libraries() -> tuple[Any, Any]:
    try:
        import peft
        import torch
    except ImportError as error:
        raise MissingExtra("torch and peft", "train", "Adapting a router") from error
    return torch, peft
