"""Where references lead, read from an MLflow database's own tables: a look takes a millisecond, and no library.

It reads what MLflow 3 writes, and writes nothing. Tables of another form, a server and workspaces are for
`models.versions`, which asks MLflow: so a form that changes costs time and never an answer.
"""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from core.errors import RegistryError
from models.mlflow_store import sqlite_file
from models.versions import TAG, ModelVersion, parts_of

_DELETED, _WORKSPACE = "Deleted_Internal", "default"
_ALIASES = sa.table(
    "registered_model_aliases", *(sa.column(name) for name in ("workspace", "name", "alias", "version"))
)
_VERSIONS = sa.table(
    "model_versions",
    *(sa.column(name) for name in ("workspace", "name", "version", "source", "run_id", "current_stage")),
)
_TAGS = sa.table("model_version_tags", *(sa.column(name) for name in ("workspace", "name", "version", "key", "value")))
_RUNS = sa.table("runs", sa.column("run_uuid"), sa.column("artifact_uri"))


class CannotTell(Exception):
    """The tables are not there, not readable, or not of the form that MLflow 3 writes: ask MLflow."""


class AliasTables:
    """Reads one database."""

    def __init__(self, tracking_uri: str) -> None:
        self._engine = _engine(tracking_uri)

    def find(self, reference: str) -> ModelVersion | None:
        """The version that `models:/NAME@ALIAS` or `models:/NAME/3` stands for now; None: there is no such one.

        Its tags and number are read, its aliases are not.

        Raises:
            CannotTell: MLflow must be asked.
            RegistryError: the reference is malformed.
        """
        name, number, alias = parts_of(reference)
        if self._engine is None:
            raise CannotTell
        try:
            with self._engine.connect() as connection:
                return _find(connection, name, number, alias)
        except (SQLAlchemyError, ValueError, TypeError) as error:
            raise CannotTell from error

    def stored_at(self, version: ModelVersion) -> Path | None:
        """The folder of the version's bundle, where artifacts are folders of this machine; None: ask MLflow."""
        run_id, _, path = version.source.removeprefix("runs:/").partition("/")
        if self._engine is None or not path or ".." in path.split("/"):
            return None
        try:
            with self._engine.connect() as connection:
                uri = connection.execute(sa.select(_RUNS.c.artifact_uri).where(_RUNS.c.run_uuid == run_id)).scalar()
        except SQLAlchemyError:
            return None
        parts = urlsplit(uri or "s3:")
        if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
            return None
        folder = Path(unquote(parts.path) if parts.scheme else str(uri)) / path / "bundle"
        return folder if folder.is_dir() else None

    def close(self) -> None:
        """Let the database go."""
        if self._engine is not None:
            self._engine.dispose()


def _find(connection: sa.Connection, name: str, number: int | None, alias: str | None) -> ModelVersion | None:
    if number is None:
        aliased = sa.select(_ALIASES.c.version).where(
            _ALIASES.c.workspace == _WORKSPACE, _ALIASES.c.name == name, _ALIASES.c.alias == alias
        )
        number = connection.execute(aliased).scalar()
        if number is None:
            return None
    row = connection.execute(
        sa.select(_VERSIONS).where(
            _VERSIONS.c.workspace == _WORKSPACE, _VERSIONS.c.name == name, _VERSIONS.c.version == number
        )
    ).first()
    if row is None or row.current_stage == _DELETED:
        return None
    tags = connection.execute(
        sa.select(_TAGS.c.key, _TAGS.c.value).where(
            _TAGS.c.workspace == _WORKSPACE, _TAGS.c.name == name, _TAGS.c.version == number
        )
    )
    ours = {key.removeprefix(TAG): value for key, value in tags if key.startswith(TAG)}
    return ModelVersion(
        name=name, version=int(number), run_id=row.run_id or None, source=row.source or "", tags=ours, aliases=()
    )


def _engine(tracking_uri: str) -> sa.Engine | None:
    """An engine that reads the database; None for a server, for workspaces, and for what cannot be opened."""
    if urlsplit(tracking_uri).scheme in {"http", "https"} or os.environ.get("MLFLOW_WORKSPACE"):
        return None
    try:
        file = sqlite_file(tracking_uri)
        if file is None:
            return sa.create_engine(tracking_uri, pool_pre_ping=True)
        return sa.create_engine(f"sqlite:///file:{file}?mode=ro&uri=true", connect_args={"timeout": 5})
    except (SQLAlchemyError, RegistryError, ImportError):
        return None
