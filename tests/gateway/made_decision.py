"""A decision to be varied by tests."""

from datetime import UTC, datetime

from core.records import Decision, Stakes

PLAIN = {
    "id": "decision-1",
    "at": datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
    "requested_model": "auto",
    "answered_by": "large",
    "bundle": None,
    "probability": 0.7,
    "threshold": 0.5,
    "domain": None,
    "stakes": Stakes.HIGH,
    "verdict": None,
    "reasons": ("above_threshold",),
    "cost_usd": 0.02,
    "latency_ms": 12.0,
    "query_sha256": "a" * 64,
}


def made_decision(**fields):
    return Decision(**{**PLAIN, **fields})
