"""What an adjudicator sees of a pair, blind: votes unnamed, answers on neutral sides, marks of all experts together.

Experts are letters in an order that changes from pair to pair. Models are never named. Changes nothing.
"""

import hashlib
from dataclasses import dataclass
from statistics import median
from string import ascii_uppercase
from typing import Any

import sqlalchemy as sa

from core.access import Act, Actor, Facts, require
from core.errors import PreceptorError
from core.items import ITEMS, SHOWN_STATES, query_of
from core.model_identity import masked_identity
from core.records import Judgement, Query
from labeling.judging.ballots import Choice, in_pair_order
from labeling.judging.form import choice_of
from labeling.judging.submitting import judgements_where
from labeling.quality.disagreements import STEWARDS_FLAG
from labeling.quality.rulings import Ruling, rulings_on
from labeling.tables import ANSWERS, ASSIGNMENTS, FLAGS, JUDGEMENTS, PAIRS, counts

FAST_SHARE = 0.25
"""A vote that took less than this share of the usual time is shown as fast."""

RECENT = 1000
"""The usual time is the median of so many latest judgements."""


@dataclass(frozen=True)
class SideMark:
    """A sentence of a side's answer that an expert marked as faulty; counted from 0."""

    side: str
    sentence: int
    category: str
    severity: str
    letter: str


@dataclass(frozen=True)
class Vote:
    """One expert's judgement by the adjudicator's sides, unnamed."""

    letter: str
    choice: Choice
    strength: int | None
    left_acceptable: bool | None
    right_acceptable: bool | None
    reason: str
    reason_codes: tuple[str, ...]
    guideline_version: int | None
    active_s: float | None
    is_fast: bool


@dataclass(frozen=True)
class Flag:
    """What an expert remarked on the pair."""

    id: str
    kind: str
    text: str


@dataclass(frozen=True)
class Case:
    """What an adjudicator sees of one pair."""

    pair_id: str
    edition: int
    """Of the ruling that they may give now."""
    query: Query
    left: str
    right: str
    swapped: bool
    votes: tuple[Vote, ...]
    marks: tuple[SideMark, ...]
    flags: tuple[Flag, ...]
    earlier: tuple[Ruling, ...]

    def choice_of(self, ruling: Ruling) -> Choice:
        """An earlier ruling's verdict, by these sides."""
        return choice_of(ruling.verdict, swapped=self.swapped)


def case_of(connection: sa.Connection, pair_id: str, *, actor: Actor) -> Case:
    """The pair as this adjudicator may see it.

    Raises:
        AccessDenied: the policy forbids it, or they judged the item themselves.
        PreceptorError: there is no such pair, or its item may not be shown.
    """
    pair = pair_row(connection, pair_id)
    require(Act.ADJUDICATE, actor, Facts(judges=judges_of(connection, pair.item_id)))
    item = connection.execute(sa.select(ITEMS).where(ITEMS.c.id == pair.item_id)).one()
    if item.phi_state not in SHOWN_STATES:
        raise PreceptorError("The item of this pair is held back or left out. Adjudicate another one.")
    answer_ids = (pair.first_answer_id, pair.second_answer_id)
    rows = connection.execute(sa.select(ANSWERS.c.id, ANSWERS.c.text).where(ANSWERS.c.id.in_(answer_ids)))
    texts = {row.id: masked_identity(row.text) for row in rows}
    swapped = is_swapped_for(pair_id, actor.name)
    left, right = reversed(answer_ids) if swapped else answer_ids
    judgements = judgements_where(connection, sa.and_(counts(), JUDGEMENTS.c.pair_id == pair_id))
    judgements.sort(key=lambda one: _draw(pair_id, one.expert))
    usual = _usual_active_s(connection)
    return Case(
        pair_id=pair_id,
        edition=len(rulings_on(connection, pair_id)),
        query=query_of(item),
        left=texts[left],
        right=texts[right],
        swapped=swapped,
        votes=tuple(_vote(one, ascii_uppercase[k % 26], swapped, usual) for k, one in enumerate(judgements)),
        marks=tuple(mark for k, one in enumerate(judgements) for mark in _marks(one, ascii_uppercase[k % 26], swapped)),
        flags=_flags(connection, pair_id),
        earlier=tuple(rulings_on(connection, pair_id)),
    )


