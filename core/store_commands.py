"""Commands about the store itself: which revision its tables have, and bringing it to this release's."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import sqlalchemy as sa


@click.group()
def store() -> None:
    """Look after the store of labels, decisions and ledger.

    Example: preceptor store status --store sqlite:///preceptor.db
    """


_store = click.option("--store", "store_url", help="Database URL; default: the settings' or sqlite:///preceptor.db.")
_config = click.option("--config", type=click.Path(path_type=Path), help="YAML that says where the store is.")


@store.command()
@_store
@_config
def status(store_url: str | None, config: Path | None) -> None:
    """Say which revision the store's tables have, and which this release needs.

    Example: preceptor store status --store sqlite:///preceptor.db
    """
    from core.migrations import HEAD
    from core.store import declare_tables, revision_of

    declare_tables()
    with _engine(store_url, config).connect() as connection:
        revision = revision_of(connection)
    if revision == HEAD:
        click.echo(f"Revision {revision}, which this release needs.")
    else:
        click.echo(f"Revision {revision or 'none: the store is empty'}; this release needs {HEAD}.")
        if revision is not None:
            click.echo("Next: preceptor store upgrade")


@store.command()
@_store
@_config
@click.option("--by", metavar="NAME", help="Who does this, for the ledger.  [default: you]")
@click.option("--yes", is_flag=True, help="Do not ask.")
def upgrade(store_url: str | None, config: Path | None, *, by: str | None, yes: bool) -> None:
    """Bring a store of an earlier release to this one's tables, in one transaction.

    A SQLite store is copied first, beside itself. Back up a PostgreSQL database before you start.

    Example: preceptor store upgrade --store sqlite:///preceptor.db --yes
    """
    import getpass
    from datetime import UTC, datetime

    from core.migrations import HEAD
    from core.upgrading import backup, upgrade_store

    engine = _engine(store_url, config)
    if not yes:
        click.confirm(f"Upgrade {engine.url.render_as_string(hide_password=True)} to revision {HEAD}?", abort=True)
    copy = backup(engine)
    if copy is not None:
        click.echo(f"Copied to {copy}")
    before = upgrade_store(engine, by=by or getpass.getuser(), now=datetime.now(UTC))
    click.echo(f"From revision {before} to {HEAD}." if before != HEAD else f"Revision {HEAD} already: nothing to do.")


def _engine(store_url: str | None, config: Path | None) -> "sa.Engine":
    from core.settings import load_settings
    from core.store import open_store

    if store_url is None:
        store_url = "sqlite:///preceptor.db" if config is None else load_settings(config).store_url
    return open_store(store_url)
