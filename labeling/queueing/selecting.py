"""Drawings of waiting items into the audit stream and the active stream, each with its inclusion probabilities.

| stream | drawn | what for |
|---|---|---|
| audit | at random, every item with the same chance, at most one of those that are tied | figures; never trained on |
| active | by score (`queueing.scoring`) with a uniform floor | training, weighted by 1 / inclusion probability |

A drawing is a row of its own with policy, seed and counts, and an event of the ledger. Items chosen once are never
drawn again; an item that is tied to one of the audit is never drawn into the active stream.
"""

import json
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float, Int
from sqlalchemy.exc import IntegrityError

from assurance.sampling import inclusion_probabilities, proportional_probabilities, systematic_draw
from core.access import Act, Actor, require
from core.errors import PreceptorError
from core.ledger import Detail, append_in
from core.signals import read_signals
from core.store import writing
from labeling.queueing.places import LOOKUP_ROWS, refresh
from labeling.queueing.same_answers import same_answer_items
from labeling.queueing.scoring import missing, score
from labeling.queueing.waiting import Waiting, parts_of, twins_of, waiting
from labeling.tables import PAIRS, QUEUE, SELECTED, SELECTIONS
from web.sessions import timestamp

CHOSEN_PRIORITY = 1.0
"""Pairs of both streams come before plain ones and, mixed, in the order of their hashes: nobody sees which is which."""

TEMPERATURE = 0.15
"""Score difference that makes an item e times as likely to be drawn into the active stream."""

UNIFORM_FLOOR = 0.2
"""Share of the active stream that is drawn whatever the score."""


@dataclass(frozen=True)
class Request:
    """How many items are asked for, with which seed, and by how many experts each chosen pair is judged.

    `wanted` None leaves the number that was set at import.
    """

    n: int
    seed: int
    wanted: int | None = None


@dataclass(frozen=True)
class Drawing:
    """A drawing that was made; `remarks` say what it does not stand for or could not use."""

    id: str
    stream: str
    n_candidates: int
    n_chosen: int
    reasons: Mapping[str, int]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Chosen:
    """The chosen items' places among the candidates, and per chosen item its score, chance and reason."""

    stream: str
    places: Int[np.ndarray, " k"]
    scores: Float[np.ndarray, " k"]
    inclusion_p: Float[np.ndarray, " k"]
    reasons: Sequence[str]
    policy: Mapping[str, object]
    remarks: tuple[str, ...]


def select_audit(engine: sa.Engine, request: Request, *, actor: Actor, now: datetime) -> Drawing:
    """Draw items into the audit stream, each waiting item with the same chance; of tied items at most one.

    Where tied items are more than one nth of all, one of them is drawn for sure, and the lower chance that each of
    them has is stored.

    Raises:
        AccessDenied: the actor may not select.
        PreceptorError: nothing waits, fewer than one item is asked for, or another drawing was quicker.
    """
    require(Act.SELECT_QUEUE, actor)
    found = _candidates(engine, request)
    return _keep(engine, request, found, _draw_audit(found, request), actor=actor, now=now)


def select_active(engine: sa.Engine, request: Request, *, actor: Actor, now: datetime) -> Drawing:
    """Draw items into the active stream by the policy of `queueing.scoring`, from the signals in the store.

    Items whose answers say the same are left out: nobody needs to judge them (`queueing.same_answers`).

    Raises:
        AccessDenied: the actor may not select.
        PreceptorError: nothing waits, no waiting item has a signal, or another drawing was quicker.
    """
    require(Act.SELECT_QUEUE, actor)
    found = _candidates(engine, request)
    with engine.connect() as connection:
        asked = found.without(same_answer_items(connection))
    if not len(asked):
        raise PreceptorError(
            f"Each of the {len(found)} waiting items has two answers that say the same, so no expert is needed. "
            "Write them down: preceptor label ties --output ties.jsonl."
        )
    return _keep(engine, request, asked, _draw_active(engine, found, asked, request), actor=actor, now=now)


def _candidates(engine: sa.Engine, request: Request) -> Waiting:
    if request.n < 1:
        raise PreceptorError(f"{request.n} items are asked for. Ask for at least one.")
    with engine.connect() as connection:
        found = waiting(connection)
    if not len(found):
        raise PreceptorError(
            f"No item waits to be chosen ({found.n_barred} are tied to items of the audit). "
            "Import more: preceptor label import FILE."
        )
    return found


