"""What stands already, in the store and in the rows read so far: it tells new pairs from duplicates and contradictions.

Keeps hashes and ids alone, about a kilobyte a pair, however long the texts are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from core.fingerprint import of_text
from labeling.content.rows import Entry
from labeling.tables import ANSWERS, ITEMS, PAIRS, REDACTIONS

LOOKUP_ROWS = 500
"""Ids asked for in one query; SQLite takes at most 32,766 parameters."""


@dataclass(frozen=True)
class Admission:
    """A pair that is new, and which of its parts are: the item, the first and the second answer."""

    is_new_item: bool
    are_new_answers: tuple[bool, bool]


@dataclass
class Standing:
    """Hashes of pairs, of queries by item, and of answers by item and model."""

    pairs: set[str] = field(default_factory=set)
    messages: dict[str, str] = field(default_factory=dict)
    answers: dict[tuple[str, str], str] = field(default_factory=dict)
    stakes: dict[str, str] = field(default_factory=dict)
    """Of items in the store."""

    def look_up(self, connection: sa.Connection, entries: Sequence[Entry]) -> None:
        """Add what the store holds about these pairs."""
        contents = sa.select(PAIRS.c.content_sha256)
        for piece in pieces({entry.content for entry in entries}):
            self.pairs.update(connection.execute(contents.where(PAIRS.c.content_sha256.in_(piece))).scalars())
        for piece in pieces({entry.pair.query.id for entry in entries} - self.messages.keys()):
            items = sa.select(ITEMS.c.id, ITEMS.c.messages, ITEMS.c.stakes).where(ITEMS.c.id.in_(piece))
            for item in connection.execute(items):
                self.messages[item.id] = of_text(item.messages)
                self.stakes[item.id] = item.stakes
            unmasked = sa.select(REDACTIONS.c.item_id, REDACTIONS.c.original).where(
                REDACTIONS.c.item_id.in_(piece), REDACTIONS.c.part == "messages", REDACTIONS.c.edition == 0
            )
            for before in connection.execute(unmasked):
                self.messages[before.item_id] = of_text(before.original)
            answers = sa.select(ANSWERS.c.item_id, ANSWERS.c.model, ANSWERS.c.id).where(ANSWERS.c.item_id.in_(piece))
            for answer in connection.execute(answers):
                self.answers[answer.item_id, answer.model] = answer.id

    def admit(self, entry: Entry) -> Admission | None:
        """Take the pair up and say what of it is new; None for a duplicate.

        Raises:
            ValueError: its id stands for another query, or for another answer of the same model.
        """
        if entry.content in self.pairs:
            return None
        item = entry.pair.query.id
        messages = of_text(entry.messages)
        if self.messages.get(item, messages) != messages:
            raise ValueError(f"id '{item}' stands already for another query")
        keys = [(item, answer.model) for _, answer in entry.answers]
        for key, (id_, answer) in zip(keys, entry.answers, strict=True):
            if self.answers.get(key, id_) != id_:
                raise ValueError(f"id '{item}' has another answer of '{answer.model}' already")
        first, second = (key not in self.answers for key in keys)
        admission = Admission(item not in self.messages, (first, second))
        self.pairs.add(entry.content)
        self.messages[item] = messages
        self.answers.update(zip(keys, (entry.first_id, entry.second_id), strict=True))
        return admission


def pieces(values: Iterable[str]) -> Iterable[Sequence[str]]:
    """The values in order, so many as one query may name."""
    ordered = sorted(values)
    return (ordered[start : start + LOOKUP_ROWS] for start in range(0, len(ordered), LOOKUP_ROWS))
