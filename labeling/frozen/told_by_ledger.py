"""Whether judgements and rulings in the store are those that the ledger tells of; else no version is frozen."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from core.errors import LedgerError
from core.fingerprint import canonical_json
from core.ledger import EVENTS
from core.migrations import UNMARKED
from core.records import Judgement
from labeling.judging.submitting import judgements_where, ledger_details
from labeling.quality.adjudicating import ledger_details as ledger_of_ruling
from labeling.quality.rulings import ruling_of
from labeling.tables import ADJUDICATIONS, stands

RULED = "adjudicate"

TOLD_BEFORE_0002 = ("pair", "verdict", "first_acceptable", "second_acceptable", "swapped")
"""What the ledger told of a judgement before revision 0002 of the store, in events before that upgrade's alone."""


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
    upgraded_seq = _upgraded_seq(connection)
    standing = {row.id: row for row in rows}
    changed = [
        judgement
        for judgement, row in standing.items()
        if judgement not in told or not _fits(told[judgement], row, upgraded_seq=upgraded_seq)
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


def _fits(event: sa.Row[Any], judgement: Judgement, *, upgraded_seq: int) -> bool:
    details = ledger_details(judgement)
    if event.details == canonical_json(details):
        return True
    has_later_parts = judgement.strength or judgement.guideline_version or judgement.reason_codes or judgement.marks
    if event.seq >= upgraded_seq or has_later_parts:
        return False
    return bool(event.details == canonical_json({key: details[key] for key in TOLD_BEFORE_0002}))


def _upgraded_seq(connection: sa.Connection) -> int:
    """The event of the store's upgrade from before 0002; 0, before every event, for a store that began later."""
    upgrades = sa.select(EVENTS.c.seq, EVENTS.c.details).where(EVENTS.c.action == "store.upgrade")
    from_unmarked = canonical_json({"from": UNMARKED})
    rows = connection.execute(upgrades.order_by(EVENTS.c.seq))
    return next((row.seq for row in rows if row.details == from_unmarked), 0)


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
