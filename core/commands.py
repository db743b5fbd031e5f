"""Commands of the ledger: read, verify, anchor, export."""

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
_file = click.Path(path_type=Path, dir_okay=False)


@ledger.command()
@_store
@_config
@click.option("--anchors", type=click.Path(path_type=Path, file_okay=False), help="Folder of anchors to compare with.")
@click.option("--public-key", type=_file, help="PEM of the key that signed the anchors.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def verify(
    store_url: str | None, config: Path | None, *, anchors: Path | None, public_key: Path | None, as_json: bool
) -> None:
    """Recompute every hash; exit 1 and name the event where the chain breaks.

    With anchors, a ledger that was rewritten whole or cut off at its end is found as well.

    Example: preceptor ledger verify --anchors anchors --public-key ledger.pub
    """
    from core.ledger_anchors import anchors_in
    from core.ledger_check import sentence

    if (anchors is None) != (public_key is None):
        raise click.UsageError("--anchors and --public-key go together.")
    known = [] if anchors is None or public_key is None else anchors_in(anchors, _bytes(public_key))
    checked = _ledger(store_url, config).check(known).checked
    facts = {"intact": True, "events": checked.n_events}
    if anchors is not None:
        facts |= {"anchors": checked.n_anchors, "anchored_up_to": checked.anchored_up_to}
    click.echo(json.dumps(facts) if as_json else sentence(checked))


@ledger.command("list")
@_store
@_config
@click.option("--action", help="Only this action, such as release.promote.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_events(store_url: str | None, config: Path | None, action: str | None, as_json: bool) -> None:
    """List events in order.

    Example: preceptor ledger list --action release.promote
    """
    for event in _ledger(store_url, config).stream(action=action):
        if as_json:
            click.echo(json.dumps({**event.__dict__}))
        else:
            details = " ".join(f"{key}={value}" for key, value in event.details.items())
            click.echo(f"{event.seq:>6}  {event.at}  {event.actor}  {event.action}  {event.subject}  {details}")


@ledger.command()
@click.argument("private", type=_file)
@click.argument("public", type=_file)
def keygen(private: Path, public: Path) -> None:
    """Make the key pair that signs anchors. Keep PRIVATE where the database's administrators cannot read.

    Example: preceptor ledger keygen ledger.key ledger.pub
    """
    from core.ledger_anchors import generate_key

    generate_key(private, public)
    click.echo(f"{private} signs anchors, {public} checks them.")
    click.echo(f"Next: preceptor ledger anchor --key {private} --to anchors")


@ledger.command()
@_store
@_config
@click.option("--key", type=_file, required=True, help="PEM of the private key.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the anchors."
)
def anchor(store_url: str | None, config: Path | None, *, key: Path, folder: Path) -> None:
    """Sign the newest event, after the chain and the anchors made before were verified; run it hourly.

    Example: preceptor ledger anchor --key ledger.key --to anchors
    """
    from datetime import UTC, datetime

    from core.ledger_anchors import anchor as make_anchor

    path = make_anchor(_ledger(store_url, config), key, folder, now=datetime.now(UTC))
    click.echo(f"Anchored: {path}")


@ledger.command()
@_store
@_config
@click.argument("file", type=_file)
def export(store_url: str | None, config: Path | None, file: Path) -> None:
    """Write every event as a line of JSON, for an archive that `core/ledger_check.py` reads without Preceptor.

    Example: preceptor ledger export events.jsonl
    """
    from dataclasses import asdict

    from core.errors import LedgerError
    from core.ledger_check import canonical_json

    source, n_events = _ledger(store_url, config), 0
    try:
        with file.open("x", encoding="utf-8", newline="\n") as lines:
            for event in source.stream():
                lines.write(canonical_json(asdict(event)) + "\n")
                n_events += 1
    except FileExistsError as error:
        raise LedgerError(f"{file} exists already. Name another file, so that no archive is lost.") from error
    except OSError as error:
        raise LedgerError(f"{file} cannot be written ({error.strerror}). Name a folder you may write to.") from error
    click.echo(f"{n_events} events written to {file}.")


def _bytes(path: Path) -> bytes:
    from core.errors import LedgerError

    try:
        return path.read_bytes()
    except OSError as error:
        raise LedgerError(f"{path} cannot be read ({error.strerror}). Name the key's PEM file.") from error


def _ledger(store_url: str | None, config: Path | None) -> "Ledger":
    from core.ledger import Ledger
    from core.settings import load_settings
    from core.store import open_store

    if store_url is None:
        store_url = "sqlite:///preceptor.db" if config is None else load_settings(config).store_url
    return Ledger(open_store(store_url))
