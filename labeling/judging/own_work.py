"""An expert's own work: what they judged today and may still change, and their pace.

Checks that are mixed into the queue count like all else here, so that nothing tells them apart.
"""

import statistics
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from core.errors import AccessDenied, PreceptorError
from core.items import ITEMS, may_be_shown, query_of
from core.moments import timestamp
from labeling.content.identifiers import kinds_in_reason
from labeling.judging.ballots import MAX_REASON_CHARS, Choice
from labeling.judging.form import choice_of
from labeling.judging.submitting import retract
from labeling.queueing.offering import last_judged
from labeling.tables import JUDGEMENTS, PAIRS, stands

SHOWN_DAYS = 14
RECENT = 200
"""The pace is taken from so many latest judgements."""
ASKED_CHARS = 160


@dataclass(frozen=True)
class OwnJudgement:
    """A judgement of today, by the sides its expert saw."""

    id: str
    at: str
    asked: str
    choice: Choice
    reason: str


@dataclass(frozen=True)
class OwnPace:
    """How much an expert judged, and how fast."""

    n: int
    n_today: int
    days: tuple[tuple[date, int], ...]
    """Judgements of each of the last days, today last."""
    median_active_s: float | None
    """Median time at work on a pair, pauses left out; None before any was measured."""
    choices: tuple[tuple[Choice, int], ...]


def judged_today(connection: sa.Connection, expert: str, *, now: datetime) -> list[OwnJudgement]:
    """The expert's standing judgements of today (UTC), latest first."""
    query = (
        sa.select(
            *(JUDGEMENTS.c.id.label("judgement"), JUDGEMENTS.c.at, JUDGEMENTS.c.verdict, JUDGEMENTS.c.swapped),
            *(JUDGEMENTS.c.reason, ITEMS),
        )
        .join(PAIRS, PAIRS.c.id == JUDGEMENTS.c.pair_id)
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .where(_own(expert), JUDGEMENTS.c.at >= timestamp(_midnight(now)), may_be_shown())
        .order_by(JUDGEMENTS.c.at.desc(), JUDGEMENTS.c.id)
    )
    return [
        OwnJudgement(
            id=row.judgement,
            at=row.at,
            asked=_shortened(query_of(row).messages[-1].content),
            choice=choice_of(row.verdict, swapped=row.swapped),
            reason=row.reason,
        )
        for row in connection.execute(query)
    ]


def reopen(engine: sa.Engine, judgement_id: str, *, expert: str, reason: str, now: datetime) -> bool:
    """Take back a judgement of today with a reason, so that it can be given anew; False when it was already.

    Raises:
        AccessDenied: it is not this expert's, or not of today.
        PreceptorError: the reason is missing, too long or holds an identifier.
    """
    reason = reason.replace("\r\n", "\n").strip()
    if not reason:
        raise PreceptorError("A change needs a reason. Say in a few words why the judgement should change.")
    if len(reason) > MAX_REASON_CHARS or kinds_in_reason(reason):
        raise PreceptorError("The reason is too long or seems to hold an identifier. Write a few words without one.")
    _refuse_older(engine, judgement_id, expert, now)
    return retract(engine, judgement_id, expert=expert, reason=reason, now=now)


def undo(engine: sa.Engine, judgement_id: str, *, expert: str, now: datetime) -> bool:
    """Take back a judgement of today at once, without a reason; False when it was already.

    Raises:
        AccessDenied: it is not this expert's, or not of today.
    """
    _refuse_older(engine, judgement_id, expert, now)
    return retract(engine, judgement_id, expert=expert, now=now)


def last_of_today(connection: sa.Connection, expert: str, *, now: datetime) -> str | None:
    """Id of the judgement that undo takes back; None where today (UTC) has none."""
    return last_judged(connection, expert, since=_midnight(now))


def own_pace(connection: sa.Connection, expert: str, *, now: datetime) -> OwnPace:
    """Counts and pace of an expert's standing judgements; days are in UTC."""
    today = _midnight(now).date()
    first = today - timedelta(days=SHOWN_DAYS - 1)
    n = connection.execute(sa.select(sa.func.count()).select_from(JUDGEMENTS).where(_own(expert))).scalar_one()
    since = timestamp(_midnight(now) - timedelta(days=SHOWN_DAYS - 1))
    days = Counter(
        row.at[:10]
        for row in connection.execute(sa.select(JUDGEMENTS.c.at).where(_own(expert), JUDGEMENTS.c.at >= since))
    )
    recent = connection.execute(
        sa.select(JUDGEMENTS.c.active_ms, JUDGEMENTS.c.verdict, JUDGEMENTS.c.swapped)
        .where(_own(expert))
        .order_by(JUDGEMENTS.c.at.desc())
        .limit(RECENT)
    ).all()
    times = [row.active_ms for row in recent if row.active_ms is not None]
    choices = Counter(choice_of(row.verdict, swapped=row.swapped) for row in recent)
    return OwnPace(
        n=n,
        n_today=days[today.isoformat()],
        days=tuple((day, days[day.isoformat()]) for day in (first + timedelta(days=k) for k in range(SHOWN_DAYS))),
        median_active_s=statistics.median(times) / 1000 if times else None,
        choices=tuple((choice, choices[choice]) for choice in Choice),
    )


def _refuse_older(engine: sa.Engine, judgement_id: str, expert: str, now: datetime) -> None:
    today = sa.select(JUDGEMENTS.c.id).where(
        _own(expert, standing=False), JUDGEMENTS.c.id == judgement_id, JUDGEMENTS.c.at >= timestamp(_midnight(now))
    )
    with engine.connect() as connection:
        if connection.execute(today).first() is None:
            raise AccessDenied("Only your own judgements of today can be changed. Tell the lead about an older one.")


def _own(expert: str, *, standing: bool = True) -> sa.ColumnElement[bool]:
    mine = sa.and_(JUDGEMENTS.c.expert == expert, JUDGEMENTS.c.purpose != "qualification")
    return sa.and_(mine, stands()) if standing else mine


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= ASKED_CHARS else words[: ASKED_CHARS - 1].rstrip() + "…"
