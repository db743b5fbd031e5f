"""The standing judgements as columns of numbers, so that fifty thousand of them are worked through in a moment.

Codes count from 0 and index the lists beside them; -1 is none. Reads the store and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa
from jaxtyping import Bool, Float, Int

from core.items import ITEMS
from core.records import QUALITIES, Verdict
from labeling.judging.revealing import AFTER_REVEAL
from labeling.tables import ANSWERS, JUDGEMENTS, PAIRS, stands

VERDICTS = tuple(Verdict)
"""Verdicts in the order of their codes."""

CANNOT = VERDICTS.index(Verdict.CANNOT_JUDGE)
PURPOSES = ("work", "gold", "repeat", "qualification", AFTER_REVEAL)
PLAIN_STRENGTH = 2
"""A preference without a strength counts as *clearly*, the middle one."""

_VERDICT_CODE = {str(verdict): code for code, verdict in enumerate(VERDICTS)}
_PURPOSE_CODE = {name: code for code, name in enumerate(PURPOSES)}
_MARK = {None: -1, False: 0, True: 1}
_IMPLIED = np.array([QUALITIES.get(verdict, (-1, -1)) for verdict in VERDICTS], dtype=np.int64)


@dataclass(frozen=True)
class Labels:
    """n judgements as columns, and what their codes stand for."""

    pairs: Sequence[str]
    experts: Sequence[str]
    strata: Sequence[str]
    pair: Int[np.ndarray, " n"]
    expert: Int[np.ndarray, " n"]
    verdict: Int[np.ndarray, " n"]
    """Codes of `VERDICTS`, in the pair's canonical order."""
    strength: Int[np.ndarray, " n"]
    """1 to 3; 0 where none was given."""
    marks: Int[np.ndarray, "n 2"]
    """Whether the first and the second answer were marked acceptable: 1, 0, or -1 for no mark."""
    swapped: Bool[np.ndarray, " n"]
    purpose: Int[np.ndarray, " n"]
    guideline: Int[np.ndarray, " n"]
    """Version of the guideline; 0 before the first."""
    active_s: Float[np.ndarray, " n"]
    """Seconds at work; NaN where they were not measured."""
    day: Sequence[str]
    """Day of each judgement, in UTC."""
    stratum_of_pair: Int[np.ndarray, " p"]
    first_is_strong: Int[np.ndarray, " p"]
    """1 where the first answer is the strong model's, 0 where it is the weak one's, -1 where nobody said."""

    def __len__(self) -> int:
        return len(self.pair)

    @property
    def work(self) -> "Labels":
        """Those that count: no hidden gold, no repeat, no qualification."""
        return self.where(self.purpose == 0)

    @property
    def qualities(self) -> Int[np.ndarray, "n 2"]:
        """Whether each answer is acceptable by each judgement, as `Judgement.qualities` has it; -1 cannot judge."""
        implied = _IMPLIED[self.verdict]
        return np.where((self.marks >= 0) & (implied >= 0), self.marks, implied)

    @property
    def signed_strength(self) -> Int[np.ndarray, " n"]:
        """3 where the first answer is much better to -3 where the second is, shifted to 6..0; both acceptable is 3.

        *Neither acceptable* and *cannot judge* have no place on this scale: -1.
        """
        size = np.where(self.strength > 0, self.strength, PLAIN_STRENGTH)
        side = np.array([1, -1, 0, 0, 0])[self.verdict]
        is_on_scale = (self.verdict != CANNOT) & (self.verdict != VERDICTS.index(Verdict.NEITHER_ACCEPTABLE))
        return np.where(is_on_scale, 3 + side * size, -1)

    def by_tier(self, verdict: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """These verdicts with the strong answer first; the pair's first where nobody said which that is."""
        other = np.array([1, 0, 2, 3, 4])[verdict]
        return np.where((self.first_is_strong[self.pair] == 0) & (verdict >= 0), other, verdict)

    @property
    def stratum(self) -> Int[np.ndarray, " n"]:
        """Stratum of each judgement's pair."""
        return np.asarray(self.stratum_of_pair[self.pair])

    def where(self, kept: Bool[np.ndarray, " n"]) -> "Labels":
        """These judgements alone; codes keep their meaning."""
        days = [day for day, is_kept in zip(self.day, kept.tolist(), strict=True) if is_kept]
        columns = ("pair", "expert", "verdict", "strength", "marks", "swapped", "purpose", "guideline", "active_s")
        return replace(self, day=days, **{name: getattr(self, name)[kept] for name in columns})

    def slots(self, values: Int[np.ndarray, " n"]) -> Int[np.ndarray, "p k"]:
        """The values of each pair's judgements, one pair a row, -1 where there is none.

        A row is in order of expert, not a column an expert: enough for every figure that does not name experts.
        """
        told = np.flatnonzero(values >= 0)
        order = told[np.lexsort((self.expert[told], self.pair[told]))]
        pair = self.pair[order]
        start = np.searchsorted(pair, pair)
        place = np.arange(len(order)) - start
        table = np.full((len(self.pairs), int(place.max(initial=-1)) + 1), -1, dtype=np.int64)
        table[pair, place] = values[order]
        return table


def read_labels(connection: sa.Connection) -> Labels:
    """All standing judgements of whatever purpose, in no particular order."""
    columns = (
        *(JUDGEMENTS.c.pair_id, JUDGEMENTS.c.expert, JUDGEMENTS.c.verdict, JUDGEMENTS.c.strength),
        *(JUDGEMENTS.c.first_acceptable, JUDGEMENTS.c.second_acceptable, JUDGEMENTS.c.swapped, JUDGEMENTS.c.purpose),
        *(JUDGEMENTS.c.guideline_version, JUDGEMENTS.c.active_ms, JUDGEMENTS.c.at),
    )
    rows = connection.execute(sa.select(*columns).where(stands())).all()
    by_column: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    pair_ids, experts, verdicts, strengths, first, second, swapped, purposes, versions, active, at = by_column
    pairs, pair = _coded(pair_ids)
    names, expert = _coded(experts)
    strata, stratum_of_pair, first_is_strong = _about_pairs(connection, pairs)
    marks = np.array([[_MARK[one] for one in first], [_MARK[one] for one in second]], dtype=np.int64).T
    return Labels(
        pairs=pairs,
        experts=names,
        strata=strata,
        pair=pair,
        expert=expert,
        verdict=np.array([_VERDICT_CODE[one] for one in verdicts], dtype=np.int64),
        strength=np.array([one or 0 for one in strengths], dtype=np.int64),
        marks=marks.reshape(-1, 2),
        swapped=np.array(swapped, dtype=bool),
        purpose=np.array([_PURPOSE_CODE[one] for one in purposes], dtype=np.int64),
        guideline=np.array([one or 0 for one in versions], dtype=np.int64),
        active_s=np.array([np.nan if one is None else one / 1000 for one in active], dtype=np.float64),
        day=[moment[:10] for moment in at],
        stratum_of_pair=stratum_of_pair,
        first_is_strong=first_is_strong,
    )


def _coded(values: Sequence[str]) -> tuple[list[str], Int[np.ndarray, " n"]]:
    """The values in order, and each one's place there.

    >>> _coded(["b", "a", "b"])[1].tolist()
    [1, 0, 1]
    """
    known = sorted(set(values))
    place = {value: code for code, value in enumerate(known)}
    return known, np.array([place[value] for value in values], dtype=np.int64)


def _about_pairs(
    connection: sa.Connection, pairs: Sequence[str]
) -> tuple[list[str], Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """Strata, the stratum of each pair, and whether its first answer is the strong model's."""
    judged = sa.select(JUDGEMENTS.c.pair_id)
    rows = connection.execute(
        sa.select(
            *(PAIRS.c.id, PAIRS.c.strong, ANSWERS.c.model),
            sa.func.coalesce(ITEMS.c.stratum, ITEMS.c.domain + "/" + ITEMS.c.stakes).label("stratum"),
        )
        .join(ITEMS, ITEMS.c.id == PAIRS.c.item_id)
        .join(ANSWERS, ANSWERS.c.id == PAIRS.c.first_answer_id)
        .where(PAIRS.c.id.in_(judged))
    ).all()
    of_pair = {row.id: row for row in rows}
    found = [of_pair[pair] for pair in pairs]
    strata, stratum = _coded([row.stratum for row in found])
    strong = [-1 if row.strong is None else int(row.strong == row.model) for row in found]
    return strata, stratum, np.array(strong, dtype=np.int64)
