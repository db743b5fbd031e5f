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
from core.store import create_tables, writing
from gateway.tables import SWITCH

LONGEST_REASON = 500


class Stop(NamedTuple):
    """One stop in force; `domain` of None is all domains."""

    domain: str | None
    at: datetime
    by: str
    reason: str


class Switch:
    """The stop switch of one store; every gateway on that store obeys it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        create_tables(engine)

    def stop(self, domain: str | None, *, by: Actor, reason: str, now: datetime) -> bool:
        """Keep the weak answers of a domain (None: of all) back; False where they are already.

        Raises:
            AccessDenied: the policy does not let them.
            PreceptorError: no reason is given, or one too long.
        """
        require(Act.STOP, by)
        return self._turn(domain, is_stopped=True, by=by, reason=reason, now=now)

    def resume(self, domain: str | None, *, by: Actor, reason: str, now: datetime) -> bool:
        """End the stop of a domain, or the one of all domains (None); False where there is no such stop.

        A stop of one domain and one of all domains stand apart: each is ended by its own.

        Raises:
            AccessDenied: the policy does not let them.
            PreceptorError: no reason is given, or one too long.
        """
        require(Act.RESUME, by)
        return self._turn(domain, is_stopped=False, by=by, reason=reason, now=now)

    def stops(self) -> tuple[Stop, ...]:
        """The stops in force, that of all domains first, then by domain.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the store does not answer.
        """
        with self._engine.connect() as connection:
            return _stops(connection)

    def _turn(self, domain: str | None, *, is_stopped: bool, by: Actor, reason: str, now: datetime) -> bool:
        reason = reason.strip()
        if not 0 < len(reason) <= LONGEST_REASON:
            raise PreceptorError(
                f"The reason has {len(reason)} characters. Give one of 1 to {LONGEST_REASON} with --reason."
            )
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236713)"))
            if any(stop.domain == domain for stop in _stops(connection)) == is_stopped:
                return False
            connection.execute(
                SWITCH.insert().values(at=now, domain=domain, is_stopped=is_stopped, by=by.name, reason=reason)
            )
            action = "gateway.stop" if is_stopped else "gateway.resume"
            subject = "all domains" if domain is None else f"domain {domain}"
            open_store = {"open_store": True} if by.at_open_command_line else {}
            append_in(connection, by.name, action, subject, {"reason": reason, **open_store}, now=now)
        return True


def is_stopped(domains: Iterable[str | None], domain: str | None) -> bool:
    """Whether the stops keep a request of this domain back; one whose domain is not known may be of any of them.

    >>> is_stopped([None], "law"), is_stopped(["law"], "tax"), is_stopped(["law"], None), is_stopped([], None)
    (True, False, True, False)
    """
    stopped = frozenset(domains)
    return None in stopped or domain in stopped or (domain is None and bool(stopped))


def _stops(connection: sa.Connection) -> tuple[Stop, ...]:
    rows = connection.execute(sa.select(SWITCH).order_by(SWITCH.c.number)).all()
    last = {row.domain: row for row in rows}
    found = [Stop(row.domain, _in_utc(row.at), row.by, row.reason) for row in last.values() if row.is_stopped]
    return tuple(sorted(found, key=lambda stop: (stop.domain is not None, stop.domain or "")))


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)  # SQLite forgets the zone
