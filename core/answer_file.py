"""The answers that were paid for: one line each, on disk before the next is asked for, so that a kill costs nothing.

Append-only. It holds texts: it belongs beside the store, under the same protection, and never into the ledger.
"""

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import Field, ValidationError

from core.errors import DataError, PreceptorError
from core.records import Name, Record

Key = tuple[str, str]
"""A model's name and the SHA-256 of the messages as canonical JSON."""


class GivenAnswer(Record):
    """A model's answer to one conversation, what it took, and when it came."""

    model: Name
    messages_sha256: str
    text: str
    n_input: int | None = Field(default=None, ge=0)
    n_output: int | None = Field(default=None, ge=0)
    cost_usd: float | None = Field(default=None, ge=0)
    latency_ms: float = Field(ge=0)
    is_cut: bool = False
    at: str

    @property
    def key(self) -> Key:
        """What the answer is found by."""
        return self.model, self.messages_sha256


class AnswerFile:
    """The file, locked while it is open: two runs at once would pay twice.

    A last line that a kill cut off is dropped; any other line that cannot be read is a fault.
    """

    def __init__(self, path: Path) -> None:
        """Open, lock and read.

        Raises:
            PreceptorError: another run has it open.
            DataError: a line cannot be read.
        """
        self.path = path
        self.answers: dict[Key, GivenAnswer] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._lock()
            self._read()
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def add(self, answer: GivenAnswer) -> None:
        """Append an answer; when this returns it survives a power cut."""
        line = (answer.model_dump_json(exclude_none=True) + "\n").encode()
        while line:
            line = line[os.write(self._descriptor, line) :]
        os.fsync(self._descriptor)
        self.answers[answer.key] = answer

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PreceptorError(
                f"{self.path} is in use by another run. Wait for it, or name another file with --answers."
            ) from error

    def _read(self) -> None:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._descriptor, whole)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        faults = []
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                answer = GivenAnswer.model_validate(json.loads(line))
            except (ValueError, ValidationError):
                faults.append(f"{self.path}:{number}: not an answer that was asked for")
                continue
            self.answers[answer.key] = answer
        if faults:
            raise DataError(faults, "Name another file with --answers, or restore this one from a backup.")
