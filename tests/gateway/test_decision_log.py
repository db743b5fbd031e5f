from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from core.call_record import CallRecord
from core.check_record import CheckRecord
from core.records import Decision, Stakes
from core.store import open_store
from gateway.records.decision_log import DecisionLog, RefusedDecision

AT = datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC)
DECISION = Decision(
    id="dec_1",
    at=AT,
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
FULL = Decision(
    id="dec_full",
    at=AT,
    requested_model="auto:law%20' ü",
    answered_by="small",
    bundle="b" * 64,
    probability=0.1,
    threshold=0.5,
    domain="law",
    stakes=Stakes.CRITICAL,
    verdict="pass",
    reasons=(),
    cost_usd=0.0015,
    latency_ms=801.25,
    query_sha256="1" * 64,
    checks=(
        CheckRecord(check="law.cites", outcome="pass", reason="ok", evidence={"n": 2, "share": 0.5, "of": "§ 5 %s"}),
        CheckRecord(check="law.quotes", outcome="error", reason="late", cost_usd=None),
    ),
    rules=("law.court",),
    policy_sha256="2" * 64,
    calls=(CallRecord(model="small", n_attempts=2, n_input=10, n_output=3, cost_usd=0.0015, latency_ms=800.0),),
    arm="canary",
    is_streamed=True,
    key_id="key_1",
    task_sha256="3" * 64,
    conversation_sha256="4" * 64,
)


def numbered(n, **changed):
    """n decisions, one a second."""
    return [
        DECISION.model_copy(update={"id": f"dec_{number}", "at": AT + timedelta(seconds=number), **changed})
        for number in range(n)
    ]


@pytest.fixture
def log(store_url):
    engine = open_store(store_url)
    yield DecisionLog(engine)
    engine.dispose()


@pytest.mark.parametrize("decision", [DECISION, FULL], ids=["all unknown", "all known"])
def test_a_decision_is_read_back_as_it_was_written(log, decision):
    log.record(decision)

    assert log.find(decision.id) == decision
    assert log.find("dec_2") is None


def test_a_decision_of_another_time_zone_is_read_back_as_the_same_moment(log):
    tokyo = timezone(timedelta(hours=9))
    log.record(DECISION.model_copy(update={"at": AT.astimezone(tokyo)}))

    assert log.find("dec_1").at == AT


def test_the_same_decision_again_changes_nothing(log):
    log.record(FULL)

    log.record_many([FULL, DECISION])

    assert log.find("dec_full") == FULL
    assert log.find("dec_1") == DECISION


def test_another_decision_under_the_same_id_is_refused_with_all_that_came_with_it(log):
    log.record(DECISION)
    changed = DECISION.model_copy(update={"answered_by": "small"})

    with pytest.raises(RefusedDecision, match="dec_1"):
        log.record_many([FULL, changed])
    assert log.find("dec_1") == DECISION
    assert log.find("dec_full") is None


def test_many_decisions_are_all_on_record_or_none(log):
    no_id = DECISION.model_copy(update={"id": None})

    with pytest.raises(sa.exc.IntegrityError):
        log.record_many([*numbered(3), no_id])
    assert log.recent(10) == ()
    log.record_many(numbered(1500))
    assert len(log.recent(2000)) == 1500


def test_recent_decisions_come_latest_first_and_a_page_ends_where_the_next_begins(log):
    log.record_many(numbered(5))

    first = log.recent(3)
    rest = log.recent(3, before=first[-1].at)

    assert [one.id for one in first] == ["dec_4", "dec_3", "dec_2"]
    assert [one.id for one in rest] == ["dec_1", "dec_0"]


def test_sqlalchemys_own_insert_and_the_log_write_the_same_row(log, store_url):
    from gateway.tables import DECISIONS

    engine = open_store(store_url)
    with engine.begin() as connection:
        connection.execute(DECISIONS.insert().values({**FULL.model_dump(mode="json"), "id": "dec_sa", "at": FULL.at}))
    log.record(FULL)

    with engine.connect() as connection:
        rows = connection.execute(sa.select(DECISIONS).order_by(DECISIONS.c.id)).mappings().all()
    engine.dispose()
    assert dict(rows[0]) == {**rows[1], "id": "dec_full"}


def test_appending_nothing_touches_nothing(log):
    log.record_many([])

    log.sync()
    assert log.recent(1) == ()
