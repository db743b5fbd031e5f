"""Takes over what the recheck could not settle: pairs of a weak and a strong answer, first in the queue by stakes.

The rows go through the same screening as any import. Their texts then stand in the labeling room alone, and what the
checks had said stays behind in `core.unresolved`, where no screen looks before the expert has judged.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from core.reading import Row
from core.store import writing
from core.unresolved import Unresolved, hand_over, waiting_unresolved
from labeling.content.importing import write_pairs
from labeling.content.inspecting import ImportRules, inspect_pairs
from labeling.content.reports import ImportReport
from labeling.content.rows import entry_of
from labeling.content.sources import Source
from labeling.tables import PAIRS


@dataclass(frozen=True)
class TakenOver:
    """What was taken over, one report a pair of models, and rows left where they are for lack of a second answer."""

    reports: tuple[ImportReport, ...]
    n_single: int

    @property
    def n_new(self) -> int:
        """Pairs that are new."""
        return sum(report.n_new for report in self.reports)

    @property
    def n_held(self) -> int:
        """Items that are held back until a person clears them."""
        return sum(len(report.held) for report in self.reports)


def import_unresolved(
    engine: sa.Engine, *, by: str, now: datetime, rules: ImportRules, dry_run: bool = False
) -> TakenOver:
    """Take over every row that holds two answers; one whose pair stands already is tied to that pair.

    Args:
        engine: the store.
        by: who imports, for the ledger.
        now: the moment of the import.
        rules: the kind of texts and the overlap; the models are the rows' own.
        dry_run: only report.

    Raises:
        DataError: a row contradicts the store; nothing of its pair of models was imported.
    """
    with engine.connect() as connection:
        waiting = waiting_unresolved(connection)
    pairs = [row for row in waiting if row.is_pair]
    reports = []
    for weak, strong in sorted({(row.weak, row.strong) for row in pairs}):
        own = replace(rules, weak=weak, strong=strong, stream="human")
        rows = {row.id: _row(row) for row in pairs if (row.weak, row.strong) == (weak, strong)}
        source = Source((), weak=weak, strong=strong, given=tuple(rows.values()))
        inspection = inspect_pairs(engine, source, rules=own)
        reports.append(inspection.report)
        if dry_run:
            continue
        write_pairs(engine, source, inspection, by=by, now=now, rules=own)
        contents = {id_: entry_of(row, weak=weak, strong=strong).content for id_, row in rows.items()}
        _hand_over(engine, contents)
    return TakenOver(tuple(reports), n_single=len(waiting) - len(pairs))


def _row(row: Unresolved) -> Row:
    query = row.query
    values = {
        "id": row.id,
        "messages": [message.model_dump() for message in query.messages],
        "domain": query.domain,
        "stakes": str(query.stakes),
        "stratum": query.stratum,
        "answers": {row.weak: row.weak_answer, row.strong: row.strong_answer},
    }
    return Row(f"unresolved:{row.id}", values)


def _hand_over(engine: sa.Engine, contents: dict[str, str]) -> None:
    """Tie each row to the pair of its content, whoever imported it first."""
    with writing(engine) as connection:
        pairs: dict[str, str] = {}
        for id_, content in contents.items():
            pair = connection.execute(sa.select(PAIRS.c.id).where(PAIRS.c.content_sha256 == content)).scalar()
            if pair is not None:
                pairs[id_] = pair
        hand_over(connection, pairs)
