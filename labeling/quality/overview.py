"""How far the labeling is: counts per expert, and how far experts agree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from assurance.agreement import NO_LABEL, Agreement, agreement
from core.moments import timestamp
from core.records import Judgement, Verdict
from labeling.tables import EXPERTS, ITEMS, JUDGEMENTS, PAIRS, counts

VERDICTS = tuple(verdict for verdict in Verdict if verdict is not Verdict.CANNOT_JUDGE)
"""The verdicts that say something about the answers; agreement is taken over these."""


@dataclass(frozen=True)
class ExpertCount:
    """One expert's standing judgements."""

    name: str
    judged: int
    cannot_judge: int


@dataclass(frozen=True)
class Overview:
    """The state of all labeling."""

    n_pairs: int
    n_held: int
    """Pairs whose item waits for clearance."""
    n_judged: int
    """Pairs with at least one standing judgement."""
    n_judged_twice: int
    """Pairs with judgements of two experts or more."""
    experts: tuple[ExpertCount, ...]
    agreement: Agreement


def overview(connection: sa.Connection, *, before: datetime | None = None) -> Overview:
    """Counts of pairs and judgements, and agreement on the pairs that two experts judged.

    Args:
        connection: the store.
        before: only judgements that were given earlier are taken in.
    """
    given = sa.true() if before is None else JUDGEMENTS.c.at < timestamp(before)
    count = sa.func.count
    rows = connection.execute(
        sa.select(JUDGEMENTS.c.pair_id, JUDGEMENTS.c.expert, JUDGEMENTS.c.verdict).where(counts(), given)
    ).all()
    n_pairs = connection.execute(sa.select(count()).select_from(PAIRS)).scalar_one()
    held = sa.select(count()).select_from(PAIRS.join(ITEMS)).where(ITEMS.c.phi_state == "held")
    n_held = connection.execute(held).scalar_one()
    names = connection.execute(sa.select(EXPERTS.c.name).order_by(EXPERTS.c.name)).scalars()
    judges_per_pair = Counter(row.pair_id for row in rows)
    judged = Counter(row.expert for row in rows)
    could_not = Counter(row.expert for row in rows if row.verdict == Verdict.CANNOT_JUDGE)
    return Overview(
        n_pairs=n_pairs,
        n_held=n_held,
        n_judged=len(judges_per_pair),
        n_judged_twice=sum(1 for n in judges_per_pair.values() if n > 1),
        experts=tuple(ExpertCount(name=name, judged=judged[name], cannot_judge=could_not[name]) for name in names),
        agreement=verdict_agreement([(row.pair_id, row.expert, Verdict(row.verdict)) for row in rows]),
    )


def verdict_agreement(labels: Sequence[tuple[str, str, Verdict]]) -> Agreement:
    """Agreement over (pair, expert, verdict); *cannot judge* counts as no label.

    >>> both, neither = Verdict.BOTH_ACCEPTABLE, Verdict.NEITHER_ACCEPTABLE
    >>> verdict_agreement([("p", "ann", both), ("p", "bob", both), ("q", "ann", both), ("q", "bob", neither)]).raw
    0.5
    """
    pairs = {pair: row for row, pair in enumerate(sorted({pair for pair, _, _ in labels}))}
    experts = {expert: column for column, expert in enumerate(sorted({expert for _, expert, _ in labels}))}
    table = np.full((len(pairs), len(experts)), NO_LABEL)
    for pair, expert, verdict in labels:
        if verdict in VERDICTS:
            table[pairs[pair], experts[expert]] = VERDICTS.index(verdict)
    return agreement(table, n_categories=len(VERDICTS))


def agreement_of(judgements: Sequence[Judgement]) -> Agreement:
    """Agreement over judgements."""
    return verdict_agreement([(judgement.pair_id, judgement.expert, judgement.verdict) for judgement in judgements])
