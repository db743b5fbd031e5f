"""The items that wait for a stream: shown, chosen by no drawing and taken by nobody, with what is known of them.

Items that share their group (one claim, one patient) or their normalised text are tied: they never part in a split, so
the audit takes one of them and bars the others from training.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.fingerprint import normalised_text
from core.items import ITEMS, SHOWN_STATES
from core.records import Stakes, conversation_text, messages_of
from core.signals import Signal
from labeling.content.near_duplicates import near_pairs, shingles_of
from labeling.queueing.scoring import Parts, band
from labeling.tables import PAIRS, QUEUE, SELECTED, SELECTIONS


@dataclass(frozen=True)
class Waiting:
    """Items that may be drawn, in order of id; n of them."""

    item_ids: tuple[str, ...]
    texts: tuple[str, ...]
    knots: Int[np.ndarray, " n"]
    """Items of one number are tied."""
    is_high_stakes: Bool[np.ndarray, " n"]
    n_barred: int
    """Untouched items left out because they are tied to one of the audit."""
    n_chosen_by_score: int
    """Items that the active stream took before: a random draw from here does not stand for them."""
    known_texts: tuple[str, ...]
    """Texts of items that were judged, taken or chosen already."""

    def __len__(self) -> int:
        return len(self.item_ids)

    def without(self, item_ids: frozenset[str]) -> "Waiting":
        """The same without some of the items."""
        kept = [n for n, item_id in enumerate(self.item_ids) if item_id not in item_ids]
        return replace(
            self,
            item_ids=tuple(self.item_ids[n] for n in kept),
            texts=tuple(self.texts[n] for n in kept),
            knots=self.knots[kept],
            is_high_stakes=self.is_high_stakes[kept],
        )


def waiting(connection: sa.Connection) -> Waiting:
    """What may be drawn now."""
    # An item stands in a stream by its pairs; what is no longer plain, or was taken by someone, does not wait.
    touched = sa.func.sum(sa.case((sa.or_(QUEUE.c.n_taken > 0, QUEUE.c.stream != "plain"), 1), else_=0))
    standing = (
        sa.select(PAIRS.c.item_id, touched.label("touched"))
        .join(QUEUE, QUEUE.c.pair_id == PAIRS.c.id)
        .group_by(PAIRS.c.item_id)
        .subquery()
    )
    rows = connection.execute(
        sa.select(
            ITEMS.c.id,
            ITEMS.c.messages,
            ITEMS.c.group_key,
            ITEMS.c.stakes,
            ITEMS.c.phi_state,
            standing.c.touched,
            SELECTIONS.c.stream,
        )
        .join(standing, standing.c.item_id == ITEMS.c.id)
        .outerjoin(SELECTED, SELECTED.c.item_id == ITEMS.c.id)
        .outerjoin(SELECTIONS, SELECTIONS.c.id == SELECTED.c.selection_id)
        .order_by(ITEMS.c.id)
    ).all()
    texts = [conversation_text(messages_of(json.loads(row.messages))) for row in rows]
    knots = ties(texts, [row.group_key for row in rows])
    is_free = np.array(
        [row.phi_state in SHOWN_STATES and not row.touched and row.stream is None for row in rows], dtype=bool
    )
    audited = np.isin(knots, knots[np.array([row.stream == "audit" for row in rows], dtype=bool)])
    chosen = np.flatnonzero(is_free & ~audited).tolist()
    return Waiting(
        item_ids=tuple(rows[i].id for i in chosen),
        texts=tuple(texts[i] for i in chosen),
        knots=knots[chosen],
        is_high_stakes=np.array([Stakes(rows[i].stakes).is_high for i in chosen], dtype=bool),
        n_barred=int(np.sum(is_free & audited)),
        n_chosen_by_score=sum(row.stream == "active" for row in rows),
        known_texts=tuple(texts[i] for i in np.flatnonzero(~is_free).tolist()),
    )


def parts_of(found: Waiting, signals: Mapping[str, Signal]) -> tuple[Parts, int]:
    """What is known of the waiting items, as the score's parts, and how many of them have a signal."""
    rows = [signals.get(item_id) for item_id in found.item_ids]

    def column(name: str) -> Float[np.ndarray, " n"]:
        values = (None if row is None else getattr(row, name) for row in rows)
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    parts = Parts(
        band=band(column("probability"), column("threshold")),
        disagreement=column("disagreement"),
        conflict=column("verifier_conflict"),
        novelty=column("novelty"),
        stakes=found.is_high_stakes.astype(np.float64),
    )
    return parts, sum(row is not None for row in rows)


def twins_of(found: Waiting) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Per waiting item a number that it shares with its near-duplicates, and how many of the items known are such."""
    n = len(found)
    pairs = near_pairs([shingles_of(text) for text in (*found.texts, *found.known_texts)])
    inside = [(pair.first, pair.second) for pair in pairs if pair.second < n]
    edges = coo_array(
        (np.ones(len(inside), dtype=np.int8), tuple(np.array(inside, dtype=np.int64).reshape(-1, 2).T)), shape=(n, n)
    )
    twins = connected_components(edges, directed=False)[1]
    n_known = np.bincount([pair.first for pair in pairs if pair.first < n <= pair.second], minlength=n)
    return np.asarray(twins, dtype=np.int64), np.asarray(n_known, dtype=np.int64)


def ties(texts: Sequence[str], groups: Sequence[str | None]) -> Int[np.ndarray, " n"]:
    """Per item a number that it shares with those it is tied to, by normalised text or by group, chains included.

    >>> ties(["a", "B.", "b", "c"], [None, "g", None, "g"]).tolist()
    [0, 1, 1, 1]
    """
    places: dict[Hashable, int] = {}
    item, place = [], []
    for i, (text, group) in enumerate(zip(texts, groups, strict=True)):
        for key in (("text", normalised_text(text)), ("group", group) if group else None):
            if key is not None:
                item.append(i)
                place.append(len(texts) + places.setdefault(key, len(places)))
    size = len(texts) + len(places)
    edges = coo_array((np.ones(len(item), dtype=np.int8), (item, place)), shape=(size, size))
    return np.asarray(connected_components(edges, directed=False)[1][: len(texts)], dtype=np.int64)
