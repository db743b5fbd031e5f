"""Options that every labeling command takes, and the store that they name."""

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import sqlalchemy as sa

    from core.access import Act, Actor
    from core.settings import RunSettings

DEFAULT_STORE = "sqlite:///preceptor.db"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def store_options(command: _Command) -> _Command:
    """`--store` and `--config`, which together say where the store is."""
    store = click.option(
        "--store", "store_url", metavar="URL", help=f"Database of the store.  [default: {DEFAULT_STORE}]"
    )
    config = click.option(
        "--config", type=click.Path(path_type=Path), help="YAML whose store_url and model pair are used."
    )
    return store(config(command))


def by_option(command: _Command) -> _Command:
    """`--by`, whom the ledger names as the actor."""
    by = click.option(
        "--by", default=getpass.getuser, metavar="NAME", help="Who does this, for the ledger.  [default: you]"
    )
    return by(command)


def settings_of(config: Path | None) -> "RunSettings | None":
    """The settings of `--config`; None when it was not given."""
    from core.settings import load_settings

    return None if config is None else load_settings(config)


def engine_of(where: dict[str, Any], settings: "RunSettings | None" = None) -> "sa.Engine":
    """The store that `--store` or `--config` names, with the labeling tables in it."""
    from core.store import create_tables, open_store

    settings = settings or settings_of(where["config"])
    engine = open_store(where["store_url"] or (settings.store_url if settings else DEFAULT_STORE))
    create_tables(engine)
    return engine


def acting(engine: "sa.Engine", name: str, act: "Act") -> "Actor":
    """The person who acts by command, once the policy lets the act through.

    Raises:
        AccessDenied: it does not.
    """
    from datetime import UTC, datetime

    from core.access import require
    from core.people import actor_of
    from core.store import writing

    with writing(engine) as connection:
        actor = actor_of(connection, name, now=datetime.now(UTC), at_command_line=True)
    require(act, actor)
    return actor
