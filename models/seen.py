"""Which questions a bundle was made from, as short keyed hashes: enough to say "this row was trained on", no text.

Two copies of a question share `normalised_text`; eight bytes of its HMAC-SHA256 stand for it, so by chance a new text
is taken for a seen one with probability n / 2**64.

What this does not do: it does not hide the questions from whoever holds the bundle. The key lies beside the hashes, as
it must where anyone may ask, so a guessed question can be tried. A short or formulaic text can be found that way. The
key, drawn anew for every bundle, prevents a table of hashes made in advance and the linking of two bundles; no more.
Where even the fact that a question was used is a secret, leave the hashes out: `SeenTexts` is optional in a bundle.
"""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt64
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from core.errors import BundleError
from core.fingerprint import normalised_text

KEY_BYTES = 32


@dataclass(frozen=True)
class SeenTexts:
    """The hashes of the questions that a bundle was trained or calibrated on."""

    key: bytes
    hashes: UInt64[np.ndarray, " m"]
    """Sorted, each once."""

    def contains(self, texts: Sequence[str]) -> Bool[np.ndarray, " n"]:
        """Per text, whether its normalised form was among those seen.

        >>> seen = seen_texts(["What is gout?"], key=bytes(32))
        >>> seen.contains(["what is GOUT", "What is a gout?"]).tolist()
        [True, False]
        """
        return np.asarray(np.isin(_hashes(texts, self.key), self.hashes, assume_unique=False))

    def to_bytes(self) -> bytes:
        """The content of the bundle's file `seen.safetensors`."""
        return safetensors.save({"hashes": self.hashes, "key": np.frombuffer(self.key, dtype=np.uint8).copy()})

    @classmethod
    def from_bytes(cls, content: bytes) -> "SeenTexts":
        """What `to_bytes` gave.

        Raises:
            BundleError: the content is of another form.
        """
        try:
            arrays = safetensors.load(content)
            hashes, key = arrays["hashes"], arrays["key"].tobytes()
            _check_key(key)
            is_whole = hashes.dtype == np.uint64 and hashes.ndim == 1 and bool(np.all(hashes[1:] > hashes[:-1]))
            if not is_whole:
                raise ValueError("the hashes are not sorted numbers of 64 bits")
        except (SafetensorError, KeyError, ValueError) as error:
            raise BundleError(f"seen.safetensors cannot be read ({error}). Fetch or train the bundle again.") from error
        return cls(key, hashes)


def seen_texts(texts: Iterable[str], *, key: bytes) -> SeenTexts:
    """Remember these questions by their hashes; order and repetition leave no trace.

    Args:
        texts: every question that base, adapter, calibrator or threshold was fitted on.
        key: `KEY_BYTES` random bytes, drawn for this bundle alone: `secrets.token_bytes(KEY_BYTES)`.

    Raises:
        ValueError: the key is of another length.
    """
    _check_key(key)
    return SeenTexts(key, np.unique(_hashes(list(texts), key)))


def _hashes(texts: Sequence[str], key: bytes) -> UInt64[np.ndarray, " n"]:
    digests = (hmac.digest(key, normalised_text(text).encode(), "sha256")[:8] for text in texts)
    return np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.uint64)


def _check_key(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise ValueError(f"the key has {len(key)} bytes, not {KEY_BYTES}")
