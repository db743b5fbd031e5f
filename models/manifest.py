"""The manifest of a bundle: which files it has, byte for byte. Writes a folder whole or not at all; reads what matches.

MANIFEST.json holds the hash and size of every other file and, under `sha256`, the hash of what it says itself, so that
no byte of the folder can change unnoticed. Whoever changes a file on purpose can write a new manifest: its hash is the
bundle's name in the registry and in the ledger, and differs then.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from core.errors import BundleError
from core.fingerprint import canonical_json, of_text
from models.bundle_files import MANIFEST

FORMAT_VERSION = 1
"""Raised whenever an older version could misread a bundle."""

FIRST_RELEASE_OF_FORMAT = {1: "0.1.0"}
"""Which release of Preceptor reads a format first; a manifest of a newer format names its own."""

SUFFIXES = frozenset({".json", ".safetensors", ".md"})
"""All that a bundle holds."""

FILES_OF_MLFLOW = frozenset({"MLmodel", "registered_model_meta"})
"""What MLflow writes into a stored model's folder; not ours, never read, never hashed."""


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files and their manifest to a new folder, which appears complete or not at all.

    Raises:
        BundleError: the folder is there already.
    """
    taken = BundleError(f"{folder} is there already and a bundle is never overwritten. Name another folder.")
    if folder.exists():
        raise taken
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        for name, content in files.items():
            _write(partial / name, content)
        _write(partial / MANIFEST, _manifest_text(files).encode())  # last: a folder without it is no bundle
        try:
            partial.rename(folder)
        except OSError as error:
            raise taken from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file of the bundle but the manifest, each read once and found to be what the manifest says.

    Raises:
        BundleError: no manifest, another format, a file missing, extra, altered or of a kind that may hold code.
    """
    manifest = _read_manifest(folder)
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }
    for name in (MANIFEST, *FILES_OF_MLFLOW):
        found.pop(name, None)
    for name, path in found.items():
        if path.is_symlink() or path.suffix not in SUFFIXES:
            raise BundleError(
                f"The bundle {folder} holds {name}; a bundle holds data alone ({', '.join(sorted(SUFFIXES))}), "
                "no code, no pickle, no links. Fetch it again, and ask who put that file there."
            )
    if missing := sorted(set(manifest) - set(found)):
        raise BundleError(f"The bundle {folder} lacks {', '.join(missing)}. Fetch it again.")
    if extra := sorted(set(found) - set(manifest)):
        raise BundleError(
            f"The bundle {folder} holds files that its manifest does not list: {', '.join(extra)}. "
            "Remove them, or fetch it again."
        )
    contents = {}
    for name, (sha256, n_bytes) in manifest.items():
        content = found[name].read_bytes()
        if len(content) != n_bytes or of_bytes(content) != sha256:
            raise BundleError(
                f"The bundle {folder} was altered: {name} is not the file that its manifest lists. Fetch it again."
            )
        contents[name] = content
    return contents


def of_bytes(content: bytes) -> str:
    """SHA-256 of bytes.

    >>> of_bytes(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def _manifest_text(files: Mapping[str, bytes]) -> str:
    says = {
        "format_version": FORMAT_VERSION,
        "readable_since": FIRST_RELEASE_OF_FORMAT[FORMAT_VERSION],
        "files": {name: {"sha256": of_bytes(files[name]), "n_bytes": len(files[name])} for name in sorted(files)},
    }
    return json.dumps({**says, "sha256": of_text(canonical_json(says))}, indent=1, sort_keys=True) + "\n"


def _read_manifest(folder: Path) -> dict[str, tuple[str, int]]:
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(
            f"{folder} holds no {MANIFEST}, so it is no bundle. Name the folder that `preceptor run` wrote."
        )
    altered = BundleError(
        f"The bundle {folder} was altered: its {MANIFEST} does not match its own hash. Fetch it again."
    )
    try:
        text = path.read_bytes().decode()
        says = json.loads(text)
        sha256 = says.pop("sha256")
        whole = json.dumps({**says, "sha256": sha256}, indent=1, sort_keys=True) + "\n"
        if whole != text or sha256 != of_text(canonical_json(says)):
            raise altered
        version, since = int(says["format_version"]), str(says["readable_since"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise altered from error
    if version != FORMAT_VERSION:
        raise BundleError(
            f"The bundle {folder} is of format {version}; this version reads format {FORMAT_VERSION}. "
            f"Run `pip install 'preceptor>={since}'`."
        )
    try:
        return {str(name): (str(facts["sha256"]), int(facts["n_bytes"])) for name, facts in says["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise altered from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