def _draw_audit(found: Waiting, request: Request) -> _Chosen:
    rng = np.random.default_rng(request.seed)
    knot = np.unique(found.knots, return_inverse=True)[1].ravel()
    sizes = np.bincount(knot)
    of_knot = proportional_probabilities(sizes.astype(np.float64), request.n)
    drawn = systematic_draw(of_knot, rng=rng)
    # Shuffled, the first item of each knot is a random one of it.
    order = rng.permutation(len(knot))
    first = order[np.unique(knot[order], return_index=True)[1]]
    remarks = []
    if found.n_chosen_by_score:
        remarks.append(
            f"{found.n_chosen_by_score} items had been chosen by score before; this audit stands for the others alone."
        )
    if len(drawn) < request.n:
        remarks.append(f"{request.n} items were asked for; there are {len(drawn)} that are not tied to each other.")
    return _Chosen(
        stream="audit",
        places=first[drawn],
        scores=np.zeros(len(drawn)),
        inclusion_p=of_knot[drawn] / sizes[drawn],
        reasons=["random"] * len(drawn),
        policy={"policy": "audit 1"},
        remarks=tuple(remarks),
    )


def _draw_active(engine: sa.Engine, waiting_items: Waiting, found: Waiting, request: Request) -> _Chosen:
    with engine.connect() as connection:
        signals = read_signals(connection)
    parts, n_signals = parts_of(found, signals)
    if not n_signals:
        raise PreceptorError(
            f"None of the {len(found)} items that wait has a signal of a router. Run: preceptor prioritise CONFIG."
        )
    twins, n_known_twins = twins_of(found)
    scored = score(parts, twins=twins, n_known_twins=n_known_twins)
    chance = inclusion_probabilities(scored.scores, request.n, temperature=TEMPERATURE, uniform_floor=UNIFORM_FLOOR)
    places = systematic_draw(chance, rng=np.random.default_rng(request.seed))
    remarks = []
    if n_same := len(waiting_items) - len(found):
        remarks.append(
            f"{n_same} items have two answers that say the same and need no expert; train on them as ties: "
            "preceptor label ties --output ties.jsonl."
        )
    if absent := missing(parts):
        shared = ", ".join(f"{name} {weight:.2f}" for name, weight in scored.weights.items())
        remarks.append(f"Not measured: {', '.join(absent)}; the weights in force are {shared}.")
    if n_signals < len(found):
        remarks.append(f"{len(found) - n_signals} of {len(found)} items have no signal and count as average ones.")
    if found.n_barred:
        remarks.append(f"{found.n_barred} items are tied to items of the audit and were left out.")
    return _Chosen(
        stream="active",
        places=places,
        scores=scored.scores[places],
        inclusion_p=chance[places],
        reasons=[scored.reasons(int(place)) for place in places],
        policy={
            "policy": "active 1, answers that differ",
            "weights": {name: str(round(weight, 4)) for name, weight in scored.weights.items()},
            "temperature": str(TEMPERATURE),
            "uniform_floor": str(UNIFORM_FLOOR),
            "bundles": sorted({signal.bundle for signal in signals.values()}),
        },
        remarks=tuple(remarks),
    )


def _keep(
    engine: sa.Engine, request: Request, found: Waiting, chosen: _Chosen, *, actor: Actor, now: datetime
) -> Drawing:
    drawing = Drawing(
        id=secrets.token_hex(12),
        stream=chosen.stream,
        n_candidates=len(found),
        n_chosen=len(chosen.places),
        reasons=dict(Counter(chosen.reasons).most_common()),
        remarks=chosen.remarks,
    )
    items = [found.item_ids[place] for place in chosen.places.tolist()]
    columns = zip(items, chosen.scores.tolist(), chosen.inclusion_p.tolist(), chosen.reasons, strict=True)
    rows = [
        {"item_id": item, "selection_id": drawing.id, "score": value, "inclusion_probability": chance, "reason": reason}
        for item, value, chance, reason in columns
    ]
    facts: dict[str, Detail] = {
        "stream": chosen.stream,
        "policy": json.dumps(chosen.policy, sort_keys=True),
        "seed": request.seed,
        "n_candidates": drawing.n_candidates,
        "n_chosen": drawing.n_chosen,
    }
    try:
        with writing(engine) as connection:
            connection.execute(SELECTIONS.insert().values(id=drawing.id, by=actor.name, at=timestamp(now), **facts))
            connection.execute(SELECTED.insert(), rows)
            _move(connection, items, stream=chosen.stream, wanted=request.wanted)
            append_in(connection, actor.name, "queue.select", drawing.id, facts, now=now)
    except IntegrityError as error:
        raise PreceptorError("Another drawing took some of these items meanwhile. Draw again.") from error
    return drawing


def _move(connection: sa.Connection, item_ids: Sequence[str], *, stream: str, wanted: int | None) -> None:
    changes: dict[str, object] = {"stream": stream, "priority": CHOSEN_PRIORITY}
    if wanted is not None:
        changes["wanted"] = wanted
    for start in range(0, len(item_ids), LOOKUP_ROWS):
        piece = item_ids[start : start + LOOKUP_ROWS]
        pairs = list(connection.execute(sa.select(PAIRS.c.id).where(PAIRS.c.item_id.in_(piece))).scalars())
        connection.execute(QUEUE.update().where(QUEUE.c.pair_id.in_(pairs)).values(changes))
        refresh(connection, pairs)
