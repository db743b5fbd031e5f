"""The folder in which several workers keep their counts, so that each of them can show the sum of all."""

import os
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share_counts(folder: Path, worker: int) -> None:
    """Keep this process's counts in a folder that all workers share; before the first `Metrics` of the process.

    A worker that takes another's number goes on with its counts.
    """
    from prometheus_client import values

    os.environ[FOLDER_VARIABLE] = str(folder)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: worker)  # type: ignore[no-untyped-call]


def forget_worker(folder: Path, worker: int) -> None:
    """A worker has ended: drop what it said of its present state, keep what it counted."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker, str(folder))  # type: ignore[no-untyped-call]


def are_shared() -> bool:
    """Whether this process shares its counts."""
    return FOLDER_VARIABLE in os.environ
