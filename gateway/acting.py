"""What commands on the gateway's store share: where the store is, who acts, and one write transaction for the act."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    import sqlalchemy as sa

    from core.access import Actor

DEFAULT_STORE = "sqlite:///preceptor.db"

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Where(TypedDict):
    """The options that every such command has."""

    store_url: str | None
    config: Path | None
    by: str


def where_options(command: _Command) -> _Command:
    """Add --store, --config and --by."""
    store = click.option("--store", "store_url", metavar="URL", help=f"Database URL.  [default: {DEFAULT_STORE}]")
    config = click.option("--config", type=click.Path(path_type=Path), help="Settings that say where the store is.")
    by = click.option("--by", default=getpass.getuser, metavar="NAME", help="Who does this.  [default: you]")
    return store(config(by(command)))


def store_of(where: Where) -> "sa.Engine":
    """The named store, with all tables."""
    from core.settings import load_settings
    from core.store import create_tables, open_store

    url = where["store_url"] or (load_settings(where["config"]).store_url if where["config"] else DEFAULT_STORE)
    engine = open_store(url)
    create_tables(engine)
    return engine


@contextmanager
def acting(engine: "sa.Engine", by: str) -> Iterator[tuple["sa.Connection", "Actor", datetime]]:
    """A write transaction, the one who acts as the policy sees them, and the moment."""
    from core.people import actor_of
    from core.store import writing

    now = datetime.now(UTC)
    with writing(engine) as connection:
        yield connection, actor_of(connection, by, now=now, at_command_line=True), now
