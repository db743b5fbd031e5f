"""What a freeze would hold now, and what stands in its way. Reads the store and changes nothing.

| found | what it means |
|---|---|
| nothing is judged | it stops the freeze |
| an open flag says that a judged text shows an identifier | it stops the freeze: nobody could attest its absence |
| a pair waits for an adjudicator (`labeling.quality.disagreements`) | a warning |
| judged pairs whose item is held back or excluded | a warning: they are left out |
| agreement allows no release, or low stakes alone | a warning, with the reason |
| no pair is kept for audit | a warning: nothing measures the router on queries that it never saw |
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from core.errors import PreceptorError
from labeling.frozen.dataset import About, Dataset
from labeling.quality.disagreements import STEWARDS_FLAG, disagreements
from labeling.tables import FLAGS


@dataclass(frozen=True)
class Finding:
    """Something to know before freezing."""

    stops: bool
    sentence: str


def findings(connection: sa.Connection, dataset: Dataset) -> list[Finding]:
    """Everything in the way of freezing this content, and everything to know about it; stops first."""
    if not dataset.judgements:
        return [Finding(stops=True, sentence="No judgement stands, so there is nothing to freeze.")]
    about = dataset.about or About(data_class="deidentified", intended_use="")
    ids = {judged.pair.id for judged in dataset.pairs}
    n_identifiers = len([one for one in connection.execute(_flagged()) if one.pair_id in ids])
    n_waiting = sum(one.pair_id in ids for one in disagreements(connection))
    n_left_out = about.screening.n_left_out
    n_audit = sum(judged.is_audit for judged in dataset.pairs)
    releases_all = about.release.endswith("all stakes.")
    said = (
        (bool(n_identifiers), True, f"{n_identifiers} open flags say that a judged text shows an identifier."),
        (bool(n_waiting), False, f"{n_waiting} pairs wait for an adjudicator."),
        (bool(n_left_out), False, f"{n_left_out} judged pairs are left out: their items are held back or excluded."),
        (not releases_all, False, about.release),
        (not n_audit, False, "No pair is kept for audit, so nothing measures a router on queries that it never saw."),
    )
    return [Finding(stops, sentence) for applies, stops, sentence in said if applies and sentence]


def refuse_if_stopped(found: Sequence[Finding]) -> None:
    """Let the freeze through.

    Raises:
        PreceptorError: something stops it.
    """
    for finding in found:
        if finding.stops:
            raise PreceptorError(f"{finding.sentence} Resolve this, then freeze again.")


def _flagged() -> sa.Select[tuple[str]]:
    """Pairs of which an open flag says that they show an identifier."""
    return sa.select(FLAGS.c.pair_id).where(FLAGS.c.resolved_at.is_(None), FLAGS.c.kind == STEWARDS_FLAG)
