"""Drafts: what an expert has entered and not sent yet, kept on the server so that no tab, crash or time-out loses it.

Each saving names the edition it builds on; when another tab saved meanwhile the newer entries stay, and the page says
so. A draft is no judgement: nothing reads it but its expert's own page, and it goes when the judgement is saved.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.errors import PreceptorError
from core.moments import timestamp
from core.store import writing
from labeling.judging.assignments import own_assignment
from labeling.judging.form import JudgingForm
from labeling.tables import ASSIGNMENTS, DRAFTS, JUDGEMENTS

MAX_DRAFT_CHARS = 40_000

_NOT_ENTERED = {"assignment", "revision", "edition", "guideline"}


@dataclass(frozen=True)
class Draft:
    """The entries of one form, and their edition, counted from 1."""

    edition: int
    form: JudgingForm
    saved_at: str


def save_draft(engine: sa.Engine, form: JudgingForm, *, expert: str, lease: timedelta, now: datetime) -> Draft | None:
    """Keep what is entered and renew the pair's lease; None when it is out of date.

    It is out of date when another tab saved a newer edition, or the pair was judged or taken back meanwhile.

    Raises:
        AccessDenied: the assignment is not this expert's.
        PreceptorError: the entries are too long.
    """
    with writing(engine) as connection:
        assignment = own_assignment(connection, form.assignment, expert)
        n_judged = _n_judged(connection, form.assignment)
        if not assignment.is_waiting or form.revision != str(n_judged):
            return None
        kept = draft_of(connection, form.assignment, revision=n_judged)
        if form.edition != str(kept.edition if kept else 0):
            return None
        draft = put_draft(connection, form.assignment, revision=n_judged, form=form, now=now)
        if assignment.lease_until is not None:
            this = ASSIGNMENTS.c.id == form.assignment
            connection.execute(ASSIGNMENTS.update().where(this).values(lease_until=timestamp(now + lease)))
        return draft


def put_draft(
    connection: sa.Connection, assignment_id: str, *, revision: int, form: JudgingForm, now: datetime
) -> Draft:
    """Write the next edition of a draft, inside the caller's write transaction.

    Raises:
        PreceptorError: the entries are too long.
    """
    fields = json.dumps(form.model_dump(exclude=_NOT_ENTERED), ensure_ascii=False)
    if len(fields) > MAX_DRAFT_CHARS:
        raise PreceptorError(f"The entries have {len(fields)} characters. Keep them under {MAX_DRAFT_CHARS}.")
    kept = draft_of(connection, assignment_id, revision=revision)
    edition = kept.edition + 1 if kept else 1
    connection.execute(DRAFTS.delete().where(DRAFTS.c.assignment_id == assignment_id))
    connection.execute(
        DRAFTS.insert().values(
            assignment_id=assignment_id, revision=revision, edition=edition, fields=fields, saved_at=timestamp(now)
        )
    )
    return Draft(edition, form, timestamp(now))


def draft_of(connection: sa.Connection, assignment_id: str, *, revision: int) -> Draft | None:
    """The draft of this revision of an assignment; None when nothing was entered."""
    query = sa.select(DRAFTS).where(DRAFTS.c.assignment_id == assignment_id, DRAFTS.c.revision == revision)
    row = connection.execute(query).first()
    if row is None:
        return None
    entered = {
        "assignment": assignment_id,
        "revision": str(revision),
        "edition": str(row.edition),
        **json.loads(row.fields),
    }
    return Draft(row.edition, JudgingForm.model_validate(entered), row.saved_at)


def _n_judged(connection: sa.Connection, assignment_id: str) -> int:
    query = sa.select(sa.func.count()).select_from(JUDGEMENTS).where(JUDGEMENTS.c.assignment_id == assignment_id)
    return int(connection.execute(query).scalar_one())
