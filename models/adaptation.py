"""LoRA adaptation of the matrix-factorization router: its projections learn a domain, the base stays frozen.

PEFT adds a low-rank update to the text projection and the classifier. For one pair the update can turn the collapsed
vector anywhere, so a few hundred labels can undo what is wrong in the domain; weight decay and early stopping keep the
rest of it at the base. How hard and how long to train is chosen by cross-validation on the training labels, by ranking,
and doing nothing (zero epochs) is one of the choices.

The adapter is in PEFT's own format (adapter_config.json, adapter_model.safetensors); merging needs numpy alone.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from safetensors.numpy import load_file, save_file
from scipy.stats import rankdata

from core.errors import BundleError, MissingExtra, NotEnoughLabels
from models.matrix_factorization import MatrixFactorization

MODULES = ("text_projection", "classifier")
"""What LoRA updates."""

WEIGHT_DECAYS = (1.0, 10.0, 30.0)
"""Pulls toward the base that cross-validation tries."""

FOLDS = 5
CHECK_EVERY = 5
FEWEST_LABELS = 20


@dataclass(frozen=True)
class Recipe:
    """How LoRA trains; None means chosen by cross-validation."""

    rank: int = 16
    alpha: float = 32.0
    learning_rate: float = 0.003
    max_epochs: int = 200
    weight_decay: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class LoraAdapter:
    """A trained update of one base: PEFT's tensors and config, and how they came about."""

    tensors: dict[str, np.ndarray]
    config: dict[str, Any]
    base_sha256: str
    weight_decay: float
    n_epochs: int
    n_labels: int
    curve: tuple[tuple[int, float], ...]
    """Cross-validated APGR by epoch, under the chosen weight decay; epoch 0 is the base."""


