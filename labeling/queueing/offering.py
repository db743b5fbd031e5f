"""Which pair an expert judges next, and on which side each answer stands.

Most pairs are work: open ones, by priority, else in the order of their content hash, which is random and the same for
everyone, so overlaps fill up early. A few are checks that look the same: pairs with a known answer (hidden gold) and
the expert's own earlier pairs with the sides swapped (repeats). An expert has at most one pair in hand, unless they
undid some.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.items import ITEMS, may_be_shown, query_of
from core.model_identity import masked_identity
from core.records import Query
from core.store import writing
from labeling.queueing.dealing import DEFAULT_RULES, OfferRules, purposes, turns_left
from labeling.queueing.places import release_expired, take
from labeling.queueing.sides import anchor_is_left, is_swapped
from labeling.tables import (
    ADJUDICATIONS,
    ANSWERS,
    ASSIGNMENTS,
    EXPERTS,
    GOLD,
    JUDGEMENTS,
    PAIRS,
    QUEUE,
    REVEALS,
    stands,
)
from web.sessions import timestamp

COUNTED_PAIRS = 10_000
"""Open pairs beyond this are not counted: an expert's page must not wait for it, and nobody judges as many."""


@dataclass(frozen=True)
class Task:
    """What the judging screen shows: the query and two answers, without a word on who wrote them or why now."""

    assignment_id: str
    revision: int
    query: Query
    left: str
    right: str


@dataclass(frozen=True)
class Progress:
    """An expert's work: pairs judged in all and since a moment, and pairs judged or still open to them."""

    judged: int
    judged_today: int
    total: int


def next_task(engine: sa.Engine, expert: str, *, rules: OfferRules = DEFAULT_RULES, now: datetime) -> Task | None:
    """The pair that this expert judges now; the same one until it is judged. None when nothing is left."""
    with engine.connect() as connection:
        assignment_id = _waiting(connection, expert)
    if assignment_id is None:
        with writing(engine) as connection:
            # Asked again under the write lock: two tabs opened at once must not take two pairs.
            _lock_expert(connection, expert)
            release_expired(connection, now=now)
            assignment_id = _waiting(connection, expert) or _offer(connection, expert, rules=rules, now=now)
    if assignment_id is None:
        return None
    with engine.connect() as connection:
        return task_of(connection, assignment_id)


def offer_pair(
    connection: sa.Connection, expert: str, pair_id: str, *, purpose: str, lease: timedelta, now: datetime
) -> str:
    """Offer this pair to this expert, inside the caller's write transaction; returns the assignment's id.

    A repeat shows the sides the other way round than the first time; all else is counterbalanced.
    """
    pair = connection.execute(sa.select(PAIRS).where(PAIRS.c.id == pair_id)).one()
    stratum = query_of(connection.execute(sa.select(ITEMS).where(ITEMS.c.id == pair.item_id)).one()).stratum_name
    earlier = connection.execute(
        sa.select(ASSIGNMENTS.c.swapped)
        .where(ASSIGNMENTS.c.expert == expert, ASSIGNMENTS.c.pair_id == pair_id)
        .order_by(ASSIGNMENTS.c.occasion)
    ).all()
    seed = connection.execute(sa.select(EXPERTS.c.side_seed).where(EXPERTS.c.name == expert)).scalar_one()
    turn = connection.execute(
        sa.select(sa.func.count())
        .select_from(ASSIGNMENTS)
        .where(ASSIGNMENTS.c.expert == expert, ASSIGNMENTS.c.stratum == stratum, ASSIGNMENTS.c.occasion == 0)
    ).scalar_one()
    if earlier:
        swapped = not earlier[-1].swapped
    else:
        models = _models(connection, pair)
        anchor = pair.strong or min(models.values())
        anchor_is_first = models[pair.first_answer_id] == anchor
        swapped = is_swapped(anchor_left=anchor_is_left(seed, stratum, turn), anchor_is_first=anchor_is_first)
    assignment_id = secrets.token_hex(12)
    connection.execute(
        ASSIGNMENTS.insert().values(
            id=assignment_id,
            expert=expert,
            pair_id=pair_id,
            purpose=purpose,
            occasion=len(earlier),
            stratum=stratum,
            turn=turn,
            side_seed=seed,
            swapped=swapped,
            offered_at=timestamp(now),
            lease_until=timestamp(now + lease),
            holds_place=purpose == "work",
            is_waiting=True,
        )
    )
    if purpose == "work":
        take(connection, pair_id)
    return assignment_id


