"""Encoders of transformers through torch: MiniLM for training, any other by folder or Hugging Face id. Mean pooling."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from core.errors import BundleError, MissingExtra
from core.fingerprint import of_file, of_json
from models.encoders import EncoderSpec
from models.minilm import WEIGHTS_SHA256, check_length, minilm_folder, minilm_weights
from models.tokenization import TextTokenizer, encode_batches

DOWNLOADED = ["*.json", "*.safetensors", "*.jinja"]
"""Files taken of a Hugging Face repository: data and chat templates, never code or pickles."""


class TorchEncoder:
    """A transformers encoder on the CPU, mean-pooled over real tokens and normalised.

    Raises:
        BundleError: the folder or id is unknown, holds no safetensors, or knows fewer positions than `max_tokens`.
        MissingExtra: torch or transformers is not installed.
    """

    def __init__(self, spec: EncoderSpec, *, n_threads: int = 1) -> None:
        try:
            import torch
            from transformers import AutoModel
            from transformers.utils import logging as transformers_logging
        except ImportError as error:
            raise MissingExtra("torch and transformers", "train", f"Encoder '{spec.name}' on runtime torch") from error
        torch.set_num_threads(n_threads)
        self._torch = torch
        self.spec = spec
        if spec.name == "minilm":
            check_length(spec.max_tokens)
            minilm_weights()
            folder, self.sha256 = minilm_folder(), WEIGHTS_SHA256
        else:
            folder = local_folder(spec.name)
            self.sha256 = _hash_of(folder, spec.max_tokens)
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._model: Any = AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
            ).eval()
        except (OSError, ValueError, KeyError) as error:
            raise BundleError(
                f"Encoder '{spec.name}' does not load ({error}). Name a folder that save_pretrained wrote."
            ) from error
        self.dimension = int(self._model.config.hidden_size)
        self._tokenizer = TextTokenizer(folder / "tokenizer.json", max_tokens=spec.max_tokens)

    @property
    def n_truncated(self) -> int:
        """How many texts, since loading, were longer than `max_tokens` and were cut."""
        return self._tokenizer.n_truncated

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """One vector of length 1 a text, in order."""
        return encode_batches(self._tokenizer, texts, dimension=self.dimension, run=self._run)

    def _run(
        self, input_ids: Int64[np.ndarray, "b t"], attention_mask: Int64[np.ndarray, "b t"]
    ) -> Float32[np.ndarray, "b d"]:
        torch = self._torch
        with torch.inference_mode():
            mask = torch.from_numpy(attention_mask)
            hidden = self._model(input_ids=torch.from_numpy(input_ids), attention_mask=mask).last_hidden_state
            weights = mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)
            vectors: Float32[np.ndarray, "b d"] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return vectors


def local_folder(name: str) -> Path:
    """The local folder of a folder or of a Hugging Face id; an id is looked up in the cache, then downloaded."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=DOWNLOADED))
    except (HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise BundleError(
            f"Encoder '{name}' is neither a folder, nor a Hugging Face id in the cache or within reach "
            f"({type(error).__name__}). Set encoder.name to 'minilm', or to the folder of a saved encoder."
        ) from error


def _hash_of(folder: Path, max_tokens: int) -> str:
    weights = sorted(folder.glob("*.safetensors"))
    config = folder / "config.json"
    if not weights or not config.is_file():
        raise BundleError(
            f"{folder} holds no encoder: config.json and *.safetensors are needed, pickled weights are refused. "
            "Write it with save_pretrained."
        )
    positions = json.loads(config.read_text(encoding="utf-8")).get("max_position_embeddings")
    if positions is not None and max_tokens > positions:
        raise BundleError(
            f"The encoder in {folder} reads at most {positions} tokens, not {max_tokens}. Lower encoder.max_tokens."
        )
    files = [*weights, config, folder / "tokenizer.json"]
    return of_json({file.name: of_file(file) for file in files if file.is_file()})
