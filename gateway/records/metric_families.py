"""What the gateway counts, by its names in Prometheus; docs/gateway/operations.md explains each. Counts nothing itself.

Labels hold names of the settings, tiers, slugs and shortened hashes; never a text, a key, a client or a conversation.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SHORT_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
"""Upper ends of what the gateway itself takes, in seconds."""

LONG_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)
"""Upper ends of what models take, in seconds."""

TWENTIETHS = tuple(number / 20 for number in range(1, 21))


class Families:
    """All metrics of one process, registered together."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        from prometheus_client import Counter, Gauge, Histogram

        def counter(name: str, text: str, *labels: str) -> "Counter":
            return Counter(f"preceptor_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> "Histogram":
            return Histogram(f"preceptor_{name}", text, labels, buckets=buckets, registry=registry)

        def gauge(name: str, text: str, mode: Any, *labels: str) -> "Gauge":  # noqa: ANN401 - one of the library's words
            return Gauge(f"preceptor_{name}", text, labels, registry=registry, multiprocess_mode=mode)

        self.requests = counter(
            *("requests", "Requests decided, by who answered: weak, strong, escalated (weak, then strong), failed."),
            *("domain", "stakes", "decision", "arm"),
        )
        self.escalations = counter(
            "escalations", "Reasons for which the weak model was not asked or its answer held back.", "reason"
        )
        self.not_recorded = counter("decisions_not_recorded", "Decisions that the store did not take.")
        self.checks = counter("verifier_checks", "Checks of weak answers.", "check", "outcome")
        self.check_seconds = histogram("verifier_duration_seconds", "What one check took.", SHORT_S, "check")
        self.score = histogram("router_score", "Probability that the strong model is needed.", TWENTIETHS)
        self.request_seconds = histogram(
            "request_duration_seconds", "From the request to its last byte, all calls included.", LONG_S, "decision"
        )
        self.gateway_seconds = histogram(
            "gateway_duration_seconds", "What the gateway took beside the calls of the two models.", SHORT_S
        )
        self.upstream_calls = counter("upstream_calls", "Calls of the two models.", "model_role", "outcome")
        self.upstream_attempts = counter("upstream_attempts", "Attempts of those calls.", "model_role")
        self.upstream_seconds = histogram("upstream_duration_seconds", "What a call took.", LONG_S, "model_role")
        self.first_token_seconds = histogram(
            "upstream_first_token_seconds", "From a streamed call's start to its first event.", LONG_S, "model_role"
        )
        self.upstream_open = gauge(
            "upstream_breaker_open", "Workers whose circuit breaker turns calls away.", "livesum", "model_role"
        )
        self.tokens = counter("tokens", "Tokens, as the endpoints counted them.", "model_role", "direction")
        self.cost_usd = counter("request_cost_usd", "Cost in US dollars, as far as it is known.", "model_role")
        self.cost_unknown = counter("request_cost_unknown", "Requests whose cost is not known.")
        self.shadowed = counter("shadow", "Requests scored by a shadow bundle, by what it would have done.", "outcome")
        self.bundle_workers = gauge(
            "bundle_workers",
            "Workers in which a bundle stands; 0 once it stands no longer.",
            "livesum",
            "part",
            "bundle",
        )
        self.bundle_decides = gauge(
            "bundle_decides", "1 where the part's bundle may decide in every worker, else 0.", "livemin", "part"
        )
        self.certificate_valid = gauge(
            "certificate_valid", "1 while the part's certificate holds in every worker, else 0.", "livemin", "part"
        )
        self.certificate_ends = gauge(
            "certificate_expiry_timestamp_seconds", "When the part's certificate ends.", "livemin", "part"
        )
        self.stopped = gauge("stopped", "1 where the stop switch keeps weak answers back.", "livemax", "domain")
        self.in_flight = gauge("requests_in_flight", "Requests under way.", "livesum")
        self.responses = counter("http_responses", "Responses sent, by path and status.", "path", "status")
        self.build = gauge("build_info", "Always 1: the release.", "livemax", "version")
