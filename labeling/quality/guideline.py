"""The guideline: the instructions that experts judge by, in numbered versions, and who has read which.

A version is written by one person and approved by another; before that it is a proposal. Nothing is ever changed in a
version that is in force: every judgement names the one it was made under.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from core.access import Act, Actor, Facts, require
from core.errors import PreceptorError
from core.fingerprint import of_text
from core.ledger import append_in
from core.moments import timestamp
from core.store import writing
from labeling.tables import ACKNOWLEDGEMENTS, GUIDELINE_PROPOSALS, GUIDELINES

MAX_TEXT_CHARS = 200_000
MAX_CHANGE_CHARS = 1_000


@dataclass(frozen=True)
class Guideline:
    """One version of the guideline: Markdown text, and what changed since the one before."""

    version: int
    text: str
    change: str
    written_by: str = ""
    approved_by: str = ""
    at: str = ""


@dataclass(frozen=True)
class Draft:
    """What someone wants to be the next version: Markdown text, and what it changes, in a sentence."""

    text: str
    change: str


@dataclass(frozen=True)
class Proposal:
    """A draft that waits for someone else's approval."""

    id: str
    builds_on: int
    """The version that it would replace; 0 before the first."""
    text: str
    change: str
    written_by: str
    at: str


def latest(connection: sa.Connection) -> Guideline | None:
    """The version that is in force; None before the first."""
    return next(iter(versions(connection, limit=1)), None)


def versions(connection: sa.Connection, *, limit: int | None = None) -> list[Guideline]:
    """All versions, newest first, or so many of them."""
    rows = connection.execute(sa.select(GUIDELINES).order_by(GUIDELINES.c.version.desc()).limit(limit))
    return [
        Guideline(row.version, row.text, row.change, written_by=row.written_by, approved_by=row.approved_by, at=row.at)
        for row in rows
    ]


def has_acknowledged(connection: sa.Connection, expert: str) -> bool:
    """Whether an expert has acknowledged the latest version; true where there is none."""
    version = connection.execute(sa.select(sa.func.max(GUIDELINES.c.version))).scalar()
    if version is None:
        return True
    known = sa.select(ACKNOWLEDGEMENTS.c.version).where(
        ACKNOWLEDGEMENTS.c.expert == expert, ACKNOWLEDGEMENTS.c.version == version
    )
    return connection.execute(known).first() is not None


def acknowledge(engine: sa.Engine, version: int, *, expert: str, now: datetime) -> None:
    """Note that an expert has read a version and will judge by it; sent twice, it counts once.

    Raises:
        PreceptorError: another version is in force.
    """
    try:
        with writing(engine) as connection:
            current = latest(connection)
            if current is None or current.version != version:
                raise PreceptorError(
                    f"Version {version} of the guideline is not in force. Reload the page and read the one that is."
                )
            if has_acknowledged(connection, expert):
                return
            connection.execute(ACKNOWLEDGEMENTS.insert().values(expert=expert, version=version, at=timestamp(now)))
            details = {"sha256": of_text(current.text)}
            append_in(connection, expert, "guideline.acknowledge", f"guideline:{version}", details, now=now)
    except IntegrityError:
        return  # the other of two equal requests was quicker


def propose(engine: sa.Engine, draft: Draft, *, by: Actor, now: datetime) -> Proposal:
    """Put a draft before others, with its ledger event; it changes nothing until someone else approves it.

    Raises:
        AccessDenied: the policy does not let `by` publish guidelines.
        PreceptorError: the draft is empty, too long, equal to what is in force, or says nothing of its change.
    """
    with writing(engine) as connection:
        return _propose(connection, draft, by=by, now=now)


def approve(engine: sa.Engine, proposal_id: str, *, by: Actor, now: datetime) -> Guideline:
    """Put a proposal in force as the next version, with its ledger event.

    Raises:
        AccessDenied: the policy does not let `by` approve it; its author may not.
        PreceptorError: it was decided meanwhile, or another version came into force.
    """
    with _numbering(engine) as connection:
        return _approve(connection, proposal_id, by=by, now=now)


def decline(engine: sa.Engine, proposal_id: str, *, by: Actor, now: datetime) -> None:
    """Put a proposal aside; its author may, too.

    Raises:
        AccessDenied: `by` is not its author, and the policy does not let them approve guidelines.
        PreceptorError: it was decided meanwhile.
    """
    with writing(engine) as connection:
        proposal = _open_proposal(connection, proposal_id)
        if by.name != proposal.written_by:
            require(Act.APPROVE_GUIDELINE, by)
        _decide(connection, proposal_id, "declined", by=by, now=now)
        details = {"proposal": proposal_id, "sha256": of_text(proposal.text)}
        append_in(connection, by.name, "guideline.decline", f"guideline:{proposal.builds_on + 1}", details, now=now)


