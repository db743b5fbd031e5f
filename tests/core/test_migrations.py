from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import core.migrations
from core.migrations import HEAD
from core.store import METADATA, create_tables, open_store
from core.upgrading import upgrade_store
from tests.core.earlier_store import keep_only, rows_of, store_of_0001, structure

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def new_structure(empty_store_url, tmp_path):
    """What a new store has, in a database that is left empty."""
    is_server = empty_store_url.startswith("postgresql")
    engine = open_store(empty_store_url if is_server else f"sqlite:///{tmp_path / 'new.db'}")
    create_tables(engine)
    found = structure(engine)
    if is_server:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return found


def differences(engine: sa.Engine) -> list[object]:
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def test_the_declared_tables_are_those_of_an_upgraded_store_and_of_a_new_one(empty_store_url, new_structure):
    engine = store_of_0001(empty_store_url)
    upgrade_store(engine, by="ops", now=NOW)

    assert differences(engine) == []
    assert structure(engine) == new_structure
    engine.dispose()


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param(("gateway_decision",), id="a gateway's store"),
        pytest.param(("ledger_event",), id="a store of promotions"),
        pytest.param(
            ("ledger_event", "web_session", "label_expert", "label_item", "label_answer", "label_pair"),
            id="a store of labels that nobody judged",
        ),
    ],
)
def test_a_store_that_served_for_less_gets_the_same_tables(empty_store_url, new_structure, tables):
    engine = store_of_0001(empty_store_url)
    keep_only(engine, *tables)
    upgrade_store(engine, by="ops", now=NOW)

    assert structure(engine) == new_structure
    assert rows_of(engine, "SELECT actor, subject FROM ledger_event WHERE action = 'store.upgrade'") == [
        ("ops", f"revision {HEAD}")
    ]
    engine.dispose()


def test_head_is_the_revision_of_the_last_file():
    files = sorted(Path(core.migrations.__file__).parent.joinpath("versions").glob("v*.py"))

    assert [path.name[:5] for path in files] == ["v0001", "v0002", "v0003", "v0004", "v0005"]
    assert HEAD == "0005"
