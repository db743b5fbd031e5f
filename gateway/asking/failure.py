"""Why an endpoint gave no answer: a slug for the record, and what a client may be told. Never a text of the request."""

from collections.abc import Mapping
from typing import Any

from core.call_record import CallRecord
from core.errors import UpstreamError
from core.pacing import may_pass

CLIENT_FAULTS = frozenset({400, 413, 422, 429})
"""Statuses that say something to the client; all others say something to whoever runs the gateway."""

_PASSING_KINDS = frozenset({"unreachable", "connect_timeout", "disconnected"})
_UNASKED_KINDS = frozenset({"unreachable", "connect_timeout", "tls_failed", "circuit_open", "body_not_json"})


class UpstreamFailure(UpstreamError):
    """The endpoint did not give a completion. `kind` is a slug; `status` and `envelope` are for the client.

    `envelope` is the upstream's own error body, kept only where the client can act on it. `call` is what goes on
    record, `retry_after_s` how long the endpoint wants to be left alone; docs/gateway/upstreams.md lists the
    kinds. `refuses_usage`: the endpoint refused to count the tokens of a stream.
    """

    def __init__(
        self,
        model: str,
        kind: str,
        *,
        status: int | None = None,
        envelope: Mapping[str, Any] | None = None,
        call: CallRecord | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.model, self.kind, self.status = model, kind, status
        self.envelope, self.retry_after_s = envelope, retry_after_s
        self.call = call or CallRecord(model=model, outcome=kind)
        self.refuses_usage = False
        super().__init__(f"Model '{model}' did not answer ({kind}). Check its endpoint and the gateway's settings.")

    @property
    def may_pass(self) -> bool:
        """Whether another attempt may succeed: no connection, or a status that says so."""
        return self.kind in _PASSING_KINDS or (self.status is not None and may_pass(self.status))

    @property
    def cost_nothing(self) -> bool:
        """Whether no model has worked on it: the endpoint was not reached, or answered with an error status."""
        return self.kind in _UNASKED_KINDS or self.kind.startswith("status_")

    @property
    def is_outage(self) -> bool:
        """Whether it speaks against the endpoint, for the circuit breaker.

        A refusal that the endpoint words itself (a bad request, a wrong key, a rate limit) does not.
        """
        return self.status is None or self.status == 408 or self.status >= 500
