"""An MLflow store, opened with care: its environment, its URI, its errors as sentences, and the lock beside it.

MLflow is imported when a store is opened, never before.

MLflow's SQLite store breaks when several processes touch a new file at once, and its aliases know no compare-and-set;
both are done under `store_lock`.
"""

import fcntl
import hashlib
import logging
import os
import re
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from core.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCK_TIMEOUT_S = 60.0
"""How long to wait for another process that holds the store's lock; creating a SQLite store takes up to 10 s."""

_ALWAYS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # on by default
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_MODEL_CATALOG_URI": "",  # else it asks GitHub
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_ANSWERS = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE"})
"""MLflow's codes by which a store says no; all others say that something is wrong with the store or the way to it."""
_opened: set[str] = set()
_UNLESS_SET = {
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # MLflow's own 7 keep a user waiting for minutes when a server is down
}


def open_client(tracking_uri: str) -> "MlflowClient":
    """A client of the store at `tracking_uri`; a SQLite store is created or upgraded by one process at a time.

    Raises:
        RegistryError: no such kind of store, or it does not answer.
    """
    prepare_environment()
    uri = absolute_uri(tracking_uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what MLflow's own imports warn of is not the user's
        from mlflow import MlflowClient
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if uri not in _opened:
        file = sqlite_file(uri)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        with store_lock(uri), speaking_to(uri):
            client = MlflowClient(uri, registry_uri=uri)
            client.search_experiments(max_results=1)
            client.search_registered_models(max_results=1)
        _opened.add(uri)
    return MlflowClient(uri, registry_uri=uri)


@contextmanager
def speaking_to(tracking_uri: str) -> Iterator[None]:
    """Turn what MLflow raises into one sentence and the next step.

    Raises:
        RegistryError: in place of MLflow's and the database's errors.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        said = _without_password((str(error).strip().splitlines() or [type(error).__name__])[0])[:300]
        raise RegistryError(
            f"The MLflow store at {shown(tracking_uri)} refused or did not answer: {said}. "
            "Start the server or correct mlflow.tracking_uri, then repeat the command."
        ) from error


def error_code(error: RegistryError) -> str | None:
    """MLflow's code of the error behind ours (`RESOURCE_DOES_NOT_EXIST`); None where it has none."""
    return getattr(error.__cause__, "error_code", None)


def is_away(error: RegistryError) -> bool:
    """Whether the store did not answer, so that nothing is known; False where it did, and said no.

    >>> is_away(RegistryError("coding has no alias 'champion'."))
    False
    """
    cause = error.__cause__
    return cause is not None and (isinstance(cause, OSError | SQLAlchemyError) or error_code(error) not in _ANSWERS)


def prepare_environment() -> None:
    """Set what MLflow reads from the environment: no telemetry, no unpickling, no call to the outside, no chatter."""
    os.environ.update(_ALWAYS)
    for name, value in _UNLESS_SET.items():
        os.environ.setdefault(name, value)


def absolute_uri(tracking_uri: str) -> str:
    """The tracking URI with a SQLite file's path made absolute, so that changing folders changes nothing.

    Raises:
        RegistryError: not a database or server URL.

    >>> absolute_uri("http://127.0.0.1:5000")
    'http://127.0.0.1:5000'
    >>> absolute_uri("sqlite:////data/mlflow.db")
    'sqlite:////data/mlflow.db'
    """
    if urlsplit(tracking_uri).scheme in {"http", "https"}:
        return tracking_uri
    file = sqlite_file(tracking_uri)
    return tracking_uri if file is None else f"sqlite:///{file}"


def sqlite_file(tracking_uri: str) -> Path | None:
    """The file of a SQLite tracking URI, absolute; None for a server or another database.

    Raises:
        RegistryError: not a database or server URL.
    """
    if urlsplit(tracking_uri).scheme in {"http", "https"}:
        return None
    try:
        url = make_url(tracking_uri)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() == "file" or (url.get_backend_name() == "sqlite" and not url.database):
        raise RegistryError(
            f"mlflow.tracking_uri '{tracking_uri}' names no store that MLflow can keep runs in. "
            "Write sqlite:///mlflow.db, postgresql://USER:PASSWORD@HOST/DATABASE or http://HOST:5000."
        )
    if url.get_backend_name() != "sqlite":
        return None
    return Path(str(url.database)).resolve()


def default_artifact_location(tracking_uri: str) -> str | None:
    """A folder beside the SQLite file, as a URI; None lets a server or another database choose its own."""
    file = sqlite_file(tracking_uri)
    return None if file is None else (file.parent / f"{file.stem}-artifacts").as_uri()


def shown(tracking_uri: str) -> str:
    """The URI as it may be printed: without user and password.

    >>> shown("https://ann:secret@mlflow.example.org/path")
    'https://mlflow.example.org/path'
    """
    parts = urlsplit(tracking_uri)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host).geturl() if "@" in parts.netloc else tracking_uri


@contextmanager
def store_lock(tracking_uri: str, *, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the store against every other process of this machine.

    The lock is a file beside a SQLite database, else in the machine's temporary folder; it ends with its process.
    Not re-entrant.

    Raises:
        RegistryError: another process kept it for longer than `timeout_s`.
    """
    path = _lock_file(tracking_uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise RegistryError(
                    f"Another process has held {path} for {timeout_s:g} s. "
                    "Wait for it to end, or stop it (`fuser` names it), then repeat the command."
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _without_password(text: str) -> str:
    """A message with the user and password of every URL in it taken out."""
    return re.sub(r"://[^/@\s]+@", "://", text)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(tracking_uri: str) -> Path:
    file = sqlite_file(tracking_uri)
    if file is not None:
        return file.with_name(f"{file.name}.lock")
    name = hashlib.sha256(tracking_uri.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"preceptor-locks-{os.getuid()}" / f"{name}.lock"
