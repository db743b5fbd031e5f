"""What the checks had said, shown to an expert who has judged: never before, and each showing is on record.

A judgement given after that is no longer blind. It is kept as `after_reveal` and counts nowhere.
"""

from datetime import datetime

import sqlalchemy as sa

from core.ledger import append_in
from core.moments import timestamp
from core.store import writing
from core.unresolved import UNRESOLVED, MachineVerdict, machine_verdicts
from labeling.tables import JUDGEMENTS, RETRACTIONS, REVEALS

AFTER_REVEAL = "after_reveal"
"""The purpose of a judgement whose expert had seen what the checks said."""


def reveal(engine: sa.Engine, judgement_ids: list[str], *, expert: str, now: datetime) -> dict[str, MachineVerdict]:
    """What the checks had said, by judgement, of those that this expert gave and that stand; the rest is left out.

    The first showing of each is written down with its ledger event before anything is returned.
    """
    if not judgement_ids:
        return {}
    known = sa.exists().where(UNRESOLVED.c.pair_id == JUDGEMENTS.c.pair_id)
    taken_back = sa.exists().where(RETRACTIONS.c.judgement_id == JUDGEMENTS.c.id)
    query = sa.select(JUDGEMENTS.c.id, JUDGEMENTS.c.pair_id, REVEALS.c.at.label("shown_at")).join(
        REVEALS, REVEALS.c.judgement_id == JUDGEMENTS.c.id, isouter=True
    )
    mine = sa.and_(JUDGEMENTS.c.id.in_(judgement_ids), JUDGEMENTS.c.expert == expert, known, ~taken_back)
    with engine.connect() as connection:
        rows = connection.execute(query.where(mine)).all()
        verdicts = machine_verdicts(connection, [row.pair_id for row in rows])
    if any(row.shown_at is None for row in rows):
        with writing(engine) as connection:
            # Asked again under the write lock: it may have been taken back, or shown in another tab, meanwhile.
            rows = connection.execute(query.where(mine).with_for_update(of=JUDGEMENTS)).all()
            for row in rows:
                if row.shown_at is None:
                    connection.execute(REVEALS.insert().values(judgement_id=row.id, at=timestamp(now)))
                    append_in(connection, expert, "verify.reveal", row.id, {"pair": row.pair_id}, now=now)
    return {row.id: verdicts[row.pair_id] for row in rows if row.pair_id in verdicts}


def was_revealed(connection: sa.Connection, assignment_id: str) -> bool:
    """Whether the expert of this assignment was shown what the checks had said of its pair."""
    query = (
        sa.select(REVEALS.c.judgement_id)
        .join(JUDGEMENTS, JUDGEMENTS.c.id == REVEALS.c.judgement_id)
        .where(JUDGEMENTS.c.assignment_id == assignment_id)
        .limit(1)
    )
    return connection.execute(query).first() is not None
