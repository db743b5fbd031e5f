"""Commands of the ground floor: the ledger."""

import json

import click


@click.group()
def ledger() -> None:
    """Read and verify the record of who did what.

    Example: preceptor ledger verify --store sqlite:///preceptor.db
    """


_store = click.option(
    "--store", "store_url", default="sqlite:///preceptor.db", show_default=True, help="Database URL of the store."
)


@ledger.command()
@_store
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def verify(store_url: str, as_json: bool) -> None:
    """Recompute every hash; exit 1 and name the event where the chain breaks.

    Example: preceptor ledger verify --store sqlite:///preceptor.db
    """
    from core.ledger import Ledger
    from core.store import open_store

    n_events = Ledger(open_store(store_url)).verify()
    click.echo(json.dumps({"intact": True, "events": n_events}) if as_json else f"{n_events} events, chain intact.")


@ledger.command("list")
@_store
@click.option("--action", help="Only this action, such as release.promote.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_events(store_url: str, action: str | None, as_json: bool) -> None:
    """List events in order.

    Example: preceptor ledger list --action release.promote
    """
    from core.ledger import Ledger
    from core.store import open_store

    for event in Ledger(open_store(store_url)).events(action=action):
        if as_json:
            click.echo(json.dumps({**event.__dict__}))
        else:
            details = " ".join(f"{key}={value}" for key, value in event.details.items())
            click.echo(f"{event.seq:>6}  {event.at}  {event.actor}  {event.action}  {event.subject}  {details}")
