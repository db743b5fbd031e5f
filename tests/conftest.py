"""Parts that several rooms' tests need: one thread a library, a real PostgreSQL, a real Chromium."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def absent(part: str) -> None:
    """Skip for want of a part on a developer's machine; fail under CI, which can install it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{part} is not installed, and CI skips nothing")
    pytest.skip(f"{part} is not installed")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a fresh PostgreSQL server on loopback, started here and stopped at the end."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        absent("PostgreSQL (Debian's package postgresql)")
    folder = programs[-1].parent
    # Outside pytest's own folder, which each pytest that starts closes to other users.
    data = Path(tempfile.mkdtemp(prefix="preceptor-postgres-"))
    as_user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(data, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [*as_user, folder / "initdb", "-D", data / "db", "-U", "preceptor", "-A", "trust", "-E", "UTF8"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    server = subprocess.Popen(
        [*as_user, folder / "postgres", "-D", data / "db", "-p", str(port), "-h", "127.0.0.1", "-k", data, "-F"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ready = [folder / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        deadline = time.monotonic() + 30
        while subprocess.run(ready, check=False).returncode != 0:
            assert time.monotonic() < deadline, "PostgreSQL did not start within 30 s"
            time.sleep(0.1)
        yield f"postgresql://preceptor@127.0.0.1:{port}"
    finally:
        # At once, since nothing of it is kept; asked politely, it would first write every database to disk.
        subprocess.run([*as_user, folder / "pg_ctl", "stop", "-s", "-m", "immediate", "-D", data / "db"], check=True)
        server.wait(timeout=30)
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_store(postgres_server: str) -> tuple[str, str]:
    """The URL of a database with the tables of every room, which tests take in turn, and how it is built."""
    return _with_tables(_create_database(postgres_server, "store"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables of every room, to be copied."""
    from core.store import create_tables, open_store

    file = tmp_path_factory.mktemp("store-template") / "store.db"
    engine = open_store(f"sqlite:///{file}")
    create_tables(engine)
    engine.dispose()
    return file


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty database of its own."""
    return _create_database(postgres_server, f"test_{os.getpid()}_{time.monotonic_ns()}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, on SQLite and on PostgreSQL."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store with tables and nothing in them: every test that takes it runs on SQLite and on PostgreSQL.

    SQLite's file is copied, PostgreSQL's tables are emptied: making them anew takes a quarter of a second.
    """
    if request.param == "postgres":
        return _emptied(*request.getfixturevalue("postgres_store"))
    shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "store.db")
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's Chromium."""
    path = shutil.which("chromium")
    if path is None:
        absent("Chromium (Debian's package chromium)")
    return str(path)


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without a run, to be copied: making one takes seconds."""
    from models.mlflow_store import open_client

    file = tmp_path_factory.mktemp("mlflow-template") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, on libraries that it uses
        open_client(f"sqlite:///{file}")
    return file


def _create_database(server: str, name: str) -> str:
    from psycopg2 import sql

    with _commands(f"{server}/postgres") as cursor:
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{server}/{name}"


def _with_tables(url: str) -> tuple[str, str]:
    from core.store import create_tables, open_store

    engine = open_store(url)
    create_tables(engine)
    engine.dispose()
    with _commands(url) as cursor:
        return url, _structure(cursor)


def _structure(cursor: Any) -> str:
    """Columns, constraints, indexes and triggers, as one text: a test may have changed them."""
    cursor.execute(
        "SELECT string_agg(one, ' ' ORDER BY one) FROM ("
        "SELECT table_name || '.' || column_name AS one FROM information_schema.columns WHERE table_schema = 'public'"
        " UNION ALL SELECT tgname || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"
        " UNION ALL SELECT conrelid::regclass || '.' || conname FROM pg_constraint"
        " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public') AS parts"
    )
    return str(cursor.fetchone()[0])


def _emptied(url: str, structure: str) -> str:
    """The store without a row, its counters at their start, and nobody connected."""
    from psycopg2 import sql

    with _commands(url) as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if _structure(cursor) != structure:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            return _with_tables(url)[0]
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'")
        names = [name for (name,) in cursor.fetchall()]
        has_rows = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} WHERE EXISTS (SELECT 1 FROM {})").format(sql.Literal(one), sql.Identifier(one))
            for one in names
        )
        cursor.execute(has_rows)
        used = [sql.Identifier(name) for (name,) in cursor.fetchall()]
        cursor.execute("SET session_replication_role = replica")  # the ledger's own triggers refuse to delete
        for one in used:
            cursor.execute(sql.SQL("DELETE FROM {}").format(one))
        cursor.execute("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'")
    return url


@contextmanager
def _commands(url: str) -> Iterator[Any]:
    import psycopg2

    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