def publish(engine: sa.Engine, draft: Draft, *, by: Actor, approved_by: Actor, now: datetime) -> Guideline:
    """Propose and approve in one transaction, where both people are at hand.

    Raises:
        AccessDenied: the policy does not let one of them, or they are one person.
        PreceptorError: as `propose`.
    """
    with _numbering(engine) as connection:
        proposal = _propose(connection, draft, by=by, now=now)
        return _approve(connection, proposal.id, by=approved_by, now=now)


def open_proposals(connection: sa.Connection) -> list[Proposal]:
    """Proposals that nobody decided on, oldest first."""
    query = sa.select(GUIDELINE_PROPOSALS).where(GUIDELINE_PROPOSALS.c.decision.is_(None))
    rows = connection.execute(query.order_by(GUIDELINE_PROPOSALS.c.at, GUIDELINE_PROPOSALS.c.id))
    return [_proposal_of(row) for row in rows]


@contextmanager
def _numbering(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A write transaction in which a version number that another took meanwhile is a refusal in words."""
    try:
        with writing(engine) as connection:
            yield connection
    except IntegrityError as taken:
        raise PreceptorError("Another version came into force meanwhile. Reload the page and read it.") from taken


def _propose(connection: sa.Connection, draft: Draft, *, by: Actor, now: datetime) -> Proposal:
    require(Act.PUBLISH_GUIDELINE, by)
    text, change = draft.text.replace("\r\n", "\n").strip() + "\n", " ".join(draft.change.split())
    current = latest(connection)
    _check(text, change, current)
    proposal_id, sha256, builds_on = secrets.token_hex(12), of_text(text), current.version if current else 0
    connection.execute(
        GUIDELINE_PROPOSALS.insert().values(
            id=proposal_id,
            builds_on=builds_on,
            text=text,
            sha256=sha256,
            change=change,
            written_by=by.name,
            at=timestamp(now),
        )
    )
    details = {"proposal": proposal_id, "sha256": sha256}
    append_in(connection, by.name, "guideline.propose", f"guideline:{builds_on + 1}", details, now=now)
    return _open_proposal(connection, proposal_id)


def _approve(connection: sa.Connection, proposal_id: str, *, by: Actor, now: datetime) -> Guideline:
    proposal = _open_proposal(connection, proposal_id)
    require(Act.APPROVE_GUIDELINE, by, Facts(authors=(proposal.written_by,)))
    current = latest(connection)
    version = (current.version if current else 0) + 1
    if proposal.builds_on != version - 1:
        raise PreceptorError(
            f"The proposal changes version {proposal.builds_on}, and version {version - 1} is in force now. "
            "Decline it and propose it anew."
        )
    _decide(connection, proposal_id, "approved", by=by, now=now)
    sha256 = of_text(proposal.text)
    connection.execute(
        GUIDELINES.insert().values(
            version=version,
            text=proposal.text,
            sha256=sha256,
            change=proposal.change,
            written_by=proposal.written_by,
            approved_by=by.name,
            at=timestamp(now),
        )
    )
    details = {"sha256": sha256, "written_by": proposal.written_by, "proposal": proposal_id}
    append_in(connection, by.name, "guideline.approve", f"guideline:{version}", details, now=now)
    found = latest(connection)
    assert found is not None
    return found


def _check(text: str, change: str, current: Guideline | None) -> None:
    if not text.strip():
        raise PreceptorError("The guideline has no text. Write what makes an answer acceptable, and what does not.")
    if len(text) > MAX_TEXT_CHARS:
        raise PreceptorError(f"The guideline has {len(text)} characters. Keep it to {MAX_TEXT_CHARS}.")
    if not change or len(change) > MAX_CHANGE_CHARS:
        raise PreceptorError(
            f"What changed is said in {len(change)} characters. Say it in 1 to {MAX_CHANGE_CHARS}: experts read it."
        )
    if current is not None and current.text == text:
        raise PreceptorError(f"The text equals version {current.version}, which is in force. Change it first.")


def _open_proposal(connection: sa.Connection, proposal_id: str) -> Proposal:
    query = sa.select(GUIDELINE_PROPOSALS).where(GUIDELINE_PROPOSALS.c.id == proposal_id)
    row = connection.execute(query.with_for_update()).first()
    if row is None or row.decision is not None:
        raise PreceptorError("This proposal was decided on already, or never made. Reload the page.")
    return _proposal_of(row)


def _proposal_of(row: sa.Row[Any]) -> Proposal:
    return Proposal(row.id, row.builds_on, row.text, row.change, row.written_by, row.at)


def _decide(connection: sa.Connection, proposal_id: str, decision: str, *, by: Actor, now: datetime) -> None:
    this = GUIDELINE_PROPOSALS.c.id == proposal_id
    values = {"decision": decision, "decided_by": by.name, "decided_at": timestamp(now)}
    connection.execute(GUIDELINE_PROPOSALS.update().where(this).values(values))
