"""Fingerprints: the same content gives the same name, on every machine and in every run."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[\W_]+")


def of_json(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`: sorted keys, no spaces, UTF-8.

    Raises:
        TypeError: `value` holds something that JSON cannot express.
        ValueError: `value` holds NaN or an infinity, which JSON cannot express.

    >>> of_json({"b": 1, "a": 2}) == of_json({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: object) -> str:
    """The one JSON text of a value, whatever order its keys came in.

    >>> canonical_json({"b": [1, 2], "a": "x"})
    '{"a":"x","b":[1,2]}'
    """
    return _CANONICAL.encode(value)


def of_text(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def of_texts(texts: Iterable[str]) -> str:
    """SHA-256 of a sequence of texts; the order counts, and no two sequences share bytes.

    >>> of_texts(["ab", "c"]) == of_texts(["a", "bc"])
    False
    """
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def normalised_text(text: str) -> str:
    r"""Letters and digits only, lower case, single spaces: what two copies of one question share.

    >>> normalised_text("  What's the CODE?\n(ICD-10) ")
    'what s the code icd 10'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NEITHER_LETTER_NOR_DIGIT.sub(" ", folded).strip()


def of_array(array: Shaped[np.ndarray, "..."]) -> str:
    """SHA-256 of an array's type, shape and bytes."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces of one MiB.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def of_folder(folder: Path) -> dict[str, str]:
    """Each file below `folder` with its SHA-256, by relative POSIX path, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): of_file(path) for path in files}
