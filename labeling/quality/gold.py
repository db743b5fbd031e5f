"""Pairs whose right answer is known: hidden among the work, for practice, or of the qualification set.

A judgement is right when its verdict is the known one, or when it says of both answers what is known of them: whether
they are acceptable. Rates have exact limits. What an expert is told of their own stands in `own_checks`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from assurance.bootstrap import Interval
from assurance.bounds import binomial_interval
from core.records import Verdict
from labeling.tables import GOLD, JUDGEMENTS, stands


@dataclass(frozen=True)
class Known:
    """What is right about a pair, in its canonical order."""

    verdict: Verdict
    first_acceptable: bool | None
    second_acceptable: bool | None
    explanation: str


@dataclass(frozen=True)
class Rate:
    """How many of how many were right, with exact 95 % limits."""

    n_right: int
    n: int
    share: Interval


def is_right(verdict: str, marks: tuple[bool | None, bool | None], known: Known) -> bool:
    """Whether a judgement fits what is known.

    >>> known = Known(Verdict.FIRST_BETTER, True, True, "")
    >>> is_right("first_better", (None, None), known), is_right("both_acceptable", (True, True), known)
    (True, True)
    >>> is_right("second_better", (None, None), known)
    False
    """
    truth = (known.first_acceptable, known.second_acceptable)
    return verdict == known.verdict or (None not in truth and marks == truth)


def right() -> sa.ColumnElement[bool]:
    """The condition that a row of `JUDGEMENTS` fits the row of `GOLD` that it is joined with; as `is_right`."""
    same_marks = sa.and_(
        JUDGEMENTS.c.first_acceptable == GOLD.c.first_acceptable,
        JUDGEMENTS.c.second_acceptable == GOLD.c.second_acceptable,
    )
    return sa.or_(JUDGEMENTS.c.verdict == GOLD.c.verdict, sa.func.coalesce(same_marks, sa.false()))


def rates(connection: sa.Connection) -> dict[str, Rate]:
    """Per expert, how many standing judgements of hidden pairs were right; whoever judged none is left out."""
    query = judged_hidden(sa.select(JUDGEMENTS.c.expert, _n_right(), sa.func.count().label("n")))
    rows = connection.execute(query.group_by(JUDGEMENTS.c.expert).order_by(JUDGEMENTS.c.expert))
    return {row.expert: rate(row.n_right, row.n) for row in rows}


def rate(n_right: int, n: int) -> Rate:
    """The rate with its exact limits.

    >>> str(rate(9, 10).share)
    '0.900 [0.555, 0.997]'
    """
    return Rate(n_right, n, binomial_interval(n_right, n))


def known_of(connection: sa.Connection, pair_ids: Iterable[str]) -> Mapping[str, Known]:
    """What is known of these pairs; those without a row are left out."""
    rows = connection.execute(sa.select(GOLD).where(GOLD.c.pair_id.in_(list(pair_ids))))
    return {
        row.pair_id: Known(Verdict(row.verdict), row.first_acceptable, row.second_acceptable, row.explanation)
        for row in rows
    }


def judged_hidden(query: sa.Select[Any]) -> sa.Select[Any]:
    """The query on standing judgements of hidden pairs, each with its row of `GOLD`."""
    return query.join(GOLD, GOLD.c.pair_id == JUDGEMENTS.c.pair_id).where(stands(), JUDGEMENTS.c.purpose == "gold")


def _n_right() -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((right(), 1), else_=0)).label("n_right")
