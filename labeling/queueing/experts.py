"""The people who judge: their place in this room beside their account (`core.people`)."""

import json
import secrets
from datetime import datetime

import sqlalchemy as sa

from core.access import Role
from core.invitations import invite
from core.people import actor_of, add_person, find_person, grant
from core.people_tables import PEOPLE
from core.store import writing
from labeling.tables import EXPERTS
from web.sessions import timestamp


def invite_expert(
    engine: sa.Engine, name: str, *, roles: tuple[Role, ...] = (Role.ANNOTATOR,), by: str, now: datetime
) -> str:
    """A new one-time access token for `name`, who gets an account and these roles where they lack them.

    Raises:
        PreceptorError: the name is empty, too long or retired.
        AccessDenied: `by` may not add people or grant the role.
    """
    name = " ".join(name.split())
    with writing(engine) as connection:
        actor = actor_of(connection, by, now=now, at_command_line=True)
        person = find_person(connection, name, now=now) or add_person(connection, name, by=actor, now=now)
        for role in roles:
            if role not in person.roles:
                grant(connection, person.name, role, by=actor, now=now)
        if Role.ANNOTATOR in roles:
            enter(connection, person.name, now=now)
        return invite(connection, person.name, by=actor, now=now)


def enter(connection: sa.Connection, name: str, *, now: datetime) -> None:
    """Give a person a seed for the sides they will see, unless they have one; inside a write transaction."""
    # Their first two pages, opened at once, must not both write it (PostgreSQL; SQLite queues writers).
    connection.execute(sa.select(PEOPLE.c.name).where(PEOPLE.c.name == name).with_for_update(key_share=True))
    if connection.execute(sa.select(EXPERTS.c.name).where(EXPERTS.c.name == name)).first() is None:
        values = {"name": name, "side_seed": secrets.randbits(48), "keys": json.dumps({}), "since": timestamp(now)}
        connection.execute(EXPERTS.insert().values(values))


def enter_once(engine: sa.Engine, name: str, *, now: datetime) -> None:
    """As `enter`, in a transaction of its own; whoever has a seed already waits for no writer."""
    with engine.connect() as connection:
        known = connection.execute(sa.select(EXPERTS.c.name).where(EXPERTS.c.name == name)).first()
    if known is None:
        with writing(engine) as connection:
            enter(connection, name, now=now)
