"""Follows aliases in a process of its own, so that no gateway loads MLflow (`python -m gateway.bundles.watching`).

It reads one line of JSON (`gateway.bundles.watching_plan.Plan`) from its input, and then looks at each reference every
`watch_s`: where it leads, and whether that version lies whole in the cache. What it finds stands in one pointer file
(`gateway.bundles.pointers`). It ends when its input does, that is, with the gateway that started it. It decides
nothing and loads no bundle. MLflow itself is loaded where a version must be fetched, or its database cannot be read
directly.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from core.errors import PreceptorError, RegistryError
from gateway.bundles.pointers import Located, Pointers, seen_file, write_pointers
from gateway.bundles.watching_plan import Plan
from models.alias_tables import AliasTables, CannotTell
from models.mlflow_store import is_away, open_client
from models.registry import fetch_whole, resolve
from models.versions import ModelVersion

LOG = logging.getLogger("preceptor.watching")

AGAIN_S = 5.0
"""Seconds before a version that could not be fetched is tried again, and before MLflow is asked again what is not."""

_IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""A server that does not answer is asked again with the next look, not within this one."""


class Watching:
    """Looks at the references, and keeps what it saw. What takes long is done beside the looks."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        plan.pointer_file.parent.mkdir(parents=True, exist_ok=True)
        self._tables = AliasTables(plan.tracking_uri)
        self._located: dict[str, Located] = {}
        self._files: dict[str, tuple[tuple[str, int, int], ...]] = {}
        self._again_at: dict[str, float] = {}
        self._work: dict[str, tuple[Located, Future[Located]]] = {}
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="fetch")
        self._written: Pointers | None = None
        self._away: dict[str, str] = {}
        self._away_since: datetime | None = None
        self.needs_mlflow = False
        """Whether a version was met whose files MLflow alone can fetch."""
        self.wake = threading.Event()
        """Set when something is there to be seen before the next look is due."""

    def look(self, *, now: datetime) -> Pointers:
        """See where each reference leads now, have fetched what is new, and write what changed into the pointer file.

        While a version is fetched, the file says already that the reference has moved. While the registry does not
        answer, it says so, and everything else in it stays as it was seen last.
        """
        for reference in self._plan.references:
            try:
                self._look_at(reference)
                self._away.pop(reference, None)
            except RegistryError as error:
                if is_away(error):
                    self._away[reference] = str(error)
                else:
                    self._away.pop(reference, None)
                    self._located[reference] = Located(fault="bundle_unknown", sentence=str(error))
        self._away_since = (self._away_since or now) if self._away else None
        found = self._write()
        seen_file(self._plan.pointer_file).touch()
        return found

    def close(self) -> None:
        """Wait for nothing more."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._tables.close()

    def _look_at(self, reference: str) -> None:
        """Raises RegistryError where MLflow, asked directly, refuses or does not answer."""
        try:
            version = self._tables.find(reference)
        except CannotTell:
            version = resolve(reference, tracking_uri=self._plan.tracking_uri)
        if version is None:
            self._miss(reference)
            return
        known, moved = self._located.get(reference), _of(version)
        if known is None or (known.version, known.sha256) != (moved.version, moved.sha256):
            self._located[reference] = moved
            self._again_at.pop(reference, None)
        elif known.folder is not None and _files_of(Path(known.folder)) == self._files.get(known.folder):
            return
        self._slowly(reference, moved, partial(self._fetched, version, self._located[reference]))

    def _miss(self, reference: str) -> None:
        """The database has no such name, alias or version; MLflow's own words replace ours when they come."""
        missing = Located(fault="bundle_unknown", sentence=f"The registry has no {reference}. See the aliases it has.")
        known = self._located.get(reference)
        if known is None or known.fault != missing.fault:
            self._located[reference] = missing
            self._again_at.pop(reference, None)
        self._slowly(reference, missing, partial(self._missing, reference, missing))

    def _slowly(self, reference: str, about: Located, work: Callable[[], Located]) -> None:
        """Do the work beside the looks, one at a time, not again too soon; take what it found if it is about that."""
        of, running = self._work.get(reference, (None, None))
        if running is not None and not running.done():
            return
        if running is not None and of == about:
            del self._work[reference]
            self._located[reference] = running.result()
            return
        if time.monotonic() >= self._again_at.get(reference, 0.0):
            self._again_at[reference] = time.monotonic() + AGAIN_S
            future = self._workers.submit(work)
            self._work[reference] = (about, future)
            future.add_done_callback(lambda _: self.wake.set())

    def _fetched(self, version: ModelVersion, known: Located) -> Located:
        """Where its copy is. One that was here stays said to be here: whoever loads it sees for themselves."""
        try:
            uri, stored = self._plan.tracking_uri, self._tables.stored_at(version)
            folder = fetch_whole(version, tracking_uri=uri, cache=self._plan.cache, stored=stored)
            self.needs_mlflow = self.needs_mlflow or stored is None
        except Exception as error:  # noqa: BLE001 - whatever it is, the version is not here
            if known.folder is not None:
                LOG.error("The copy %s was altered, and cannot be fetched anew: %s", known.folder, error)
                return known
            sentence = str(error) if isinstance(error, PreceptorError) else type(error).__name__
            return _of(version).model_copy(update={"fault": "bundle_not_loaded", "sentence": sentence})
        self._files[str(folder)] = _files_of(folder)
        return _of(version).model_copy(update={"folder": str(folder)})

    def _missing(self, reference: str, missing: Located) -> Located:
        try:
            resolve(reference, tracking_uri=self._plan.tracking_uri)
        except RegistryError as error:
            return missing if is_away(error) else missing.model_copy(update={"sentence": str(error)})
        return missing

    def _write(self) -> Pointers:
        known = {one: self._located[one] for one in self._plan.references if one in self._located}
        found = Pointers(references=known, away_since=self._away_since, away=next(iter(self._away.values()), ""))
        # Nothing is said before something is known of each: what is left out would count as leading nowhere.
        is_whole = len(known) == len(self._plan.references)
        if is_whole and (found != self._written or not self._plan.pointer_file.exists()):
            write_pointers(self._plan.pointer_file, found)
            self._written = found
        return found


