"""The people of a store and their roles: added, verified, given roles, retired; never deleted, never renamed.

Every change asks the policy (`core.access`), and is an event of the ledger in the same transaction: pass the connection
of `core.store.writing`. Taking a role back ends all sessions of its holder.
"""

import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from core.access import Act, Actor, Facts, Role, is_same_person, login_key, require
from core.errors import AccessDenied, PreceptorError
from core.ledger import append_in
from core.moments import timestamp
from core.people_tables import PEOPLE, ROLE_GRANTS

MAX_NAME_CHARS = 100
MAX_TEXT_CHARS = 200
EMERGENCY_MAX = timedelta(hours=4)
"""A role given in an emergency ends by itself after at most this long."""


@dataclass(frozen=True)
class Person:
    """Someone with a login, as the store knows them at one moment."""

    name: str
    pseudonym: str
    roles: frozenset[Role]
    added_at: str
    retired_at: str | None
    verified_by: str | None
    qualification: str | None
    qualified_until: str | None


@dataclass(frozen=True)
class Emergency:
    """Why a role is given for hours only, and until when."""

    reason: str
    until: datetime


def is_open(connection: sa.Connection) -> bool:
    """Whether nobody was ever admin: then commands act for anyone, and the ledger says for whom."""
    query = sa.select(ROLE_GRANTS.c.id).where(ROLE_GRANTS.c.role == Role.ADMIN).limit(1)
    return connection.execute(query).first() is None


def actor_of(connection: sa.Connection, name: str, *, now: datetime, at_command_line: bool = False) -> Actor:
    """The person of that login as the policy sees them; unknown and retired people have no roles.

    Args:
        connection: the store.
        name: the login, in any case.
        now: roles and qualifications that ran out by now do not count.
        at_command_line: the act comes from a command, not from a page.
    """
    open_here = at_command_line and is_open(connection)
    person = find_person(connection, name, now=now)
    if person is None:
        return Actor(" ".join(name.split()), at_open_command_line=open_here)
    if person.retired_at is not None:
        return Actor(person.name, at_open_command_line=open_here)
    until = person.qualified_until
    is_qualified = until is None or now.date().isoformat() <= until
    return Actor(person.name, person.roles, at_open_command_line=open_here, is_qualified=is_qualified)


def find_person(connection: sa.Connection, name: str, *, now: datetime) -> Person | None:
    """The person of that login, in any case; None when there is none."""
    found = _read(connection, now, PEOPLE.c.login_key == login_key(name))
    return found[0] if found else None


def people(connection: sa.Connection, *, now: datetime) -> list[Person]:
    """Everyone who was ever added, by name."""
    return _read(connection, now, sa.true())


def roles_of(connection: sa.Connection, name: str, *, now: datetime) -> frozenset[Role]:
    """The roles that the person holds now; none when they are unknown or retired."""
    person = find_person(connection, name, now=now)
    return person.roles if person else frozenset()


def add_person(connection: sa.Connection, name: str, *, by: Actor, now: datetime) -> Person:
    """Add someone, without a role.

    Raises:
        AccessDenied: `by` may not manage people.
        PreceptorError: the login is empty, too long, or was used before.
    """
    require(Act.MANAGE_PEOPLE, by)
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise PreceptorError(f"The login has {len(name)} characters. Give 1 to {MAX_NAME_CHARS} that can be printed.")
    former = find_person(connection, name, now=now)
    if former is not None:
        state = "is retired, and a login is never given again" if former.retired_at else "is a login already"
        raise PreceptorError(f"'{former.name}' {state}. Choose another login, such as one with a middle name.")
    values = {
        "name": name,
        "login_key": login_key(name),
        "pseudonym": f"expert_{secrets.token_hex(4)}",
        "added_at": timestamp(now),
        "added_by": by.name,
        "session_epoch": 0,
    }
    connection.execute(PEOPLE.insert().values(values))
    append_in(connection, by.name, "person.add", name, {"open_store": by.at_open_command_line}, now=now)
    return existing(connection, name, now=now)


