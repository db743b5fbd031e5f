"""What a version would hold if it were frozen now: the judgements that count, their pairs, and the rulings on them.

Items that are held back or excluded never enter. Reads the store and changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.fingerprint import of_json, of_text
from core.items import may_be_shown, query_of
from core.ledger import EVENTS
from core.people_tables import PEOPLE
from core.records import Answer, Judgement, Pair
from labeling.frozen.audit_split import audit_items
from labeling.frozen.dataset import FORMAT, About, Dataset, JudgedPair
from labeling.frozen.dataset_files import rows_of
from labeling.frozen.facts import about_now
from labeling.judging.submitting import judgements_where
from labeling.quality.consensus import consensus_table
from labeling.quality.rulings import Ruling, ruling_of
from labeling.tables import (
    ADJUDICATIONS,
    ANSWERS,
    ITEMS,
    JUDGEMENTS,
    PAIRS,
    QUEUE,
    SAMPLING,
    SELECTED,
    counts,
)

UNNAMED = "unnamed"


@dataclass(frozen=True)
class Standing:
    """The content of a version that could be frozen now."""

    dataset: Dataset
    """Without name, number and place in the ledger."""
    rows: Mapping[str, str]
    """The files that hold rows."""
    content_sha256: str
    last_seq: int
    """The newest event of the ledger when reading began."""


def standing_now(connection: sa.Connection, *, intended_use: str) -> Standing:
    """Everything that a freeze would take up now; without judgements, it is empty."""
    last_seq = connection.execute(sa.select(sa.func.max(EVENTS.c.seq))).scalar() or 0
    shown = sa.select(PAIRS.c.id).join(ITEMS, ITEMS.c.id == PAIRS.c.item_id).where(may_be_shown())
    condition = sa.and_(counts(), JUDGEMENTS.c.pair_id.in_(shown))
    pseudonyms = pseudonyms_of(connection)
    judgements = under_pseudonym(judgements_where(connection, condition), pseudonyms)
    judged = sa.select(JUDGEMENTS.c.pair_id).where(condition)
    rulings = rulings_where(connection, _latest_of(judged), pseudonyms)
    chosen = _chosen_now(connection, judged)
    pairs = with_consensus(pairs_where(connection, judged, chosen), judgements, rulings)
    about = about_now(connection, judgements, pairs, intended_use=intended_use)
    dataset = unplaced(judgements, pairs, rulings, about=about)
    rows = rows_of(dataset)
    content = [
        FORMAT,
        sorted(judgement.id for judgement in judgements),
        sorted(ruling.id for ruling in rulings),
        of_text(rows["pairs.jsonl"]),
        about.data_class,
        about.intended_use,
    ]
    return Standing(dataset, rows, of_json(content), last_seq)


def unplaced(
    judgements: Sequence[Judgement], pairs: Sequence[JudgedPair], rulings: Sequence[Ruling], *, about: About | None
) -> Dataset:
    """A dataset of that content, in canonical order, which has no name, number and place in the ledger yet."""
    return Dataset(
        name=UNNAMED,
        version=0,
        frozen_at="",
        frozen_by="",
        content_sha256="",
        parent=None,
        ledger_seq=0,
        ledger_hash="",
        about=about,
        pairs=tuple(sorted(pairs, key=lambda judged: judged.pair.id)),
        judgements=tuple(sorted(judgements, key=lambda judgement: (judgement.pair_id, judgement.id))),
        rulings=tuple(sorted(rulings, key=lambda ruling: ruling.pair_id)),
    )


def pseudonyms_of(connection: sa.Connection) -> dict[str, str]:
    """Everyone's pseudonym, by name."""
    return {row.name: row.pseudonym for row in connection.execute(sa.select(PEOPLE.c.name, PEOPLE.c.pseudonym))}


def under_pseudonym(judgements: Iterable[Judgement], pseudonyms: Mapping[str, str]) -> list[Judgement]:
    """The judgements, each expert by pseudonym."""
    return [one.model_copy(update={"expert": pseudonyms[one.expert]}) for one in judgements]