def is_swapped_for(pair_id: str, adjudicator: str) -> bool:
    """Whether the pair's second answer stands on the left for this adjudicator; the same at every look."""
    return _draw(pair_id, f"side of {adjudicator}") % 2 == 1


def pair_row(connection: sa.Connection, pair_id: str) -> sa.Row[Any]:
    """The row of `PAIRS`.

    Raises:
        PreceptorError: there is none.
    """
    row = connection.execute(sa.select(PAIRS).where(PAIRS.c.id == pair_id)).first()
    if row is None:
        raise PreceptorError("There is no such pair. Choose one from the list.")
    return row


def judges_of(connection: sa.Connection, item_id: str) -> tuple[str, ...]:
    """Whoever was offered a pair of this item: they judged it, took a judgement back, or have it in hand."""
    query = sa.select(ASSIGNMENTS.c.expert).join(PAIRS, PAIRS.c.id == ASSIGNMENTS.c.pair_id)
    return tuple(connection.execute(query.where(PAIRS.c.item_id == item_id).distinct()).scalars())


def offered_items(connection: sa.Connection, expert: str) -> frozenset[str]:
    """Items of which this person was offered a pair: they may not adjudicate these."""
    query = sa.select(PAIRS.c.item_id).join(ASSIGNMENTS, ASSIGNMENTS.c.pair_id == PAIRS.c.id)
    return frozenset(connection.execute(query.where(ASSIGNMENTS.c.expert == expert).distinct()).scalars())


def open_flags(pair_id: str) -> sa.ColumnElement[bool]:
    """The condition that a row of `FLAGS` is on this pair, for an adjudicator to resolve, and open."""
    return sa.and_(FLAGS.c.pair_id == pair_id, FLAGS.c.resolved_at.is_(None), FLAGS.c.kind != STEWARDS_FLAG)


def _draw(pair_id: str, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{pair_id}/{name}".encode()).digest()[:8])


def _vote(one: Judgement, letter: str, swapped: bool, usual_s: float | None) -> Vote:
    left, right = in_pair_order(one.first_acceptable, one.second_acceptable, swapped=swapped)
    active_s = None if one.active_ms is None else one.active_ms / 1000
    return Vote(
        letter=letter,
        choice=choice_of(one.verdict, swapped=swapped),
        strength=one.strength,
        left_acceptable=left,
        right_acceptable=right,
        reason=one.reason,
        reason_codes=one.reason_codes,
        guideline_version=one.guideline_version,
        active_s=active_s,
        is_fast=active_s is not None and usual_s is not None and active_s < FAST_SHARE * usual_s,
    )


def _marks(one: Judgement, letter: str, swapped: bool) -> list[SideMark]:
    sides = {"first": "right" if swapped else "left", "second": "left" if swapped else "right"}
    return [SideMark(sides[mark.answer], mark.sentence, mark.category, mark.severity, letter) for mark in one.marks]


def _usual_active_s(connection: sa.Connection) -> float | None:
    query = sa.select(JUDGEMENTS.c.active_ms).where(JUDGEMENTS.c.active_ms.is_not(None))
    times = list(connection.execute(query.order_by(JUDGEMENTS.c.at.desc()).limit(RECENT)).scalars())
    return median(times) / 1000 if times else None


def _flags(connection: sa.Connection, pair_id: str) -> tuple[Flag, ...]:
    query = sa.select(FLAGS.c.id, FLAGS.c.kind, FLAGS.c.text).where(open_flags(pair_id)).order_by(FLAGS.c.at)
    return tuple(Flag(row.id, row.kind, row.text) for row in connection.execute(query))
