"""A gateway's look at the pointer file: what moved, and whether anyone still looks at the registry. Loads nothing."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from core.errors import BundleError
from gateway.bundles.pointers import Located, Pointers, read_pointers, seen_file
from gateway.own_thread import in_own_thread

LOG = logging.getLogger("preceptor.gateway")

STALE_S = 15.0
"""Seconds without a look of the watcher from which on that is said."""

_LEFT_OUT = Located(fault="pointer_unreadable", sentence="The watcher says nothing of it. Restart the gateway.")


class PointerWatch:
    """Reads one pointer file where it has changed.

    A file that is not there changes nothing: its watcher starts, or was ended. One that cannot be read leads nowhere.
    """

    def __init__(self, path: Path | None, references: Sequence[str], *, clock: Callable[[], float] = time.time) -> None:
        self._path, self._references, self._clock = path, tuple(references), clock
        self._mark: tuple[int, int] | None = None
        self._away_since: datetime | None = None
        self._started_at, self._looked_at = clock(), 0.0
        self._is_stale = False

    async def look(self) -> Mapping[str, Located]:
        """Where each reference leads, of those of which the file says something new."""
        if self._path is None or not self._references:
            return {}
        try:
            found = await in_own_thread(partial(_read_if_new, self._path, self._mark), name="pointers")
        except Exception as error:  # noqa: BLE001 - a pointer that cannot be read points nowhere
            sentence = str(error) if isinstance(error, BundleError) else f"{type(error).__name__}."
            self._mark = None
            return dict.fromkeys(self._references, Located(fault="pointer_unreadable", sentence=sentence))
        self._looked_at = max(self._looked_at, found.looked_at)
        self._say_if_stale()
        if found.pointers is None:
            return {}
        self._mark = found.mark
        self._say_if_away(found.pointers)
        return {one: found.pointers.references.get(one, _LEFT_OUT) for one in self._references}

    def warnings(self) -> tuple[str, ...]:
        """A registry that does not answer, and a watcher that does not look."""
        said = []
        if self._away_since is not None:
            said.append(f"The registry has not answered since {self._away_since:%Y-%m-%d %H:%M:%S} UTC.")
        if self._is_stale:
            said.append("Nobody has looked where the aliases lead for a while; bundles stay as they are.")
        return tuple(said)

    def _say_if_stale(self) -> None:
        is_stale = self._clock() - max(self._looked_at, self._started_at) > STALE_S
        if is_stale and not self._is_stale:
            LOG.error("The watcher has not looked at the registry for %g s; bundles stay as they are.", STALE_S)
        self._is_stale = is_stale

    def _say_if_away(self, pointers: Pointers) -> None:
        if pointers.away_since is not None and self._away_since is None:
            LOG.error("The registry does not answer; bundles stay as they are. %s", pointers.away)
        if pointers.away_since is None and self._away_since is not None:
            LOG.warning("The registry answers again.")
        self._away_since = pointers.away_since


class _Found(NamedTuple):
    """What the file says, None where it is as before; its mark; and when the watcher last looked (seconds, epoch)."""

    pointers: Pointers | None
    mark: tuple[int, int] | None
    looked_at: float


def _read_if_new(path: Path, mark: tuple[int, int] | None) -> _Found:
    try:
        looked_at = seen_file(path).stat().st_mtime
    except OSError:
        looked_at = 0.0
    try:
        stat = path.stat()
        found = (stat.st_ino, stat.st_mtime_ns)
        return _Found(None if found == mark else read_pointers(path), found, looked_at)
    except FileNotFoundError:
        return _Found(None, mark, looked_at)