def task_of(connection: sa.Connection, assignment_id: str) -> Task:
    """What an assignment shows."""
    first, second = ANSWERS.alias("first"), ANSWERS.alias("second")
    shown = connection.execute(
        sa.select(ASSIGNMENTS.c.swapped, first.c.text.label("first"), second.c.text.label("second"), PAIRS.c.item_id)
        .join(PAIRS, PAIRS.c.id == ASSIGNMENTS.c.pair_id)
        .join(first, first.c.id == PAIRS.c.first_answer_id)
        .join(second, second.c.id == PAIRS.c.second_answer_id)
        .where(ASSIGNMENTS.c.id == assignment_id)
    ).one()
    item = connection.execute(sa.select(ITEMS).where(ITEMS.c.id == shown.item_id)).one()
    revision = connection.execute(
        sa.select(sa.func.count()).select_from(JUDGEMENTS).where(JUDGEMENTS.c.assignment_id == assignment_id)
    ).scalar_one()
    left, right = (shown.second, shown.first) if shown.swapped else (shown.first, shown.second)
    return Task(
        assignment_id=assignment_id,
        revision=revision,
        query=query_of(item),
        left=masked_identity(left),
        right=masked_identity(right),
    )


def progress_of(
    connection: sa.Connection, expert: str, *, rules: OfferRules = DEFAULT_RULES, now: datetime
) -> Progress:
    """How far this expert is; checks count like work, those to come too, so that they cannot be told apart."""
    mine = sa.select(JUDGEMENTS.c.id).where(
        JUDGEMENTS.c.expert == expert, JUDGEMENTS.c.purpose != "qualification", stands()
    )
    midnight = timestamp(now.replace(hour=0, minute=0, second=0, microsecond=0))
    is_open = sa.select(QUEUE.c.is_open).where(QUEUE.c.pair_id == ASSIGNMENTS.c.pair_id).scalar_subquery()
    counted = {
        "judged": mine,
        "today": mine.where(JUDGEMENTS.c.at >= midnight),
        "in_hand": _in_hand(expert),
        "open": sa.select(QUEUE.c.pair_id).where(QUEUE.c.is_open).limit(COUNTED_PAIRS),
        # From the expert's few assignments to the queue, not the other way round.
        "known": sa.select(ASSIGNMENTS.c.id).where(
            ASSIGNMENTS.c.expert == expert, ASSIGNMENTS.c.occasion == 0, is_open
        ),
        "gold": _gold_for(expert),
        "repeats": _repeats_for(expert, rules, now),
    }
    # One statement: the page is asked for often.
    columns = (sa.select(sa.func.count()).select_from(q.subquery()).scalar_subquery() for q in counted.values())
    n = dict(zip(counted, connection.execute(sa.select(*columns)).one(), strict=True))
    left = turns_left(
        *_seed_and_turn(connection, expert),
        rules,
        n_work=max(n["open"] - n["known"], 0),
        n_gold=n["gold"],
        n_repeats=n["repeats"],
    )
    return Progress(judged=n["judged"], judged_today=n["today"], total=n["judged"] + n["in_hand"] + left)


def last_judged(connection: sa.Connection, expert: str, *, since: datetime | None = None) -> str | None:
    """Id of the expert's latest judgement that stands: the one that undo takes back; None when it is older."""
    recent = sa.true() if since is None else JUDGEMENTS.c.at >= timestamp(since)
    query = (
        sa.select(JUDGEMENTS.c.id)
        .where(JUDGEMENTS.c.expert == expert, JUDGEMENTS.c.purpose != "qualification", recent, stands())
        .order_by(JUDGEMENTS.c.at.desc(), JUDGEMENTS.c.id)
        .limit(1)
    )
    return connection.execute(query).scalar()


def _waiting(connection: sa.Connection, expert: str) -> str | None:
    query = _in_hand(expert).order_by(ASSIGNMENTS.c.offered_at.desc(), ASSIGNMENTS.c.id).limit(1)
    found: str | None = connection.execute(query).scalar()
    return found


def _in_hand(expert: str) -> sa.Select[Any]:
    return (
        sa.select(ASSIGNMENTS.c.id)
        .join(PAIRS, PAIRS.c.id == ASSIGNMENTS.c.pair_id)
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .where(
            ASSIGNMENTS.c.expert == expert,
            ASSIGNMENTS.c.is_waiting,
            ASSIGNMENTS.c.purpose != "qualification",
            may_be_shown(),
        )
    )


