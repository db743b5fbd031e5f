"""GET /health/live, /health/ready and /metrics: whether the process runs, what it can decide, what it has counted."""

import logging
from collections.abc import Callable

from gateway.api.doors import Counts, Health
from gateway.api.http_call import HttpCall
from gateway.api.refusals import Refusal
from gateway.api.replies import Answer, json_answer
from gateway.contained import in_thread

LOG = logging.getLogger("preceptor.gateway")

TIMEOUT_S = 5.0
"""How long the counts of all workers may take."""


NOT_READY = {"status": "not_ready", "routing": "all_strong", "reasons": ["starting_or_stopping"], "warnings": []}
"""What a server says before it takes requests, and once it takes no more."""


class Readiness:
    """Whether the server takes requests: from the end of its start until it stops.

    It stays ready where no bundle can decide, since the strong model answers then, and where a model does not answer,
    since that is no better behind another server: requests get its error, and the circuit closes by itself.
    """

    def __init__(self, health: Callable[[], Health] | None = None) -> None:
        self._health: Callable[[], Health] | None = health
        self.is_ready = False
        self.at_start: tuple[str, ...] = ()

    async def live(self, _: HttpCall) -> Answer:
        """200 while the process answers."""
        return json_answer(200, {"status": "live"})

    async def ready(self, _: HttpCall) -> Answer:
        """200 while it takes requests; `routing` says whether `auto` is decided, `reasons` what cannot decide."""
        if not self.is_ready:
            return json_answer(503, NOT_READY)
        found = Health(not self.at_start, self.at_start) if self._health is None else self._health()
        return json_answer(
            200,
            {
                "status": "ready",
                "routing": "routed" if found.is_routed else "all_strong",
                "reasons": [*found.reasons],
                "warnings": [*found.warnings],
            },
        )


class MetricsEndpoint:
    """Shows the counts in Prometheus' text format."""

    def __init__(self, counts: Counts | None) -> None:
        self._counts = counts

    async def __call__(self, _: HttpCall) -> Answer:
        """All counts of all workers.

        Raises:
            Refusal: 404 nothing is counted, 503 the counts cannot be read.
        """
        if self._counts is None:
            raise Refusal(404, "Nothing is counted here. Serve with `preceptor serve`.", code="metrics_off")
        try:
            text = await in_thread(self._counts.exposition, timeout_s=TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - requests go on without their counts
            LOG.error("The metrics were not read (%s).", type(error).__name__)
            raise Refusal(503, "The counts cannot be read. Ask again later.", code="metrics_unavailable") from None
        return Answer(200, text, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")])
