"""Masking of an item's texts where they stand, keeping what stood there before apart.

Works inside the caller's write transaction. Readers of items and answers get the masked text without knowing of it.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from core.fingerprint import canonical_json
from core.items import ITEMS, query_of
from core.moments import timestamp
from labeling.phi.findings import Finding
from labeling.phi.masking import masked_item
from labeling.tables import ANSWERS, REDACTIONS

MESSAGES = "messages"


def marked_by_hand(text: str, words: Sequence[str]) -> list[Finding]:
    """Every place at which a person's words stand in the text, whatever their case.

    >>> [(f.start, f.end) for f in marked_by_hand("Lake House, by the lake house", ["lake house", " "])]
    [(0, 10), (19, 29)]
    """
    wanted = sorted({word.strip() for word in words if word.strip()}, key=len, reverse=True)
    if not wanted:
        return []
    pattern = re.compile("|".join(re.escape(word) for word in wanted), re.IGNORECASE)
    return [
        Finding.of("unique_code", *found.span(), detector="person", score=1.0, is_labelled=True)
        for found in pattern.finditer(text)
    ]


def redact(
    connection: sa.Connection,
    item_id: str,
    parts: Sequence[str],
    findings: Sequence[Sequence[Finding]],
    *,
    by: str,
    now: datetime,
) -> None:
    """Mask the findings in an item's parts, numbered as one.

    Args:
        connection: the caller's write transaction.
        item_id: the item.
        parts: `messages/N` for each of its messages in order, then the ids of its answers.
        findings: per part, in order and without overlaps.
        by: who decided it.
        now: the moment.
    """
    item = connection.execute(sa.select(ITEMS).where(ITEMS.c.id == item_id)).one()
    messages = query_of(item).messages
    answers = {row.id: row.text for row in connection.execute(sa.select(ANSWERS).where(ANSWERS.c.item_id == item_id))}
    texts = [message.content for message in messages] + [answers[part] for part in parts[len(messages) :]]
    masked = masked_item(texts, findings)
    asked = findings[: len(messages)]
    if any(asked):
        written = [
            {"role": message.role, "content": text}
            for message, text in zip(messages, masked[: len(messages)], strict=True)
        ]
        _keep(connection, (item_id, MESSAGES), item.messages, asked, by=by, now=now)
        connection.execute(ITEMS.update().where(ITEMS.c.id == item_id).values(messages=canonical_json(written)))
    for at, part in enumerate(parts):
        if at >= len(messages) and findings[at]:
            _keep(connection, (item_id, part), answers[part], [findings[at]], by=by, now=now)
            connection.execute(ANSWERS.update().where(ANSWERS.c.id == part).values(text=masked[at]))


def _keep(
    connection: sa.Connection,
    key: tuple[str, str],
    original: str,
    findings: Sequence[Sequence[Finding]],
    *,
    by: str,
    now: datetime,
) -> None:
    item_id, part = key
    before = sa.select(sa.func.count()).where(REDACTIONS.c.item_id == item_id, REDACTIONS.c.part == part)
    spans = [[[found.start, found.end, found.kind] for found in one] for one in findings]
    connection.execute(
        REDACTIONS.insert().values(
            item_id=item_id,
            part=part,
            edition=connection.execute(before).scalar_one(),
            original=original,
            spans=json.dumps(spans),
            by=by,
            at=timestamp(now),
        )
    )
