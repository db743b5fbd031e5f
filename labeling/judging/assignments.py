"""The assignment that a form speaks of: it must be its sender's own, and is locked until the transaction ends."""

from typing import Any

import sqlalchemy as sa

from core.errors import AccessDenied
from core.items import ITEMS
from labeling.tables import ASSIGNMENTS, PAIRS


def own_assignment(connection: sa.Connection, assignment_id: str, expert: str) -> sa.Row[Any]:
    """The row of an expert's assignment, with its item's id and stakes, inside the caller's write transaction.

    Raises:
        AccessDenied: the assignment is not this expert's.
    """
    # The lock lets equal submits queue (PostgreSQL; SQLite queues all writers), so each sees what the one before saved.
    query = (
        sa.select(ASSIGNMENTS, ITEMS.c.stakes, PAIRS.c.item_id)
        .join(PAIRS, PAIRS.c.id == ASSIGNMENTS.c.pair_id)
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .where(ASSIGNMENTS.c.id == assignment_id)
        .with_for_update(of=ASSIGNMENTS)
    )
    row = connection.execute(query).first()
    if row is None or row.expert != expert:
        raise AccessDenied("This pair was not offered to you. Open the queue to judge your own.")
    return row
