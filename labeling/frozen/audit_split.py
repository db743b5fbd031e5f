"""Which items are kept for audit: those of the audit stream, and whatever shares a group or a text with one of them.

Ties are followed to their end, as a run's split does (`pipeline.split`): a training that never reads these items has
seen no copy and no sibling of an audited query either. Judged or not makes no difference. Reads the store alone.
"""

import json
from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa

from core.fingerprint import normalised_text
from core.records import conversation_text, messages_of
from labeling.tables import ITEMS, PAIRS, QUEUE


def audit_items(connection: sa.Connection) -> frozenset[str]:
    """Ids of the items of the audit stream and of all that are tied to them."""
    audited = set(
        connection.execute(
            sa.select(PAIRS.c.item_id).join(QUEUE, QUEUE.c.pair_id == PAIRS.c.id).where(QUEUE.c.stream == "audit")
        ).scalars()
    )
    if not audited:
        return frozenset()
    rows = connection.execute(sa.select(ITEMS.c.id, ITEMS.c.messages, ITEMS.c.group_key))
    texts = ((row.id, conversation_text(messages_of(json.loads(row.messages))), row.group_key) for row in rows)
    return tied_to(audited, texts)


def tied_to(chosen: Iterable[str], items: Iterable[tuple[str, str, str | None]]) -> frozenset[str]:
    """The chosen ids, and every id that a chain of equal texts and equal groups leads to.

    Args:
        chosen: ids to begin with.
        items: (id, text, group or None) of all items; texts are equal when they are so once normalised.

    >>> items = [("a", "One?", None), ("b", "one", "g"), ("c", "two", "g"), ("d", "three", None)]
    >>> sorted(tied_to(["a"], items))
    ['a', 'b', 'c']
    """
    keys_of: dict[str, list[tuple[str, str]]] = {}
    holders: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item_id, text, group in items:
        keys_of[item_id] = [("text", normalised_text(text))] + ([("group", group)] if group else [])
        for key in keys_of[item_id]:
            holders[key].append(item_id)
    found, waiting = set(chosen), list(chosen)
    while waiting:
        for key in keys_of.get(waiting.pop(), []):
            fresh = set(holders.pop(key, ())) - found
            found |= fresh
            waiting += fresh
    return frozenset(found)
