"""What stands beside the routing loop in the server: who comes in, what can be read, how much fits. Builds nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from core.records import Decision
from gateway.asking.upstream import Embeddings
from gateway.keys.door import Door

MAX_REQUEST_BYTES = 20_000_000


class Counts(Protocol):
    """What is counted; `gateway.records.metrics.Metrics` is one."""

    def began(self) -> None:
        """A request came in."""

    def ended(self, path: str, status: int) -> None:
        """It is over; `path` is one of the server's own, never what a client wrote."""

    def exposition(self) -> bytes:
        """All counts in Prometheus' text format; called in a thread."""
        ...


class Decisions(Protocol):
    """The record of decisions, for reading; `gateway.records.decision_log.DecisionLog` is one."""

    def find(self, identifier: str) -> Decision | None:
        """The decision of that id, or None; called in a thread."""
        ...


class Embedding(Protocol):
    """An endpoint that embeds; `gateway.asking.upstream.Upstream` is one."""

    async def embeddings(self, body: Mapping[str, Any]) -> Embeddings:
        """The endpoint's own answer; raises `UpstreamFailure`."""
        ...


class Health(NamedTuple):
    """What decides now, as /health/ready tells it."""

    is_routed: bool
    """Whether `auto` is decided; False: the strong model answers it."""
    reasons: Sequence[str] = ()
    """What cannot decide, of all or of some domains."""
    warnings: Sequence[str] = ()
    """What an operator should see, though it alone keeps no bundle from deciding."""


class Doors(NamedTuple):
    """The ways into the server beside the loop, each of which may be shut.

    Without `keys`, nothing asks for one, and what a browser sends for a page of another machine is refused.
    """

    keys: Door | None = None
    metrics: Counts | None = None
    decisions: Decisions | None = None
    embeddings: Embedding | None = None
    max_request_bytes: int = MAX_REQUEST_BYTES
    metrics_without_key: bool = False
    """Whether /metrics is open although all else asks for a key: for a server that only its own machine reaches."""
    health: Callable[[], Health] | None = None
    """What decides now, for /health/ready; None: what the loop said when it warmed up."""


SHUT = Doors()
"""Neither keys nor counts, records or embeddings."""
