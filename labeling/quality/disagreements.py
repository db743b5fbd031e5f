"""Which pairs need an adjudicator, by rules that are written here. Reads the store and changes nothing.

| reason | when |
|---|---|
| conflict | as many experts as are wanted judged the pair, and they differ |
| cannot_judge | an expert could not judge it |
| flag | an expert raised a flag that nobody resolved; one about an identifier is the steward's |

Experts *differ* when one of them finds an answer acceptable that another one does not, or when one prefers the first
answer and another one the second. *Both acceptable* beside a better answer whose other is acceptable too is no
difference: either may be released.

A ruling closes its pair, until a new flag is raised. Pairs of items that are held back or left out never appear.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.items import ITEMS, may_be_shown
from core.records import Stakes, Verdict
from labeling.tables import ADJUDICATIONS, FLAGS, JUDGEMENTS, PAIRS, QUEUE, counts

STEWARDS_FLAG = "identifier"


@dataclass(frozen=True)
class Disagreement:
    """A pair that needs an adjudicator."""

    pair_id: str
    item_id: str
    stratum: str
    stakes: str
    reasons: tuple[str, ...]
    n_experts: int
    """Who judged it; 0 where it is flagged alone."""


def disagreements(connection: sa.Connection) -> list[Disagreement]:
    """All pairs that need an adjudicator: highest stakes first, then by stratum and id."""
    reasons, n_experts = _reasons(connection)
    found = [
        Disagreement(row.id, row.item_id, row.stratum, row.stakes, tuple(reasons[row.id]), n_experts.get(row.id, 0))
        for row in _shown(connection, list(reasons))
    ]
    return sorted(found, key=lambda one: (-Stakes(one.stakes).rank, one.stratum, one.pair_id))


def count_disagreements(connection: sa.Connection) -> int:
    """How many pairs need an adjudicator."""
    pairs = _reasons(connection)[0].keys()
    not_shown = sa.select(PAIRS.c.id).join(ITEMS, ITEMS.c.id == PAIRS.c.item_id).where(~may_be_shown())
    return len(pairs - set(connection.execute(not_shown).scalars()))


def _reasons(connection: sa.Connection) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Why pairs need an adjudicator, and how many experts judged those in doubt."""
    ruled = sa.select(ADJUDICATIONS.c.pair_id, sa.func.max(ADJUDICATIONS.c.at).label("at"))
    ruled_at = {row.pair_id: row.at for row in connection.execute(ruled.group_by(ADJUDICATIONS.c.pair_id))}
    reasons: dict[str, list[str]] = defaultdict(list)
    n_experts: dict[str, int] = {}
    for row in connection.execute(_in_doubt()).all():
        n_experts[row.pair_id] = row.n
        if row.pair_id in ruled_at:
            continue
        if row.n >= row.wanted and row.differ:
            reasons[row.pair_id].append("conflict")
        if row.n_cannot:
            reasons[row.pair_id].append("cannot_judge")
    flags = sa.select(FLAGS.c.pair_id, FLAGS.c.at).where(FLAGS.c.resolved_at.is_(None), FLAGS.c.kind != STEWARDS_FLAG)
    for pair_id in {row.pair_id for row in connection.execute(flags) if row.at > ruled_at.get(row.pair_id, "")}:
        reasons[pair_id].append("flag")
    return dict(reasons), n_experts


def _in_doubt() -> sa.Select[Any]:
    """Pairs on which experts differ or that someone could not judge, with how many judged them."""
    said = JUDGEMENTS.c.verdict

    def range_of(mark: sa.ColumnElement[bool], implied_by: Verdict) -> sa.ColumnElement[bool]:
        quality: sa.ColumnElement[int] = sa.case(
            (said == str(Verdict.CANNOT_JUDGE), sa.null()),
            (mark.is_(True), 1),
            (mark.is_(False), 0),
            (said.in_([str(implied_by), str(Verdict.BOTH_ACCEPTABLE)]), 1),
            else_=0,
        )
        return sa.func.min(quality) < sa.func.max(quality)

    def n(verdict: Verdict) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((said == str(verdict), 1), else_=0))

    differ = sa.or_(
        range_of(JUDGEMENTS.c.first_acceptable, Verdict.FIRST_BETTER),
        range_of(JUDGEMENTS.c.second_acceptable, Verdict.SECOND_BETTER),
        sa.and_(n(Verdict.FIRST_BETTER) > 0, n(Verdict.SECOND_BETTER) > 0),
    )
    n_cannot = n(Verdict.CANNOT_JUDGE)
    number = sa.func.count()
    return (
        sa.select(
            JUDGEMENTS.c.pair_id,
            QUEUE.c.wanted,
            number.label("n"),
            n_cannot.label("n_cannot"),
            sa.func.coalesce(differ, sa.false()).label("differ"),
        )
        .join(QUEUE, QUEUE.c.pair_id == JUDGEMENTS.c.pair_id)
        .where(counts())
        .group_by(JUDGEMENTS.c.pair_id, QUEUE.c.wanted)
        .having(sa.or_(n_cannot > 0, sa.and_(number >= QUEUE.c.wanted, differ)))
    )


def _shown(connection: sa.Connection, pair_ids: list[str]) -> list[Any]:
    """The pairs whose items may be shown, with item, stakes and stratum."""
    stratum = sa.func.coalesce(ITEMS.c.stratum, ITEMS.c.domain + "/" + ITEMS.c.stakes).label("stratum")
    query = (
        sa.select(PAIRS.c.id, PAIRS.c.item_id, ITEMS.c.stakes, stratum)
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .where(may_be_shown())
    )
    found: list[Any] = []
    for start in range(0, len(pair_ids), 500):
        found += connection.execute(query.where(PAIRS.c.id.in_(pair_ids[start : start + 500]))).all()
    return found
