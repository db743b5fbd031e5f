"""Import of pairs to judge: all rows or none, duplicates skipped, identifiers of patients held back.

Importing the same file again changes nothing. What the search found is kept as counts, never as text. Rows are read
twice, a few hundred at a time: once to inspect them, once to write them, so that the store is locked while they are
written and no longer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.data_classes import holds
from core.errors import DataError
from core.fingerprint import of_file
from core.items import ITEMS
from core.ledger import Detail, append_in
from core.model_identity import names_a_model
from core.moments import timestamp
from core.records import Answer, Stakes
from core.store import writing
from labeling.content.inspecting import ImportRules, Inspection, chunks, inspect_pairs
from labeling.content.reports import ImportReport
from labeling.content.rows import Entry
from labeling.content.sources import Source, Tally
from labeling.content.standing import Admission, Standing
from labeling.queueing.places import add_pairs, refresh, wanted_experts
from labeling.tables import ANSWERS, PAIRS, PHI_FINDINGS, SAMPLING

__all__ = ["DEFAULT_RULES", "ImportRules", "import_pairs", "write_pairs"]

DEFAULT_RULES = ImportRules()

HUMAN_PRIORITY = 10.0
"""Pairs at which a person must look come before all others, those with the highest stakes first."""

_NEXT_STEP = "Mend these rows (docs/labeling.md shows the form), then import again."


@dataclass
class _Batch:
    """Rows to insert, by table, and what changes for items that stand already."""

    items: list[dict[str, Any]] = field(default_factory=list)
    sampling: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    wanted: dict[str, int] = field(default_factory=dict)
    priorities: dict[str, float] = field(default_factory=dict)
    """Of pairs that do not wait their turn."""
    with_findings: set[str] = field(default_factory=set)
    """Ids of items."""


def import_pairs(
    engine: sa.Engine,
    paths: Sequence[Path] | Source,
    *,
    by: str,
    now: datetime,
    rules: ImportRules = DEFAULT_RULES,
    dry_run: bool = False,
) -> ImportReport:
    """Import the pairs of the rows, all in one transaction with its ledger event, and say what was found.

    Args:
        engine: the store.
        paths: JSONL, CSV or Parquet files, or a source that says more about them.
        by: who imports, for the ledger.
        now: the moment of the import.
        rules: the pair, the kind of texts, and the overlap.
        dry_run: only report; faults are then in the report.

    Raises:
        DataError: a row cannot be read, or contradicts another row or the store; nothing was imported.
    """
    source = paths if isinstance(paths, Source) else Source(tuple(paths), weak=rules.weak, strong=rules.strong)
    inspection = inspect_pairs(engine, source, rules=rules)
    if not dry_run:
        write_pairs(engine, source, inspection, by=by, now=now, rules=rules)
    return inspection.report


def write_pairs(
    engine: sa.Engine, source: Source, inspection: Inspection, *, by: str, now: datetime, rules: ImportRules
) -> None:
    """Write what was inspected, in one transaction.

    Raises:
        DataError: the inspection found faults, or the rows or the store changed since.
    """
    report = inspection.report
    if report.faults:
        raise DataError(report.faults, _NEXT_STEP)
    if not inspection.searched:
        return
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE label_item IN SHARE ROW EXCLUSIVE MODE"))
        tally, standing = Tally(), Standing()
        n_written = 0
        for chunk in chunks(source.entries(tally)):
            standing.look_up(connection, chunk)
            batch = _batch(chunk, standing, inspection, rules=rules, now=now)
            _write(connection, batch, report.phi_by_item, rules=rules)
            n_written += len(batch.pairs)
        if tally.faults or n_written != len(inspection.searched):
            changed = f"{report.n_new} new pairs were inspected and {n_written} found again"
            raise DataError([*tally.faults, changed], "Import again, and leave the files alone meanwhile.")
        details: dict[str, Detail] = {"pairs": n_written, "held": len(report.held), "rows": report.n_rows}
        origins = [f"sha256:{of_file(path)}" for path in source.paths] or [rules.stream]
        for origin in origins:
            append_in(connection, by, "item.import", origin, details, now=now)


def _batch(
    entries: Sequence[Entry], standing: Standing, inspection: Inspection, *, rules: ImportRules, now: datetime
) -> _Batch:
    batch = _Batch()
    high, low = rules.overlap_high_stakes, rules.overlap_low_stakes
    for entry in entries:
        try:
            admission = standing.admit(entry)
        except ValueError as error:
            raise DataError([f"{entry.place}: {error}"], "The store changed meanwhile; import again.") from error
        if admission is None:
            continue
        if entry.content not in inspection.searched:
            raise DataError([f"{entry.place}: not searched"], "Import again, and leave the files alone meanwhile.")
        query, pair = entry.pair.query, entry.pair
        _add_rows(batch, entry, admission, rules=rules, now=now)
        if query.id in inspection.report.phi_by_item:
            batch.with_findings.add(query.id)
        stakes = standing.stakes.setdefault(query.id, str(query.stakes))
        batch.wanted[pair.id] = wanted_experts(pair.id, stakes, high=high, low=low)
        if rules.stream == "human":
            batch.priorities[pair.id] = HUMAN_PRIORITY + Stakes(stakes).rank
    return batch


def _add_rows(batch: _Batch, entry: Entry, admission: Admission, *, rules: ImportRules, now: datetime) -> None:
    pair = entry.pair
    if admission.is_new_item:
        batch.items.append(_item_row(entry, rules.data_class, now))
        if entry.weight != 1 or entry.inclusion_probability is not None:
            batch.sampling.append(_sampling_row(entry))
    for (id_, answer), is_new in zip(entry.answers, admission.are_new_answers, strict=True):
        if is_new:
            batch.answers.append(_answer_row(id_, answer))
    batch.pairs.append(
        {
            "id": pair.id,
            "content_sha256": entry.content,
            "item_id": pair.query.id,
            "first_answer_id": entry.first_id,
            "second_answer_id": entry.second_id,
            "weak": entry.weak,
            "strong": entry.strong,
        }
    )


def _write(
    connection: sa.Connection, batch: _Batch, kinds: Mapping[str, Mapping[str, int]], *, rules: ImportRules
) -> None:
    tables = ((ITEMS, batch.items), (SAMPLING, batch.sampling), (ANSWERS, batch.answers), (PAIRS, batch.pairs))
    for table, rows in tables:
        if rows:
            connection.execute(table.insert(), rows)
    items = sorted(batch.with_findings)
    if items:
        if holds(rules.data_class):
            # An excluded item stays out, whatever comes in beside it.
            seen = sa.and_(ITEMS.c.id.in_(items), ITEMS.c.phi_state != "excluded")
            connection.execute(ITEMS.update().where(seen).values(phi_state="held"))
        connection.execute(PHI_FINDINGS.delete().where(PHI_FINDINGS.c.item_id.in_(items)))
        found = [{"item_id": item, "kind": kind, "n": n} for item in items for kind, n in kinds[item].items()]
        connection.execute(PHI_FINDINGS.insert(), found)
    add_pairs(connection, list(batch.wanted), wanted=batch.wanted, stream=rules.stream, priorities=batch.priorities)
    if items:
        earlier = sa.select(PAIRS.c.id).where(PAIRS.c.item_id.in_(items))
        refresh(connection, connection.execute(earlier).scalars().all())


def _item_row(entry: Entry, data_class: str, now: datetime) -> dict[str, Any]:
    query = entry.pair.query
    return {
        "id": query.id,
        "messages": entry.messages,
        "domain": query.domain,
        "stakes": str(query.stakes),
        "stratum": query.stratum,
        "group_key": query.group,
        "topic": query.topic,
        "reference": query.reference,
        "phi_state": "clean",
        "data_class": data_class,
        "imported_at": timestamp(now),
    }


def _sampling_row(entry: Entry) -> dict[str, Any]:
    return {
        "item_id": entry.pair.query.id,
        "weight": entry.weight,
        "inclusion_probability": entry.inclusion_probability,
    }


def _answer_row(id_: str, answer: Answer) -> dict[str, Any]:
    return {
        "id": id_,
        "item_id": answer.query_id,
        "model": answer.model,
        "text": answer.text,
        "cost_usd": answer.cost_usd,
        "latency_ms": answer.latency_ms,
        "names_a_model": names_a_model(answer.text),
    }
