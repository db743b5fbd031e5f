"""Saving a judgement and taking one back: the rows and their ledger event in one transaction, each at most once.

Nothing is ever overwritten: undo is an event of its own, after which the pair comes back as a new revision.
"""

import json
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from core.errors import AccessDenied
from core.fingerprint import of_json
from core.ledger import Detail, append_in
from core.moments import timestamp
from core.records import Judgement, Mark, Stakes
from core.store import writing
from labeling.judging.assignments import own_assignment
from labeling.judging.ballots import FREE, Ballot, Choice, JudgingRules, check_ballot, in_pair_order, verdict_of
from labeling.judging.drafts import put_draft
from labeling.judging.form import form_of
from labeling.judging.rendering import check_places
from labeling.judging.revealing import AFTER_REVEAL, was_revealed
from labeling.queueing.offering import task_of
from labeling.queueing.places import take
from labeling.tables import ASSIGNMENTS, DRAFTS, GUIDELINES, JUDGEMENTS, MARKS, RETRACTIONS, stands

RETAKE = timedelta(hours=1)
"""A pair whose judgement was taken back is its expert's alone for this long."""

JUST_UNDONE = "undone by the expert"
"""The reason of a retraction for which none was asked."""


class Receipt(StrEnum):
    """What became of a ballot."""

    SAVED = "saved"
    ALREADY_SAVED = "already_saved"
    """The same ballot came twice; it counts once."""
    EARLIER_STANDS = "earlier_stands"
    """Another verdict on this pair was saved before, from another tab; that one stands."""
    OUT_OF_DATE = "out_of_date"
    """The ballot answers a revision that was undone meanwhile; the pair is shown again."""


def submit(engine: sa.Engine, ballot: Ballot, *, expert: str, rules: JudgingRules = FREE, now: datetime) -> Receipt:
    """Save a judgement with its ledger event; a ballot sent twice, or from two tabs, counts once.

    Raises:
        PreceptorError: the ballot contradicts itself or lacks what the rules ask for (see `check_ballot`).
        AccessDenied: the assignment is not this expert's.
    """
    try:
        with writing(engine) as connection:
            assignment = own_assignment(connection, ballot.assignment_id, expert)
            check_ballot(ballot, rules, stakes=Stakes(assignment.stakes))
            if ballot.marks:
                task = task_of(connection, ballot.assignment_id)
                check_places(ballot.marks, left=task.left, right=task.right)
            version = _guideline_read(connection, ballot)
            judgement = _judgement(ballot, assignment, guideline_version=version, now=now)
            found = _found(connection, ballot, judgement)
            if found is not None:
                return found
            is_blind = not was_revealed(connection, ballot.assignment_id)
            _insert(connection, ballot, judgement, purpose=assignment.purpose if is_blind else AFTER_REVEAL)
            _settle(connection, assignment)
            append_in(connection, expert, "judge.submit", judgement.id, ledger_details(judgement), now=now)
            if not is_blind:
                append_in(connection, expert, "judge.after_reveal", judgement.id, {"pair": judgement.pair_id}, now=now)
            return Receipt.SAVED
    except IntegrityError:
        # Another process saved this revision between our look and our insert (PostgreSQL; SQLite queues writers).
        with engine.connect() as connection:
            found = _found(connection, ballot, judgement)
        if found is None:
            raise
        return found


def retract(engine: sa.Engine, judgement_id: str, *, expert: str, reason: str = JUST_UNDONE, now: datetime) -> bool:
    """Take back a judgement, as an event of its own; the pair is offered to the expert again, as it was filled in.

    Returns False when it was taken back already.

    Raises:
        AccessDenied: the judgement is not this expert's.
    """
    try:
        with writing(engine) as connection:
            row = connection.execute(sa.select(JUDGEMENTS).where(JUDGEMENTS.c.id == judgement_id)).first()
            if row is None or row.expert != expert or row.purpose == "qualification":
                raise AccessDenied("This judgement is not yours to undo. Reload the page to see your own.")
            known = sa.select(RETRACTIONS.c.judgement_id).where(RETRACTIONS.c.judgement_id == judgement_id)
            if connection.execute(known).first():
                return False
            connection.execute(RETRACTIONS.insert().values(judgement_id=judgement_id, reason=reason, at=timestamp(now)))
            connection.execute(
                ASSIGNMENTS.update()
                .where(ASSIGNMENTS.c.id == row.assignment_id)
                .values(offered_at=timestamp(now), lease_until=timestamp(now + RETAKE), is_waiting=True)
            )
            (judgement,) = judgements_where(connection, JUDGEMENTS.c.id == judgement_id)
            put_draft(connection, row.assignment_id, revision=row.revision + 1, form=form_of(judgement), now=now)
            details: dict[str, Detail] = {"pair": row.pair_id, "reason_sha256": of_json(reason)}
            if was_revealed(connection, row.assignment_id):
                details[AFTER_REVEAL] = True
            append_in(connection, expert, "judge.retract", judgement_id, details, now=now)
            return True
    except IntegrityError:
        return False  # the other of two equal requests was quicker


def ledger_details(judgement: Judgement) -> dict[str, Detail]:
    """What the ledger keeps of a judgement: all that counts, without the free text, which its hash stands for."""
    return {
        "pair": judgement.pair_id,
        "verdict": str(judgement.verdict),
        "strength": judgement.strength,
        "first_acceptable": judgement.first_acceptable,
        "second_acceptable": judgement.second_acceptable,
        "swapped": judgement.swapped,
        "guideline": judgement.guideline_version,
        "said_sha256": of_json(
            [judgement.reason, judgement.reason_codes, [mark.model_dump(mode="json") for mark in judgement.marks]]
        ),
    }


