"""What keys spend: what a decision counts for, and the store's sums by key and day. A cost is never guessed low.

A call whose cost is not known counts as the dearest request that this worker has seen, and as `ASSUMED_USD` before
there was one. Calls that no endpoint charges for (refused, not connected) have a known cost: nothing.
"""

import logging
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.call_record import CallRecord
from core.records import Decision
from gateway.keys.limiter import Batch, Spent
from gateway.tables import SPENDING

LOG = logging.getLogger("preceptor.gateway")

ASSUMED_USD: Final = 0.10
"""What a call of unknown cost counts for while no cost is known to this worker, in US dollars."""


class Pricing:
    """What decisions cost, and what unknown costs count for."""

    def __init__(self) -> None:
        self._dearest_usd = 0.0
        self._has_warned = False

    def usd_of(self, decision: Decision) -> float:
        """What the decision counts for, in US dollars: its cost, or what is not less where that is not known."""
        if decision.cost_usd is not None:
            self._dearest_usd = max(self._dearest_usd, decision.cost_usd)
            return decision.cost_usd
        if not decision.calls:
            return 0.0  # nobody was asked
        known = sum(call.cost_usd or 0.0 for call in decision.calls)
        n_unknown = sum(call.cost_usd is None for call in decision.calls)
        self._say_unknown()
        # With every call's cost known, it is the recheck's that is not.
        return known + max(1, n_unknown) * self.dearest_usd

    def usd_of_call(self, call: CallRecord) -> float:
        """What a call counts for that no decision is made about, such as one for embeddings; in US dollars."""
        if call.n_attempts == 0:
            return 0.0
        if call.cost_usd is not None:
            self._dearest_usd = max(self._dearest_usd, call.cost_usd)
            return call.cost_usd
        self._say_unknown()
        return self.dearest_usd

    @property
    def dearest_usd(self) -> float:
        """The dearest request seen, or what is assumed before there was one."""
        return self._dearest_usd or ASSUMED_USD

    def _say_unknown(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            LOG.warning(
                "The cost of a request is not known; it counts as the dearest one seen, $%.4f. "
                "Check that the endpoints report usage.",
                self.dearest_usd,
            )


def add_spending(connection: sa.Connection, batch: Batch) -> None:
    """Add to the sums; concurrent writers lose nothing of one another's."""
    if not batch:
        return
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(SPENDING)
    statement = statement.on_conflict_do_update(
        index_elements=[SPENDING.c.key_id, SPENDING.c.day],
        set_={
            "n_requests": SPENDING.c.n_requests + statement.excluded.n_requests,
            "cost_usd": SPENDING.c.cost_usd + statement.excluded.cost_usd,
        },
    )
    # In one order everywhere, so that two workers never wait for each other.
    rows = [{"key_id": key_id, "day": day, **spent._asdict()} for (key_id, day), spent in sorted(batch.items())]
    connection.execute(statement, rows)


def spending_on(connection: sa.Connection, day: str) -> Mapping[str, Spent]:
    """What each key has asked for and spent on a day (UTC, as 2026-11-24)."""
    query = sa.select(SPENDING.c.key_id, SPENDING.c.n_requests, SPENDING.c.cost_usd).where(SPENDING.c.day == day)
    return {row.key_id: Spent(row.n_requests, row.cost_usd) for row in connection.execute(query)}
