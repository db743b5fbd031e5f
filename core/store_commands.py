"""Commands about the store itself: which revision its tables have, and bringing it to this release's."""

from collections.abc import Iterator
from contextlib import contextmanager
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
    with _opened(store_url, config) as engine, engine.connect() as connection:
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

    Stop the servers first. A SQLite store is copied, beside itself; back up a PostgreSQL database yourself.

    Example: preceptor store upgrade --store sqlite:///preceptor.db --yes
    """
    import getpass
    from datetime import UTC, datetime

    from core.migrations import HEAD, UNMARKED
    from core.upgrading import backup, needs_upgrade, upgrade_store

    with _opened(store_url, config) as engine:
        if needs_upgrade(engine):
            if not yes:
                click.confirm(
                    f"Upgrade {engine.url.render_as_string(hide_password=True)} to revision {HEAD}?", abort=True
                )
            copy = backup(engine)
            if copy is not None:
                click.echo(f"Copied to {copy}")
        done = upgrade_store(engine, by=by or getpass.getuser(), now=datetime.now(UTC))
    for remark in done.remarks:
        click.echo(remark)
    if done.revision_before is None:
        click.echo(f"The store was empty. It has the tables of revision {HEAD} now.")
    elif done.revision_before == HEAD:
        click.echo(f"Revision {HEAD} already: nothing to do.")
    elif done.revision_before != UNMARKED:
        click.echo(f"From revision {done.revision_before} to {HEAD}.")
    else:
        click.echo(f"From revision {done.revision_before} to {HEAD}. Everyone signs in again.")
        click.echo("Next: preceptor label invite NAME")


@contextmanager
def _opened(store_url: str | None, config: Path | None) -> "Iterator[sa.Engine]":
    from core.settings import load_settings
    from core.store import open_store

    if store_url is None:
        store_url = "sqlite:///preceptor.db" if config is None else load_settings(config).store_url
    engine = open_store(store_url)
    try:
        yield engine
    finally:
        engine.dispose()
