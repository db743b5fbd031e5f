"""Texts to token ids for a text network: what stands before, the text, what stands after. Needs no torch.

The text alone is ever cut, in its middle, and cuts are counted.
"""

import logging
import threading
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64
from pydantic import Field
from tokenizers import Tokenizer

from core.errors import BundleError
from core.records import Record
from models.tokenization import well_formed

LOG = logging.getLogger(__name__)

PROBE = "question"
"""A text whose tokenization shows which special tokens a tokenizer puts around every text."""


class Frame(Record):
    """How a text becomes one row of token ids. Kept with the weights: they were trained on rows made so."""

    prefix_ids: tuple[int, ...]
    """Ids before every text: `[CLS]`, or the head of the prompt."""
    suffix_ids: tuple[int, ...]
    """Ids after every text: `[SEP]`, or the tail of the prompt, which no cut ever reaches."""
    max_text_tokens: int = Field(ge=1)
    """Ids kept of the text itself."""
    pad_id: int = Field(ge=0)

    @property
    def longest(self) -> int:
        """The most ids that a row can have."""
        return len(self.prefix_ids) + self.max_text_tokens + len(self.suffix_ids)


class TextReader:
    """Makes rows of ids by a tokenizer.json and a `Frame`; counts, since it was made, the texts that it cut.

    A text that spells a special token (`[SEP]`, `<|im_end|>`) gets the ids of its letters: no query can end its own
    turn. Safe to share between threads.

    Raises:
        BundleError: the tokenizer does not read.
    """

    def __init__(self, tokenizer: Tokenizer, frame: Frame) -> None:
        self._tokenizer, self.frame = tokenizer, frame
        self._lock = threading.Lock()
        self.n_truncated = 0

    def ids(self, texts: Sequence[str]) -> tuple[Int64[np.ndarray, " t"], ...]:
        """A row of ids a text, not padded; how many texts were cut is logged and added to `n_truncated`."""
        most = self.frame.max_text_tokens
        encodings = self._tokenizer.encode_batch([well_formed(text) for text in texts], add_special_tokens=False)
        rows = [encoding.ids for encoding in encodings]
        n_cut = sum(len(row) > most for row in rows)
        if n_cut:
            with self._lock:
                self.n_truncated += n_cut
            LOG.info("%d of %d texts were cut to %d tokens.", n_cut, len(texts), most)
        before, after = self.frame.prefix_ids, self.frame.suffix_ids
        return tuple(np.array([*before, *middle_cut(row, most), *after], dtype=np.int64) for row in rows)


def middle_cut(ids: Sequence[int], most: int) -> list[int]:
    """The first and the last half of `most` ids: a question stands at the start or at the end, seldom between.

    >>> middle_cut([1, 2, 3, 4, 5, 6], 3)
    [1, 2, 6]
    >>> middle_cut([1, 2], 3)
    [1, 2]
    """
    if len(ids) <= most:
        return list(ids)
    n_last = most // 2
    return [*ids[: most - n_last], *ids[len(ids) - n_last :]]


def plain_tokenizer(tokenizer_json: str) -> Tokenizer:
    """The tokenizer without its own padding and cutting, blind to special tokens that a text spells.

    Raises:
        BundleError: it is no tokenizer.
    """
    try:
        tokenizer = Tokenizer.from_str(tokenizer_json)
    except Exception as error:  # the library raises bare Exception
        raise BundleError(
            f"tokenizer.json is no tokenizer ({error}). Save the checkpoint again with its fast tokenizer."
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def special_ids_around(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special ids that the tokenizer puts before and after a text, as its post-processor says.

    Raises:
        BundleError: the tokenizer knows no token of a plain word.
    """
    encoding = tokenizer.encode(PROBE, add_special_tokens=True)
    is_text = [i for i, special in enumerate(encoding.special_tokens_mask) if not special]
    if not is_text:
        raise BundleError(
            f"The tokenizer finds no token in '{PROBE}'. Name a checkpoint whose tokenizer was trained on text."
        )
    return tuple(encoding.ids[: is_text[0]]), tuple(encoding.ids[is_text[-1] + 1 :])
