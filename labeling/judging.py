"""Saving a judgement and taking one back: the row and its ledger event in one transaction, each at most once.

A ballot speaks of left and right, a stored judgement of first and second. Nothing is ever overwritten: undo is an event
of its own, after which the pair comes back as a new revision.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from core.errors import AccessDenied, PreceptorError
from core.ledger import append_in
from core.records import Judgement, Verdict
from core.store import writing
from labeling.screening import phi_kinds
from labeling.tables import ASSIGNMENTS, JUDGEMENTS, RETRACTIONS, stands
from web.sessions import timestamp

MAX_REASON_CHARS = 4000


class Choice(StrEnum):
    """An expert's verdict by the sides they saw."""

    LEFT_BETTER = "left_better"
    RIGHT_BETTER = "right_better"
    BOTH_ACCEPTABLE = "both_acceptable"
    NEITHER_ACCEPTABLE = "neither_acceptable"
    CANNOT_JUDGE = "cannot_judge"


class Receipt(StrEnum):
    """What became of a ballot."""

    SAVED = "saved"
    ALREADY_SAVED = "already_saved"
    """The same ballot came twice; it counts once."""
    EARLIER_STANDS = "earlier_stands"
    """Another verdict on this pair was saved before, from another tab; that one stands."""
    OUT_OF_DATE = "out_of_date"
    """The ballot answers a revision that was undone meanwhile; the pair is shown again."""


@dataclass(frozen=True)
class Ballot:
    """What the judging form sends. `assignment_id` and `revision` together are its idempotency key."""

    assignment_id: str
    revision: int
    choice: Choice
    left_acceptable: bool | None = None
    right_acceptable: bool | None = None
    reason: str = ""
    active_ms: int | None = None


def check_ballot(ballot: Ballot) -> None:
    """Refuse a ballot that contradicts itself, lacks a reason it needs, or carries an identifier of a patient.

    Raises:
        PreceptorError: what to change, in words for the expert.
    """
    left, right = ballot.left_acceptable, ballot.right_acceptable
    if ballot.choice is Choice.CANNOT_JUDGE and not ballot.reason.strip():
        raise PreceptorError("A pair that cannot be judged needs a reason. Say what is missing or unclear.")
    if ballot.choice is Choice.BOTH_ACCEPTABLE and False in (left, right):
        raise PreceptorError("You chose 'both acceptable' and marked an answer not acceptable. Change one of the two.")
    if ballot.choice is Choice.NEITHER_ACCEPTABLE and True in (left, right):
        raise PreceptorError("You chose 'neither acceptable' and marked an answer acceptable. Change one of the two.")
    better_and_other = {Choice.LEFT_BETTER: (left, right), Choice.RIGHT_BETTER: (right, left)}.get(ballot.choice)
    if better_and_other == (False, True):
        raise PreceptorError(
            "The better answer is marked not acceptable while the other one is acceptable. "
            "Change a mark or the verdict."
        )
    if len(ballot.reason) > MAX_REASON_CHARS:
        raise PreceptorError(f"The reason has {len(ballot.reason)} characters. Keep it to {MAX_REASON_CHARS}.")
    if kinds := phi_kinds([ballot.reason]):
        names = " and ".join(kind.replace("_", " ") for kind in kinds)
        raise PreceptorError(f"The reason seems to hold a patient's {names}. Leave identifiers out of it.")


def submit(engine: sa.Engine, ballot: Ballot, *, expert: str, now: datetime) -> Receipt:
    """Save a judgement with its ledger event; a ballot sent twice, or from two tabs, counts once.

    Raises:
        PreceptorError: the ballot contradicts itself (see `check_ballot`).
        AccessDenied: the assignment is not this expert's.
    """
    check_ballot(ballot)
    try:
        with writing(engine) as connection:
            assignment = _own_assignment(connection, ballot.assignment_id, expert)
            judgement = _judgement(ballot, assignment, expert=expert, now=now)
            found = _found(connection, ballot, judgement)
            if found is not None:
                return found
            _insert(connection, ballot, judgement)
            append_in(connection, expert, "judge.submit", judgement.id, ledger_details(judgement), now=now)
            return Receipt.SAVED
    except IntegrityError:
        # Another process saved this revision between our look and our insert (PostgreSQL; SQLite queues writers).
        with engine.connect() as connection:
            found = _found(connection, ballot, judgement)
        if found is None:
            raise
        return found


