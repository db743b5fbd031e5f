"""Upgrading a store to this release's tables: all of it in one transaction, or nothing. Never run by itself."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.errors import PreceptorError
from core.ledger import append_in
from core.migrations import HEAD
from core.moments import timestamp
from core.store import REVISION, create_tables, declare_tables, revision_of, without_foreign_keys

LOCK_WAIT_S = 30
"""How long an upgrade waits for others who use the store; PostgreSQL by itself would wait for ever."""


@dataclass(frozen=True)
class Upgrade:
    """What was done: the revision the store had, None when it was empty, and what its owner should know."""

    revision_before: str | None
    remarks: tuple[str, ...] = ()


def needs_upgrade(engine: sa.Engine) -> bool:
    """Whether the store has tables of an earlier release.

    Raises:
        PreceptorError: it has those of a later one.
    """
    declare_tables()
    with engine.connect() as connection:
        return _is_earlier(revision_of(connection))


def backup(engine: sa.Engine) -> Path | None:
    """A copy of a SQLite store beside it, named by its revision; None for a database server.

    Raises:
        PreceptorError: the copy of that name exists already.
    """
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    declare_tables()
    with engine.connect() as connection:
        revision = revision_of(connection)
    path = Path(engine.url.database)
    copy = path.with_name(f"{path.name}.revision-{revision}")
    if copy.exists():
        raise PreceptorError(f"{copy} exists already, so the store was not copied. Move it away, then try again.")
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("VACUUM INTO ?", (str(copy),))
    finally:
        raw.close()
    return copy


def upgrade_store(engine: sa.Engine, *, by: str, now: datetime) -> Upgrade:
    """Upgrade the store, with an event in its ledger; of several who do it at once, the first does all.

    Raises:
        PreceptorError: the store is of a later release, others hold it, or its rows do not fit; nothing is changed.
    """
    declare_tables()
    remarks: list[str] = []
    upgrading = without_foreign_keys(engine.url)
    try:
        with upgrading.connect().execution_options(preceptor_write=True) as connection, connection.begin():
            _wait_for_turn(connection)
            before = revision_of(connection)
            if before is not None and _is_earlier(before):
                remarks = _migrate(connection, before, now=now)
                _check_keys(connection)
                append_in(connection, by, "store.upgrade", f"revision {HEAD}", {"from": before}, now=now)
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise PreceptorError(
            f"The database refused the upgrade ({reason}). Nothing was changed. "
            "Stop every process that uses the store, and remove what others built on its tables; then try again."
        ) from error
    finally:
        upgrading.dispose()
    if before is None:
        create_tables(engine)
    return Upgrade(before, tuple(remarks))


def _is_earlier(revision: str | None) -> bool:
    if revision is not None and revision > HEAD:
        raise PreceptorError(f"The store has revision {revision}, later than {HEAD}. Use the release it is from.")
    return revision is not None and revision < HEAD


def _wait_for_turn(connection: sa.Connection) -> None:
    # SQLite has its write lock already. On PostgreSQL this is the lock of `create_tables`.
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236711)"))


def _migrate(connection: sa.Connection, before: str, *, now: datetime) -> list[str]:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    remarks: list[str] = []
    config.attributes.update({"connection": connection, "now": timestamp(now), "remarks": remarks})
    if REVISION.name not in sa.inspect(connection).get_table_names():
        # Made here, since Alembic would name its key differently than a new store does.
        REVISION.create(connection)
        connection.execute(REVISION.insert().values(version_num=before))
    command.upgrade(config, HEAD)
    return remarks


def _check_keys(connection: sa.Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    fault = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if fault is not None:
        raise PreceptorError(f"After the upgrade a row of {fault[0]} points nowhere. Nothing was changed; report this.")
