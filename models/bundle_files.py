"""A bundle as files: its name by content, what it may hold, and its place in a cache. Loads nothing, judges nothing."""

import shutil
from pathlib import Path

from core import fingerprint
from core.errors import BundleError

MANIFEST = "MANIFEST.json"
ALLOWED_SUFFIXES = frozenset({".json", ".safetensors", ".md", ".txt", ".yaml", ".html", ".svg", ".png"})
"""What a registered bundle may hold: data, never code."""


def bundle_sha256(folder: Path) -> str:
    """The bundle's name by content: the SHA-256 of its MANIFEST.json, which holds the hash of every other file.

    Raises:
        BundleError: the folder holds no manifest.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise BundleError(
            f"{folder} holds no {MANIFEST}, so it is no bundle. Name the folder that `preceptor run` wrote."
        )
    return fingerprint.of_file(manifest)


def refuse_code(folder: Path) -> None:
    """Refuse a folder that holds a link, or a file that is not data.

    Raises:
        BundleError: names the files.
    """
    refused = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or (path.is_file() and path.suffix not in ALLOWED_SUFFIXES)
    ]
    if refused:
        raise BundleError(
            f"{folder} holds what a bundle must not: {', '.join(refused[:10])}. "
            f"A bundle holds data alone ({', '.join(sorted(ALLOWED_SUFFIXES))}), no code, no pickle, no links."
        )


def put_in_place(copy: Path, kept: Path) -> None:
    """Move a complete copy to its place in the cache in one step.

    Where another process was first, its copy stays; a copy there with another manifest is replaced.
    """
    if kept.is_dir():
        if (kept / MANIFEST).is_file() and bundle_sha256(kept) == bundle_sha256(copy):
            return
        shutil.rmtree(kept)
    try:
        copy.rename(kept)
    except OSError:
        if not kept.is_dir():
            raise
