"""Flags: an expert says that something is wrong with a pair itself, beside or instead of judging it.

A flag that says an identifier can be read holds the item back at once, from everyone. The ledger keeps the kind of a
flag and a hash of its words, never the words.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from core.errors import PreceptorError
from core.fingerprint import of_json
from core.items import ITEMS, may_be_shown
from core.ledger import Detail, append_in
from core.moments import timestamp
from core.store import writing
from labeling.content.identifiers import kinds_in_reason
from labeling.judging.assignments import own_assignment
from labeling.queueing.places import refresh_item
from labeling.tables import FLAGS

MAX_FLAG_CHARS = 1000


class FlagKind(StrEnum):
    """What is wrong with a pair."""

    IDENTIFIER = "identifier"
    SAFETY = "safety"
    GUIDELINE_GAP = "guideline_gap"
    MISSING_CONTEXT = "missing_context"
    OTHER = "other"


FLAG_LABELS = {
    FlagKind.IDENTIFIER: "A person can be identified",
    FlagKind.SAFETY: "An answer is dangerous",
    FlagKind.GUIDELINE_GAP: "The guideline does not cover this",
    FlagKind.MISSING_CONTEXT: "Needed context is missing",
    FlagKind.OTHER: "Something else",
}
"""What the form calls each kind."""


@dataclass(frozen=True)
class FlagForm:
    """What the flag form sends."""

    assignment_id: str
    kind: str
    text: str = ""


def raise_flag(engine: sa.Engine, form: FlagForm, *, expert: str, now: datetime) -> bool:
    """Note a flag with its ledger event; returns whether the item is held back now.

    The same flag sent twice is noted once.

    Raises:
        AccessDenied: the pair is not this expert's.
        PreceptorError: the kind is not known, needed words are missing, too long, or hold an identifier.
    """
    text = form.text.replace("\r\n", "\n").strip()
    _check(form.kind, text)
    kind = FlagKind(form.kind)
    with writing(engine) as connection:
        assignment = own_assignment(connection, form.assignment_id, expert)
        is_held = kind is FlagKind.IDENTIFIER
        known = sa.select(FLAGS.c.id).where(
            FLAGS.c.pair_id == assignment.pair_id,
            FLAGS.c.expert == expert,
            FLAGS.c.kind == str(kind),
            FLAGS.c.text == text,
            FLAGS.c.resolved_at.is_(None),
        )
        if connection.execute(known).first():
            return is_held
        flag_id = secrets.token_hex(12)
        connection.execute(
            FLAGS.insert().values(
                id=flag_id, pair_id=assignment.pair_id, expert=expert, kind=str(kind), text=text, at=timestamp(now)
            )
        )
        if is_held:
            seen = sa.and_(ITEMS.c.id == assignment.item_id, may_be_shown())
            connection.execute(ITEMS.update().where(seen).values(phi_state="held"))
            refresh_item(connection, assignment.item_id)
        details: dict[str, Detail] = {
            "pair": assignment.pair_id,
            "kind": str(kind),
            "text_sha256": of_json(text),
            "held": is_held,
        }
        append_in(connection, expert, "flag.raise", flag_id, details, now=now)
        return is_held


def _check(kind: str, text: str) -> None:
    if kind not in set(FlagKind):
        raise PreceptorError("No kind of flag is chosen. Choose what is wrong with this pair.")
    if kind == FlagKind.OTHER and not text:
        raise PreceptorError("A flag of the kind 'something else' needs words. Say what is wrong.")
    if len(text) > MAX_FLAG_CHARS:
        raise PreceptorError(f"The flag has {len(text)} characters. Keep it to {MAX_FLAG_CHARS}.")
    if kinds_in_reason(text):
        raise PreceptorError("The words of the flag seem to hold an identifier. Say where it stands, not what it is.")
