"""What a freeze would hold now, and what stands in its way. Reads the store and changes nothing.

| found | what it means |
|---|---|
| nothing is judged | it stops the freeze |
| an open flag says that a judged text shows an identifier | it stops the freeze: nobody could attest its absence |
| experts contradict each other on a pair and nobody has ruled | a warning |
| another open flag on a judged pair | a warning |
| judged pairs whose item is held back or excluded | a warning: they are left out |
| agreement allows no release, or low stakes alone | a warning, with the reason |
| no pair is kept for audit | a warning: nothing measures the router on queries that it never saw |
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from core.errors import PreceptorError
from core.records import Judgement
from labeling.frozen.dataset import About, Dataset
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
    flags = [row.kind for row in connection.execute(_open_flags()) if row.pair_id in ids]
    n_identifiers, n_split = flags.count("identifier"), len(contradicted(dataset))
    n_other, n_left_out = len(flags) - n_identifiers, about.screening.n_left_out
    n_audit = sum(judged.is_audit for judged in dataset.pairs)
    releases_all = about.release.endswith("all stakes.")
    said = (
        (bool(n_identifiers), True, f"{n_identifiers} open flags say that a judged text shows an identifier."),
        (bool(n_split), False, f"Experts contradict each other on {n_split} pairs, and nobody has ruled on them."),
        (bool(n_other), False, f"{n_other} other flags on judged pairs are open."),
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


def contradicted(dataset: Dataset) -> list[str]:
    """Ids of pairs without a ruling on which two experts gave an answer different qualities."""
    said: dict[str, set[tuple[float, float]]] = {}
    for judgement in dataset.judgements:
        _add(said, judgement)
    ruled = dataset.ruling_by_pair()
    return sorted(pair_id for pair_id, qualities in said.items() if len(qualities) > 1 and pair_id not in ruled)


def _add(said: dict[str, set[tuple[float, float]]], judgement: Judgement) -> None:
    if judgement.qualities is not None:
        said.setdefault(judgement.pair_id, set()).add(judgement.qualities)


def _open_flags() -> sa.Select[tuple[str, str]]:
    return sa.select(FLAGS.c.pair_id, FLAGS.c.kind).where(FLAGS.c.resolved_at.is_(None))
