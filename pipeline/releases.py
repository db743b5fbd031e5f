"""Releases as the ledger tells them: what is approved, what stood before, and what was begun and never ended.

Pure reading of events; MLflow is not asked here, because its alias table keeps no history.

| action | when it is written |
|---|---|
| release.refuse | a gate failed, nothing was moved |
| release.intend | before the alias moves |
| release.promote, release.rollback | after the alias moved; closes the intent |
| release.abandon | the alias did not move; closes the intent |
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import LedgerError
from core.ledger import Event

REFUSE, INTEND, ABANDON = "release.refuse", "release.intend", "release.abandon"
PROMOTE, ROLLBACK = "release.promote", "release.rollback"
MOVES = (INTEND, PROMOTE, ROLLBACK, ABANDON)
"""Actions that change what is known of an alias."""


@dataclass(frozen=True)
class Approved:
    """A version that was approved for an alias, and the bundle it was then."""

    version: int
    bundle_sha256: str


@dataclass(frozen=True)
class History:
    """What the ledger knows of one alias: approved versions, the newest last, and an intent that nobody closed."""

    approved: tuple[Approved, ...] = ()
    open_intent: Event | None = None
    last_seq: int = 0

    @property
    def current(self) -> Approved | None:
        """The version that the alias should point to; None before the first promotion."""
        return self.approved[-1] if self.approved else None

    @property
    def before(self) -> Approved | None:
        """The version that a rollback returns to; None when there is none."""
        return self.approved[-2] if len(self.approved) > 1 else None


def subject_of(name: str, alias: str) -> str:
    """The ledger's name for an alias, which is also how it is loaded.

    >>> subject_of("medical-coding", "champion")
    'models:/medical-coding@champion'
    """
    return f"models:/{name}@{alias}"


def history_of(events: Sequence[Event]) -> History:
    """Fold the events of one subject: a promotion adds to the stack, a rollback takes away what came after its target.

    Raises:
        LedgerError: an event lacks what it must hold.
    """
    stack: list[Approved] = []
    intent: Event | None = None
    last_seq = 0
    for event in events:
        if event.action not in MOVES:
            continue
        last_seq = event.seq
        if event.action == INTEND:
            intent = event
            continue
        intent = None
        if event.action == ABANDON:
            continue
        after = approved_by(event)
        if event.action == ROLLBACK:
            while stack and stack[-1].version != after.version:
                stack.pop()
        if not stack or stack[-1].version != after.version:
            stack.append(after)
    return History(tuple(stack), intent, last_seq)


def approved_by(event: Event) -> Approved:
    """The version and bundle that an event is about.

    Raises:
        LedgerError: the event lacks them.
    """
    version, sha256 = event.details.get("version_after"), event.details.get("bundle_sha256")
    if not isinstance(version, int) or not isinstance(sha256, str):
        raise LedgerError(
            f"Ledger event {event.seq} ({event.action} of {event.subject}) names no version and bundle. "
            "Run `preceptor ledger verify`, and find out what wrote it."
        )
    return Approved(version, sha256)
