"""The BERT classifier on MiniLM's structure, served by onnxruntime: `models.text_router` without torch. Never trains.

Its files are those of `TextRouter`: a base with updates, or merged weights. Updates are added to the weights when it is
loaded. What is not this structure (DeBERTa, another depth or vocabulary, the family's own pooling, 4 bits, bfloat16)
stays with torch; `reads` says which.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from safetensors import SafetensorError
from safetensors.numpy import load_file

from core.errors import BundleError
from models.file_tree import within
from models.minilm import DIMENSION as WIDTH
from models.minilm_graph import MinilmGraph, is_drawn
from models.networks.building import checkpoint_at, tokenizer_json, updates_before
from models.networks.loading import read_config
from models.networks.reading import TextReader, plain_tokenizer
from models.networks.spec import NetworkSpec
from models.networks.update_sums import with_update_added
from models.router import Queries
from models.training.batches import scoring_batches

HEAD, HEAD_FILE = "class_head", "class_head.safetensors"
ENCODER = "encoder."
"""What stands before the encoder's names in the classifier."""

NORM_EPSILON = 1e-5
"""Of torch's layer norm, under which the head was trained."""

TOKENS_AT_ONCE = 4_096
"""Padded tokens of one pass; more only fills the caches of a CPU."""


class MinilmClassifier:
    """A fine-tuned MiniLM as a router; scores differ from torch's by less than 1e-5. Safe to share between threads."""

    family = "bert"
    dimension = None
    """None: it reads no vectors."""

    def __init__(self, spec: NetworkSpec, files: Mapping[str, bytes], *, n_threads: int = 1) -> None:
        """The router of a bundle's files.

        Args:
            spec: the record in the files; `reads` is true of it.
            files: by relative path.
            n_threads: CPU threads of one pass.

        Raises:
            BundleError: a file is missing or altered, or the base is missing or another than the one trained over.
        """
        self.spec, self._files = spec, dict(files)
        weights = _weights(spec, files)
        self._head = weights.pop(f"{HEAD}.weight"), weights.pop(f"{HEAD}.bias")
        encoder = {name.removeprefix(ENCODER): array for name, array in weights.items()}
        self._graph = MinilmGraph(encoder, n_threads=n_threads)
        self._reader = TextReader(plain_tokenizer(tokenizer_json(spec, files)), spec.frame)

    @property
    def n_truncated(self) -> int:
        """How many texts, since loading, were longer than it reads and were cut in their middle."""
        return self._reader.n_truncated

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """P(strong needed) per query; NaN where it is not finite."""
        return self.score_texts(queries.texts)

    def score_texts(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """P(strong needed) per text; NaN where it is not finite."""
        return np.asarray(self.class_probabilities(texts)[:, 0])

    def class_probabilities(self, texts: Sequence[str]) -> Float[np.ndarray, "n c"]:
        """Probability of (strong, either, neither) per text, by one pass each; NaN where it is not finite."""
        ids = self._reader.ids(texts)
        means = np.zeros((len(ids), WIDTH), dtype=np.float32)
        lengths = np.array([len(row) for row in ids], dtype=np.int64)
        at_once = max(TOKENS_AT_ONCE, int(lengths.max(initial=1)))
        for (batch,) in scoring_batches(lengths, tokens_at_once=at_once):
            mask = (np.arange(lengths[batch.rows].max()) < lengths[batch.rows, None]).astype(np.int64)
            input_ids = np.full(mask.shape, self.spec.frame.pad_id, dtype=np.int64)
            input_ids[mask == 1] = np.concatenate([ids[row] for row in batch.rows])
            means[batch.rows] = self._graph.run("mean", input_ids, mask)
        return _probabilities(means, *self._head)

    def to_files(self) -> dict[str, bytes]:
        """The files that it was made of."""
        return dict(self._files)


def reads(spec: NetworkSpec, files: Mapping[str, bytes]) -> bool:
    """Whether a router with this record and these files is a `MinilmClassifier`.

    Raises:
        BundleError: its base is missing.
    """
    if spec.family != "bert" or spec.pooling != "mean" or spec.dtype != "float32" or spec.is_4_bit:
        return False
    with checkpoint_at(spec, files) as folder:
        return is_drawn(read_config(folder))


def _weights(spec: NetworkSpec, files: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """All weights by their names in the classifier, every update added."""
    with checkpoint_at(spec, files, checked=True) as folder:
        weights = _of_checkpoint(folder)
    unknown = {
        f"{HEAD}.weight": np.full((spec.n_classes, WIDTH), np.nan, dtype=np.float32),
        f"{HEAD}.bias": np.full(spec.n_classes, np.nan, dtype=np.float32),
    }
    weights = unknown | weights
    for update in updates_before(spec, files):
        weights = with_update_added(weights, update)
    if spec.lora is not None:
        weights = with_update_added(weights, within(files, "update"))
    if any(weights[name] is array for name, array in unknown.items()):
        raise BundleError(f"The router's files hold no {HEAD}. Train it anew.")
    return weights


def _of_checkpoint(folder: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    try:
        for path in sorted(folder.glob("*.safetensors")):
            before = f"{HEAD}." if path.name == HEAD_FILE else ENCODER
            found |= {before + name.removeprefix("bert."): array for name, array in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise BundleError(f"The weights in {folder.name} do not read ({error}). Train the router anew.") from error
    return found


def _probabilities(
    means: Float32[np.ndarray, "n d"], weight: Float32[np.ndarray, "c d"], bias: Float32[np.ndarray, " c"]
) -> Float[np.ndarray, "n c"]:
    """Softmax of the head over the layer-normed means."""
    centred = means - means.mean(axis=1, keepdims=True)
    states = centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + np.float32(NORM_EPSILON))
    logits = (states @ weight.T + bias).astype(np.float64)
    logits[~np.isfinite(logits).all(axis=1)] = np.nan
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