def judgement_of(row: sa.Row[Any], marks: tuple[Mark, ...] = ()) -> Judgement:
    """The judgement that a row of `JUDGEMENTS` holds, with its marks."""
    return Judgement(
        id=row.id,
        pair_id=row.pair_id,
        expert=row.expert,
        verdict=row.verdict,
        strength=row.strength,
        first_acceptable=row.first_acceptable,
        second_acceptable=row.second_acceptable,
        swapped=row.swapped,
        reason=row.reason,
        reason_codes=tuple(json.loads(row.reason_codes)),
        marks=marks,
        guideline_version=row.guideline_version,
        active_ms=row.active_ms,
        wall_ms=row.wall_ms,
        at=datetime.fromisoformat(row.at),
    )


def judgements_where(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Judgement]:
    """The judgements that fulfil a condition on `JUDGEMENTS`, with their marks, in order of id."""
    rows = connection.execute(sa.select(JUDGEMENTS).where(condition).order_by(JUDGEMENTS.c.id)).all()
    ids = sa.select(JUDGEMENTS.c.id).where(condition)
    marks: dict[str, list[Mark]] = {}
    query = sa.select(MARKS).where(MARKS.c.judgement_id.in_(ids))
    for row in connection.execute(query.order_by(MARKS.c.judgement_id, MARKS.c.is_first.desc(), MARKS.c.sentence)):
        mark = Mark(
            answer="first" if row.is_first else "second",
            sentence=row.sentence,
            category=row.category,
            severity=row.severity,
        )
        marks.setdefault(row.judgement_id, []).append(mark)
    return [judgement_of(row, tuple(marks.get(row.id, ()))) for row in rows]


def _guideline_read(connection: sa.Connection, ballot: Ballot) -> int | None:
    """The version that the expert had before them: another may have come into force while they judged."""
    in_force: int | None = connection.execute(sa.select(sa.func.max(GUIDELINES.c.version))).scalar()
    if ballot.guideline_version is None or in_force is None:
        return in_force
    return min(ballot.guideline_version, in_force) or None


def _judgement(ballot: Ballot, assignment: sa.Row[Any], *, guideline_version: int | None, now: datetime) -> Judgement:
    implied = {Choice.BOTH_ACCEPTABLE: True, Choice.NEITHER_ACCEPTABLE: False}.get(ballot.choice)
    left, right = ballot.left_acceptable, ballot.right_acceptable
    if implied is not None:
        left = right = implied
    first, second = in_pair_order(left, right, swapped=assignment.swapped)
    marks = [
        Mark(
            answer="first" if (mark.side == "left") != assignment.swapped else "second",
            sentence=mark.sentence,
            category=mark.category,
            severity=str(mark.severity),
        )
        for mark in ballot.marks
    ]
    return Judgement(
        id=secrets.token_hex(12),
        pair_id=assignment.pair_id,
        expert=assignment.expert,
        verdict=verdict_of(ballot.choice, swapped=assignment.swapped),
        strength=ballot.strength,
        first_acceptable=first,
        second_acceptable=second,
        swapped=assignment.swapped,
        reason=ballot.reason.strip(),
        reason_codes=ballot.reason_codes,
        marks=tuple(sorted(marks, key=lambda mark: (mark.answer, mark.sentence))),
        guideline_version=guideline_version,
        active_ms=ballot.active_ms,
        wall_ms=ballot.wall_ms,
        at=now.astimezone(UTC),
    )


def _found(connection: sa.Connection, ballot: Ballot, judgement: Judgement) -> Receipt | None:
    """What stands already for this ballot's assignment; None when the ballot is new."""
    query = sa.select(JUDGEMENTS).where(JUDGEMENTS.c.assignment_id == ballot.assignment_id)
    standing = connection.execute(query.where(stands())).first()
    if standing is not None:
        (saved,) = judgements_where(connection, JUDGEMENTS.c.id == standing.id)
        same = ledger_details(saved) == ledger_details(judgement)
        return Receipt.ALREADY_SAVED if same and standing.revision == ballot.revision else Receipt.EARLIER_STANDS
    n_earlier = connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
    return None if ballot.revision == n_earlier else Receipt.OUT_OF_DATE


def _insert(connection: sa.Connection, ballot: Ballot, judgement: Judgement, *, purpose: str) -> None:
    connection.execute(
        JUDGEMENTS.insert().values(
            **judgement.model_dump(exclude={"at", "verdict", "marks", "reason_codes"}),
            reason_codes=json.dumps(judgement.reason_codes),
            verdict=str(judgement.verdict),
            purpose=purpose,
            at=timestamp(judgement.at),
            assignment_id=ballot.assignment_id,
            revision=ballot.revision,
        )
    )
    marks = [
        {
            "judgement_id": judgement.id,
            "is_first": mark.answer == "first",
            "sentence": mark.sentence,
            "category": mark.category,
            "severity": mark.severity,
        }
        for mark in judgement.marks
    ]
    if marks:
        connection.execute(MARKS.insert(), marks)


def _settle(connection: sa.Connection, assignment: sa.Row[Any]) -> None:
    """The pair is judged: no lease, no draft, and a place in the count even where the lease had lapsed."""
    this = ASSIGNMENTS.c.id == assignment.id
    connection.execute(ASSIGNMENTS.update().where(this).values(lease_until=None, is_waiting=False))
    connection.execute(DRAFTS.delete().where(DRAFTS.c.assignment_id == assignment.id))
    if assignment.purpose == "work" and not assignment.holds_place:
        connection.execute(ASSIGNMENTS.update().where(this).values(holds_place=True))
        take(connection, assignment.pair_id)
