"""What the routing loop is built from, as it needs them: where decisions go, who scores, who stays, who only watches.

Each part may raise, hang or answer nonsense: the loop then asks the strong model, or goes on without it.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple, Protocol

from core.records import Decision
from gateway.certified import RoutingBundle
from gateway.contained import in_thread


class DecisionSink(Protocol):
    """Where decisions are recorded; `gateway.records.decision_writer.DecisionWriter` is one."""

    async def record(self, decision: Decision) -> None:
        """Append one decision; returns once it is kept. Raising is allowed: at high stakes the strong model answers."""


class Scoring(Protocol):
    """Who scores texts for all requests; `gateway.scoring.Scorer` is one."""

    async def probability(
        self, bundle: RoutingBundle, text: str, stratum: str | None, timeout_s: float
    ) -> float | None:
        """The probability that the strong model is needed; None where it is late."""
        ...


class Pinning(Protocol):
    """Which conversations stay with the strong model; `gateway.pins.Pins` is one."""

    async def is_pinned(self, conversation_sha256: str, *, is_first_turn: bool = False) -> bool:
        """Whether the strong model answers this conversation; a first turn is never pinned."""
        ...

    async def pin(self, conversation_sha256: str) -> None:
        """Keep it with the strong model."""


class Shadowed(NamedTuple):
    """What a bundle that decides nothing would have done with one request."""

    decision_id: str
    at: datetime
    bundle: str
    probability: float | None
    threshold: float | None
    ask_strong: bool
    reasons: tuple[str, ...]


class ShadowSink(Protocol):
    """Where they go; called after the answer was sent, so it may take its time."""

    async def record(self, shadowed: Shadowed) -> None:
        """Append one. Raising is allowed, and logged."""


Observer = Callable[[Decision], None]
"""Told of each final decision once, the failed ones too; one that raises is logged and skipped."""


class RecordsOne(Protocol):
    """A log that appends in the calling thread; `gateway.records.decision_log.DecisionLog` is one."""

    def record(self, decision: Decision) -> None:
        """Append one decision, or raise."""


class InThread:
    """A `DecisionSink` that appends decisions one by one, each in a thread."""

    def __init__(self, log: RecordsOne) -> None:
        self._log = log

    async def record(self, decision: Decision) -> None:
        """Append one decision."""
        await in_thread(partial(self._log.record, decision), timeout_s=60.0)