def rulings_where(
    connection: sa.Connection, condition: sa.ColumnElement[bool], pseudonyms: Mapping[str, str]
) -> list[Ruling]:
    """The adjudications that fulfil a condition, each adjudicator by pseudonym, in order of pair."""
    rows = connection.execute(sa.select(ADJUDICATIONS).where(condition).order_by(ADJUDICATIONS.c.pair_id))
    found = [ruling_of(row) for row in rows]
    return [one.model_copy(update={"by": pseudonyms.get(one.by, one.by)}) for one in found]


def pairs_where(
    connection: sa.Connection, ids: sa.Select[Any], chosen: Mapping[str, Mapping[str, Any]]
) -> list[JudgedPair]:
    """The pairs of those ids in order, each with what `chosen` says of how it came in, by pair id."""
    wanted = PAIRS.c.id.in_(ids)
    items = sa.select(PAIRS.c.item_id).where(wanted)
    queries = {row.id: query_of(row) for row in connection.execute(sa.select(ITEMS).where(ITEMS.c.id.in_(items)))}
    answers = {
        row.id: Answer(
            query_id=row.item_id, model=row.model, text=row.text, cost_usd=row.cost_usd, latency_ms=row.latency_ms
        )
        for row in connection.execute(sa.select(ANSWERS).where(ANSWERS.c.item_id.in_(items)))
    }
    return [
        JudgedPair(
            pair=Pair(
                id=row.id,
                query=queries[row.item_id],
                first=answers[row.first_answer_id],
                second=answers[row.second_answer_id],
            ),
            weak=row.weak,
            strong=row.strong,
            **chosen.get(row.id, {}),
        )
        for row in connection.execute(sa.select(PAIRS).where(wanted).order_by(PAIRS.c.id))
    ]


def with_consensus(
    pairs: Sequence[JudgedPair], judgements: Sequence[Judgement], rulings: Sequence[Ruling]
) -> list[JudgedPair]:
    """The pairs, each with what its judgements say together, or with the ruling where there is one."""
    joint = consensus_table(judgements, {ruling.pair_id: ruling for ruling in rulings})
    return [judged.model_copy(update={"consensus": joint.get(judged.pair.id)}) for judged in pairs]


def _latest_of(pair_ids: sa.Select[Any]) -> sa.ColumnElement[bool]:
    """The condition that an adjudication is the last edition on its pair, and the pair is one of these."""
    later = ADJUDICATIONS.alias("later")
    newer = sa.exists().where(later.c.pair_id == ADJUDICATIONS.c.pair_id, later.c.edition > ADJUDICATIONS.c.edition)
    return sa.and_(ADJUDICATIONS.c.pair_id.in_(pair_ids), ~newer)


def _chosen_now(connection: sa.Connection, ids: sa.Select[Any]) -> dict[str, dict[str, Any]]:
    """Stream, audit, weight and chance of inclusion of each pair: the import's chance times the drawing's."""
    for_audit = audit_items(connection)
    query = (
        sa.select(
            PAIRS.c.id,
            PAIRS.c.item_id,
            QUEUE.c.stream,
            SAMPLING.c.weight,
            SAMPLING.c.inclusion_probability.label("imported"),
            SELECTED.c.inclusion_probability.label("drawn"),
        )
        .select_from(PAIRS)
        .outerjoin(QUEUE, QUEUE.c.pair_id == PAIRS.c.id)
        .outerjoin(SAMPLING, SAMPLING.c.item_id == PAIRS.c.item_id)
        .outerjoin(SELECTED, SELECTED.c.item_id == PAIRS.c.item_id)
        .where(PAIRS.c.id.in_(ids))
    )
    found = {}
    for row in connection.execute(query):
        chances = [chance for chance in (row.imported, row.drawn) if chance is not None]
        found[row.id] = {
            "stream": row.stream or "plain",
            "is_audit": row.item_id in for_audit,
            "weight": 1.0 if row.weight is None else row.weight,
            "inclusion_probability": _product(chances),
        }
    return found


def _product(chances: Sequence[float]) -> float | None:
    if not chances:
        return None
    return chances[0] if len(chances) == 1 else chances[0] * chances[1]
