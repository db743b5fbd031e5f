"""Rulings: the last word on a pair by someone who had not judged it. A later edition stands above an earlier one."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from core.fingerprint import of_json
from core.records import Judgement, Name, Record, Verdict
from core.signatures import SignedRecord
from labeling.tables import ADJUDICATIONS

RULING_KIND = "adjudication"
"""The kind of record that a signature under a ruling names."""


class ErrorClass(StrEnum):
    """Why experts did not agree."""

    AMBIGUOUS = "ambiguous"
    GUIDELINE_GAP = "guideline_gap"
    SLIP = "slip"
    TRUE_DIFFERENCE = "true_difference"


class Ruling(Record):
    """One edition of the last word on a pair, in canonical order."""

    id: Name
    pair_id: Name
    edition: int
    by: Name
    verdict: Verdict
    first_acceptable: bool | None
    second_acceptable: bool | None
    reason: str
    error_class: ErrorClass
    guideline_version: int | None
    at: str

    @property
    def qualities(self) -> tuple[float, float] | None:
        """Quality of the first and of the second answer, by the rule of `Judgement.qualities`."""
        return Judgement(
            id=self.id,
            pair_id=self.pair_id,
            expert=self.by,
            verdict=self.verdict,
            first_acceptable=self.first_acceptable,
            second_acceptable=self.second_acceptable,
            reason=self.reason,
            at=datetime.fromisoformat(self.at),
        ).qualities

    @property
    def signed_record(self) -> SignedRecord:
        """What a signature under this ruling is bound to."""
        return SignedRecord(RULING_KIND, self.id, of_json(self.model_dump(mode="json")))


def last_rulings(connection: sa.Connection) -> dict[str, Ruling]:
    """The ruling that stands on each pair that has one."""
    # In order of edition, the last one read is the one that is kept.
    rows = connection.execute(sa.select(ADJUDICATIONS).order_by(ADJUDICATIONS.c.pair_id, ADJUDICATIONS.c.edition))
    return {row.pair_id: ruling_of(row) for row in rows}


def rulings_on(connection: sa.Connection, pair_id: str) -> list[Ruling]:
    """All editions on a pair, the one that stands last."""
    query = sa.select(ADJUDICATIONS).where(ADJUDICATIONS.c.pair_id == pair_id).order_by(ADJUDICATIONS.c.edition)
    return [ruling_of(row) for row in connection.execute(query)]


def ruling_of(row: sa.Row[Any]) -> Ruling:
    """The ruling that a row of `ADJUDICATIONS` holds."""
    return Ruling(**{name: row._mapping[name] for name in Ruling.model_fields})
