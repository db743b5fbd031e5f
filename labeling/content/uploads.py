"""Files that were uploaded and wait for a yes: kept on the server, for one person, for half an hour.

They never go back to the browser. The folder is the process's own and is removed with it.
"""

import secrets
import shutil
import tempfile
import threading
import weakref
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from core.errors import PreceptorError
from labeling.content.inspecting import ImportRules, Inspection
from labeling.content.reports import ImportReport
from labeling.content.sources import Source

LIFETIME = timedelta(minutes=30)
ENDINGS = (".jsonl", ".ndjson", ".csv", ".parquet", ".jsonl.gz", ".ndjson.gz", ".csv.gz")


@dataclass(frozen=True)
class Upload:
    """A file on the server, whose it is, and what was found in it."""

    path: Path
    name: str
    """What its owner calls it."""
    person: str
    until: datetime
    source: Source | None = None
    rules: ImportRules | None = None
    inspection: Inspection | None = None

    def named(self, report: ImportReport) -> ImportReport:
        """The report with the owner's name of the file in place of ours."""
        ours = str(self.path)
        return replace(
            report,
            faults=tuple(fault.replace(ours, self.name) for fault in report.faults),
            not_asked=tuple(place.replace(ours, self.name) for place in report.not_asked),
        )


class Uploads:
    """The files that wait, by a random token."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="preceptor-import-"))
        self._waiting: dict[str, Upload] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def keep(self, file: BinaryIO, name: str, *, person: str, now: datetime) -> tuple[str, Upload]:
        """Write a file down, and return its token; an earlier one of the same person is dropped.

        Raises:
            PreceptorError: its name says that it is of no kind that is read.
        """
        ending = next(
            (ending for ending in sorted(ENDINGS, key=len, reverse=True) if name.lower().endswith(ending)), ""
        )
        if not ending:
            raise PreceptorError(f"'{name}' is no file that is read here. Files end in {', '.join(ENDINGS)}.")
        token = secrets.token_urlsafe(24)
        path = self._folder / f"{secrets.token_hex(8)}{ending}"
        with path.open("xb") as kept:
            shutil.copyfileobj(file, kept)
        upload = Upload(path, Path(name).name, person, now + LIFETIME)
        with self._lock:
            for known, one in list(self._waiting.items()):
                if one.person == person or one.until <= now:
                    self._drop(known)
            self._waiting[token] = upload
        return token, upload

    def note(self, token: str, upload: Upload) -> None:
        """Keep what was found beside the file."""
        with self._lock:
            self._waiting[token] = upload

    def of(self, token: str, *, person: str, now: datetime) -> Upload:
        """The file of a token.

        Raises:
            PreceptorError: there is none for this person, or its time is over.
        """
        with self._lock:
            upload = self._waiting.get(token)
            if upload is None or upload.person != person or upload.until <= now:
                raise PreceptorError("That file is no longer here: uploads wait for 30 minutes. Upload it again.")
        return upload

    def drop(self, token: str) -> None:
        """Remove a file that was imported or is not wanted."""
        with self._lock:
            self._drop(token)

    def _drop(self, token: str) -> None:
        upload = self._waiting.pop(token, None)
        if upload is not None:
            upload.path.unlink(missing_ok=True)