def verify_identity(connection: sa.Connection, name: str, *, by: Actor, now: datetime) -> None:
    """Record that `by` has checked who this person is; from then on they can sign.

    Raises:
        AccessDenied: `by` may not manage people, or is the person.
    """
    require(Act.MANAGE_PEOPLE, by)
    person = existing(connection, name, now=now)
    if is_same_person(by.name, person.name) and not by.at_open_command_line:
        raise AccessDenied(f"'{by.name}' may not confirm their own identity. Ask another admin.")
    _update(connection, person.name, verified_at=timestamp(now), verified_by=by.name)
    append_in(connection, by.name, "person.verify", person.name, {}, now=now)


def qualify(connection: sa.Connection, name: str, text: str, *, until: date, by: Actor, now: datetime) -> None:
    """Record what qualifies a person to judge, such as a licence, and the last day it holds.

    Raises:
        AccessDenied: `by` may not manage people.
        PreceptorError: the text is empty or too long.
    """
    require(Act.MANAGE_PEOPLE, by)
    person, text = existing(connection, name, now=now), _short(text, "qualification")
    _update(connection, person.name, qualification=text, qualified_until=until.isoformat())
    details = {"qualification": text, "until": until.isoformat()}
    append_in(connection, by.name, "person.qualify", person.name, details, now=now)


def grant(
    connection: sa.Connection, name: str, role: Role, *, by: Actor, now: datetime, emergency: Emergency | None = None
) -> None:
    """Give a person a role, in an emergency for a few hours only.

    Raises:
        AccessDenied: `by` may not grant roles, is the person, or the role does not go with those the person holds.
        PreceptorError: the person is unknown, retired or has the role; or the emergency lasts too long.
    """
    person = existing(connection, name, now=now)
    require(Act.GRANT_ROLE, by, Facts(grantee=person.name, role=role, roles_held=person.roles))
    if role in person.roles:
        raise PreceptorError(f"'{person.name}' is {role} already. Choose another role: {', '.join(Role)}.")
    values = {"id": secrets.token_hex(16), "person": person.name, "role": role.value}
    values |= {"granted_by": by.name, "at": timestamp(now)}
    details: dict[str, str | bool] = {"role": role.value, "open_store": by.at_open_command_line}
    if emergency is not None:
        _check_emergency(emergency, role, now)
        values |= {"expires_at": timestamp(emergency.until), "reason": _short(emergency.reason, "reason")}
        details |= {"until": values["expires_at"], "reason": values["reason"]}
    connection.execute(ROLE_GRANTS.insert().values(values))
    append_in(connection, by.name, "breakglass.open" if emergency else "role.grant", person.name, details, now=now)


def revoke(connection: sa.Connection, name: str, role: Role, *, by: Actor, now: datetime) -> None:
    """Take a role back, and end every session of its holder.

    Raises:
        AccessDenied: `by` may not manage people.
        PreceptorError: the person does not hold the role, or is the last admin.
    """
    require(Act.MANAGE_PEOPLE, by)
    person = existing(connection, name, now=now)
    if role not in person.roles:
        raise PreceptorError(f"'{person.name}' is not {role}. See who is: preceptor people list.")
    if role is Role.ADMIN:
        _keep_an_admin(connection, person, now)
    standing = (ROLE_GRANTS.c.person == person.name) & (ROLE_GRANTS.c.role == role.value)
    standing &= ROLE_GRANTS.c.revoked_at.is_(None)
    emergency = ROLE_GRANTS.c.expires_at > timestamp(now)
    is_emergency = connection.execute(sa.select(ROLE_GRANTS.c.id).where(standing & emergency)).first() is not None
    connection.execute(ROLE_GRANTS.update().where(standing).values(revoked_at=timestamp(now), revoked_by=by.name))
    end_sessions(connection, person.name)
    action = "breakglass.close" if is_emergency else "role.revoke"
    append_in(connection, by.name, action, person.name, {"role": role.value}, now=now)


