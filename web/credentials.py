"""What a person knows and has: the hash of a password, the sealed secret of an authenticator, and wrong tries.

Five wrong tries in a row lock sign-in and signing for a quarter of an hour. The answer to a wrong name, a wrong
password, a wrong code and a lock is the same, and takes as long.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.access import login_key
from core.errors import AccessDenied, PreceptorError
from core.ledger import append_in
from core.moments import timestamp
from core.people import end_sessions
from core.people_tables import PEOPLE
from core.sealing import seal, secret_key, unseal
from core.store import writing
from web.passwords import hash_of, is_password, password_fault
from web.tables import CREDENTIALS
from web.totp import matching_step, new_secret

MAX_FAILURES = 5
LOCK = timedelta(minutes=15)

REFUSED = (
    "The name, the password or the code is wrong, the code was used before, or sign-in is locked: five wrong tries "
    "lock it for 15 minutes. Wait for the next code and try again, or ask an admin for a new access link."
)
"""One answer to every failure, so that it tells nothing."""


@dataclass(frozen=True)
class Credential:
    """What the store has of a person's ways to sign in."""

    password_set_at: str | None
    totp_since: str | None
    totp_pending: bool


@dataclass(frozen=True)
class Try:
    """What was typed to show who it is."""

    name: str
    password: str
    code: str = ""


def credential_of(connection: sa.Connection, person: str) -> Credential:
    """What a person has enrolled."""
    row = _row(connection, person)
    if row is None:
        return Credential(None, None, totp_pending=False)
    return Credential(row.password_set_at, row.totp_since, totp_pending=bool(row.totp_sealed and not row.totp_since))


def set_password(connection: sa.Connection, person: str, password: str, *, now: datetime) -> None:
    """Keep a new password, and end all sessions of the person; inside the caller's write transaction.

    Raises:
        PreceptorError: the password is too short, common, or contains the login.
    """
    if fault := password_fault(password, login=person):
        raise PreceptorError(fault)
    _write(connection, person, password_hash=hash_of(password), password_set_at=timestamp(now), failures=0)
    end_sessions(connection, person)
    append_in(connection, person, "password.set", person, {}, now=now)


def start_totp(engine: sa.Engine, person: str, *, now: datetime) -> None:
    """Make a new authenticator secret, which counts once a code of it was typed.

    Raises:
        PreceptorError: an authenticator is enrolled already, or the store's key is missing.
    """
    key = secret_key(engine)
    with writing(engine) as connection:
        if credential_of(connection, person).totp_since:
            raise PreceptorError(
                f"An authenticator is enrolled for '{person}' already. "
                "To change it, ask an admin for a new access link, which voids it."
            )
        _write(connection, person, totp_sealed=seal(key, new_secret(), context=f"totp:{person}"), totp_last_step=None)
        append_in(connection, person, "totp.start", person, {}, now=now)


def pending_totp(engine: sa.Engine, person: str) -> str | None:
    """The secret that waits for its first code; None when none does."""
    with engine.connect() as connection:
        row = _row(connection, person)
    if row is None or not row.totp_sealed or row.totp_since:
        return None
    return unseal(secret_key(engine), row.totp_sealed, context=f"totp:{person}")


def confirm_totp(engine: sa.Engine, person: str, code: str, *, now: datetime) -> bool:
    """Enrol the authenticator that waits, if this is a code of it."""
    secret = pending_totp(engine, person)
    step = matching_step(secret, code, now=now) if secret else None
    if step is None:
        return False
    with writing(engine) as connection:
        _write(connection, person, totp_since=timestamp(now), totp_last_step=step)
        append_in(connection, person, "totp.enrol", person, {}, now=now)
    return True


def void_credentials(connection: sa.Connection, person: str, *, now: datetime) -> None:
    """Forget password and authenticator, because their owner came in by a new access link; they enrol again."""
    row = _row(connection, person)
    if row is None:
        return
    if row.password_hash or row.totp_sealed:
        append_in(connection, person, "credentials.void", person, {}, now=now)
    none = dict.fromkeys(("password_hash", "password_set_at", "totp_sealed", "totp_since", "totp_last_step"))
    _write(connection, person, **none, failures=0, locked_until=None)


