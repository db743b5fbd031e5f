"""Upgrading a store to this release's tables: all of it in one transaction, or nothing. Never run by itself."""

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from core.errors import PreceptorError
from core.ledger import append_in
from core.migrations import HEAD
from core.store import REVISION, create_tables, declare_tables, revision_of, without_foreign_keys


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


def upgrade_store(engine: sa.Engine, *, by: str, now: datetime) -> str | None:
    """Upgrade the store, with an event in its ledger; returns the revision that it had.

    Raises:
        PreceptorError: the store is of a later release, or its rows do not fit afterwards; nothing is changed.
    """
    from alembic import command
    from alembic.config import Config

    declare_tables()
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    upgrading = without_foreign_keys(engine.url)
    try:
        with upgrading.connect().execution_options(preceptor_write=True) as connection, connection.begin():
            before = revision_of(connection)
            if before is None or before == HEAD:
                pass
            elif before > HEAD:
                raise PreceptorError(f"The store has revision {before}, later than {HEAD}. Use the release it is from.")
            else:
                config.attributes["connection"] = connection
                if REVISION.name not in sa.inspect(connection).get_table_names():
                    command.stamp(config, before)
                command.upgrade(config, HEAD)
                _check_keys(connection)
                append_in(connection, by, "store.upgrade", f"revision {HEAD}", {"from": before}, now=now)
    finally:
        upgrading.dispose()
    if before is None:
        create_tables(engine)
    return before


def _check_keys(connection: sa.Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    fault = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if fault is not None:
        raise PreceptorError(f"After the upgrade a row of {fault[0]} points nowhere. Nothing was changed; report this.")
