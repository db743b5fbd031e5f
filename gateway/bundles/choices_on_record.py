"""Reads the choices that bundles made of the same requests, and of two shares of them, from the store. Writes nothing.

Requests of one conversation are no draws of their own, so of each conversation its first request is read alone.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from gateway.tables import DECISIONS, SHADOWS

ROWS_A_FETCH = 5000


class Choice(NamedTuple):
    """One request that a router decided."""

    id: str
    at: datetime
    bundle: str
    arm: str
    probability: float
    ask_strong: bool
    stratum: str
    answered_by: str | None
    verdict: str | None
    cost_usd: float | None


class Pair(NamedTuple):
    """One request, decided by a bundle and scored by another."""

    choice: Choice
    bundle: str
    probability: float | None
    ask_strong: bool
    reasons: tuple[str, ...]


class Read(NamedTuple):
    """What was read, and what was left out."""

    rows: tuple[Choice, ...]
    n_requests: int
    """All decisions of the time."""
    n_not_decided: int
    """Those that no router decided: a model asked for by name, a stop, a fault."""
    n_later_turns: int
    """Those that were not the first of their conversation."""


def choices_since(connection: sa.Connection, since: datetime, *, domain: str | None = None) -> Read:
    """What routers decided since then, one request a conversation.

    Args:
        connection: the store.
        since: decisions before it are not read.
        domain: only those of this domain; None: all.
    """
    rows, seen = [], set()
    n_requests = n_not_decided = n_later = 0
    for row in _decisions(connection, since, domain):
        n_requests += 1
        if row.bundle is None or row.probability is None or row.threshold is None:
            n_not_decided += 1
        elif row.conversation_sha256 in seen:
            n_later += 1
        else:
            rows.append(_choice(row))
        if row.conversation_sha256 is not None:
            seen.add(row.conversation_sha256)
    return Read(tuple(rows), n_requests, n_not_decided, n_later)


def pairs_of(connection: sa.Connection, choices: tuple[Choice, ...], since: datetime) -> tuple[Pair, ...]:
    """Those of the choices that another bundle scored as well, in their order."""
    query = sa.select(SHADOWS).where(SHADOWS.c.at >= since).execution_options(yield_per=ROWS_A_FETCH)
    scored = {row.decision_id: row for row in connection.execute(query)}
    return tuple(
        Pair(one, row.bundle, row.probability, row.ask_strong, tuple(row.reasons))
        for one in choices
        if (row := scored.get(one.id)) is not None and row.bundle != one.bundle
    )


def _decisions(connection: sa.Connection, since: datetime, domain: str | None) -> Iterator[sa.Row[tuple[object, ...]]]:
    wanted = ("id", "at", "bundle", "arm", "probability", "threshold", "domain", "stakes")
    also = ("answered_by", "verdict", "cost_usd", "conversation_sha256")
    query = sa.select(*(DECISIONS.c[name] for name in (*wanted, *also))).where(DECISIONS.c.at >= since)
    if domain is not None:
        query = query.where(DECISIONS.c.domain == domain)
    yield from connection.execute(query.order_by(DECISIONS.c.at).execution_options(yield_per=ROWS_A_FETCH))


def _choice(row: sa.Row[tuple[object, ...]]) -> Choice:
    at = row.at if row.at.tzinfo else row.at.replace(tzinfo=UTC)  # SQLite forgets the zone
    return Choice(
        id=row.id,
        at=at,
        bundle=row.bundle,
        arm=row.arm,
        probability=row.probability,
        ask_strong=row.probability >= row.threshold,
        stratum=f"{row.domain or 'no domain'}/{row.stakes}",
        answered_by=row.answered_by,
        verdict=row.verdict,
        cost_usd=row.cost_usd,
    )
