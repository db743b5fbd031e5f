"""The stop switch in the store: whose weak answers are kept back, since when, by whom and why.

Whoever may stop stops at once, and the strong model answers; taking weak answers up again is for those who may
promote. Each turn of the switch is a row and an event of the ledger, in one transaction. It never deletes one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from core.access import Act, Actor, require
from core.errors import PreceptorError
from core.ledger import append_in
from gateway.tables import SWITCH

LONGEST_REASON = 500


class Stop(NamedTuple):
    """One stop in force; `domain` of None is all domains."""

    domain: str | None
    at: datetime
    by: str
    reason: str


def stop(connection: sa.Connection, domain: str | None, *, by: Actor, reason: str, now: datetime) -> bool:
    """Keep the weak answers of a domain (None: of all) back; False where they are already.

    Args:
        connection: a write transaction of the store; every gateway on it obeys.
        domain: as in `auto:DOMAIN`; None: all, those without a domain too.
        by: who does it.
        reason: why; it goes on record.
        now: the moment.

    Raises:
        AccessDenied: the policy does not let them.
        PreceptorError: no reason is given, or one too long.
    """
    require(Act.STOP, by)
    return _turn(
        connection, Stop(domain, now, by.name, reason.strip()), is_stopped=True, is_open=by.at_open_command_line
    )


def resume(connection: sa.Connection, domain: str | None, *, by: Actor, reason: str, now: datetime) -> bool:
    """End the stop of a domain, or that of all domains (None); False where there is no such stop.

    A stop of one domain and one of all domains stand apart: each is ended by its own. Arguments as for `stop`.

    Raises:
        AccessDenied: the policy does not let them.
        PreceptorError: no reason is given, or one too long.
    """
    require(Act.RESUME, by)
    turned = Stop(domain, now, by.name, reason.strip())
    return _turn(connection, turned, is_stopped=False, is_open=by.at_open_command_line)


def stops_in_force(connection: sa.Connection) -> tuple[Stop, ...]:
    """The stops in force, that of all domains first, then by domain."""
    newest = sa.select(sa.func.max(SWITCH.c.number)).group_by(SWITCH.c.domain)
    rows = connection.execute(sa.select(SWITCH).where(SWITCH.c.number.in_(newest), SWITCH.c.is_stopped)).all()
    found = [Stop(row.domain, _in_utc(row.at), row.by, row.reason) for row in rows]
    return tuple(sorted(found, key=lambda one: (one.domain is not None, one.domain or "")))


def read_stops(engine: sa.Engine) -> tuple[Stop, ...]:
    """The stops in force, in a read of its own.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the store does not answer.
    """
    with engine.connect() as connection:
        return stops_in_force(connection)


def is_stopped(domains: Iterable[str | None], domain: str | None) -> bool:
    """Whether the stops keep a request of this domain back; one whose domain is not known may be of any of them.

    >>> is_stopped([None], "law"), is_stopped(["law"], "tax"), is_stopped(["law"], None), is_stopped([], None)
    (True, False, True, False)
    """
    stopped = frozenset(domains)
    return None in stopped or domain in stopped or (domain is None and bool(stopped))


def _turn(connection: sa.Connection, turned: Stop, *, is_stopped: bool, is_open: bool) -> bool:
    if not 0 < len(turned.reason) <= LONGEST_REASON:
        raise PreceptorError(
            f"The reason has {len(turned.reason)} characters. Give one of 1 to {LONGEST_REASON} with --reason."
        )
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236713)"))
    if any(one.domain == turned.domain for one in stops_in_force(connection)) == is_stopped:
        return False
    connection.execute(SWITCH.insert().values(**turned._asdict(), is_stopped=is_stopped))
    subject = "all domains" if turned.domain is None else f"domain {turned.domain}"
    details: dict[str, str | bool] = {"reason": turned.reason}
    if is_open:
        details["open_store"] = True
    action = "gateway.stop" if is_stopped else "gateway.resume"
    append_in(connection, turned.by, action, subject, details, now=turned.at)
    return True


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)  # SQLite forgets the zone
