"""Commands of the ground floor: the ledger."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from core.ledger import Ledger


@click.group()
def ledger() -> None:
    """Read and verify the record of who did what.

    Example: preceptor ledger verify --store sqlite:///preceptor.db
    """


_store = click.option("--store", "store_url", help="Database URL; default: the settings' or sqlite:///preceptor.db.")
_config = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings that say where the store is."
)


@ledger.command()
@_store
@_config
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def verify(store_url: str | None, config: Path | None, as_json: bool) -> None:
    """Recompute every hash; exit 1 and name the event where the chain breaks.

    Example: preceptor ledger verify --store sqlite:///preceptor.db
    """
    n_events = _ledger(store_url, config).verify()
    click.echo(json.dumps({"intact": True, "events": n_events}) if as_json else f"{n_events} events, chain intact.")


@ledger.command("list")
@_store
@_config
@click.option("--action", help="Only this action, such as release.promote.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_events(store_url: str | None, config: Path | None, action: str | None, as_json: bool) -> None:
    """List events in order.

    Example: preceptor ledger list --action release.promote
    """
    for event in _ledger(store_url, config).events(action=action):
        if as_json:
            click.echo(json.dumps({**event.__dict__}))
        else:
            details = " ".join(f"{key}={value}" for key, value in event.details.items())
            click.echo(f"{event.seq:>6}  {event.at}  {event.actor}  {event.action}  {event.subject}  {details}")


def _ledger(store_url: str | None, config: Path | None) -> "Ledger":
    from core.ledger import Ledger
    from core.settings import load_settings
    from core.store import open_store

    if store_url is None:
        store_url = "sqlite:///preceptor.db" if config is None else load_settings(config).store_url
    return Ledger(open_store(store_url))
