"""What stands between a weak answer and the client beside the recheck: stakes, time limits, the cap on calls."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from gateway.records.keeping import UnresolvedSink
from verifiers.stakes.policy import StakesPolicy


class TextSink(Protocol):
    """Where requests and answers are kept, sealed; called in a thread."""

    def keep(self, decision_id: str, request: Mapping[str, Any], answer: Mapping[str, Any] | None) -> None:
        """Keep one. Raising is allowed and loses no request."""


class Guard(NamedTuple):
    """The policy of stakes, the clock, and how long each part may take."""

    stakes: StakesPolicy = StakesPolicy()
    stakes_timeout_s: float = 5.0
    router_timeout_s: float = 5.0
    record_timeout_s: float = 5.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    max_calls: int = 3
    """Calls of the two models for one request, attempts counted; the last one is the strong model's."""
    unresolved: UnresolvedSink | None = None
    """Keeps what a person must look at; None keeps nothing."""
    texts: TextSink | None = None
    """Keeps every request with its answer; None keeps nothing."""
    pins_timeout_s: float = 1.0
