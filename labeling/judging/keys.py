"""The keys of the judging screen: one letter or sign for each act, chosen by each expert, or none at all.

Enter, Escape, the space bar and the arrows are not for choice: they do what they do everywhere.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from core.errors import PreceptorError
from labeling.tables import EXPERTS

ACTIONS: Mapping[str, tuple[str, str]] = {
    "left_better": ("1", "Left is better"),
    "right_better": ("2", "Right is better"),
    "both_acceptable": ("3", "Both acceptable"),
    "neither_acceptable": ("4", "Neither acceptable"),
    "cannot_judge": ("s", "Cannot judge, then say why"),
    "slightly": ("q", "Slightly better"),
    "clearly": ("w", "Clearly better"),
    "much": ("e", "Much better"),
    "yes": ("y", "Acceptable for release: yes"),
    "no": ("n", "Acceptable for release: no"),
    "reasons": ("r", "Tick reasons, by their letters"),
    "text": ("t", "Write a reason"),
    "mark": ("m", "Go to the sentences, to mark an error"),
    "undo": ("u", "Undo the last judgement"),
    "flag": ("f", "Flag this pair"),
    "guideline": ("g", "Show or hide the guideline"),
    "diff": ("d", "Show or hide the words that differ"),
    "lock": ("l", "Scroll both answers together, or not"),
    "raw": ("v", "Show answers as written, or laid out"),
    "help": ("?", "Show or hide the keys"),
}
"""Each act's own key, and its name for people."""


@dataclass(frozen=True)
class Keys:
    """Whether single keys act, and the key of each act of `ACTIONS`."""

    is_on: bool = True
    of: Mapping[str, str] = field(default_factory=lambda: {name: key for name, (key, _) in ACTIONS.items()})

    @property
    def acts(self) -> str:
        """The acts by their keys, for the page; empty where single keys are switched off."""
        return json.dumps({key: name for name, key in self.of.items()} if self.is_on else {})


def chosen_keys(given: Mapping[str, str], *, is_on: bool) -> Keys:
    """The keys that a form chooses; an act that it does not name keeps its own key.

    Raises:
        PreceptorError: a key is not one printable sign, or two acts would share one.

    >>> chosen_keys({"undo": "z"}, is_on=True).of["undo"]
    'z'
    """
    keys = {name: given.get(name, key).strip().lower() or key for name, (key, _) in ACTIONS.items()}
    taken: dict[str, str] = {}
    for name, key in keys.items():
        label = ACTIONS[name][1]
        if len(key) != 1 or not key.isprintable():
            raise PreceptorError(f"'{key}' is no single key. Give '{label}' one letter, digit or sign.")
        if key in taken:
            raise PreceptorError(f"'{key}' is set for '{taken[key]}' and for '{label}'. Give one of them another key.")
        taken[key] = label
    return Keys(is_on, keys)


def keys_of(connection: sa.Connection, expert: str) -> Keys:
    """The keys that an expert chose, else the acts' own."""
    saved = connection.execute(sa.select(EXPERTS.c["keys"]).where(EXPERTS.c.name == expert)).scalar()
    fields = json.loads(saved or "{}")
    return chosen_keys(fields.get("of", {}), is_on=fields.get("is_on", True))


def save_keys(connection: sa.Connection, expert: str, keys: Keys) -> None:
    """Keep an expert's keys, inside the caller's write transaction."""
    fields = json.dumps({"is_on": keys.is_on, "of": dict(keys.of)})
    connection.execute(EXPERTS.update().where(EXPERTS.c.name == expert).values(keys=fields))
