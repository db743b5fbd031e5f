"""Commands of people: add, verify, qualify, grant, revoke, retire, invite, list."""

import getpass
import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import sqlalchemy as sa

    from core.access import Actor

DEFAULT_STORE = "sqlite:///preceptor.db"

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
def people() -> None:
    """Say who may do what. Until someone is admin, the store is open: commands act for anyone, and the ledger says so.

    Example: preceptor people add "Lee Okafor" --role annotator --role senior
    """


def _options(command: _Command) -> _Command:
    store = click.option("--store", "store_url", metavar="URL", help=f"Database URL.  [default: {DEFAULT_STORE}]")
    config = click.option("--config", type=click.Path(path_type=Path), help="Settings that say where the store is.")
    by = click.option("--by", default=getpass.getuser, metavar="NAME", help="Who does this.  [default: you]")
    return store(config(by(command)))


_role = click.argument(
    "role",
    type=click.Choice(
        ["annotator", "senior", "lead", "steward", "engineer", "validator", "approver", "auditor", "admin"]
    ),
)


@people.command()
@click.argument("name")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role to give at once; may be repeated.")
@click.option("--verified", is_flag=True, help="You have checked who this person is; only then can they sign.")
@_options
def add(name: str, roles: tuple[str, ...], *, verified: bool, **where: Any) -> None:  # noqa: ANN401 - the options' own
    """Add a person. A login is never used twice, not even after its owner has left.

    Example: preceptor people add "Dana Ruiz" --role annotator --verified
    """
    from core.access import Role
    from core.errors import PreceptorError
    from core.people import add_person, grant, verify_identity

    for role in roles:
        if role not in set(Role):
            raise PreceptorError(f"'{role}' is not a role. Choose from: {', '.join(Role)}.")
    with _acting(where) as (connection, by, now):
        person = add_person(connection, name, by=by, now=now)
        if verified:
            verify_identity(connection, person.name, by=by, now=now)
        for role in roles:
            grant(connection, person.name, Role(role), by=by, now=now)
    click.echo(f"'{person.name}' added, known outside as {person.pseudonym}.")
    # The first admin has closed the store, to whoever added them as well.
    inviter = person.name if by.at_open_command_line and Role.ADMIN in roles else by.name
    click.echo(f"Next: preceptor people invite {shlex.quote(person.name)} --by {shlex.quote(inviter)}")


@people.command()
@click.argument("name")
@_options
def verify(name: str, **where: Any) -> None:  # noqa: ANN401 - see `add`
    """Record that you have checked who this person is; from then on they can sign.

    Example: preceptor people verify "Dana Ruiz"
    """
    from core.people import verify_identity

    with _acting(where) as (connection, by, now):
        verify_identity(connection, name, by=by, now=now)
    click.echo(f"The identity of '{name}' is verified.")


@people.command()
@click.argument("name")
@click.argument("text")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last day on which it holds.")
@_options
def qualify(name: str, text: str, until: datetime, **where: Any) -> None:  # noqa: ANN401 - see `add`
    """Record what qualifies a person to judge; after its last day they are given no work.

    Example: preceptor people qualify "Dana Ruiz" "CPC 01234567" --until 2027-06-30
    """
    from core.people import qualify as record

    with _acting(where) as (connection, by, now):
        record(connection, name, text, until=until.date(), by=by, now=now)
    click.echo(f"'{name}' is qualified until {until.date()}.")


@people.command()
@click.argument("name")
@_role
@click.option("--for-hours", type=click.FloatRange(min=0, max=4, min_open=True), help="An emergency: end by itself.")
@click.option("--reason", default="", help="Why; an emergency needs it.")
@_options
def grant(name: str, role: str, *, for_hours: float | None, reason: str, **where: Any) -> None:  # noqa: ANN401 - see `add`
    """Give a person a role. The first admin closes the store: from then on every act needs a role.

    Example: preceptor people grant "Dana Ruiz" senior
    """
    from core.access import Role
    from core.people import Emergency
    from core.people import grant as give

    with _acting(where) as (connection, by, now):
        emergency = Emergency(reason, now + timedelta(hours=for_hours)) if for_hours is not None else None
        give(connection, name, Role(role), by=by, now=now, emergency=emergency)
    click.echo(f"'{name}' is {role}" + (f" for {for_hours:g} hours." if for_hours is not None else "."))


@people.command()
@click.argument("name")
@_role
@_options
def revoke(name: str, role: str, **where: Any) -> None:  # noqa: ANN401 - see `add`
    """Take a role back, and end the person's sessions.

    Example: preceptor people revoke "Dana Ruiz" senior
    """
    from core.access import Role
    from core.people import revoke as take_back

    with _acting(where) as (connection, by, now):
        take_back(connection, name, Role(role), by=by, now=now)
    click.echo(f"'{name}' is no longer {role}; their sessions have ended.")


@people.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_options
def retire(name: str, *, yes: bool, **where: Any) -> None:  # noqa: ANN401 - see `add`
    """Let a person act no more. Their name stays in the records, and their login is never given again.

    Example: preceptor people retire "Dana Ruiz" --yes
    """
    from core.people import retire as end

    if not yes:
        click.confirm(f"'{name}' loses every role and session, and the login is never given again. Go on?", abort=True)
    with _acting(where) as (connection, by, now):
        end(connection, name, by=by, now=now)
    click.echo(f"'{name}' is retired.")


@people.command()
@click.argument("name")
@click.option("--url", default="http://127.0.0.1:8100", show_default=True, help="Where the pages are served.")
@_options
def invite(name: str, url: str, **where: Any) -> None:  # noqa: ANN401 - see `add`
    """Print a one-time link by which a person comes in; it voids earlier links, and a password they had.

    Example: preceptor people invite "Dana Ruiz"
    """
    from core.invitations import invite as make_link

    with _acting(where) as (connection, by, now):
        token = make_link(connection, name, by=by, now=now)
    click.echo(f"{url.rstrip('/')}/sign-in?token={token}")


@people.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@_options
def list_people(*, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - see `add`
    """List everyone who was ever added, with their roles.

    Example: preceptor people list --json
    """
    from dataclasses import asdict

    from core.access import Act, require
    from core.people import people as everyone

    with _acting(where) as (connection, by, now):
        require(Act.VIEW_PEOPLE, by)
        found = everyone(connection, now=now)
    for person in found:
        roles = sorted(person.roles)
        if as_json:
            click.echo(json.dumps({**asdict(person), "roles": roles}))
            continue
        state = f"retired {person.retired_at[:10]}" if person.retired_at else ", ".join(roles) or "no role"
        click.echo(f"{person.name}  {person.pseudonym}  {state}")


@contextmanager
def _acting(where: dict[str, Any]) -> Iterator[tuple["sa.Connection", "Actor", datetime]]:
    """A write transaction on the named store, the one who acts, and the moment."""
    import core.ledger
    import core.people_tables  # noqa: F401 - declares the tables
    from core.people import actor_of
    from core.settings import load_settings
    from core.store import create_tables, open_store, writing

    url = where["store_url"] or (load_settings(where["config"]).store_url if where["config"] else DEFAULT_STORE)
    engine, now = open_store(url), datetime.now(UTC)
    create_tables(engine)
    with writing(engine) as connection:
        yield connection, actor_of(connection, where["by"], now=now, at_command_line=True), now