def prove(engine: sa.Engine, tried: Try, *, action: str, now: datetime) -> tuple[str, str]:
    """The person whose password, and code where enrolled, was typed, and by what: `password` or `password+totp`.

    Args:
        engine: the store.
        tried: what was typed.
        action: what it is for, as the ledger says it: `login` or `sign`; `.ok`, `.fail` and `.locked` follow.
        now: the moment.

    Raises:
        AccessDenied: anything does not fit; the message is always the same.
    """
    with engine.connect() as connection:
        person = _active_person(connection, tried.name)
        row = _row(connection, person) if person else None
    seen = _Seen(row.password_hash if row else None, None)
    is_right = is_password(tried.password, seen.password_hash)
    if person and row and row.totp_since:
        secret = unseal(secret_key(engine), row.totp_sealed, context=f"totp:{person}")
        seen = _Seen(seen.password_hash, matching_step(secret, tried.code, now=now))
        is_right = is_right and seen.totp_step is not None
    with writing(engine) as connection:
        if person is None:
            append_in(connection, "unknown", f"{action}.fail", "unknown", {}, now=now)
        elif not _settle(connection, person, seen if is_right else None, action=action, now=now):
            is_right = False
    if person is None or not is_right:
        raise AccessDenied(REFUSED)
    return person, "password" if seen.totp_step is None else "password+totp"


@dataclass(frozen=True)
class _Seen:
    """What a right try was compared with: it counts while the store has not changed since."""

    password_hash: str | None
    totp_step: int | None


def _settle(connection: sa.Connection, person: str, seen: _Seen | None, *, action: str, now: datetime) -> bool:
    """Count the try, inside one write transaction, so that tries at the same time count one by one."""
    # The person's row is there even before the credential's, so it is the one to lock. Its key stays free: a session
    # that is being opened refers to it, and may hold the ledger meanwhile.
    connection.execute(sa.select(PEOPLE.c.name).where(PEOPLE.c.name == person).with_for_update(key_share=True))
    row = _row(connection, person)
    if row and row.locked_until and timestamp(now) < row.locked_until:
        append_in(connection, person, f"{action}.fail", person, {"locked": True}, now=now)
        return False
    is_fresh = seen is not None and row is not None and row.password_hash == seen.password_hash
    if is_fresh and seen is not None and row is not None and seen.totp_step is not None:
        is_fresh = row.totp_last_step is None or seen.totp_step > row.totp_last_step
    if is_fresh and seen is not None:
        step = {} if seen.totp_step is None else {"totp_last_step": seen.totp_step}
        _write(connection, person, failures=0, locked_until=None, **step)
        return True
    failures = (row.failures if row else 0) + 1
    if failures < MAX_FAILURES:
        _write(connection, person, failures=failures, locked_until=None)
        append_in(connection, person, f"{action}.fail", person, {"failures": failures}, now=now)
    else:
        until = timestamp(now + LOCK)
        _write(connection, person, failures=0, locked_until=until)
        append_in(connection, person, f"{action}.locked", person, {"until": until}, now=now)
    return False


def _active_person(connection: sa.Connection, name: str) -> str | None:
    which = (PEOPLE.c.login_key == login_key(name)) & PEOPLE.c.retired_at.is_(None)
    found: str | None = connection.execute(sa.select(PEOPLE.c.name).where(which)).scalar()
    return found


def _row(connection: sa.Connection, person: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(CREDENTIALS).where(CREDENTIALS.c.person == person)).first()


def _write(connection: sa.Connection, person: str, **values: object) -> None:
    if connection.execute(CREDENTIALS.update().where(CREDENTIALS.c.person == person).values(**values)).rowcount == 0:
        connection.execute(CREDENTIALS.insert().values(**{"person": person, "failures": 0, **values}))
