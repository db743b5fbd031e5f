"""Inspection of rows before they are imported: what is new, what is held back, what it will cost the experts.

Reads the store and never writes to it: inspecting takes the time, so that the writing after it holds others up briefly.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypeVar

import sqlalchemy as sa

from core.data_classes import holds
from core.items import ITEMS, query_of
from core.model_identity import names_a_model
from labeling.content.identifiers import count_kinds, find_identifiers
from labeling.content.query_overlap import QueryOverlap
from labeling.content.reports import MINUTES_A_PAIR, ImportReport
from labeling.content.rows import Entry
from labeling.content.sources import Source, Tally
from labeling.content.standing import Admission, Standing
from labeling.queueing.places import wanted_experts
from labeling.tables import PAIRS, QUEUE

ROWS_AT_ONCE = 500

_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class ImportRules:
    """Which models make the pair, what kind of texts come in, and by how many experts each pair is judged.

    `weak` and `strong` are named where rows hold more than two answers or the tiers shall be known: both or neither.
    `stream` is where the pairs go: `plain`, or `human` where a person must look, which comes first, by stakes.
    """

    weak: str | None = None
    strong: str | None = None
    data_class: str = "deidentified"
    overlap_high_stakes: int = 2
    overlap_low_stakes: float = 1.3
    stream: Literal["plain", "human"] = "plain"


@dataclass(frozen=True)
class Inspection:
    """What was found, and which pairs were searched for identifiers: no other is written."""

    report: ImportReport
    searched: frozenset[str]
    """Hashes of all new pairs."""


@dataclass
class _Found:
    """What grows while the rows pass by."""

    searched: set[str] = field(default_factory=set)
    by_item: dict[str, Counter[str]] = field(default_factory=dict)
    names_a_model: dict[str, None] = field(default_factory=dict)
    stakes: Counter[str] = field(default_factory=Counter)
    strata: Counter[str] = field(default_factory=Counter)
    n_wanted: int = 0


def inspect_pairs(engine: sa.Engine, source: Source, *, rules: ImportRules) -> Inspection:
    """Read all rows and say what an import would do. Faults are in the report, each with its file and line.

    Args:
        engine: the store; only read.
        source: the rows.
        rules: the kind of texts, and the overlap.
    """
    tally, standing, found, overlap = Tally(), Standing(), _Found(), QueryOverlap()
    faults: list[str] = []
    n_pairs = 0
    with engine.connect() as connection:
        _take_up_stored(connection, overlap)
        for chunk in chunks(source.entries(tally)):
            n_pairs += len(chunk)
            standing.look_up(connection, chunk)
            for entry in chunk:
                try:
                    admission = standing.admit(entry)
                except ValueError as error:
                    faults.append(f"{entry.place}: {error}. Give it an id of its own.")
                    continue
                if admission is not None:
                    _inspect(entry, admission, found, rules)
                    if admission.is_new_item:
                        query = entry.pair.query
                        overlap.add(query.id, query.text, group=query.group, is_new=True)
    near = overlap.near_duplicates()
    quick, slow = MINUTES_A_PAIR
    report = ImportReport(
        n_rows=tally.n_rows,
        n_new=len(found.searched),
        n_duplicates=n_pairs - len(found.searched) - len(faults),
        n_same_question=overlap.n_same,
        near_duplicates=near[:200],
        n_near_duplicates=len(near),
        held=tuple(found.by_item) if holds(rules.data_class) else (),
        items_by_phi_kind=dict(Counter(kind for kinds in found.by_item.values() for kind in kinds)),
        phi_by_item={item: dict(kinds) for item, kinds in found.by_item.items()},
        names_a_model=tuple(found.names_a_model),
        columns=tally.columns(),
        pairs_by_stakes=dict(found.stakes),
        pairs_by_stratum=dict(sorted(found.strata.items())),
        n_judgements_wanted=found.n_wanted,
        expert_hours=(found.n_wanted * quick / 60, found.n_wanted * slow / 60),
        not_asked=tuple(tally.without_answer),
        faults=(*tally.faults, *faults),
    )
    return Inspection(report, frozenset(found.searched))


def chunks(things: Iterable[_Thing], n: int = ROWS_AT_ONCE) -> Iterator[list[_Thing]]:
    """The things in lists of so many, the last one shorter."""
    iterator = iter(things)
    while chunk := list(islice(iterator, n)):
        yield chunk


def _inspect(entry: Entry, admission: Admission, found: _Found, rules: ImportRules) -> None:
    query, pair = entry.pair.query, entry.pair
    findings = find_identifiers(entry.texts)
    # What stands in the store was searched when it came; only texts that are new can hold it back again.
    new = (admission.is_new_item, *admission.are_new_answers)
    kinds = count_kinds([one for one, is_new in zip(findings, new, strict=True) if is_new])
    found.searched.add(entry.content)
    if kinds:
        found.by_item.setdefault(query.id, Counter()).update(kinds)
    if any(names_a_model(answer.text) for _, answer in entry.answers):
        found.names_a_model[query.id] = None
    found.stakes[str(query.stakes)] += 1
    found.strata[query.stratum_name] += 1
    high, low = rules.overlap_high_stakes, rules.overlap_low_stakes
    found.n_wanted += wanted_experts(pair.id, query.stakes, high=high, low=low)


def _take_up_stored(connection: sa.Connection, overlap: QueryOverlap) -> None:
    audit = sa.select(PAIRS.c.item_id).join(QUEUE, QUEUE.c.pair_id == PAIRS.c.id).where(QUEUE.c.stream == "audit")
    in_audit = set(connection.execute(audit).scalars())
    streamed = connection.execution_options(yield_per=1000)
    for item in streamed.execute(sa.select(ITEMS)):
        query = query_of(item)
        overlap.add(query.id, query.text, group=query.group, is_in_audit=query.id in in_audit)
