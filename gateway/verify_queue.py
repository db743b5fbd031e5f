"""Hands answers that did not pass `preceptor verify` to the experts' queue, where the row holds the strong answer too.

Their texts are kept in the store for that (`core.unresolved`); experts judge before they see what the checks said.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.errors import DataError
from core.reading import Row
from core.settings import RunSettings
from core.store import create_tables, open_store
from core.unresolved import CheckSaid, MachineVerdict, Unresolved, keep_unresolved
from verifiers.case import Case
from verifiers.chain import ChainVerdict, CheckOutcome

FIELD = "strong_answer"


def strong_answers(rows: Sequence[Row]) -> dict[str, str]:
    """The strong model's answer of each row that holds one, by the row's id.

    Raises:
        DataError: no row holds one, so nothing could be compared.
    """
    found = {str(values.get("id")): values[FIELD] for _, values in rows if isinstance(values.get(FIELD), str)}
    if not found:
        raise DataError(["no row has a text 'strong_answer'"], "Add it where an expert shall compare, or drop --queue.")
    return found


def queue_unpassed(
    settings: RunSettings,
    verdicts: Sequence[tuple[Case, ChainVerdict]],
    strong: Mapping[str, str],
    *,
    now: datetime,
) -> int:
    """Keep the answers that did not pass and can be compared; returns how many are new to the store."""
    rows = [
        Unresolved(
            id=case.query.id,
            query=case.query,
            weak=settings.pair.weak.name,
            strong=settings.pair.strong.name,
            weak_answer=case.answer,
            strong_answer=strong[case.query.id],
            said=MachineVerdict(
                verdict=verdict.outcome.value,
                checks=tuple(
                    CheckSaid(check=one.check, outcome=one.outcome.value, reason=one.reason) for one in verdict.results
                ),
            ),
        )
        for case, verdict in verdicts
        if verdict.outcome is not CheckOutcome.PASS and case.query.id in strong
    ]
    engine = open_store(settings.store_url)
    try:
        create_tables(engine)
        return keep_unresolved(engine, rows, origin="verify", now=now)
    finally:
        engine.dispose()
