"""Adjudication: someone who has not judged an item gives the last word on a pair of it.

The ruling, the flags that it resolves, its ledger event and its signature are one transaction; of two rulings at once
the second is refused. What the adjudicator sees stands in `labeling.quality.cases`.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from core.access import Act, Actor, Facts, require
from core.errors import PreceptorError
from core.fingerprint import of_json
from core.ledger import Detail, append_in
from core.moments import timestamp
from core.records import Stakes
from core.signatures import Meaning, sign
from core.store import writing
from labeling.content.identifiers import kinds_in_reason
from labeling.judging.ballots import FREE, MAX_REASON_CHARS, Ballot, Choice, check_ballot, in_pair_order, verdict_of
from labeling.quality.cases import is_swapped_for, judges_of, open_flags, pair_row
from labeling.quality.rulings import ErrorClass, Ruling, rulings_on
from labeling.tables import ADJUDICATIONS, FLAGS, GUIDELINES


@dataclass(frozen=True)
class Finding:
    """The last word, by the sides that its adjudicator saw."""

    pair_id: str
    edition: int
    choice: Choice
    left_acceptable: bool | None
    right_acceptable: bool | None
    reason: str
    error_class: ErrorClass


def adjudicate(
    engine: sa.Engine, finding: Finding, *, actor: Actor, signing_method: str | None = None, now: datetime
) -> Ruling:
    """Give the last word on a pair: the ruling, the flags that it resolves, its ledger event and its signature.

    Args:
        engine: the store.
        finding: what the adjudicator found.
        actor: the adjudicator.
        signing_method: how they have just shown that it is them; None leaves the ruling unsigned.
        now: the moment.

    Raises:
        AccessDenied: the policy forbids it, they judged the item themselves, or they may not sign.
        PreceptorError: the finding contradicts itself or lacks a part, or someone else ruled meanwhile.
    """
    _check(finding)
    try:
        with writing(engine) as connection:
            pair = pair_row(connection, finding.pair_id)
            require(Act.ADJUDICATE, actor, Facts(judges=judges_of(connection, pair.item_id)))
            if finding.edition != len(rulings_on(connection, finding.pair_id)):
                raise PreceptorError(_MEANWHILE)
            ruling = _ruling(connection, finding, actor, now)
            signature = None
            if signing_method is not None:
                record = ruling.signed_record
                signature = sign(
                    connection, actor.name, Meaning.RESPONSIBILITY, record=record, method=signing_method, now=now
                )
            values = {**ruling.model_dump(mode="json"), "signature_id": signature.id if signature else None}
            connection.execute(ADJUDICATIONS.insert().values(values))
            _resolve_flags(connection, ruling, actor, now)
            append_in(connection, actor.name, "adjudicate", ruling.id, ledger_details(ruling), now=now)
            return ruling
    except IntegrityError as taken:
        raise PreceptorError(_MEANWHILE) from taken


_MEANWHILE = "Someone else ruled on this pair meanwhile. Open it again to see what they found."


def _check(finding: Finding) -> None:
    reason = finding.reason.strip()
    if not reason or len(reason) > MAX_REASON_CHARS:
        raise PreceptorError(f"A ruling needs a reason of 1 to {MAX_REASON_CHARS} characters. Say what decided it.")
    if kinds := kinds_in_reason(reason):
        raise PreceptorError(
            f"The reason seems to hold a patient's {kinds[0].replace('_', ' ')}. Leave identifiers out of it."
        )
    ballot = Ballot("", 0, finding.choice, finding.left_acceptable, finding.right_acceptable, reason=reason)
    check_ballot(ballot, FREE, stakes=Stakes.LOW)  # whose stakes matter to needed reasons alone, and there is one
    is_preference = finding.choice in (Choice.LEFT_BETTER, Choice.RIGHT_BETTER)
    if is_preference and None in (finding.left_acceptable, finding.right_acceptable):
        raise PreceptorError("Say of both answers whether they are acceptable: this is what a ruling is for.")


def _ruling(connection: sa.Connection, finding: Finding, actor: Actor, now: datetime) -> Ruling:
    swapped = is_swapped_for(finding.pair_id, actor.name)
    implied = {Choice.BOTH_ACCEPTABLE: (True, True), Choice.NEITHER_ACCEPTABLE: (False, False)}
    given = (
        (None, None) if finding.choice is Choice.CANNOT_JUDGE else (finding.left_acceptable, finding.right_acceptable)
    )
    left, right = implied.get(finding.choice, given)
    first, second = in_pair_order(left, right, swapped=swapped)
    return Ruling(
        id=secrets.token_hex(12),
        pair_id=finding.pair_id,
        edition=finding.edition,
        by=actor.name,
        verdict=verdict_of(finding.choice, swapped=swapped),
        first_acceptable=first,
        second_acceptable=second,
        reason=finding.reason.replace("\r\n", "\n").strip(),
        error_class=finding.error_class,
        guideline_version=connection.execute(sa.select(sa.func.max(GUIDELINES.c.version))).scalar(),
        at=timestamp(now),
    )


def _resolve_flags(connection: sa.Connection, ruling: Ruling, actor: Actor, now: datetime) -> None:
    values = {"resolved_at": timestamp(now), "resolved_by": actor.name, "resolution": f"ruling {ruling.id}"}
    connection.execute(FLAGS.update().where(open_flags(ruling.pair_id)).values(values))


def ledger_details(ruling: Ruling) -> dict[str, Detail]:
    """What the ledger keeps of a ruling: all that counts, without the reason, which its hash stands for."""
    return {
        "pair": ruling.pair_id,
        "edition": ruling.edition,
        "verdict": str(ruling.verdict),
        "first_acceptable": ruling.first_acceptable,
        "second_acceptable": ruling.second_acceptable,
        "error_class": str(ruling.error_class),
        "guideline": ruling.guideline_version,
        "reason_sha256": of_json(ruling.reason),
    }
