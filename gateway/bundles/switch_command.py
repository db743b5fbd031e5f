"""The commands `stop` and `resume`: weak answers kept back at every gateway of a store, and taken up again."""

import json
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.acting import Where, acting, store_of, where_options

if TYPE_CHECKING:
    import sqlalchemy as sa

    from gateway.bundles.switch import Stop

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _turn_options(command: _Command) -> _Command:
    domain = click.option("--domain", help="Of this domain alone, as in auto:DOMAIN.  [default: of all]")
    reason = click.option("--reason", default="", help="Why; it goes on record.")
    yes = click.option("--yes", is_flag=True, help="Do not ask.")
    return domain(reason(yes(command)))


@click.command()
@_turn_options
@click.option("--status", is_flag=True, help="Turn nothing: list the stops in force.")
@click.option("--json", "as_json", is_flag=True, help="With --status: one JSON object a line.")
@where_options
def stop(*, domain: str | None, reason: str, yes: bool, status: bool, as_json: bool, **where: Any) -> None:  # noqa: ANN401
    """Keep weak answers back: from half a second later on, the strong model answers at every gateway of the store.

    Example: preceptor stop --config configs/medical_coding.yaml --by ann --reason "wrong laterality seen" --yes
    """
    from gateway.bundles.switch import read_stops
    from gateway.bundles.switch import stop as turn

    engine = store_of(_where(where))
    if status:
        _show(read_stops(engine), as_json=as_json)
        return
    _check_domain(engine, domain, where)
    what = _what(domain)
    if not yes:
        click.confirm(f"The strong model answers {what} at every gateway of this store. Go on?", abort=True)
    with acting(engine, where["by"]) as (connection, by, now):
        is_new = turn(connection, domain, by=by, reason=reason, now=now)
    click.echo(f"Weak answers of {what} are stopped." if is_new else f"Weak answers of {what} were stopped already.")
    click.echo(f"Next: preceptor resume {_again(domain, where)} --reason ...")


@click.command()
@_turn_options
@where_options
def resume(*, domain: str | None, reason: str, yes: bool, **where: Any) -> None:  # noqa: ANN401 - see `stop`
    """End a stop, so that the bundle decides again. It takes a role that may promote.

    Example: preceptor resume --config configs/medical_coding.yaml --by bob --reason "version 3 promoted" --yes
    """
    from core.errors import PreceptorError
    from gateway.bundles.switch import read_stops
    from gateway.bundles.switch import resume as turn

    engine, what = store_of(_where(where)), _what(domain)
    if not yes:
        click.confirm(f"The weak model answers {what} again, where the bundle lets it. Go on?", abort=True)
    with acting(engine, where["by"]) as (connection, by, now):
        was_stopped = turn(connection, domain, by=by, reason=reason, now=now)
    left = read_stops(engine)
    if not was_stopped:
        others = ", ".join(_what(one.domain) for one in left) or "nothing"
        raise PreceptorError(f"There is no stop of {what}; stopped is {others}. Name the stop that is to end.")
    click.echo(f"The stop of {what} has ended.")
    for one in left:
        click.echo(f"Still stopped: {_what(one.domain)} ({one.reason}).")
    click.echo(f"Next: preceptor stop --status {_again(None, where)}".rstrip())


def _show(stops: "tuple[Stop, ...]", *, as_json: bool) -> None:
    for one in stops:
        if as_json:
            click.echo(json.dumps({**one._asdict(), "at": one.at.isoformat()}))
        else:
            click.echo(f"{_what(one.domain)}  since {one.at:%Y-%m-%d %H:%M:%S} UTC  by {one.by}  {one.reason}")
    if not stops and not as_json:
        click.echo("Nothing is stopped.")


def _check_domain(engine: "sa.Engine", domain: str | None, where: dict[str, Any]) -> None:
    """Refuse a domain that nobody has: a stop of a mistyped one would stop nothing."""
    import sqlalchemy as sa

    from core.errors import PreceptorError
    from core.settings import load_settings
    from gateway.tables import DECISIONS

    if domain is None:
        return
    known: set[str] = set()
    if where["config"] is not None:
        settings = load_settings(where["config"])
        known = {*settings.data.target_domains, *settings.gateway.bundles}
    if domain in known:
        return
    with engine.connect() as connection:
        seen = sa.select(DECISIONS.c.id).where(DECISIONS.c.domain == domain).limit(1)
        if connection.execute(seen).first() is not None:
            return
    names = ", ".join(sorted(known)) or "not known without --config"
    raise PreceptorError(
        f"No setting and no decision names a domain '{domain}'. The settings' are: {names}. "
        "Correct it, or leave --domain out and stop all."
    )


def _what(domain: str | None) -> str:
    return "all domains" if domain is None else f"the domain {domain}"


def _again(domain: str | None, where: dict[str, Any]) -> str:
    named = {"--domain": domain, "--config": where["config"], "--store": where["store_url"]}
    return " ".join(f"{option} {shlex.quote(str(value))}" for option, value in named.items() if value is not None)


def _where(where: dict[str, Any]) -> Where:
    return Where(store_url=where["store_url"], config=where["config"], by=where["by"])
