"""What one call of an endpoint comes to, while it is under way: attempts, times, tokens. Never a text."""

import time
from dataclasses import dataclass, field

from core.call_record import CallRecord
from gateway.asking.address import Endpoint, Usage
from gateway.asking.failure import UpstreamFailure


@dataclass
class Account:
    """One call with all its attempts."""

    endpoint: Endpoint
    started_s: float = field(default_factory=time.perf_counter)
    n_attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    first_token_ms: float | None = None
    may_have_cost: bool = False
    """A failed attempt may have made a model work."""

    @property
    def elapsed_ms(self) -> float:
        """Since the first attempt began."""
        return (time.perf_counter() - self.started_s) * 1000

    def failed(self, failure: UpstreamFailure) -> CallRecord:
        """The call that has failed so; it cost nothing where no attempt came to a model."""
        record = self.record(failure.kind)
        return record if self.may_have_cost else record.model_copy(update={"cost_usd": 0.0})

    def record(self, outcome: str = "ok") -> CallRecord:
        """The call as it stands now. Its cost is that of the last attempt, which gave the answer."""
        return CallRecord(
            model=self.endpoint.name,
            outcome=outcome,
            n_attempts=self.n_attempts,
            n_input=self.usage.n_input,
            n_output=self.usage.n_output,
            cost_usd=self.endpoint.cost_usd(self.usage),
            latency_ms=self.elapsed_ms,
            first_token_ms=self.first_token_ms,
        )
