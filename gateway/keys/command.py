"""Commands of the gateway's keys: create, list, revoke. A key is printed once, when it is made, and never again."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Unpack

import click

from gateway.acting import Where, acting, store_of, where_options

if TYPE_CHECKING:
    from gateway.keys.limiter import Spent
    from gateway.keys.store import StoredKey


@click.group()
def key() -> None:
    """Give clients keys of their own, with limits; a gateway with `gateway.keys: store` asks for them.

    Example: preceptor key list --json
    """


@key.command()
@click.option("--name", required=True, help="What the key is for; it goes on record.")
@click.option("--requests-per-minute", type=click.IntRange(min=1), help="Requests in any minute.")
@click.option("--usd-per-day", type=click.FloatRange(min=0, min_open=True), help="US dollars a day (UTC).")
@click.option("--max-concurrent", type=click.IntRange(min=1), help="Requests at the same time.")
@click.option("--domain", "domains", multiple=True, help="A domain it may ask for; may be repeated. Default: all.")
@click.option(
    "--least-stakes",
    type=click.Choice(["low", "standard", "high", "critical"]),
    help="Stakes of all that it asks, at the least.",
)
@click.option("--expires-days", type=click.IntRange(min=1), default=90, show_default=True, help="Days it works.")
@click.option("--no-expiry", is_flag=True, help="It works until it is revoked.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@where_options
def create(  # noqa: PLR0913 - the options' own
    name: str,
    *,
    requests_per_minute: int | None,
    usd_per_day: float | None,
    max_concurrent: int | None,
    domains: tuple[str, ...],
    least_stakes: str | None,
    expires_days: int,
    no_expiry: bool,
    as_json: bool,
    **where: Unpack[Where],
) -> None:
    """Make a key and print it; nothing can print it again. A limit that is not given is the settings'.

    Example: preceptor key create --name claims-app --requests-per-minute 600 --usd-per-day 20 --expires-days 90
    """
    from core.records import Stakes
    from gateway.keys.limiter import KeyLimits
    from gateway.keys.store import WantedKey, create_key

    ends = None if no_expiry else datetime.now(UTC) + timedelta(days=expires_days)
    wanted = WantedKey(
        name,
        KeyLimits(requests_per_minute, usd_per_day, max_concurrent),
        domains or None,
        None if least_stakes is None else Stakes(least_stakes),
        ends,
    )
    with acting(store_of(where), where["by"]) as (connection, by, now):
        identifier, made = create_key(connection, wanted, by=by, now=now)
    until = "until it is revoked" if ends is None else f"until {ends:%Y-%m-%d}"
    if as_json:
        facts = {"id": identifier, "key": made, "name": name, "expires_at": None if ends is None else ends.isoformat()}
        click.echo(json.dumps(facts))
    else:
        click.echo(made)
    click.echo(f"The key '{name}' ({identifier}) works {until}. It is not shown again: keep it now.", err=True)
    click.echo("Next: set it as the client's API key, and gateway.keys: store in the settings.", err=True)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@where_options
def list_keys(*, as_json: bool, **where: Unpack[Where]) -> None:
    """List every key that was ever made, with its limits and what it spent today; never the key itself.

    Example: preceptor key list --json
    """
    from core.access import Act, require
    from gateway.keys.limiter import NOTHING
    from gateway.keys.spending import spending_on
    from gateway.keys.store import all_keys

    with acting(store_of(where), where["by"]) as (connection, by, now):
        require(Act.MANAGE_KEYS, by)
        keys, spent = all_keys(connection), spending_on(connection, now.date().isoformat())
    for one in keys:
        today = spent.get(one.id, NOTHING)
        click.echo(json.dumps(_facts(one, today, now)) if as_json else _line(one, today, now))


@key.command()
@click.argument("identifier", metavar="ID")
@click.option("--reason", required=True, help="Why; it goes on record.")
@where_options
def revoke(identifier: str, *, reason: str, **where: Unpack[Where]) -> None:
    """Let a key in no more, for good. ID is the key's id, or its name where one standing key alone bears it.

    Gateways that run refuse it within two seconds.

    Example: preceptor key revoke claims-app --reason "The project has ended."
    """
    from gateway.keys.store import identifier_of, revoke_key

    with acting(store_of(where), where["by"]) as (connection, by, now):
        found = revoke_key(connection, identifier_of(connection, identifier), reason, by=by, now=now)
    click.echo(f"The key '{found.name}' ({found.id}) is revoked.")
    again = f"preceptor key create --name {shlex.quote(found.name)}"
    click.echo(f"Next, where its owner still needs one: {again}", err=True)


def _facts(one: "StoredKey", today: "Spent", now: datetime) -> dict[str, object]:
    def moment(value: datetime | None) -> str | None:
        return None if value is None else value.isoformat()

    return {
        "id": one.id,
        "name": one.name,
        "state": _state(one, now),
        "created_at": moment(one.created_at),
        "created_by": one.created_by,
        "expires_at": moment(one.expires_at),
        "revoked_at": moment(one.revoked_at),
        **one.limits._asdict(),
        "domains": None if one.domains is None else sorted(one.domains),
        "least_stakes": one.least_stakes,
        "requests_today": today.n_requests,
        "usd_today": today.cost_usd,
    }


def _line(one: "StoredKey", today: "Spent", now: datetime) -> str:
    limits = [
        *([f"{one.limits.requests_per_minute}/min"] if one.limits.requests_per_minute is not None else []),
        *([f"${one.limits.usd_per_day:g}/day"] if one.limits.usd_per_day is not None else []),
        *([f"{one.limits.max_concurrent} at once"] if one.limits.max_concurrent is not None else []),
        *([f"domains {', '.join(sorted(one.domains))}"] if one.domains is not None else []),
        *([f"stakes {one.least_stakes} or more"] if one.least_stakes is not None else []),
    ]
    spent = f"today {today.n_requests} requests, ${today.cost_usd:.4f}"
    return f"{one.id}  {one.name}  {_state(one, now)}  {'; '.join(limits) or 'limits of the settings'}  {spent}"


def _state(one: "StoredKey", now: datetime) -> str:
    if one.revoked_at is not None:
        return f"revoked {one.revoked_at:%Y-%m-%d}"
    if one.expires_at is None:
        return "stands"
    return f"until {one.expires_at:%Y-%m-%d}" if one.stands(now) else f"ended {one.expires_at:%Y-%m-%d}"
