"""One-time links that let a person in: the first time, and again when they lost their password or authenticator.

The store keeps the hash of a link's token, never the token.
"""

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.access import Act, Actor, require
from core.fingerprint import of_text
from core.ledger import append_in
from core.moments import timestamp
from core.people import existing, find_person
from core.people_tables import ACCESS_LINKS

LINK_LIFETIME = timedelta(days=7)
"""A link that was not used by then is void."""


def invite(connection: sa.Connection, name: str, *, by: Actor, now: datetime) -> str:
    """A new one-time token for a person, inside the caller's write transaction; earlier ones become void.

    Raises:
        AccessDenied: `by` may not manage people.
        PreceptorError: the person is unknown or retired.
    """
    require(Act.MANAGE_PEOPLE, by)
    person, token = existing(connection, name, now=now), secrets.token_urlsafe(24)
    connection.execute(
        ACCESS_LINKS.update()
        .where(ACCESS_LINKS.c.person == person.name, ACCESS_LINKS.c.ended_at.is_(None))
        .values(ended_at=timestamp(now))
    )
    connection.execute(
        ACCESS_LINKS.insert().values(
            token_sha256=of_text(token),
            person=person.name,
            made_by=by.name,
            made_at=timestamp(now),
            expires_at=timestamp(now + LINK_LIFETIME),
        )
    )
    append_in(connection, by.name, "person.invite", person.name, {"open_store": by.at_open_command_line}, now=now)
    return token


def spend(connection: sa.Connection, token: str, *, now: datetime) -> str | None:
    """The person this token was made for, inside the caller's write transaction; None when unknown, used or expired."""
    # The token is used up by the very statement that finds it, so two requests cannot both succeed.
    name = connection.execute(
        ACCESS_LINKS.update()
        .where(
            ACCESS_LINKS.c.token_sha256 == of_text(token),
            ACCESS_LINKS.c.ended_at.is_(None),
            ACCESS_LINKS.c.expires_at > timestamp(now),
        )
        .values(ended_at=timestamp(now))
        .returning(ACCESS_LINKS.c.person)
    ).scalar()
    person = None if name is None else find_person(connection, name, now=now)
    return person.name if person is not None and person.retired_at is None else None