def retire(connection: sa.Connection, name: str, *, by: Actor, now: datetime) -> None:
    """Let a person act no more: sessions and roles end, the name stays.

    Raises:
        AccessDenied: `by` may not manage people.
        PreceptorError: the person is unknown, retired already, or the last admin.
    """
    require(Act.MANAGE_PEOPLE, by)
    person = existing(connection, name, now=now)
    if Role.ADMIN in person.roles:
        _keep_an_admin(connection, person, now)
    _update(connection, person.name, retired_at=timestamp(now), retired_by=by.name)
    end_sessions(connection, person.name)
    append_in(connection, by.name, "person.retire", person.name, {}, now=now)


def end_sessions(connection: sa.Connection, name: str) -> None:
    """End every session of the person `name`, as the store spells it."""
    _update(connection, name, session_epoch=PEOPLE.c.session_epoch + 1)


def existing(connection: sa.Connection, name: str, *, now: datetime) -> Person:
    """The person of that login who is not retired.

    Raises:
        PreceptorError: there is none.
    """
    person = find_person(connection, name, now=now)
    if person is None:
        raise PreceptorError(f"Nobody is called '{name}' here. Add them: preceptor people add '{name}'.")
    if person.retired_at is not None:
        raise PreceptorError(f"'{person.name}' retired on {person.retired_at[:10]}. Add the person under a new login.")
    return person


def _read(connection: sa.Connection, now: datetime, which: sa.ColumnElement[bool]) -> list[Person]:
    lasts = ROLE_GRANTS.c.expires_at.is_(None) | (ROLE_GRANTS.c.expires_at > timestamp(now))
    stands = ROLE_GRANTS.c.revoked_at.is_(None) & lasts
    joined = PEOPLE.outerjoin(ROLE_GRANTS, (ROLE_GRANTS.c.person == PEOPLE.c.name) & stands)
    query = sa.select(PEOPLE, ROLE_GRANTS.c.role).select_from(joined).where(which).order_by(PEOPLE.c.name)
    rows: dict[str, list[sa.Row[tuple[object, ...]]]] = {}
    for row in connection.execute(query):
        rows.setdefault(row.name, []).append(row)
    return [_person(group) for group in rows.values()]


def _person(rows: list[sa.Row[tuple[object, ...]]]) -> Person:
    first = rows[0]._mapping
    roles = frozenset(Role(row._mapping["role"]) for row in rows if row._mapping["role"] is not None)
    return Person(
        name=first["name"],
        pseudonym=first["pseudonym"],
        roles=frozenset() if first["retired_at"] else roles,
        added_at=first["added_at"],
        retired_at=first["retired_at"],
        verified_by=first["verified_by"],
        qualification=first["qualification"],
        qualified_until=first["qualified_until"],
    )


def _update(connection: sa.Connection, name: str, **values: object) -> None:
    connection.execute(PEOPLE.update().where(PEOPLE.c.name == name).values(**values))


def _check_emergency(emergency: Emergency, role: Role, now: datetime) -> None:
    hours = EMERGENCY_MAX.total_seconds() / 3600
    if not now < emergency.until <= now + EMERGENCY_MAX:
        raise PreceptorError(f"An emergency lasts at most {hours:g} hours from now. Name an earlier end.")
    if role is Role.ADMIN:
        raise PreceptorError("The role admin is not given for hours only. Grant it for good, and revoke it afterwards.")


def _keep_an_admin(connection: sa.Connection, person: Person, now: datetime) -> None:
    # Locked first: two admins who revoke each other at once would each still see the other.
    connection.execute(sa.select(ROLE_GRANTS.c.id).where(ROLE_GRANTS.c.role == Role.ADMIN).with_for_update())
    if not any(Role.ADMIN in other.roles for other in people(connection, now=now) if other.name != person.name):
        raise PreceptorError(f"'{person.name}' is the last admin. Make someone else admin first.")


def _short(text: str, what: str) -> str:
    text = " ".join(text.split())
    if not 0 < len(text) <= MAX_TEXT_CHARS:
        raise PreceptorError(f"The {what} has {len(text)} characters. Give 1 to {MAX_TEXT_CHARS}.")
    return text
