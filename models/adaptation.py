"""LoRA adaptation of the matrix-factorization router: its projections learn a domain, the base stays frozen.

PEFT adds a low-rank update to the text projection and the classifier. For one pair the update can turn the collapsed
vector anywhere, so a few hundred labels can undo what is wrong in the domain; decay toward the base keeps the rest. How
strong the decay is, cross-validation on the labels chooses. The adapter is in PEFT's own format (adapter_config.json,
adapter_model.safetensors). Torch is needed to train; loading and merging need numpy alone.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from core.errors import BundleError, NotEnoughLabels
from models.lora_training import PREFIX, Recipe, exported, trained_network
from models.matrix_factorization import MatrixFactorization
from models.shrinkage import choose_strength

__all__ = [
    "LoraAdapter",
    "Recipe",
    "adapt",
    "adapter_files",
    "adapter_from_files",
    "load_adapter",
    "merge",
    "save_adapter",
]

FEWEST_LABELS = 20
"""Below this, cross-validation has folds of a handful of rows."""


@dataclass(frozen=True)
class LoraAdapter:
    """A trained update of one base: PEFT's tensors and config, and how they came about."""

    tensors: dict[str, np.ndarray]
    config: dict[str, Any]
    base_sha256: str
    weight_decay: float
    n_epochs: int
    n_labels: int
    held_out_losses: tuple[tuple[float, float], ...] = ()
    """Weight decay and its cross-validated logistic loss; empty where the recipe named the decay."""


def adapt(  # noqa: PLR0913 - data, pair and recipe
    base: MatrixFactorization,
    embeddings: Float[np.ndarray, "n d"],
    gap: Float[np.ndarray, " n"],
    *,
    pair: tuple[str, str],
    recipe: Recipe,
    weights: Float[np.ndarray, " n"] | None = None,
    groups: Shaped[np.ndarray, " n"] | None = None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> LoraAdapter:
    """Train a LoRA update of `base` on the labels of one domain.

    Ties count: a gap of 0 is half a win for each model.

    Args:
        base: the router to adapt; it is not changed.
        embeddings: the labelled queries' vectors.
        gap: quality of the strong answer minus that of the weak one, in [-1, 1].
        pair: names of the weak and the strong model; the base must know both (`with_stand_ins`).
        recipe: rank, step size, decay, seed, threads.
        weights: how much each row counts, > 0, as `models.targets.row_weights` gives it; None: each once. A row of
            weight 2 is as good as the same row twice.
        groups: rows of one group share a fold; None: each row alone.
        on_step: told of finished epochs and their number.

    Raises:
        NotEnoughLabels: fewer than `FEWEST_LABELS` rows, or the models never differ.
        BundleError: the base does not know a model.
        MissingExtra: torch or peft is not installed.
    """
    n_telling = int(np.count_nonzero(gap))
    if len(gap) < FEWEST_LABELS or not n_telling:
        raise NotEnoughLabels(
            f"Adaptation has {len(gap)} labels, {n_telling} of which tell the two models apart; "
            f"it needs at least {FEWEST_LABELS} labels and a difference. Label more pairs of the target domain."
        )
    features = (np.asarray(embeddings, dtype=np.float64) - base.center) * base.scale
    targets = (1.0 + np.asarray(gap, dtype=np.float64)) / 2.0
    decay, losses = recipe.weight_decay, dict[float, float]()
    if decay is None:
        prior = base.collapse(*pair).vector.astype(np.float64) / base.scale
        decay, losses = choose_strength(features, targets, prior, weights=weights, groups=groups, seed=recipe.seed)
    recipe = replace(recipe, weight_decay=decay)
    model = trained_network(base, features, targets, pair=pair, recipe=recipe, on_epoch=on_step, weights=weights)
    tensors, config = exported(model)
    return LoraAdapter(tensors, config, base.sha256, decay, recipe.max_epochs, len(gap), tuple(losses.items()))


def merge(base: MatrixFactorization, adapter: LoraAdapter) -> MatrixFactorization:
    """The adapted router as plain weights: W + scaling * B A per module. numpy alone.

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

    def tensor(name: str) -> Float[np.ndarray, "..."]:
        if PREFIX + name not in adapter.tensors:
            raise BundleError(f"The adapter lacks the tensor '{PREFIX + name}'. Register the bundle anew.")
        return np.asarray(adapter.tensors[PREFIX + name], dtype=np.float64)

    def update(module: str) -> Float[np.ndarray, "a b"]:
        return np.asarray(scaling * tensor(f"{module}.lora_B.weight") @ tensor(f"{module}.lora_A.weight"))

    return replace(
        base,
        text_projection=base.text_projection + update("text_projection"),
        classifier=base.classifier + update("classifier")[0],
        text_bias=tensor("text_projection.base_layer.bias"),
    )


def adapter_files(adapter: LoraAdapter) -> dict[str, bytes]:
    """adapter_model.safetensors and adapter_config.json as PEFT names them, and training.json beside them.

    No file names a path of this machine; the base is remembered by its hash.
    """
    facts = {name: value for name, value in vars(adapter).items() if name not in {"tensors", "config"}}
    return {
        "adapter_model.safetensors": safetensors.save(adapter.tensors),
        "adapter_config.json": _json(adapter.config),
        "training.json": _json(facts),
    }


def adapter_from_files(files: Mapping[str, bytes]) -> LoraAdapter:
    """The adapter of `adapter_files`. Needs no torch.

    Raises:
        BundleError: a file is missing or malformed.
    """
    try:
        facts = json.loads(files["training.json"])
        config = json.loads(files["adapter_config.json"])
        tensors = safetensors.load(files["adapter_model.safetensors"])
        if missing := {"r", "lora_alpha", "use_rslora"} - config.keys():  # what merging reads
            raise KeyError(*sorted(missing))
        losses = tuple((float(decay), float(loss)) for decay, loss in facts.pop("held_out_losses"))
        return LoraAdapter(tensors, config, **facts, held_out_losses=losses)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"The adapter's files cannot be read ({error!r}). Register the bundle anew.") from error


def save_adapter(adapter: LoraAdapter, folder: Path) -> None:
    """Write `adapter_files` into a folder, so that PEFT can read it too."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in adapter_files(adapter).items():
        (folder / name).write_bytes(content)


def load_adapter(folder: Path) -> LoraAdapter:
    """The adapter that `save_adapter` wrote.

    Raises:
        BundleError: a file is missing or malformed.
    """
    return adapter_from_files({path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()})


def _json(values: object) -> bytes:
    return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()
