"""Low-rank updates added to a network's weights in numpy, for serving without torch. Reads PEFT's files, writes none.

W' = W + s B A,  s = alpha / r, or alpha / sqrt(r) where it is rank-stabilised (Kalajdzievski, 2023)
W' = m (W + s B A) / |W + s B A|, by rows, where it is weight-decomposed (DoRA; Liu et al., 2024)
"""

import json
import math
from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from core.errors import BundleError
from models.networks.updates import CONFIG, WEIGHTS

ROOT = "base_model.model."
"""What PEFT puts before every name."""

_DOWN, _UP, _SIZES = ".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"

Weights = Mapping[str, np.ndarray]


def with_update_added(weights: Weights, files: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """The weights with an update of linear layers added; layers that the update trained whole are its own.

    Args:
        weights: by the names of the modules that PEFT wrapped.
        files: PEFT's two files.

    Raises:
        BundleError: the files are no such update of these weights.
    """
    try:
        config, update = json.loads(files[CONFIG]), load(files[WEIGHTS])
        if config.get("rank_pattern") or config.get("alpha_pattern") or config.get("fan_in_fan_out"):
            raise ValueError("its layers differ in rank or scale")
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
        tensors = {name.removeprefix(ROOT): np.asarray(array, dtype=np.float32) for name, array in update.items()}
        summed = dict(weights)
        for layer in [name.removesuffix(_DOWN) for name in tensors if name.endswith(_DOWN)]:
            change = np.float32(scale) * (tensors.pop(layer + _UP) @ tensors.pop(layer + _DOWN))
            weight = summed[f"{layer}.weight"] + change
            if config.get("use_dora"):
                weight *= (tensors.pop(layer + _SIZES) / np.linalg.norm(weight, axis=1))[:, None]
            summed[f"{layer}.weight"] = weight
        for name, array in tensors.items():
            if summed[name].shape != array.shape:
                raise ValueError(f"'{name}' has another shape")
            summed[name] = array
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise BundleError(
            f"The update does not fit the network ({error!r}). Register the bundle anew with its own base."
        ) from error
    return summed
