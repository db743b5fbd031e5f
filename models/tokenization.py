"""Texts to padded batches of token ids, by the tokenizers library alone. Cuts long texts and counts them."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64
from tokenizers import Tokenizer

from core.errors import BundleError

LOG = logging.getLogger(__name__)

BATCH_SIZE = 64
"""Texts of one pass through the network; they are sorted by length first, so little is padding."""


class Batch(NamedTuple):
    """Some rows of a call, padded to the longest among them."""

    rows: Int64[np.ndarray, " b"]
    input_ids: Int64[np.ndarray, "b t"]
    attention_mask: Int64[np.ndarray, "b t"]


class TextTokenizer:
    """A tokenizer.json with our own length limit and padding in place of the file's.

    Raises:
        BundleError: the file is missing or is no tokenizer.
    """

    def __init__(self, path: Path, *, max_tokens: int, special_tokens: bool = True) -> None:
        if not path.is_file():
            raise BundleError(
                f"There is no {path.name} in {path.parent}. Save the encoder with its fast tokenizer, "
                "or name another encoder."
            )
        try:
            self._tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises bare Exception
            raise BundleError(f"{path} is no tokenizer ({error}). Install or save the encoder again.") from error
        padding = self._tokenizer.padding
        self._pad_id = int(padding["pad_id"]) if padding else 0
        self._special_tokens = special_tokens
        self._max_tokens = max_tokens
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._lock = threading.Lock()
        self.n_truncated = 0

    def token_id(self, token: str) -> int | None:
        """The id of a token; None when the vocabulary lacks it."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids a text, cut to `max_tokens`; how many were cut is logged and added to `n_truncated`."""
        encodings = self._tokenizer.encode_batch_fast(  # the same ids, without each token's place in the text
            [well_formed(text) for text in texts], add_special_tokens=self._special_tokens
        )
        n_cut = sum(bool(encoding.overflowing) for encoding in encodings)
        if n_cut:
            with self._lock:
                self.n_truncated += n_cut
            LOG.info("%d of %d texts were cut to %d tokens.", n_cut, len(texts), self._max_tokens)
        return [encoding.ids for encoding in encodings]

    def batches(self, texts: Sequence[str]) -> Iterator[Batch]:
        """All texts in padded batches, longest first, so that the largest batch comes first and memory shows early."""
        ids = self.ids(texts)
        lengths = np.array([len(row) for row in ids], dtype=np.int64)
        order = np.argsort(-lengths, kind="stable")
        for start in range(0, len(ids), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            mask = (np.arange(lengths[rows].max()) < lengths[rows, None]).astype(np.int64)
            input_ids = np.full(mask.shape, self._pad_id, dtype=np.int64)
            input_ids[mask == 1] = np.concatenate([ids[row] for row in rows])
            yield Batch(rows, input_ids, mask)


def encode_batches(
    tokenizer: TextTokenizer,
    texts: Sequence[str],
    *,
    dimension: int,
    run: Callable[[Int64[np.ndarray, "b t"], Int64[np.ndarray, "b t"]], Float32[np.ndarray, "b d"]],
) -> Float32[np.ndarray, "n d"]:
    """`run` over all batches, the vectors put back into the order of `texts`."""
    vectors = np.zeros((len(texts), dimension), dtype=np.float32)
    for batch in tokenizer.batches(texts):
        vectors[batch.rows] = run(batch.input_ids, batch.attention_mask)
    return vectors


def well_formed(text: str) -> str:
    r"""The text with what UTF-8 cannot hold (half of a surrogate pair, as broken JSON brings it) written as `?`.

    >>> well_formed("caf\u00e9 \ud800")
    'café ?'
    """
    return text.encode("utf-8", errors="replace").decode("utf-8")
