"""Embeddings kept by content: the same text is encoded once by the same encoder, over all runs.

A folder per encoder (weights, runtime, length) holds shards; a shard's name is the hash of its own bytes, so a damaged
one is found and made anew, and writers need no index and no lock. Holds hashes of texts and vectors, never a text.
"""

import hashlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from safetensors.numpy import load, save

from core.fingerprint import of_json
from models.encoders import Encoder
from models.tokenization import well_formed

LOG = logging.getLogger(__name__)

SHARD_ROWS = 4096
"""A shard is written at the latest when this many vectors wait."""


def embed(
    texts: Sequence[str],
    encoder: Encoder,
    *,
    folder: Path,
    batch_size: int = 64,
    on_batch: Callable[[int], None] | None = None,
    max_unsaved_s: float = 5.0,
) -> Float32[np.ndarray, "n d"]:
    """The vectors of all texts, in order; only texts that no earlier run has encoded are encoded, each once.

    What is encoded is saved as it comes, so a killed run loses at most `max_unsaved_s` seconds of work and the batch
    at hand. Several runs may share the folder.

    Args:
        texts: may repeat.
        encoder: names the part of the cache that is used.
        folder: the cache; made when it is not there.
        batch_size: texts handed to the encoder at once, of similar length.
        on_batch: told after each batch how many of `texts` have their vectors by now, those found included.
        max_unsaved_s: seconds of encoding after which a shard is written.

    Raises:
        OSError: the folder cannot be written.
    """
    part = folder / _part(encoder)
    part.mkdir(parents=True, exist_ok=True)
    row_of: dict[bytes, int] = {}
    clean = [well_formed(text) for text in texts]
    unique_of = np.array(
        [row_of.setdefault(hashlib.sha256(text.encode()).digest(), len(row_of)) for text in clean], dtype=np.int64
    )
    n_unique = len(row_of)
    text_of = dict(zip(unique_of.tolist(), clean, strict=True))
    n_copies = np.bincount(unique_of, minlength=n_unique)
    vectors = np.zeros((n_unique, encoder.dimension), dtype=np.float32)
    have = _read(part, row_of, vectors)
    keys = list(row_of)
    waiting = sorted(np.flatnonzero(~have).tolist(), key=lambda row: len(text_of[row]))
    n_done = int(n_copies[have].sum())
    if on_batch is not None:
        on_batch(n_done)
    unsaved: list[int] = []
    saved_at = time.monotonic()
    try:
        for start in range(0, len(waiting), batch_size):
            rows = waiting[start : start + batch_size]
            vectors[rows] = encoder.encode([text_of[row] for row in rows])
            unsaved += rows
            if len(unsaved) >= SHARD_ROWS or time.monotonic() - saved_at >= max_unsaved_s:
                _write(part, [keys[row] for row in unsaved], vectors[unsaved])
                unsaved, saved_at = [], time.monotonic()
            n_done += int(n_copies[rows].sum())
            if on_batch is not None:
                on_batch(n_done)
    finally:
        if unsaved:
            _write(part, [keys[row] for row in unsaved], vectors[unsaved])
    return vectors[unique_of]


def _part(encoder: Encoder) -> str:
    spec = encoder.spec
    return of_json({"sha256": encoder.sha256, "runtime": spec.runtime, "max_tokens": spec.max_tokens})[:32]


def _read(part: Path, row_of: dict[bytes, int], vectors: Float32[np.ndarray, "u d"]) -> Bool[np.ndarray, " u"]:
    """Fill `vectors` with what the shards know; true for each row that was filled."""
    have = np.zeros(len(vectors), dtype=bool)
    for path in sorted(part.glob("*.safetensors")):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != path.stem:
            LOG.warning("The embedding shard %s is damaged; its texts are encoded again.", path)
            path.unlink(missing_ok=True)
            continue
        arrays = load(content)
        rows = np.array([row_of.get(key.tobytes(), -1) for key in arrays["keys"]], dtype=np.int64)
        vectors[rows[rows >= 0]] = arrays["embeddings"][rows >= 0]
        have[rows[rows >= 0]] = True
    return have


def _write(part: Path, keys: Sequence[bytes], vectors: Float32[np.ndarray, "m d"]) -> None:
    """One more shard, complete or not there at all."""
    key_rows = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), 32)
    content = save({"keys": key_rows, "embeddings": np.ascontiguousarray(vectors)})
    path = part / f"{hashlib.sha256(content).hexdigest()}.safetensors"
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
