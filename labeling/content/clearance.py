"""Clearance of items that are held back: a person sees them, and shows them, masks them or leaves them out for good.

Every look and every decision is an event in the ledger, with kinds and counts and never the text. An identifier that
was masked stands in `label_redaction` alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from core.access import Act, Actor, require
from core.errors import PreceptorError
from core.fingerprint import of_text
from core.items import ITEMS, query_of
from core.ledger import Detail, append_in
from core.moments import timestamp
from core.store import writing
from labeling.content.identifiers import count_kinds, find_identifiers
from labeling.content.redacting import marked_by_hand, redact
from labeling.phi.chain import merged
from labeling.phi.findings import Finding
from labeling.queueing.places import refresh_item
from labeling.tables import ANSWERS, CLEARANCES, FLAGS, PAIRS, PHI_FINDINGS

MAX_REASON_CHARS = 1000


@dataclass(frozen=True)
class HeldText:
    """A message or an answer of a held item, with the identifiers found in it."""

    part: str
    """`messages/0` and on, or the id of an answer."""
    label: str
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class HeldItem:
    """An item that waits for a decision: all its texts, in the order in which they are shown."""

    item_id: str
    texts: tuple[HeldText, ...]
    flags: tuple[str, ...]
    """What experts said who saw an identifier in it."""

    @property
    def findings(self) -> dict[str, int]:
        """How often each kind stands in it."""
        return count_kinds([text.findings for text in self.texts])


@dataclass(frozen=True)
class _Decision:
    """What a person decided: `as_it_is`, `masked` or `excluded`."""

    what: str
    by: str
    now: datetime
    reason: str = ""
    masked: Mapping[str, int] = field(default_factory=dict)


def held_items(connection: sa.Connection) -> list[str]:
    """Ids of the items that wait for a decision."""
    held = sa.select(ITEMS.c.id).where(ITEMS.c.phi_state == "held").order_by(ITEMS.c.id)
    return list(connection.execute(held).scalars())


def findings_of(connection: sa.Connection, item_id: str) -> dict[str, int]:
    """What the search found in an item when it came, by kind."""
    query = sa.select(PHI_FINDINGS.c.kind, PHI_FINDINGS.c.n).where(PHI_FINDINGS.c.item_id == item_id)
    return {row.kind: row.n for row in connection.execute(query.order_by(PHI_FINDINGS.c.kind))}


def view_held(engine: sa.Engine, item_id: str, *, by: Actor, now: datetime) -> HeldItem:
    """The texts of a held item; that they were looked at is an event.

    Raises:
        AccessDenied: this person may not see identifiers.
        PreceptorError: there is no such item, or it is not held.
    """
    require(Act.VIEW_PHI, by)
    with writing(engine) as connection:
        item = _held(connection, item_id)
        append_in(connection, by.name, "phi.view", item_id, _counts(item.findings), now=now)
    return item


def clear_item(engine: sa.Engine, item_id: str, *, reason: str, by: Actor, now: datetime) -> None:
    """Show a held item to experts as it is.

    Raises:
        AccessDenied: this person may not clear items.
        PreceptorError: there is no such item, it is not held, or the reason is missing.
    """
    require(Act.CLEAR_PHI, by)
    words = reason.strip()
    if not words or len(words) > MAX_REASON_CHARS:
        raise PreceptorError(
            f"Clearing a text as it is needs a reason of at most {MAX_REASON_CHARS} characters. "
            "Say why what was found identifies nobody."
        )
    with writing(engine) as connection:
        item = _held(connection, item_id)
        _decide(connection, item, _Decision("as_it_is", by.name, now, reason=words))


def mask_item(
    engine: sa.Engine,
    item_id: str,
    *,
    kept: Collection[tuple[str, int]] = (),
    also: Sequence[str] = (),
    by: Actor,
    now: datetime,
) -> dict[str, int]:
    """Replace what was found in a held item by its kind and a number, and show the item to experts.

    Args:
        engine: the store.
        item_id: the item.
        kept: findings that stay, each by its part and start: they identify nobody.
        also: further words to mask wherever they stand.
        by: who decides.
        now: the moment.

    Returns:
        What was masked, by kind.

    Raises:
        AccessDenied: this person may not clear items.
        PreceptorError: there is no such item, it is not held, or nothing is left to mask.
    """
    require(Act.CLEAR_PHI, by)
    with writing(engine) as connection:
        item = _held(connection, item_id)
        findings = [
            merged(
                [
                    *(one for one in held.findings if (held.part, one.start) not in set(kept)),
                    *marked_by_hand(held.text, also),
                ]
            )
            for held in item.texts
        ]
        masked = count_kinds(findings)
        if not masked:
            raise PreceptorError(f"Nothing in '{item_id}' is marked, so nothing was masked. Clear it as it is instead.")
        redact(connection, item_id, [held.part for held in item.texts], findings, by=by.name, now=now)
        _decide(connection, item, _Decision("masked", by.name, now, masked=masked))
    return masked


def exclude_item(engine: sa.Engine, item_id: str, *, by: Actor, now: datetime) -> None:
    """Leave a held item out for good: nobody is shown it, and no dataset takes it up.

    Raises:
        AccessDenied: this person may not clear items.
        PreceptorError: there is no such item, or it is not held.
    """
    require(Act.CLEAR_PHI, by)
    with writing(engine) as connection:
        _decide(connection, _held(connection, item_id), _Decision("excluded", by.name, now))


def _held(connection: sa.Connection, item_id: str) -> HeldItem:
    item = connection.execute(sa.select(ITEMS).where(ITEMS.c.id == item_id).with_for_update()).first()
    if item is None:
        raise PreceptorError(f"There is no item '{item_id}'. `preceptor label held` lists those held back.")
    if item.phi_state != "held":
        raise PreceptorError(f"Item '{item_id}' is not held back, it is {item.phi_state}. Nothing needs to be done.")
    messages = query_of(item).messages
    # By id, which is a hash: the order says nothing about the models.
    answers = connection.execute(sa.select(ANSWERS).where(ANSWERS.c.item_id == item_id).order_by(ANSWERS.c.id)).all()
    parts = [(f"messages/{n}", f"Question ({one.role})", one.content) for n, one in enumerate(messages)]
    parts += [(answer.id, f"Answer {n}", answer.text) for n, answer in enumerate(answers, start=1)]
    findings = find_identifiers([text for _, _, text in parts])
    flags = sa.select(FLAGS.c.text).join(PAIRS, PAIRS.c.id == FLAGS.c.pair_id).where(_open_flags(item_id))
    return HeldItem(
        item_id,
        tuple(HeldText(*part, tuple(found)) for part, found in zip(parts, findings, strict=True)),
        tuple(connection.execute(flags.order_by(FLAGS.c.at)).scalars()),
    )


def _decide(connection: sa.Connection, item: HeldItem, decision: _Decision) -> None:
    state = "excluded" if decision.what == "excluded" else "cleared"
    connection.execute(ITEMS.update().where(ITEMS.c.id == item.item_id).values(phi_state=state))
    refresh_item(connection, item.item_id)
    pairs = sa.select(PAIRS.c.id).where(PAIRS.c.item_id == item.item_id)
    connection.execute(
        FLAGS.update()
        .where(FLAGS.c.pair_id.in_(pairs), FLAGS.c.kind == "identifier", FLAGS.c.resolved_at.is_(None))
        .values(resolved_at=timestamp(decision.now), resolved_by=decision.by, resolution=decision.what)
    )
    earlier = sa.select(sa.func.count()).where(CLEARANCES.c.item_id == item.item_id)
    connection.execute(
        CLEARANCES.insert().values(
            item_id=item.item_id,
            edition=connection.execute(earlier).scalar_one(),
            decision=decision.what,
            reason=decision.reason,
            by=decision.by,
            at=timestamp(decision.now),
        )
    )
    details: dict[str, Detail] = {
        "decision": decision.what,
        "kinds": ",".join(sorted({*findings_of(connection, item.item_id), *decision.masked})),
        "masked": sum(decision.masked.values()),
        "reason_sha256": of_text(decision.reason) if decision.reason else None,
    }
    append_in(connection, decision.by, "phi.clear", item.item_id, details, now=decision.now)


def _open_flags(item_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(PAIRS.c.item_id == item_id, FLAGS.c.kind == "identifier", FLAGS.c.resolved_at.is_(None))


def _counts(findings: dict[str, int]) -> dict[str, Detail]:
    return {"kinds": ",".join(sorted(findings)), "findings": sum(findings.values())}
