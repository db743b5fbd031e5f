"""How often experts overruled the recheck, worked out from their blind judgements of what it could not settle.

Each pair counts once, with its first judgement that was given before its expert saw what the checks had said; taking
that one back later, having seen it, does not undo it here.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from assurance.overrides import Overrides, Reviewed, overrides
from core.unresolved import UNRESOLVED, machine_verdicts
from labeling.tables import ANSWERS, JUDGEMENTS, PAIRS, RETRACTIONS, REVEALS

NOT_CHECKED = "not_checked"
"""The verdict of an answer that no check saw: there is nothing to overrule."""


@dataclass(frozen=True)
class Overruling:
    """The counts, with pairs that were left out: no check saw them, or no expert said whether to release the answer."""

    overrides: Overrides
    n_not_checked: int
    n_not_said: int


def overruling(connection: sa.Connection) -> Overruling:
    """The counts as of now."""
    first: dict[str, bool | None] = {}
    for row in connection.execute(_blind_judgements()):
        is_first = row.first_model == row.weak
        accepts = row.first_acceptable if is_first else row.second_acceptable
        if first.get(row.pair_id) is None:
            first[row.pair_id] = accepts
    verdicts = machine_verdicts(connection, first)
    reviewed, n_not_checked, n_not_said = [], 0, 0
    for pair, accepts in first.items():
        said = verdicts[pair]
        if said.verdict == NOT_CHECKED:
            n_not_checked += 1
        elif accepts is None:
            n_not_said += 1
        else:
            objections = tuple(dict.fromkeys(one.check for one in said.checks if one.outcome != "pass"))
            reviewed.append(Reviewed(said.passed, accepts, objections))
    return Overruling(overrides(reviewed), n_not_checked, n_not_said)


def _blind_judgements() -> sa.Select[tuple[str, str, str, bool, bool]]:
    """Judgements of work on unresolved pairs that stand, or that were taken back once the checks' word was shown."""
    stands = ~sa.exists().where(RETRACTIONS.c.judgement_id == JUDGEMENTS.c.id)
    was_shown = sa.exists().where(REVEALS.c.judgement_id == JUDGEMENTS.c.id)
    unresolved = sa.exists().where(UNRESOLVED.c.pair_id == JUDGEMENTS.c.pair_id)
    return (
        sa.select(
            JUDGEMENTS.c.pair_id,
            PAIRS.c.weak,
            ANSWERS.c.model.label("first_model"),
            JUDGEMENTS.c.first_acceptable,
            JUDGEMENTS.c.second_acceptable,
        )
        .join(PAIRS, PAIRS.c.id == JUDGEMENTS.c.pair_id)
        .join(ANSWERS, ANSWERS.c.id == PAIRS.c.first_answer_id)
        .where(unresolved, JUDGEMENTS.c.purpose == "work", PAIRS.c.weak.is_not(None), sa.or_(stands, was_shown))
        .order_by(JUDGEMENTS.c.at, JUDGEMENTS.c.id)
    )
