"""Import of pairs to judge: all rows or none, duplicates skipped, identifiers of patients held back.

Importing the same file again changes nothing. What the screen found is kept as counts, never as text.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.errors import DataError, PreceptorError
from core.fingerprint import canonical_json, of_file
from core.ledger import append_in
from core.reading import read_all
from core.records import Answer
from core.store import writing
from labeling.content.rows import Entry, answer_id, entry_of, fault_sentences
from labeling.content.identifiers import kinds_of as phi_kinds
from labeling.content.identity import names_a_model
from labeling.queueing.places import add_pairs, refresh_item, wanted_experts
from labeling.tables import ANSWERS, ITEMS, PAIRS, PHI_FINDINGS, SAMPLING
from web.sessions import timestamp

LOOKUP_ROWS = 500
"""Ids asked for in one query; SQLite takes at most 32,766 parameters."""


@dataclass(frozen=True)
class ImportRules:
    """Which models make the pair, what kind of texts come in, and by how many experts each pair is judged.

    `weak` and `strong` are named where rows hold more than two answers or the tiers shall be known: both or neither.
    """

    weak: str | None = None
    strong: str | None = None
    data_class: str = "deidentified"
    overlap_high_stakes: int = 2
    overlap_low_stakes: float = 1.3


DEFAULT_RULES = ImportRules()


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or in a dry run would do."""

    n_rows: int
    n_new: int
    n_duplicates: int
    held: tuple[str, ...]
    """Ids of new items with findings; nobody is shown them until they are cleared."""
    items_by_phi_kind: Mapping[str, int]
    names_a_model: tuple[str, ...]
    """Ids of new items in which an answer tells who wrote it: blinding fails there."""
    fields_not_used: tuple[str, ...]


@dataclass
class _Plan:
    """Rows to insert, by table, and the items whose state changes."""

    items: list[dict[str, Any]] = field(default_factory=list)
    sampling: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    findings: dict[str, dict[str, int]] = field(default_factory=dict)
    names_a_model: list[str] = field(default_factory=list)
    known_stakes: dict[str, str] = field(default_factory=dict)
    """Stakes of items that stood before."""


def read_entries(
    paths: Sequence[Path], *, weak: str | None = None, strong: str | None = None
) -> tuple[list[Entry], tuple[str, ...]]:
    """All pairs of the files, and the fields that were passed over.

    Raises:
        DataError: every row that cannot be read, with file and line.
        PreceptorError: only one of `weak` and `strong` is given, or both are the same.
    """
    if (weak is None) != (strong is None) or (weak is not None and weak == strong):
        raise PreceptorError(f"weak is {weak}, strong is {strong}. Name two models: --weak MODEL --strong MODEL.")
    rows = read_all(paths)
    entries: list[Entry] = []
    faults: list[str] = []
    for row in rows:
        try:
            entries.append(entry_of(row, weak=weak, strong=strong))
        except ValueError as error:
            faults.extend(f"{row.place}: {sentence}" for sentence in fault_sentences(error))
    if faults:
        raise DataError(faults, "Mend these rows (docs/labeling.md shows the form), then import again.")
    return entries, ()


def import_pairs(
    engine: sa.Engine,
    paths: Sequence[Path],
    *,
    by: str,
    now: datetime,
    rules: ImportRules = DEFAULT_RULES,
    dry_run: bool = False,
) -> ImportReport:
    """Import the pairs of `paths`, all in one transaction with its ledger event, and say what was found.

    Args:
        engine: the store.
        paths: JSONL, CSV or Parquet files.
        by: who imports, for the ledger.
        now: the moment of the import.
        rules: the pair, the kind of texts, and the overlap.
        dry_run: only report.

    Raises:
        DataError: a row cannot be read, or contradicts another row or the store; nothing was imported.
    """
    entries, unused = read_entries(paths, weak=rules.weak, strong=rules.strong)
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE label_item IN SHARE ROW EXCLUSIVE MODE"))
        plan = _plan(connection, entries, rules=rules, now=now)
        held = tuple(plan.findings)
        if plan.pairs and not dry_run:
            _write(connection, plan, rules=rules)
            details = {"pairs": len(plan.pairs), "held": len(held), "rows": len(entries)}
            for path in paths:
                append_in(connection, by, "item.import", f"sha256:{of_file(path)}", details, now=now)
    return ImportReport(
        n_rows=len(entries),
        n_new=len(plan.pairs),
        n_duplicates=len(entries) - len(plan.pairs),
        held=held,
        items_by_phi_kind=dict(Counter(kind for kinds in plan.findings.values() for kind in kinds)),
        names_a_model=tuple(plan.names_a_model),
        fields_not_used=unused,
    )


def clear_item(engine: sa.Engine, item_id: str, *, by: str, now: datetime) -> None:
    """Let experts see an item that the screen held back; the ledger says who decided it.

    Raises:
        PreceptorError: there is no such item, or it is not held.
    """
    with writing(engine) as connection:
        state = connection.execute(sa.select(ITEMS.c.phi_state).where(ITEMS.c.id == item_id)).scalar()
        if state is None:
            raise PreceptorError(f"There is no item '{item_id}'. See `preceptor label status` for the items held back.")
        if state != "held":
            raise PreceptorError(f"Item '{item_id}' is not held back, it is {state}. Nothing needs to be done.")
        connection.execute(ITEMS.update().where(ITEMS.c.id == item_id).values(phi_state="cleared"))
        refresh_item(connection, item_id)
        kinds = ",".join(findings_of(connection, item_id))
        append_in(connection, by, "phi.clear", item_id, {"kinds": kinds}, now=now)


