"""Who is signed in: random session tokens, of which the store keeps only the hash.

A session survives a restart of the server and can be ended from the server's side.
The CSRF token of a session is derived from its token, so a page from elsewhere cannot know it.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from core.fingerprint import of_text
from core.store import METADATA, writing

SESSIONS = sa.Table(
    "web_session",
    METADATA,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("person", sa.String(200), nullable=False, index=True),
    sa.Column("opened_at", sa.String(40), nullable=False),
    sa.Column("expires_at", sa.String(40), nullable=False),
)

LIFETIME = timedelta(hours=12)
"""A session ends this long after sign-in: one working day."""


def open_session(connection: sa.Connection, person: str, *, now: datetime) -> str:
    """A new session for `person`, inside the caller's write transaction; returns the token for the cookie."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        SESSIONS.insert().values(
            token_sha256=of_text(token), person=person, opened_at=timestamp(now), expires_at=timestamp(now + LIFETIME)
        )
    )
    return token


def person_of(engine: sa.Engine, token: str | None, *, now: datetime) -> str | None:
    """The person whose session this token opens; None when it is unknown, ended or expired."""
    if not token:
        return None
    query = sa.select(SESSIONS.c.person).where(
        SESSIONS.c.token_sha256 == of_text(token), SESSIONS.c.expires_at > timestamp(now)
    )
    with engine.connect() as connection:
        return connection.execute(query).scalar()


def close_session(engine: sa.Engine, token: str) -> None:
    """End the session; a token that opens none is ignored."""
    with writing(engine) as connection:
        connection.execute(SESSIONS.delete().where(SESSIONS.c.token_sha256 == of_text(token)))


def csrf_token(token: str) -> str:
    """The token that every form of this session carries.

    >>> csrf_token("a") == csrf_token("a"), csrf_token("a") == csrf_token("b")
    (True, False)
    """
    return hmac.new(token.encode(), b"preceptor csrf", hashlib.sha256).hexdigest()


def is_csrf_token(given: str, *, of_session: str) -> bool:
    """Whether a form carries the token of this session; compared in constant time."""
    return hmac.compare_digest(given.encode(), csrf_token(of_session).encode())


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds: texts that sort as the moments do.

    >>> timestamp(datetime(2026, 11, 24, 9, 30, tzinfo=UTC))
    '2026-11-24T09:30:00.000+00:00'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