def watch(plan: Plan, is_over: threading.Event) -> None:
    """Look until it is over; a look that breaks is said, and the next one is made all the same."""
    watching, is_prepared = Watching(plan), False
    while not is_over.is_set():
        started = time.monotonic()
        watching.wake.clear()
        try:
            watching.look(now=datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 - the next look may see again
            LOG.error("A look at the registry broke (%s: %s).", type(error).__name__, error)
        while not is_over.is_set() and not watching.wake.is_set() and time.monotonic() - started < plan.watch_s:
            watching.wake.wait(min(0.1, plan.watch_s))
        if watching.needs_mlflow and not is_prepared:
            is_prepared = True
            threading.Thread(target=_prepare, args=(plan.tracking_uri,), name="prepare", daemon=True).start()
    watching.close()


def main() -> None:
    """Watch what the first line of the input says, until the input ends."""
    for name, value in _IMPATIENT.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    plan, is_over = Plan.model_validate_json(sys.stdin.readline()), threading.Event()

    def end_with_input() -> None:
        sys.stdin.read()
        is_over.set()

    threading.Thread(target=end_with_input, name="input", daemon=True).start()
    watch(plan, is_over)


def _prepare(tracking_uri: str) -> None:
    """Load MLflow, which takes seconds, before the next version must be fetched with it."""
    with contextlib.suppress(RegistryError):
        open_client(tracking_uri)


def _of(version: ModelVersion) -> Located:
    return Located(version=version.version, sha256=version.bundle_sha256)


def _files_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of each file: what changes when someone alters one."""
    try:
        found = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    except OSError:
        return ()
    return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found)


if __name__ == "__main__":
    main()
