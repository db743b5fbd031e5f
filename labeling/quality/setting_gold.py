"""Naming pairs whose right answer is known, from rows of a file: all rows or none.

| field of a row | meaning |
|---|---|
| `item` | id of the question; or `pair`, id of the pair |
| `models` | the two models, where the item has more than one pair |
| `verdict` | `both_acceptable`, `neither_acceptable`, `weak_better`, `strong_better`, or the name of the better model |
| `acceptable` | per model, or `weak` and `strong`: whether the answer may be released; optional |
| `explanation` | why; shown after a practice pair, so needed there |
| `kind` | `hidden`, `practice` or `qualification`; without it, what the command says |

A pair that anyone was offered, or that a drawing chose, cannot become one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.access import Act, Actor, require
from core.errors import DataError
from core.fingerprint import of_json
from core.ledger import append_in
from core.moments import timestamp
from core.reading import Row
from core.records import Verdict
from core.store import writing
from labeling.content.identifiers import kinds_in_reason
from labeling.queueing.places import refresh
from labeling.tables import ANSWERS, ASSIGNMENTS, GOLD, PAIRS, QUEUE

KINDS = ("hidden", "practice", "qualification")
STREAMS = {"hidden": "gold", "practice": "qualification", "qualification": "qualification"}
FIELDS = frozenset({"pair", "item", "models", "verdict", "acceptable", "explanation", "kind"})
IMPLIED = {Verdict.BOTH_ACCEPTABLE: True, Verdict.NEITHER_ACCEPTABLE: False}
NEXT_STEP = "Mend these rows (docs/labeling.md shows the form), then run the command again."


@dataclass(frozen=True)
class GoldReport:
    """How many pairs were set by kind, and how many stood so already."""

    n_set: Mapping[str, int]
    n_unchanged: int


@dataclass(frozen=True)
class _Pair:
    id: str
    first: str
    second: str
    weak: str | None
    strong: str | None
    stream: str
    is_offered: bool


class _Fault(Exception):
    """What is wrong with a row."""


def set_gold(engine: sa.Engine, rows: Sequence[Row], *, kind: str = "hidden", by: Actor, now: datetime) -> GoldReport:
    """Take the pairs that these rows name out of the work, and keep what is right about them.

    Args:
        engine: the store.
        rows: as the module's table has it.
        kind: of rows that name none.
        by: who says so; whoever may publish a guideline may.
        now: the moment.

    Raises:
        AccessDenied: the policy forbids it.
        DataError: a row is not understood, or its pair cannot be taken; nothing is changed then.
    """
    require(Act.PUBLISH_GUIDELINE, by)
    with writing(engine) as connection:
        found = [_understood(connection, row, kind) for row in rows]
        faults = [one for one in found if isinstance(one, str)]
        values = [one for one in found if not isinstance(one, str)]
        places: dict[str, str] = {}
        for row, one in zip(rows, found, strict=True):
            if not isinstance(one, str) and (first := places.setdefault(one["pair_id"], row.place)) != row.place:
                faults.append(f"{row.place}: {first} names the same pair")
        if faults or not rows:
            raise DataError(faults or ["the file holds no row"], NEXT_STEP)
        new = [one for one in values if not _stands_so(connection, one)]
        for one in new:
            connection.execute(GOLD.insert().values(**one, set_by=by.name, at=timestamp(now)))
            this = QUEUE.c.pair_id == one["pair_id"]
            connection.execute(QUEUE.update().where(this).values(stream=STREAMS[one["kind"]]))
        refresh(connection, [one["pair_id"] for one in new])
        n_set = {name: n for name in KINDS if (n := sum(one["kind"] == name for one in new))}
        if new:
            sha256 = of_json(sorted(new, key=lambda one: str(one["pair_id"])))
            append_in(connection, by.name, "gold.set", "gold", {**n_set, "content_sha256": sha256}, now=now)
    return GoldReport(n_set, len(values) - len(new))


def _understood(connection: sa.Connection, row: Row, kind: str) -> dict[str, Any] | str:
    """The row of `GOLD` that a row means, or what is wrong with it."""
    try:
        return _values(connection, row.values, kind)
    except _Fault as fault:
        return f"{row.place}: {fault}"


def _values(connection: sa.Connection, given: Mapping[str, Any], kind: str) -> dict[str, Any]:
    if unknown := sorted(set(given) - FIELDS):
        raise _Fault(f"'{unknown[0]}' is no field of such a row; there are {', '.join(sorted(FIELDS))}")
    pair = _pair(connection, given)
    kind = str(given.get("kind") or kind)
    if kind not in KINDS:
        raise _Fault(f"kind is '{kind}'; it is one of {', '.join(KINDS)}")
    verdict = _verdict(str(given.get("verdict") or ""), pair)
    first, second = _acceptable(given.get("acceptable"), pair)
    if verdict in IMPLIED:
        if (not IMPLIED[verdict]) in (first, second):
            raise _Fault(f"verdict '{verdict}' contradicts 'acceptable'")
        first = second = IMPLIED[verdict]
    explanation = str(given.get("explanation") or "").strip()
    if kind == "practice" and not explanation:
        raise _Fault("a practice pair needs an explanation: experts read it after they judged")
    if kinds := kinds_in_reason(explanation):
        raise _Fault(f"the explanation seems to hold a patient's {kinds[0].replace('_', ' ')}")
    values = {
        "pair_id": pair.id,
        "kind": kind,
        "verdict": str(verdict),
        "first_acceptable": first,
        "second_acceptable": second,
        "explanation": explanation,
    }
    if not _stands_so(connection, values):
        _refuse_taken(connection, pair)
    return values


def _pair(connection: sa.Connection, given: Mapping[str, Any]) -> _Pair:
    first, second = ANSWERS.alias("first"), ANSWERS.alias("second")
    offered = sa.exists().where(ASSIGNMENTS.c.pair_id == PAIRS.c.id)
    query = (
        sa.select(
            *(PAIRS.c.id, PAIRS.c.weak, PAIRS.c.strong, QUEUE.c.stream),
            *(first.c.model.label("first"), second.c.model.label("second"), offered.label("is_offered")),
        )
        .join(first, first.c.id == PAIRS.c.first_answer_id)
        .join(second, second.c.id == PAIRS.c.second_answer_id)
        .join(QUEUE, QUEUE.c.pair_id == PAIRS.c.id)
    )
    if given.get("pair"):
        rows, what = connection.execute(query.where(PAIRS.c.id == str(given["pair"]))).all(), f"pair '{given['pair']}'"
    elif given.get("item"):
        rows, what = (
            connection.execute(query.where(PAIRS.c.item_id == str(given["item"]))).all(),
            f"item '{given['item']}'",
        )
    else:
        raise _Fault("the row names neither an item nor a pair")
    models = given.get("models")
    if isinstance(models, str):
        models = [name.strip() for name in models.split(",")]
    if models:
        rows = [row for row in rows if {row.first, row.second} == set(models)]
        what += f" with the models {', '.join(models)}"
    if len(rows) != 1:
        raise _Fault(f"the store has {len(rows) or 'no'} pairs of {what}" + ("; name the models" if rows else ""))
    (row,) = rows
    return _Pair(row.id, row.first, row.second, row.weak, row.strong, row.stream, bool(row.is_offered))


def _verdict(said: str, pair: _Pair) -> Verdict:
    if said in IMPLIED:
        return Verdict(said)
    tiers = {"weak_better": pair.weak, "strong_better": pair.strong}
    better = tiers.get(said, said)
    if better == pair.first:
        return Verdict.FIRST_BETTER
    if better == pair.second:
        return Verdict.SECOND_BETTER
    raise _Fault(
        f"verdict is '{said}'; it is both_acceptable, neither_acceptable, weak_better, strong_better, "
        f"'{pair.first}' or '{pair.second}'"
    )


def _acceptable(given: object, pair: _Pair) -> tuple[bool | None, bool | None]:
    if not given:
        return None, None
    names = {"weak": pair.weak, "strong": pair.strong, pair.first: pair.first, pair.second: pair.second}
    if not isinstance(given, Mapping) or not all(isinstance(value, bool) for value in given.values()):
        raise _Fault("'acceptable' is not an object of model: true or false")
    marks = {names.get(str(name)): bool(value) for name, value in given.items()}
    if None in marks:
        raise _Fault(f"'acceptable' names a model that is neither '{pair.first}' nor '{pair.second}'")
    return marks.get(pair.first), marks.get(pair.second)


def _refuse_taken(connection: sa.Connection, pair: _Pair) -> None:
    if connection.execute(sa.select(GOLD.c.pair_id).where(GOLD.c.pair_id == pair.id)).first():
        raise _Fault("what is right about this pair was set before, and differs; it is never changed")
    if pair.is_offered:
        raise _Fault("the pair was judged by an expert or is in hand; choose one that nobody was offered")
    if pair.stream in ("audit", "active", "human"):
        raise _Fault(f"a drawing chose the pair for the {pair.stream} stream; choose another")


def _stands_so(connection: sa.Connection, values: Mapping[str, Any]) -> bool:
    row = connection.execute(sa.select(GOLD).where(GOLD.c.pair_id == values["pair_id"])).first()
    return row is not None and all(row._mapping[name] == value for name, value in values.items())
