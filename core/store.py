"""The store: one SQLAlchemy engine, SQLite by default, PostgreSQL by URL.

Rooms declare their tables on `METADATA` in modules that pyproject.toml lists (`preceptor.tables`), so that a store has
all of them whoever opens it first. A store carries the revision of its tables (`core.migrations`). The logs and errors
of its engine hold no values: they may be texts.
"""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from core.errors import MissingExtra, PreceptorError
from core.migrations import HEAD, UNMARKED

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
"""All tables of all rooms."""

REVISION = sa.Table("alembic_version", METADATA, sa.Column("version_num", sa.String(32), primary_key=True))
"""One row: the revision of the store's tables, where Alembic looks for it."""

BUSY_TIMEOUT_S = 30
"""How long a SQLite writer waits for another before it gives up."""


def open_store(url: str) -> sa.Engine:
    """An engine on the store at `url`; the connection is tried once, and SQLite's folder is made.

    SQLite runs in WAL mode with foreign keys on, so readers never wait for a writer.

    Raises:
        PreceptorError: the URL is malformed or the database does not answer.
        MissingExtra: the URL names PostgreSQL and its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise PreceptorError(
            f"store_url '{url}' is not a database URL. "
            "Write sqlite:///preceptor.db or postgresql://USER:PASSWORD@HOST/DATABASE."
        ) from error
    engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _server(parsed)
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except OperationalError as error:
        engine.dispose()
        raise PreceptorError(
            f"The store at {parsed.render_as_string(hide_password=True)} does not answer ({error.orig}). "
            "Start the database or correct store_url."
        ) from error
    return engine


@contextmanager
def writing(engine: sa.Engine, *, survives_power_cut: bool = True) -> Iterator[sa.Connection]:
    """One write transaction: committed at the end, rolled back on any error.

    SQLite takes its write lock at once (`BEGIN IMMEDIATE`), so two writers queue instead of colliding. Writers of one
    process queue before that: SQLite's own waiting is a sleep that grows, and whoever comes later may be served first.

    Without `survives_power_cut` it does not wait for the disk. It is on record for everyone and outlives the process;
    a power cut may take it, whole, with what came after it.
    """
    options = {"preceptor_write": True, "preceptor_synchronous": "FULL" if survives_power_cut else "NORMAL"}
    with _turn(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        if not survives_power_cut and engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        yield connection


def create_tables(engine: sa.Engine) -> None:
    """Every table of every room, in a store that is new; safe to call from several processes at once.

    Raises:
        PreceptorError: the store was made by another release and must be upgraded first.
    """
    declare_tables()
    with engine.connect() as connection:
        if revision_of(connection) == HEAD:
            return
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236711)"))
        revision = revision_of(connection)
        if revision is None:
            METADATA.create_all(connection)
            connection.execute(REVISION.insert().values(version_num=HEAD))
        elif revision != HEAD:
            url = engine.url.render_as_string(hide_password=True)
            step = f"`preceptor store upgrade --store {url}`" if revision < HEAD else "the release that wrote it"
            raise PreceptorError(f"The store has tables of revision {revision}, this release has {HEAD}. Use {step}.")


def declare_tables() -> None:
    """Import every module that declares tables, so that `METADATA` is whole."""
    for module in entry_points(group="preceptor.tables"):
        module.load()


def revision_of(connection: sa.Connection) -> str | None:
    """The revision of the store's tables; None for an empty store."""
    names = set(sa.inspect(connection).get_table_names())
    if REVISION.name in names:
        return connection.execute(sa.select(REVISION.c.version_num)).scalar()
    return UNMARKED if names & METADATA.tables.keys() else None


def without_foreign_keys(url: sa.URL) -> sa.Engine:
    """An engine for upgrades: SQLite rebuilds tables, and must not follow their keys meanwhile."""
    return _sqlite(url, foreign_keys="OFF") if url.get_backend_name() == "sqlite" else _server(url)


@contextmanager
def _turn(engine: sa.Engine) -> Iterator[None]:
    """Wait for this process's other writers to the same SQLite file; never longer than SQLite itself would."""
    if engine.dialect.name != "sqlite":
        yield
        return
    with _LOCKS_LOCK:
        lock = _LOCKS.setdefault(engine, threading.Lock())
    is_held = lock.acquire(timeout=BUSY_TIMEOUT_S)
    try:
        yield
    finally:
        if is_held:
            lock.release()


_LOCKS: "weakref.WeakKeyDictionary[sa.Engine, threading.Lock]" = weakref.WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()


def _sqlite(url: sa.URL, *, foreign_keys: str = "ON") -> sa.Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
        # The driver's own transaction control would delay BEGIN; `_begin` sends it instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA foreign_keys={foreign_keys}")
        cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged judgement survives a power cut
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        wanted = options.get("preceptor_synchronous")
        if wanted is not None and wanted != connection.info.get("synchronous", "FULL"):
            connection.exec_driver_sql(f"PRAGMA synchronous={wanted}")  # no part of a transaction: it comes before
            connection.info["synchronous"] = wanted
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("preceptor_write", False) else "BEGIN")

    return engine


def _server(url: sa.URL) -> sa.Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg2")  # the driver that the postgres extra installs
    try:
        return sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise MissingExtra("psycopg2", "postgres", f"A store at {url.drivername}") from error
