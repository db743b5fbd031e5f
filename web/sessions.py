"""Who is signed in: random session tokens, of which the store keeps only the hash.

A session survives a restart of the server. It ends when its person signs out, does nothing for a while, loses a role,
changes the password or retires, and at the end of a working day whatever happens.
The CSRF token of a session is derived from its token, so a page from elsewhere cannot know it.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.fingerprint import of_text
from core.ledger import append_in
from core.moments import timestamp as timestamp  # rooms take it from here
from core.people_tables import PEOPLE
from core.store import writing
from web.tables import SESSIONS

LIFETIME = timedelta(hours=12)
"""A session ends this long after sign-in: one working day."""

TOUCH_AFTER = timedelta(seconds=15)
"""A request is noted as the last one only this long after the one noted before, so that most requests write nothing."""


@dataclass(frozen=True)
class SessionLimits:
    """How long a session lasts: without a request, altogether; and how long before its end the page warns."""

    idle: timedelta = timedelta(minutes=15)
    lifetime: timedelta = LIFETIME
    warn: timedelta = timedelta(minutes=2)


@dataclass(frozen=True)
class OpenSession:
    """A session that is open: whose it is, how they came in, and when it ends if nothing more happens."""

    person: str
    method: str
    ends_at: datetime
    proved_at: datetime | None


def open_session(
    connection: sa.Connection,
    person: str,
    *,
    now: datetime,
    method: str = "access link",
    limits: SessionLimits = SessionLimits(),
) -> str:
    """A new session for `person`, inside the caller's write transaction; returns the token for the cookie."""
    token = secrets.token_urlsafe(32)
    epoch = connection.execute(sa.select(PEOPLE.c.session_epoch).where(PEOPLE.c.name == person)).scalar_one()
    connection.execute(
        SESSIONS.insert().values(
            token_sha256=of_text(token),
            person=person,
            method=method,
            epoch=epoch,
            opened_at=timestamp(now),
            seen_at=timestamp(now),
            expires_at=timestamp(now + limits.lifetime),
        )
    )
    return token


def session_of(
    engine: sa.Engine,
    token: str | None,
    *,
    now: datetime,
    limits: SessionLimits = SessionLimits(),
    touch: bool = True,
) -> OpenSession | None:
    """The session this token opens; None when it is unknown, ended or timed out.

    A session that timed out is removed, with the event `session.timeout`.

    Args:
        engine: the store.
        token: from the cookie.
        now: the moment.
        limits: how long a session lasts.
        touch: whether this look counts as a sign of life.
    """
    if not token:
        return None
    key = of_text(token)
    joined = SESSIONS.join(PEOPLE, PEOPLE.c.name == SESSIONS.c.person)
    stands = (PEOPLE.c.session_epoch == SESSIONS.c.epoch) & PEOPLE.c.retired_at.is_(None)
    query = sa.select(SESSIONS).select_from(joined).where(SESSIONS.c.token_sha256 == key, stands)
    with engine.connect() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    seen_at = datetime.fromisoformat(row.seen_at)
    if now >= min(seen_at + limits.idle, datetime.fromisoformat(row.expires_at)):
        _time_out(engine, key, row.person, now)
        return None
    if touch and now - seen_at >= TOUCH_AFTER:
        with writing(engine) as connection:
            connection.execute(SESSIONS.update().where(SESSIONS.c.token_sha256 == key).values(seen_at=timestamp(now)))
        seen_at = now
    ends_at = min(seen_at + limits.idle, datetime.fromisoformat(row.expires_at))
    proved_at = datetime.fromisoformat(row.proved_at) if row.proved_at else None
    return OpenSession(row.person, row.method, ends_at, proved_at)


def close_session(engine: sa.Engine, token: str) -> None:
    """End the session; a token that opens none is ignored."""
    with writing(engine) as connection:
        connection.execute(SESSIONS.delete().where(SESSIONS.c.token_sha256 == of_text(token)))


def note_proof(connection: sa.Connection, token: str, *, at: datetime) -> None:
    """Note in the session that its person has just shown again, at the site's sign-in, that it is them."""
    key = of_text(token)
    connection.execute(SESSIONS.update().where(SESSIONS.c.token_sha256 == key).values(proved_at=timestamp(at)))


def spend_proof(connection: sa.Connection, token: str, *, after: datetime) -> bool:
    """Whether the session holds a proof later than `after`; it is used up, so that each signature needs its own."""
    stands = (SESSIONS.c.token_sha256 == of_text(token)) & (SESSIONS.c.proved_at >= timestamp(after))
    return connection.execute(SESSIONS.update().where(stands).values(proved_at=None)).rowcount == 1


def csrf_token(token: str) -> str:
    """The token that every form of this session carries.

    >>> csrf_token("a") == csrf_token("a"), csrf_token("a") == csrf_token("b")
    (True, False)
    """
    return hmac.new(token.encode(), b"preceptor csrf", hashlib.sha256).hexdigest()


def is_csrf_token(given: str, *, of_session: str) -> bool:
    """Whether a form carries the token of this session; compared in constant time."""
    return hmac.compare_digest(given.encode(), csrf_token(of_session).encode())


def _time_out(engine: sa.Engine, key: str, person: str, now: datetime) -> None:
    with writing(engine) as connection:
        if connection.execute(SESSIONS.delete().where(SESSIONS.c.token_sha256 == key)).rowcount:
            append_in(connection, person, "session.timeout", person, {}, now=now)