def retract(engine: sa.Engine, judgement_id: str, *, expert: str, now: datetime) -> bool:
    """Take back a judgement, as an event of its own; the pair is offered to the expert again.

    Returns False when it was taken back already.

    Raises:
        AccessDenied: the judgement is not this expert's.
    """
    try:
        with writing(engine) as connection:
            row = connection.execute(sa.select(JUDGEMENTS).where(JUDGEMENTS.c.id == judgement_id)).first()
            if row is None or row.expert != expert:
                raise AccessDenied("This judgement is not yours to undo. Reload the page to see your own.")
            known = sa.select(RETRACTIONS.c.judgement_id).where(RETRACTIONS.c.judgement_id == judgement_id)
            if connection.execute(known).first():
                return False
            connection.execute(RETRACTIONS.insert().values(judgement_id=judgement_id, at=timestamp(now)))
            connection.execute(
                ASSIGNMENTS.update().where(ASSIGNMENTS.c.id == row.assignment_id).values(offered_at=timestamp(now))
            )
            append_in(connection, expert, "judge.retract", judgement_id, {"pair": row.pair_id}, now=now)
            return True
    except IntegrityError:
        return False  # the other of two equal requests was quicker


def ledger_details(judgement: Judgement) -> dict[str, str | bool | None]:
    """What the ledger keeps of a judgement: all that counts, without the free text."""
    return {
        "pair": judgement.pair_id,
        "verdict": str(judgement.verdict),
        "first_acceptable": judgement.first_acceptable,
        "second_acceptable": judgement.second_acceptable,
        "swapped": judgement.swapped,
    }


def judgement_of(row: sa.Row[Any]) -> Judgement:
    """The judgement that a row of `JUDGEMENTS` holds."""
    return Judgement(
        id=row.id,
        pair_id=row.pair_id,
        expert=row.expert,
        verdict=row.verdict,
        first_acceptable=row.first_acceptable,
        second_acceptable=row.second_acceptable,
        swapped=row.swapped,
        reason=row.reason,
        active_ms=row.active_ms,
        at=datetime.fromisoformat(row.at),
    )


def verdict_of(choice: Choice, *, swapped: bool) -> Verdict:
    """The verdict in the pair's canonical order, whatever side was shown where.

    >>> verdict_of(Choice.LEFT_BETTER, swapped=True)
    <Verdict.SECOND_BETTER: 'second_better'>
    """
    if choice is Choice.LEFT_BETTER:
        return Verdict.SECOND_BETTER if swapped else Verdict.FIRST_BETTER
    if choice is Choice.RIGHT_BETTER:
        return Verdict.FIRST_BETTER if swapped else Verdict.SECOND_BETTER
    return Verdict(choice.value)


def _own_assignment(connection: sa.Connection, assignment_id: str, expert: str) -> sa.Row[Any]:
    # The lock lets equal submits queue (PostgreSQL; SQLite queues all writers), so each sees what the one before saved.
    query = sa.select(ASSIGNMENTS).where(ASSIGNMENTS.c.id == assignment_id).with_for_update()
    row = connection.execute(query).first()
    if row is None or row.expert != expert:
        raise AccessDenied("This pair was not offered to you. Open the queue to judge your own.")
    return row


def _judgement(ballot: Ballot, assignment: sa.Row[Any], *, expert: str, now: datetime) -> Judgement:
    implied = {Choice.BOTH_ACCEPTABLE: True, Choice.NEITHER_ACCEPTABLE: False}.get(ballot.choice)
    left, right = ballot.left_acceptable, ballot.right_acceptable
    if implied is not None:
        left = right = implied
    first, second = (right, left) if assignment.swapped else (left, right)
    return Judgement(
        id=secrets.token_hex(12),
        pair_id=assignment.pair_id,
        expert=expert,
        verdict=verdict_of(ballot.choice, swapped=assignment.swapped),
        first_acceptable=first,
        second_acceptable=second,
        swapped=assignment.swapped,
        reason=ballot.reason.strip(),
        active_ms=ballot.active_ms,
        at=now.astimezone(UTC),
    )


def _found(connection: sa.Connection, ballot: Ballot, judgement: Judgement) -> Receipt | None:
    """What stands already for this ballot's assignment; None when the ballot is new."""
    query = sa.select(JUDGEMENTS).where(JUDGEMENTS.c.assignment_id == ballot.assignment_id)
    standing = connection.execute(query.where(stands())).first()
    if standing is not None:
        same = ledger_details(judgement_of(standing)) == ledger_details(judgement)
        return Receipt.ALREADY_SAVED if same and standing.revision == ballot.revision else Receipt.EARLIER_STANDS
    n_earlier = connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
    return None if ballot.revision == n_earlier else Receipt.OUT_OF_DATE


def _insert(connection: sa.Connection, ballot: Ballot, judgement: Judgement) -> None:
    connection.execute(
        JUDGEMENTS.insert().values(
            **judgement.model_dump(exclude={"at", "verdict"}),
            verdict=str(judgement.verdict),
            at=timestamp(judgement.at),
            assignment_id=ballot.assignment_id,
            revision=ballot.revision,
        )
    )
