"""The experts who judge: invited by name, signed in once per access token, known outside by a pseudonym."""

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.errors import PreceptorError
from core.fingerprint import of_text
from core.ledger import append_in
from core.store import writing
from labeling.tables import EXPERTS
from web.sessions import open_session, timestamp

TOKEN_LIFETIME = timedelta(days=7)
"""An access token that was not used by then is void."""

MAX_NAME_CHARS = 200


def invite(engine: sa.Engine, name: str, *, by: str, now: datetime) -> str:
    """A new one-time access token for the expert `name`, who is added when new; earlier tokens become void.

    The store keeps the token's hash. The ledger keeps who invited whom.

    Raises:
        PreceptorError: the name is empty or too long.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_NAME_CHARS:
        raise PreceptorError(f"The expert's name has {len(name)} characters. Give 1 to {MAX_NAME_CHARS}.")
    token = secrets.token_urlsafe(24)
    access = {"token_sha256": of_text(token), "token_expires_at": timestamp(now + TOKEN_LIFETIME)}
    with writing(engine) as connection:
        is_known = connection.execute(sa.select(EXPERTS.c.name).where(EXPERTS.c.name == name)).first() is not None
        if is_known:
            connection.execute(EXPERTS.update().where(EXPERTS.c.name == name).values(**access))
        else:
            connection.execute(
                EXPERTS.insert().values(
                    name=name,
                    pseudonym=f"expert_{secrets.token_hex(4)}",
                    side_seed=secrets.randbits(48),
                    invited_at=timestamp(now),
                    **access,
                )
            )
        append_in(connection, by, "expert.invite", name, {"new": not is_known}, now=now)
    return token


def redeem(engine: sa.Engine, token: str, *, now: datetime) -> str | None:
    """A session token for the expert whom this access token was made for; None when unknown, used or expired."""
    with writing(engine) as connection:
        # The token is used up by the very statement that finds it, so two requests cannot both succeed.
        name = connection.execute(
            EXPERTS.update()
            .where(EXPERTS.c.token_sha256 == of_text(token), EXPERTS.c.token_expires_at > timestamp(now))
            .values(token_sha256=None, token_expires_at=None)
            .returning(EXPERTS.c.name)
        ).scalar()
        if name is None:
            return None
        append_in(connection, name, "login.ok", name, {"by": "access token"}, now=now)
        return open_session(connection, name, now=now)
