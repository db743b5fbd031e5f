"""Qualifying: practice pairs with their explanations, then a set without; a score, a pass mark, an acknowledgement.

Each try goes through the whole set once, with the sides of every pair swapped against the try before. Only the score is
told, never which pairs were right. A try counts when it is handed in, with what the expert acknowledged.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.errors import PreceptorError
from core.fingerprint import of_text
from core.items import ITEMS, may_be_shown
from core.labeling_settings import LabelingSettings
from core.ledger import append_in
from core.moments import timestamp
from core.signatures import Meaning, SignedRecord, sign
from core.store import writing
from labeling.judging.ballots import Ballot
from labeling.judging.submitting import submit
from labeling.quality.gold import Known, is_right, known_of
from labeling.queueing.offering import Task, offer_pair, task_of
from labeling.tables import ASSIGNMENTS, EXPERTS, GOLD, GUIDELINES, JUDGEMENTS, PAIRS, QUALIFICATIONS, stands

STATEMENT = (
    "I judged these pairs myself and without help. I have read the guideline in force and will judge by it, "
    "and I will say so when I cannot judge a pair."
)
"""What an expert acknowledges when handing in."""

QUALIFICATION_KIND = "qualification"
"""The kind of record that a signature under a try names."""

LEASE = timedelta(days=365)
"""Pairs of a qualification wait for their expert; nobody else does."""


@dataclass(frozen=True)
class Attempt:
    """A try that was handed in."""

    n_right: int
    n: int
    is_passed: bool
    at: str


@dataclass(frozen=True)
class Standing:
    """How far an expert is."""

    n_practice: int
    n_practised: int
    n_set: int
    n_answered: int
    """Pairs of the set that were answered in the try that is open."""
    attempts: tuple[Attempt, ...]
    tries_left: int

    @property
    def is_passed(self) -> bool:
        """Whether a try was passed."""
        return any(attempt.is_passed for attempt in self.attempts)

    @property
    def stage(self) -> str:
        """`empty`, `passed`, `practice`, `exhausted`, `set` or `hand_in`: what comes next."""
        if not self.n_set:
            return "empty"
        if self.is_passed:
            return "passed"
        if not self.tries_left:
            return "exhausted"
        if self.n_practised < self.n_practice:
            return "practice"
        return "set" if self.n_answered < self.n_set else "hand_in"


@dataclass(frozen=True)
class Feedback:
    """What is right about a practice pair that was judged, by the sides that the expert saw."""

    was_right: bool
    known: Known
    swapped: bool


def is_qualified(connection: sa.Connection, expert: str, settings: LabelingSettings) -> bool:
    """Whether the settings let this expert judge: none is asked to qualify, or they passed."""
    if not settings.qualification_required:
        return True
    passed = sa.select(QUALIFICATIONS.c.id).where(QUALIFICATIONS.c.expert == expert, QUALIFICATIONS.c.is_passed)
    return connection.execute(passed).first() is not None


def standing_of(connection: sa.Connection, expert: str, settings: LabelingSettings) -> Standing:
    """How far this expert is."""
    attempts = _attempts(connection, expert)
    practice, pairs = _pairs(connection, "practice"), _pairs(connection, "qualification")
    return Standing(
        n_practice=len(practice),
        n_practised=len(_answered(connection, expert, practice)),
        n_set=len(pairs),
        n_answered=len(_answered(connection, expert, pairs, since=_since(attempts))),
        attempts=attempts,
        tries_left=max(0, settings.qualification_tries - len(attempts)),
    )


def next_of_set(engine: sa.Engine, expert: str, settings: LabelingSettings, *, now: datetime) -> Task | None:
    """The next pair of the practice, then of the set; None when nothing is left to answer in this try."""
    with writing(engine) as connection:
        connection.execute(sa.select(EXPERTS.c.name).where(EXPERTS.c.name == expert).with_for_update())
        standing = standing_of(connection, expert, settings)
        if standing.stage not in ("practice", "set"):
            return None
        is_practice = standing.stage == "practice"
        pairs = _pairs(connection, "practice" if is_practice else "qualification")
        answered = _answered(connection, expert, pairs, since="" if is_practice else _since(standing.attempts))
        pair_id = next(pair for pair in pairs if pair not in answered)
        mine = sa.and_(ASSIGNMENTS.c.expert == expert, ASSIGNMENTS.c.pair_id == pair_id, ASSIGNMENTS.c.is_waiting)
        offered = connection.execute(sa.select(ASSIGNMENTS.c.id).where(mine)).scalar()
        assignment = offered or offer_pair(connection, expert, pair_id, purpose="qualification", lease=LEASE, now=now)
        return task_of(connection, assignment)


def answer(engine: sa.Engine, ballot: Ballot, *, expert: str, now: datetime) -> Feedback | None:
    """Save an answer; of a practice pair, returns what is right about it. Sent twice, it counts once.

    Raises:
        AccessDenied: the pair was not offered to this expert.
        PreceptorError: the ballot contradicts itself, or its pair belongs to no qualification.
    """
    with engine.connect() as connection:
        query = sa.select(ASSIGNMENTS.c.purpose).where(ASSIGNMENTS.c.id == ballot.assignment_id)
        if connection.execute(query).scalar() != "qualification":
            raise PreceptorError("This form does not come from the qualification. Open /qualification again.")
    submit(engine, ballot, expert=expert, now=now)
    with engine.connect() as connection:
        return feedback_on(connection, ballot.assignment_id, expert=expert)


def feedback_on(connection: sa.Connection, assignment_id: str, *, expert: str) -> Feedback | None:
    """What is right about a practice pair, once this expert judged it; None for any other pair."""
    query = sa.select(JUDGEMENTS).where(
        JUDGEMENTS.c.assignment_id == assignment_id, JUDGEMENTS.c.expert == expert, stands()
    )
    row = connection.execute(query).first()
    if row is None or row.pair_id not in _pairs(connection, "practice"):
        return None
    known = known_of(connection, [row.pair_id])[row.pair_id]
    marks = (row.first_acceptable, row.second_acceptable)
    return Feedback(is_right(row.verdict, marks, known), known, row.swapped)


def hand_in(
    engine: sa.Engine, settings: LabelingSettings, *, expert: str, signing_method: str | None = None, now: datetime
) -> Attempt:
    """Close the try: score it, and keep what was acknowledged, with its ledger event and its signature.

    Raises:
        AccessDenied: the expert may not sign.
        PreceptorError: the set is not answered to its end.
    """
    with writing(engine) as connection:
        connection.execute(sa.select(EXPERTS.c.name).where(EXPERTS.c.name == expert).with_for_update())
        standing = standing_of(connection, expert, settings)
        if standing.stage != "hand_in":
            raise PreceptorError(
                f"{standing.n_answered} of {standing.n_set} pairs of the set are answered, and "
                f"{standing.tries_left} tries are left. There is nothing to hand in now."
            )
        pairs = _pairs(connection, "qualification")
        known = known_of(connection, pairs)
        answered = _answered(connection, expert, pairs, since=_since(standing.attempts))
        n_right = sum(
            is_right(row.verdict, (row.first_acceptable, row.second_acceptable), known[pair])
            for pair, row in answered.items()
        )
        n = len(pairs)
        # Compared in whole pairs: 8 of 10 pass a mark of 0.8 whatever the binary fraction is.
        is_passed = n_right >= round(settings.pass_share * n, 9)
        statement = of_text(STATEMENT)
        id_ = secrets.token_hex(12)
        version = connection.execute(sa.select(sa.func.max(GUIDELINES.c.version))).scalar()
        details = {"n_right": n_right, "n": n, "passed": is_passed, "guideline": version, "statement_sha256": statement}
        signature_id = None
        if signing_method is not None:
            record = SignedRecord(QUALIFICATION_KIND, id_, statement)
            meaning = Meaning.RESPONSIBILITY
            signature_id = sign(connection, expert, meaning, record=record, method=signing_method, now=now).id
        connection.execute(
            QUALIFICATIONS.insert().values(
                id=id_,
                expert=expert,
                n_right=n_right,
                n=n,
                is_passed=is_passed,
                guideline_version=version,
                statement_sha256=statement,
                signature_id=signature_id,
                at=timestamp(now),
            )
        )
        append_in(connection, expert, "qualification.hand_in", id_, details, now=now)
        return Attempt(n_right, n, is_passed, timestamp(now))


def _attempts(connection: sa.Connection, expert: str) -> tuple[Attempt, ...]:
    query = sa.select(QUALIFICATIONS).where(QUALIFICATIONS.c.expert == expert).order_by(QUALIFICATIONS.c.at)
    return tuple(Attempt(row.n_right, row.n, row.is_passed, row.at) for row in connection.execute(query))


def _pairs(connection: sa.Connection, kind: str) -> list[str]:
    """The pairs of the practice or of the set that may be shown, in order of id, which is random."""
    query = (
        sa.select(GOLD.c.pair_id)
        .join(PAIRS, PAIRS.c.id == GOLD.c.pair_id)
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .where(GOLD.c.kind == kind, may_be_shown())
        .order_by(GOLD.c.pair_id)
    )
    return list(connection.execute(query).scalars())


def _since(attempts: tuple[Attempt, ...]) -> str:
    """What was answered after this moment belongs to the try that is open."""
    return attempts[-1].at if attempts else ""


def _answered(connection: sa.Connection, expert: str, pairs: list[str], *, since: str = "") -> dict[str, Any]:
    """The expert's standing judgements of these pairs, by pair."""
    query = sa.select(JUDGEMENTS).where(
        JUDGEMENTS.c.expert == expert,
        JUDGEMENTS.c.purpose == "qualification",
        JUDGEMENTS.c.pair_id.in_(pairs),
        JUDGEMENTS.c.at > since,
        stands(),
    )
    return {row.pair_id: row for row in connection.execute(query)}