def _lock_expert(connection: sa.Connection, expert: str) -> None:
    connection.execute(sa.select(EXPERTS.c.name).where(EXPERTS.c.name == expert).with_for_update())


def _offer(connection: sa.Connection, expert: str, *, rules: OfferRules, now: datetime) -> str | None:
    for purpose in purposes(*_seed_and_turn(connection, expert), rules):
        pair_id = _FINDERS[purpose](connection, expert, rules, now)
        if pair_id is not None:
            return offer_pair(connection, expert, pair_id, purpose=purpose, lease=rules.lease, now=now)
    return None


def _seed_and_turn(connection: sa.Connection, expert: str) -> tuple[int, int]:
    dealt = sa.select(sa.func.count()).select_from(ASSIGNMENTS).where(ASSIGNMENTS.c.expert == EXPERTS.c.name)
    query = sa.select(EXPERTS.c.side_seed, dealt.scalar_subquery()).where(EXPERTS.c.name == expert)
    row = connection.execute(query).first()
    return (row[0], row[1]) if row else (0, 0)  # someone who may judge and has not begun yet


def _next_work(connection: sa.Connection, expert: str, rules: OfferRules, now: datetime) -> str | None:
    known = sa.exists().where(ASSIGNMENTS.c.pair_id == QUEUE.c.pair_id, ASSIGNMENTS.c.expert == expert)
    # Who ruled on an item has seen the others' votes on it.
    ruled_on = sa.select(PAIRS.c.item_id).join(ADJUDICATIONS).where(ADJUDICATIONS.c.by == expert)
    ruled = QUEUE.c.pair_id.in_(sa.select(PAIRS.c.id).where(PAIRS.c.item_id.in_(ruled_on)))
    query = (
        sa.select(QUEUE.c.pair_id)
        .where(QUEUE.c.is_open, ~known, ~ruled)
        .order_by(QUEUE.c.priority.desc(), QUEUE.c.pair_id.desc())
        .limit(1)
        # PostgreSQL: two experts at once take two pairs; SQLite queues all writers.
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).scalar()


def _next_gold(connection: sa.Connection, expert: str, rules: OfferRules, now: datetime) -> str | None:
    return connection.execute(_gold_for(expert).order_by(GOLD.c.pair_id).limit(1)).scalar()


def _gold_for(expert: str) -> sa.Select[Any]:
    known = sa.exists().where(ASSIGNMENTS.c.pair_id == GOLD.c.pair_id, ASSIGNMENTS.c.expert == expert)
    # A condition and not a join: gold is little, and no plan may start from all items.
    shown = sa.exists().where(PAIRS.c.id == GOLD.c.pair_id, ITEMS.c.id == PAIRS.c.item_id, may_be_shown())
    return sa.select(GOLD.c.pair_id).where(GOLD.c.kind == "hidden", shown, ~known)


def _next_repeat(connection: sa.Connection, expert: str, rules: OfferRules, now: datetime) -> str | None:
    query = _repeats_for(expert, rules, now).order_by(JUDGEMENTS.c.pair_id).limit(1)
    return connection.execute(query).scalar()


def _repeats_for(expert: str, rules: OfferRules, now: datetime) -> sa.Select[Any]:
    again = ASSIGNMENTS.alias("again")
    seen_twice = sa.exists().where(
        again.c.pair_id == JUDGEMENTS.c.pair_id, again.c.expert == expert, again.c.occasion > 0
    )
    return (
        sa.select(JUDGEMENTS.c.pair_id)
        .join(PAIRS, PAIRS.c.id == JUDGEMENTS.c.pair_id)
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .where(
            JUDGEMENTS.c.expert == expert,
            JUDGEMENTS.c.purpose == "work",
            JUDGEMENTS.c.at <= timestamp(now - rules.repeat_after),
            may_be_shown(),
            stands(),
            ~seen_twice,
            # Whoever saw what the checks said would not judge it again by themselves.
            ~sa.exists().where(REVEALS.c.judgement_id == JUDGEMENTS.c.id),
        )
    )


_FINDERS = {"work": _next_work, "gold": _next_gold, "repeat": _next_repeat}


def _models(connection: sa.Connection, pair: sa.Row[Any]) -> dict[str, str]:
    ids = (pair.first_answer_id, pair.second_answer_id)
    rows = connection.execute(sa.select(ANSWERS.c.id, ANSWERS.c.model).where(ANSWERS.c.id.in_(ids)))
    return {row.id: row.model for row in rows}
