"""The meter: how far each stream is, what the next labels are worth, when to stop, and how long the rest takes.

Figures alone; nothing is drawn or changed here. What is measured is the audit stream's share of weak answers that are
acceptable for release, since the audit is a random draw; other streams were chosen or came as they came.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from pydantic import ValidationError

from assurance.bounds import binomial_upper
from assurance.label_value import MORE, LabelValue, labels_for_promise, rate_label_value
from assurance.learning_curve import LearningCurve
from core.errors import DataError
from core.items import ITEMS, may_be_shown
from core.records import QUALITIES, Verdict
from labeling.tables import ANSWERS, JUDGEMENTS, PAIRS, QUEUE, counts

MINUTES_A_PAIR = 3.0
"""Where no judgement was timed: the middle of the two to four minutes that a careful comparison takes."""

DELTA = 0.05
"""Chance that a bound of the plan is wrong."""

PLANNED_HARMS = (0.05, 0.02, 0.01, 0.005)
"""Shares of harm for which the plan says how many clean labels prove them."""

LARGEST_ACTIVE_MS = 30 * 60 * 1000
"""Longer times on a pair say nothing about the work."""


@dataclass(frozen=True)
class Stretch:
    """One stream in one stratum: pairs, those with a judgement, and places that are still wanted."""

    stream: str
    stratum: str
    n_pairs: int
    n_judged: int
    n_places_left: int


@dataclass(frozen=True)
class Plan:
    """How many audited pairs without harm prove that harm is at most this share, with 95 % confidence."""

    max_harm: float
    n_clean: int


@dataclass(frozen=True)
class Audit:
    """What the audit says so far of the weak model's answers; unanimous or not, a pair counts by its mean."""

    n_labels: int
    n_acceptable: float
    n_harms: int
    """Pairs on which most experts call the weak answer not acceptable and the strong one acceptable."""
    harm_bound: float | None
    """The share of harm is below this with 95 % confidence; None without a label."""
    value: LabelValue | None
    """What 50 more labels would bring; None without a label."""


@dataclass(frozen=True)
class Meter:
    """The state of the queue."""

    stretches: tuple[Stretch, ...]
    audit: Audit
    minutes_a_pair: float
    """Median time at work on a pair; assumed where `is_timed` is false."""
    is_timed: bool
    plan: tuple[Plan, ...]

    @property
    def n_places_left(self) -> int:
        """Judgements still wanted."""
        return sum(one.n_places_left for one in self.stretches)

    @property
    def hours_left(self) -> float:
        """Expert hours that these take."""
        return self.n_places_left * self.minutes_a_pair / 60

    @property
    def advice(self) -> str:
        """When to stop, as a sentence."""
        if self.audit.value is None:
            return (
                "No audited pair is judged yet, so nothing can be said about quality. "
                "Draw an audit and judge it first: preceptor label select --stream audit --n 300."
            )
        return self.audit.value.sentence


def read_meter(connection: sa.Connection, *, curve: LearningCurve | None = None) -> Meter:
    """The meter as the store stands.

    Args:
        connection: to the store.
        curve: of `preceptor learn-curve`, where there is one.
    """
    minutes, is_timed = _minutes_a_pair(connection)
    return Meter(
        stretches=_stretches(connection),
        audit=_audit(connection, curve),
        minutes_a_pair=minutes,
        is_timed=is_timed,
        plan=tuple(Plan(harm, labels_for_promise(harm, delta=DELTA)) for harm in PLANNED_HARMS),
    )


def read_curve(path: Path) -> LearningCurve:
    """The learning curve that `preceptor learn-curve --json` printed into a file.

    Raises:
        DataError: the file holds something else.
    """
    try:
        return LearningCurve.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(
            [f"{path}: {fault['msg']}" for fault in error.errors()],
            f"Write it anew: preceptor learn-curve CONFIG --more {MORE} --json > {path}.",
        ) from error


def _stretches(connection: sa.Connection) -> tuple[Stretch, ...]:
    stratum = sa.func.coalesce(ITEMS.c.stratum, ITEMS.c.domain + "/" + ITEMS.c.stakes)
    judged = sa.select(JUDGEMENTS.c.pair_id).where(counts()).distinct().subquery()
    query = (
        sa.select(
            QUEUE.c.stream,
            stratum,
            sa.func.count(),
            sa.func.count(judged.c.pair_id),
            sa.func.sum(sa.case((QUEUE.c.is_open, QUEUE.c.wanted - QUEUE.c.n_taken), else_=0)),
        )
        .join(PAIRS, PAIRS.c.id == QUEUE.c.pair_id)
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .outerjoin(judged, judged.c.pair_id == QUEUE.c.pair_id)
        .where(may_be_shown(), QUEUE.c.stream.in_(("audit", "active", "plain")))
        .group_by(QUEUE.c.stream, stratum)
        .order_by(QUEUE.c.stream, stratum)
    )
    return tuple(
        Stretch(stream, stratum, n_pairs, n_judged, int(n_left))
        for stream, stratum, n_pairs, n_judged, n_left in connection.execute(query)
    )


def _audit(connection: sa.Connection, curve: LearningCurve | None) -> Audit:
    first = ANSWERS.alias("first")
    query = (
        sa.select(
            JUDGEMENTS.c.pair_id,
            JUDGEMENTS.c.verdict,
            JUDGEMENTS.c.first_acceptable,
            JUDGEMENTS.c.second_acceptable,
            (first.c.model == PAIRS.c.weak).label("weak_is_first"),
        )
        .join(QUEUE, QUEUE.c.pair_id == JUDGEMENTS.c.pair_id)
        .join(PAIRS, PAIRS.c.id == JUDGEMENTS.c.pair_id)
        .join(first, first.c.id == PAIRS.c.first_answer_id)
        .where(counts(), QUEUE.c.stream == "audit", PAIRS.c.weak.is_not(None))
    )
    said: dict[str, list[tuple[float, float]]] = {}
    for row in connection.execute(query):
        if row.verdict != Verdict.CANNOT_JUDGE:
            marks = zip((row.first_acceptable, row.second_acceptable), QUALITIES[Verdict(row.verdict)], strict=True)
            one, other = (implied if mark is None else float(mark) for mark, implied in marks)
            said.setdefault(row.pair_id, []).append((one, other) if row.weak_is_first else (other, one))
    means = [tuple(sum(column) / len(column) for column in zip(*votes, strict=True)) for votes in said.values()]
    n, n_acceptable = len(means), sum(weak for weak, _ in means)
    n_harms = sum(weak < 0.5 <= strong for weak, strong in means)
    if not n:
        return Audit(0, 0.0, 0, None, None)
    value = rate_label_value(n_acceptable, n, more=MORE, curve=curve)
    return Audit(n, n_acceptable, n_harms, binomial_upper(n_harms, n, DELTA), value)


def _minutes_a_pair(connection: sa.Connection) -> tuple[float, bool]:
    known = sa.and_(counts(), JUDGEMENTS.c.active_ms.between(1, LARGEST_ACTIVE_MS))
    times: Sequence[int] = (
        connection.execute(sa.select(JUDGEMENTS.c.active_ms).where(known).order_by(JUDGEMENTS.c.at.desc()).limit(1000))
        .scalars()
        .all()
    )
    if not times:
        return MINUTES_A_PAIR, False
    return math.ceil(sorted(times)[len(times) // 2] / 600) / 100, True