def adapt(  # noqa: PLR0913 - data, pair and recipe
    base: MatrixFactorization,
    embeddings: Float[np.ndarray, "n d"],
    gap: Float[np.ndarray, " n"],
    *,
    pair: tuple[str, str],
    groups: Int[np.ndarray, " n"],
    recipe: Recipe,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> LoraAdapter:
    """Train a LoRA update of `base` on the labels of one domain.

    Args:
        base: the router to adapt; it is not changed.
        embeddings: the labelled queries' vectors.
        gap: quality of the strong answer minus that of the weak one, in [-1, 1].
        pair: names of the weak and the strong model.
        groups: rows of one group share a fold.
        recipe: rank, step size, strength.
        on_step: told of finished trainings and their number.

    Raises:
        NotEnoughLabels: fewer than `FEWEST_LABELS` rows, or the models never differ.
        MissingExtra: torch or peft is not installed.
    """
    if len(gap) < FEWEST_LABELS or not np.any(gap):
        raise NotEnoughLabels(
            f"Adaptation has {len(gap)} labels, {int(np.count_nonzero(gap))} of which tell the two models apart; "
            f"it needs at least {FEWEST_LABELS} that do. Label more pairs of the target domain."
        )
    decays = WEIGHT_DECAYS if recipe.weight_decay is None else (recipe.weight_decay,)
    training = _Training(base, np.asarray(embeddings, np.float32), np.asarray(gap, np.float32), pair, recipe)
    fold = _folds(groups, recipe.seed)
    n_trainings = len(decays) * FOLDS + 1
    curves: dict[float, Float[np.ndarray, " checks"]] = {}
    for i, decay in enumerate(decays):
        gained = np.zeros(recipe.max_epochs // CHECK_EVERY + 1)
        for k in range(FOLDS):
            _, scores = training.run(fold != k, decay, recipe.max_epochs, watch=fold == k)
            gained += [_area(column, gap[fold == k]) for column in scores]
            on_step(i * FOLDS + k + 1, n_trainings)
        curves[decay] = gained / FOLDS
    decay = max(decays, key=lambda value: float(_smoothed(curves[value]).max()))
    n_epochs = int(np.argmax(_smoothed(curves[decay]))) * CHECK_EVERY
    model, _ = training.run(np.ones(len(gap), dtype=bool), decay, n_epochs)
    on_step(n_trainings, n_trainings)
    tensors, config = _exported(model)
    curve = tuple((i * CHECK_EVERY, float(value)) for i, value in enumerate(curves[decay]))
    return LoraAdapter(tensors, config, base.sha256, decay, n_epochs, len(gap), curve)


def merge(base: MatrixFactorization, adapter: LoraAdapter) -> MatrixFactorization:
    """The adapted router as plain weights: W + scaling * B A per module. numpy only.

    Raises:
        BundleError: the adapter was trained on another base, or lacks a tensor.
    """
    if adapter.base_sha256 != base.sha256:
        raise BundleError(
            f"The adapter belongs to base {adapter.base_sha256[:12]}, not to {base.sha256[:12]}. "
            "Register the bundle anew with its own base."
        )
    rank, alpha = adapter.config["r"], adapter.config["lora_alpha"]
    scaling = alpha / np.sqrt(rank) if adapter.config["use_rslora"] else alpha / rank

    def tensor(name: str) -> Float[np.ndarray, "a b"]:
        if name not in adapter.tensors:
            raise BundleError(f"The adapter lacks the tensor '{name}'. Register the bundle anew.")
        return adapter.tensors[name]

    def update(module: str) -> Float[np.ndarray, "a b"]:
        down, up = tensor(f"{_PREFIX}{module}.lora_A.weight"), tensor(f"{_PREFIX}{module}.lora_B.weight")
        return np.asarray(scaling * up @ down, dtype=np.float32)

    return replace(
        base,
        text_projection=base.text_projection + update("text_projection"),
        classifier=base.classifier + update("classifier")[0],
        text_bias=tensor(f"{_PREFIX}text_projection.base_layer.bias").astype(np.float32),
    )


def save_adapter(adapter: LoraAdapter, folder: Path) -> None:
    """Write adapter_model.safetensors and adapter_config.json as PEFT does, and training.json beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(adapter.tensors, folder / "adapter_model.safetensors")
    _write(folder / "adapter_config.json", adapter.config)
    _write(
        folder / "training.json",
        {
            "base_sha256": adapter.base_sha256,
            "weight_decay": adapter.weight_decay,
            "n_epochs": adapter.n_epochs,
            "n_labels": adapter.n_labels,
            "curve": adapter.curve,
        },
    )


def load_adapter(folder: Path) -> LoraAdapter:
    """The adapter that `save_adapter` wrote. Needs no torch.

    Raises:
        BundleError: a file is missing or malformed.
    """
    try:
        training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
        return LoraAdapter(tensors, config, **{**training, "curve": tuple(map(tuple, training["curve"]))})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"The adapter in {folder} cannot be read ({error}). Register the bundle anew.") from error


class _Training:
    """Trainings of one adapter: the data as tensors, and the network to which PEFT adds the update."""

    def __init__(
        self,
        base: MatrixFactorization,
        embeddings: Float[np.ndarray, "n d"],
        gap: Float[np.ndarray, " n"],
        pair: tuple[str, str],
        recipe: Recipe,
    ) -> None:
        torch, _ = _libraries()
        self.base, self.recipe = base, recipe
        self.inputs = torch.from_numpy(((embeddings - base.center) * base.scale).astype(np.float32))
        self.targets = torch.from_numpy(((1.0 + gap) / 2.0).astype(np.float32))
        weak, strong = (base.index_of(name) for name in pair)
        self.direction = torch.from_numpy((base.model_vectors[strong] - base.model_vectors[weak]).astype(np.float32))
        self.intercept = float(base.model_biases[strong] - base.model_biases[weak])

    def run(
        self,
        rows: Bool[np.ndarray, " n"],
        weight_decay: float,
        n_epochs: int,
        watch: Bool[np.ndarray, " n"] | None = None,
    ) -> tuple[Any, list[Float[np.ndarray, " w"]]]:
        """Train on `rows`; the adapted network, and the scores of the watched rows every `CHECK_EVERY` epochs."""
        torch, peft = _libraries()
        torch.manual_seed(self.recipe.seed)
        network = _network(torch, self.base)
        config = peft.LoraConfig(
            r=self.recipe.rank,
            lora_alpha=self.recipe.alpha,
            use_rslora=True,
            target_modules=list(MODULES),
            bias="lora_only",
        )
        model = peft.get_peft_model(network, config)
        _check_targets(model)
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.recipe.learning_rate, weight_decay=weight_decay)
        inputs, targets = self.inputs[rows], self.targets[rows]
        watched = None if watch is None else self.inputs[watch]
        scores = []
        for epoch in range(n_epochs + 1):
            if watched is not None and epoch % CHECK_EVERY == 0:
                with torch.inference_mode():
                    scores.append(self._logits(model, watched).numpy())
            if epoch == n_epochs:
                break
            loss = torch.nn.functional.binary_cross_entropy_with_logits(self._logits(model, inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return model, scores

    def _logits(self, model: Any, inputs: Any) -> Any:  # noqa: ANN401 - torch is not imported here
        return model(inputs, self.direction) + self.intercept


def _network(torch: Any, base: MatrixFactorization) -> Any:  # noqa: ANN401 - torch is imported late
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

        def forward(self, inputs: Any, direction: Any) -> Any:  # noqa: ANN401 - torch tensors
            return self.classifier(self.text_projection(inputs) * direction)[:, 0]

    return Network()


def _check_targets(model: Any) -> None:  # noqa: ANN401 - a PEFT model
    """PEFT silently passes over names that match nothing; we do not."""
    matched = {
        name.split(".lora_A")[0].removeprefix(_PREFIX) for name, _ in model.named_parameters() if ".lora_A" in name
    }
    assert matched == set(MODULES), f"LoRA matched {sorted(matched)}, not {sorted(MODULES)}"


def _exported(model: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:  # noqa: ANN401 - a PEFT model
    """The adapter's tensors and config as PEFT saves them, without any path of this machine."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model)
    tensors = {name: tensor.detach().contiguous().numpy().copy() for name, tensor in state.items()}
    config = {
        key: sorted(value) if isinstance(value, set) else value
        for key, value in model.peft_config["default"].to_dict().items()
        if key in _KEPT_CONFIG
    }
    return tensors, config


_PREFIX = "base_model.model."

_KEPT_CONFIG = {
    "peft_type",
    "r",
    "lora_alpha",
    "lora_dropout",
    "use_rslora",
    "target_modules",
    "bias",
    "fan_in_fan_out",
}


def _folds(groups: Int[np.ndarray, " n"], seed: int) -> Int[np.ndarray, " n"]:
    unique, index = np.unique(groups, return_inverse=True)
    return np.asarray((np.random.default_rng(seed).permutation(len(unique)) % FOLDS)[index])


def _area(scores: Float[np.ndarray, " n"], gap: Float[np.ndarray, " n"]) -> float:
    """The area under the gained quality by share of strong calls: APGR times the mean gap, ties at mid-rank.

    Used to compare epochs only: it needs no positive gap, so a small fold cannot break it.
    """
    share_before_or_at = (rankdata(scores) - 0.5) / len(scores)
    return float(np.mean(gap * share_before_or_at))


def _smoothed(curve: Float[np.ndarray, " checks"]) -> Float[np.ndarray, " checks"]:
    """Each check averaged with its neighbours; the base's own check stands alone."""
    padded = np.pad(curve[1:], 1, mode="edge")
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3.0 if len(curve) > 1 else curve[1:]
    return np.concatenate([curve[:1], smooth])


def _libraries() -> tuple[Any, Any]:
    try:
        import peft
        import torch
    except ImportError as error:
        raise MissingExtra("torch and peft", "train", "Adapting a router") from error
    return torch, peft


def _write(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")
