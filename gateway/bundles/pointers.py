"""The pointer file: where each reference of the registry leads now, as `gateway.bundles.watching` last saw it.

One small JSON file, replaced whole by a rename, so that a reader finds the old one or the new one and nothing between.
It holds names, numbers and hashes. A reader trusts none of it further than the bundle's own hashes bear it out.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from core.errors import BundleError
from core.records import Record


class Located(Record):
    """Where one reference leads: to a folder that is whole, to a version that is being fetched, or nowhere.

    `fault` is a slug and says that it leads nowhere; `folder` is None while the version is being fetched.
    """

    version: int | None = None
    sha256: str | None = None
    folder: str | None = None
    fault: str | None = None
    sentence: str = ""
    """What went wrong, for the log."""


class Pointers(Record):
    """What the watcher saw. `away_since` is set while the registry does not answer; the rest stands as it was."""

    format: Literal[1] = 1
    references: Mapping[str, Located]
    away_since: datetime | None = None
    away: str = ""
    """Why it does not answer."""


def write_pointers(path: Path, pointers: Pointers) -> None:
    """Replace the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(pointers.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def seen_file(path: Path) -> Path:
    """The empty file beside it that the watcher touches with each look.

    >>> seen_file(Path("watching/1.json")).name
    '1.seen'
    """
    return path.with_suffix(".seen")


def read_pointers(path: Path) -> Pointers:
    """What the file says.

    Raises:
        FileNotFoundError: it is not there.
        BundleError: it cannot be read, or is not one that the watcher wrote.
    """
    try:
        return Pointers.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValidationError) as error:
        raise BundleError(
            f"{path} does not read as what the watcher writes ({type(error).__name__}). "
            "Restart the gateway; see who may write there."
        ) from error
