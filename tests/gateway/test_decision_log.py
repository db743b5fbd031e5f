from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from core.records import Decision, Stakes
from core.store import open_store
from gateway.decision_log import DecisionLog

DECISION = Decision(
    id="dec_1",
    at=datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC),
    requested_model="auto",
    answered_by=None,
    bundle=None,
    probability=0.25,
    threshold=None,
    domain="law",
    stakes=Stakes.HIGH,
    verdict=None,
    reasons=("router_error", "strong_timeout"),
    cost_usd=None,
    latency_ms=12.5,
    query_sha256="0" * 64,
)


@pytest.fixture
def log(store_url):
    engine = open_store(store_url)
    yield DecisionLog(engine)
    engine.dispose()


def test_a_decision_is_read_back_as_it_was_written(log):
    log.record(DECISION)

    assert log.find("dec_1") == DECISION
    assert log.find("dec_2") is None


def test_a_decision_is_written_once(log):
    log.record(DECISION)

    with pytest.raises(sa.exc.IntegrityError):
        log.record(DECISION)