def findings_of(connection: sa.Connection, item_id: str) -> dict[str, int]:
    """What the screen found in an item, by kind."""
    query = sa.select(PHI_FINDINGS.c.kind, PHI_FINDINGS.c.n).where(PHI_FINDINGS.c.item_id == item_id)
    return {row.kind: row.n for row in connection.execute(query.order_by(PHI_FINDINGS.c.kind))}


def held_items(connection: sa.Connection) -> list[str]:
    """Ids of the items that wait for clearance."""
    return list(
        connection.execute(sa.select(ITEMS.c.id).where(ITEMS.c.phi_state == "held").order_by(ITEMS.c.id)).scalars()
    )


def _plan(connection: sa.Connection, entries: Sequence[Entry], *, rules: ImportRules, now: datetime) -> _Plan:
    known_pairs = _known(connection, PAIRS.c.content_sha256, PAIRS.c.id, (entry.content for entry in entries))
    ids = {entry.pair.query.id for entry in entries}
    messages_of_item = _known(connection, ITEMS.c.id, ITEMS.c.messages, ids)
    answers_of_item = {
        (row.item_id, row.model): row.id
        for piece in _pieces(sorted(ids))
        for row in connection.execute(sa.select(ANSWERS).where(ANSWERS.c.item_id.in_(piece)))
    }
    plan, faults, seen = _Plan(known_stakes=_known(connection, ITEMS.c.id, ITEMS.c.stakes, ids)), [], set(known_pairs)
    for entry in entries:
        content, query = entry.content, entry.pair.query
        if content in seen:
            continue
        messages = canonical_json([message.model_dump() for message in query.messages])
        written = (entry.pair.first, entry.pair.second)
        if messages_of_item.get(query.id, messages) != messages:
            faults.append(f"{entry.place}: id '{query.id}' stands already for another query")
            continue
        changed = [a.model for a in written if answers_of_item.get((query.id, a.model), answer_id(a)) != answer_id(a)]
        if changed:
            faults.append(f"{entry.place}: id '{query.id}' has another answer of '{changed[0]}' already")
            continue
        seen.add(content)
        if query.id not in messages_of_item:
            messages_of_item[query.id] = messages
            plan.items.append(_item_row(entry, messages, rules.data_class, now))
            if entry.weight != 1 or entry.inclusion_probability is not None:
                plan.sampling.append(_sampling_row(entry))
        for answer in written:
            if (query.id, answer.model) not in answers_of_item:
                answers_of_item[query.id, answer.model] = answer_id(answer)
                plan.answers.append(_answer_row(answer))
        plan.pairs.append(_pair_row(entry, content))
        if kinds := phi_kinds(entry.texts):
            plan.findings[query.id] = kinds
        if any(names_a_model(answer.text) for answer in written):
            plan.names_a_model.append(query.id)
    if faults:
        raise DataError(faults, "Give changed queries and answers an id of their own, then import again.")
    return plan


def _write(connection: sa.Connection, plan: _Plan, *, rules: ImportRules) -> None:
    tables = ((ITEMS, plan.items), (SAMPLING, plan.sampling), (ANSWERS, plan.answers), (PAIRS, plan.pairs))
    for table, rows in tables:
        if rows:
            connection.execute(table.insert(), rows)
    for item_id, kinds in plan.findings.items():
        connection.execute(ITEMS.update().where(ITEMS.c.id == item_id).values(phi_state="held"))
        connection.execute(PHI_FINDINGS.delete().where(PHI_FINDINGS.c.item_id == item_id))
        rows = [{"item_id": item_id, "kind": kind, "n": n} for kind, n in kinds.items()]
        connection.execute(PHI_FINDINGS.insert(), rows)
    stakes = {row["id"]: row["stakes"] for row in plan.items} | plan.known_stakes
    high, low = rules.overlap_high_stakes, rules.overlap_low_stakes
    wanted = {row["id"]: wanted_experts(row["id"], stakes[row["item_id"]], high=high, low=low) for row in plan.pairs}
    add_pairs(connection, list(wanted), wanted=wanted)
    for item_id in plan.findings:
        refresh_item(connection, item_id)


def _known(
    connection: sa.Connection, key: sa.Column[str], value: sa.Column[str], wanted: Iterable[str]
) -> dict[str, str]:
    return {
        row[0]: row[1]
        for piece in _pieces(sorted(set(wanted)))
        for row in connection.execute(sa.select(key, value).where(key.in_(piece)))
    }


def _pieces(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[start : start + LOOKUP_ROWS] for start in range(0, len(values), LOOKUP_ROWS))


def _item_row(entry: Entry, messages: str, data_class: str, now: datetime) -> dict[str, Any]:
    query = entry.pair.query
    return {
        "id": query.id,
        "messages": messages,
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


def _answer_row(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer_id(answer),
        "item_id": answer.query_id,
        "model": answer.model,
        "text": answer.text,
        "cost_usd": answer.cost_usd,
        "latency_ms": answer.latency_ms,
        "names_a_model": names_a_model(answer.text),
    }


def _pair_row(entry: Entry, content: str) -> dict[str, Any]:
    pair = entry.pair
    return {
        "id": pair.id,
        "content_sha256": content,
        "item_id": pair.query.id,
        "first_answer_id": answer_id(pair.first),
        "second_answer_id": answer_id(pair.second),
        "weak": entry.weak,
        "strong": entry.strong,
    }
