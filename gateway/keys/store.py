"""The store's keys: made, listed, revoked, read. A key itself is never stored: it is shown once, and its hash is kept.

A key is `pk_ID_SECRET`: the id is on record everywhere, the secret is 256 random bits. Who makes or revokes keys is
asked of the policy (`core.access`), and is an event of the ledger in the same transaction.
"""

import secrets
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from core.access import Act, Actor, require
from core.errors import PreceptorError
from core.gateway_settings import LimitSettings
from core.ledger import Detail, append_in
from core.moments import timestamp
from core.records import Stakes
from gateway.keys.door import sha256_of
from gateway.keys.limiter import KeyLimits
from gateway.tables import KEYS

SECRET_BYTES = 32
MAX_TEXT_CHARS = 200


class WantedKey(NamedTuple):
    """What a new key is to be; a limit of None is that of the settings, domains of None are all."""

    name: str
    limits: KeyLimits = KeyLimits()
    domains: tuple[str, ...] | None = None
    least_stakes: Stakes | None = None
    expires_at: datetime | None = None


class StoredKey(NamedTuple):
    """A key as the store knows it, by its hash."""

    id: str
    name: str
    key_sha256: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    limits: KeyLimits
    domains: frozenset[str] | None
    least_stakes: str | None

    def stands(self, now: datetime) -> bool:
        """Whether it lets anyone in now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def create_key(connection: sa.Connection, wanted: WantedKey, *, by: Actor, now: datetime) -> tuple[str, str]:
    """A new key's id, and the key, which nothing can show again.

    Raises:
        AccessDenied: `by` may not manage keys.
        PreceptorError: the name is empty or too long, a limit is not positive, or the key would have ended already.
    """
    require(Act.MANAGE_KEYS, by)
    name = _short(wanted.name, "name")
    _check(wanted, now)
    identifier = secrets.token_hex(6)
    key = f"pk_{identifier}_{secrets.token_urlsafe(SECRET_BYTES)}"
    domains = None if wanted.domains is None else sorted(set(wanted.domains))
    values: dict[str, object] = {
        "id": identifier,
        "name": name,
        "key_sha256": sha256_of(key),
        "created_at": now,
        "created_by": by.name,
        "expires_at": wanted.expires_at,
        "domains": domains,
        "least_stakes": wanted.least_stakes,
        **wanted.limits._asdict(),
    }
    connection.execute(KEYS.insert().values(values))
    usd = wanted.limits.usd_per_day
    details: dict[str, Detail] = {
        "name": name,
        "key_sha256": sha256_of(key),
        "expires_at": None if wanted.expires_at is None else timestamp(wanted.expires_at),
        "requests_per_minute": wanted.limits.requests_per_minute,
        "usd_per_day": None if usd is None else f"{usd:g}",
        "max_concurrent": wanted.limits.max_concurrent,
        "domains": None if domains is None else ",".join(domains),
        "least_stakes": None if wanted.least_stakes is None else wanted.least_stakes.value,
        "open_store": by.at_open_command_line,
    }
    append_in(connection, by.name, "key.create", identifier, details, now=now)
    return identifier, key


def revoke_key(connection: sa.Connection, identifier: str, reason: str, *, by: Actor, now: datetime) -> StoredKey:
    """Let a key in no more, for good; the key as it was.

    Raises:
        AccessDenied: `by` may not manage keys.
        PreceptorError: there is no such key, it was revoked before, or no reason is given.
    """
    require(Act.MANAGE_KEYS, by)
    reason = _short(reason, "reason")
    found = _read(connection, KEYS.c.id == identifier)
    if not found:
        raise PreceptorError(f"There is no key '{identifier}'. See which there are: preceptor key list.")
    if found[0].revoked_at is not None:
        raise PreceptorError(
            f"The key '{identifier}' was revoked on {found[0].revoked_at.date()}. Nothing is left to do."
        )
    connection.execute(KEYS.update().where(KEYS.c.id == identifier).values(revoked_at=now))
    details: dict[str, Detail] = {"name": found[0].name, "reason": reason, "open_store": by.at_open_command_line}
    append_in(connection, by.name, "key.revoke", identifier, details, now=now)
    return found[0]


def identifier_of(connection: sa.Connection, named: str) -> str:
    """The id of the key with this id, or of the one standing key with this name; else the text itself.

    Raises:
        PreceptorError: several standing keys have the name.
    """
    if _read(connection, KEYS.c.id == named):
        return named
    found = _read(connection, (KEYS.c.name == named) & KEYS.c.revoked_at.is_(None))
    if len(found) > 1:
        names = ", ".join(key.id for key in found)
        raise PreceptorError(f"{len(found)} keys are called '{named}'. Name one by its id: {names}.")
    return found[0].id if found else named


def all_keys(connection: sa.Connection) -> list[StoredKey]:
    """Every key that was ever made, oldest first."""
    return _read(connection, sa.true())


def standing_keys(
    connection: sa.Connection, *, now: datetime, limits: LimitSettings, key_sha256: str | None = None
) -> dict[str, StoredKey]:
    """The keys that let someone in now, by hash, with the settings' limits where they have none of their own.

    Args:
        connection: the store.
        now: keys that ended by now are left out.
        limits: of the settings.
        key_sha256: only the key of that hash.
    """
    stands = KEYS.c.revoked_at.is_(None) & (KEYS.c.expires_at.is_(None) | (KEYS.c.expires_at > now))
    if key_sha256 is not None:
        stands &= KEYS.c.key_sha256 == key_sha256
    return {key.key_sha256: key._replace(limits=in_force(key.limits, limits)) for key in _read(connection, stands)}


def mark_of(connection: sa.Connection) -> tuple[int, int]:
    """What grows when a key is made or revoked: how many there are, and how many are revoked."""
    made, revoked = connection.execute(sa.select(sa.func.count(), sa.func.count(KEYS.c.revoked_at))).one()
    return made, revoked


def in_force(own: KeyLimits, settings: LimitSettings) -> KeyLimits:
    """A key's own limits, or where it has none, those of the settings.

    >>> in_force(KeyLimits(usd_per_day=5), LimitSettings(usd_per_day=1, requests_per_minute=60))
    KeyLimits(requests_per_minute=60, usd_per_day=5, max_concurrent=None)
    """
    return KeyLimits(
        *(mine if mine is not None else getattr(settings, name) for name, mine in own._asdict().items()),
    )


def _read(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[StoredKey]:
    query = sa.select(KEYS).where(which).order_by(KEYS.c.created_at, KEYS.c.id)
    return [_key(row._mapping) for row in connection.execute(query)]


def _key(row: sa.RowMapping) -> StoredKey:
    domains = row["domains"]
    return StoredKey(
        id=row["id"],
        name=row["name"],
        key_sha256=row["key_sha256"],
        created_at=_zoned(row["created_at"]) or row["created_at"],
        created_by=row["created_by"],
        expires_at=_zoned(row["expires_at"]),
        revoked_at=_zoned(row["revoked_at"]),
        limits=KeyLimits(row["requests_per_minute"], row["usd_per_day"], row["max_concurrent"]),
        domains=None if domains is None else frozenset(domains),
        least_stakes=row["least_stakes"],
    )


def _zoned(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)  # SQLite forgets the zone


def _check(wanted: WantedKey, now: datetime) -> None:
    for limit, value in wanted.limits._asdict().items():
        if value is not None and not 0 < value < float("inf"):
            raise PreceptorError(f"{limit} is {value}. Give a number above 0, or none for the settings' limit.")
    if wanted.domains is not None and not all(domain.strip() for domain in wanted.domains):
        raise PreceptorError("A domain of the key has no name. Name it as data.target_domains does.")
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise PreceptorError(f"The key would have ended on {wanted.expires_at.date()}. Name a later end.")


def _short(text: str, what: str) -> str:
    text = " ".join(text.split())
    if not 0 < len(text) <= MAX_TEXT_CHARS or not text.isprintable():
        raise PreceptorError(f"The {what} has {len(text)} characters. Give 1 to {MAX_TEXT_CHARS} that can be printed.")
    return text
