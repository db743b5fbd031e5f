"""A store that the release before 0002 wrote: six pairs, two experts, a judgement taken back, a frozen version."""

import sqlite3
from pathlib import Path
from typing import Any

import psycopg2
import sqlalchemy as sa

from core.store import open_store

_FOLDER = Path(__file__).parent / "store_of_0001"


def store_of_0001(url: str) -> sa.Engine:
    """Fill the empty database at `url` as the earlier release did."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with sqlite3.connect(str(parsed.database)) as connection:
            connection.executescript((_FOLDER / "sqlite.sql").read_text(encoding="utf-8"))
        connection.close()
    else:
        server = psycopg2.connect(url)
        with server, server.cursor() as cursor:
            cursor.execute((_FOLDER / "postgresql.sql").read_text(encoding="utf-8"))
        server.close()
    return open_store(url)


def keep_only(engine: sa.Engine, *tables: str) -> None:
    """Drop every other table, as if the store had served for less."""
    inspector = sa.inspect(engine)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        gone = [name for name in inspector.get_table_names() if name not in tables]
        for name in gone:
            cascade = " CASCADE" if engine.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP TABLE {name}{cascade}")
        if engine.dialect.name == "postgresql" and "ledger_event" in gone:
            connection.exec_driver_sql("DROP FUNCTION ledger_event_refuse()")


def rows_of(engine: sa.Engine, query: str) -> list[tuple[Any, ...]]:
    """What a query gives."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def structure(engine: sa.Engine) -> set[str]:
    """Every table's columns, keys, checks, indexes and triggers, as the database itself words them."""
    if engine.dialect.name == "sqlite":
        return {
            f"{name}: {line.strip().rstrip(',')}"
            for name, text in rows_of(engine, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
            for line in text.splitlines()
        }
    return {": ".join(str(part) for part in row) for query in _POSTGRESQL for row in rows_of(engine, query)}


def content(engine: sa.Engine) -> dict[str, list[str]]:
    """Every row of every table."""
    names = sa.inspect(engine).get_table_names()
    return {name: sorted(str(row) for row in rows_of(engine, f"SELECT * FROM {name}")) for name in names}


_POSTGRESQL = (
    "SELECT table_name, column_name, ordinal_position, data_type, character_maximum_length, is_nullable, "
    "column_default FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
)
