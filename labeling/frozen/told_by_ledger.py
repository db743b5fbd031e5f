"""Whether judgements and rulings in the store are those that the ledger tells of; else no version is frozen."""

from collections.abc import Sequence

import sqlalchemy as sa

from core.errors import LedgerError
from core.fingerprint import canonical_json
from core.ledger import EVENTS
from core.records import Judgement
from labeling.judging.submitting import judgements_where, ledger_details
from labeling.quality.adjudicating import ledger_details as ledger_of_ruling
from labeling.quality.rulings import ruling_of
from labeling.tables import ADJUDICATIONS, stands

RULED = "adjudicate"


def check_against_ledger(connection: sa.Connection) -> None:
    """Refuse when the standing judgements, of whatever purpose, and all rulings are not those that the ledger tells of.

    Raises:
        LedgerError: one was changed, added, removed or revived behind the screen.
    """
    # Read before the judgements: what the ledger told by then must show in them, even while others vote.
    last_seq = connection.execute(sa.select(sa.func.max(EVENTS.c.seq))).scalar() or 0
    _compare(connection, judgements_where(connection, stands()), last_seq=last_seq)
    _compare_rulings(connection)


def _compare(connection: sa.Connection, rows: Sequence[Judgement], *, last_seq: int) -> None:
    events = connection.execute(sa.select(EVENTS).where(EVENTS.c.action.in_(("judge.submit", "judge.retract")))).all()
    told = {event.subject: event for event in events if event.action == "judge.submit"}
    retracted = {event.subject: event.seq for event in events if event.action == "judge.retract"}
    standing = {row.id: canonical_json(ledger_details(row)) for row in rows}
    changed = [
        judgement
        for judgement, content in standing.items()
        if judgement not in told or told[judgement].details != content
    ]
    revived = [judgement for judgement in standing if retracted.get(judgement, last_seq + 1) <= last_seq]
    removed = [
        subject
        for subject, event in told.items()
        if event.seq <= last_seq and subject not in retracted and subject not in standing
    ]
    for fault, judgements in (("changed or added", changed), ("revived", revived), ("removed", removed)):
        if judgements:
            raise LedgerError(
                f"Judgement {judgements[0]} was {fault} behind the screen: it does not match the ledger. "
                "Find out who wrote to the store, and restore it from a backup."
            )


def _compare_rulings(connection: sa.Connection) -> None:
    told = {row.subject: row.details for row in connection.execute(sa.select(EVENTS).where(EVENTS.c.action == RULED))}
    rows = {
        row.id: canonical_json(ledger_of_ruling(ruling_of(row))) for row in connection.execute(sa.select(ADJUDICATIONS))
    }
    faults = [one for one, content in rows.items() if told.get(one) != content] + sorted(told.keys() - rows.keys())
    if faults:
        raise LedgerError(
            f"Ruling {faults[0]} was changed, added or removed behind the screen: it does not match the ledger. "
            "Find out who wrote to the store, and restore it from a backup."
        )
