"""Scores of a bundle that decides nothing: kept without holding anybody up, dropped with a count."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from core.store import create_tables, open_store
from gateway.bundles.shadowing import Pace, ShadowLog
from gateway.parts import Shadowed
from gateway.tables import SHADOWS

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
AT_ONCE = Pace(gather_s=0.0, retry_s=0.01)


def score(identifier, probability=0.7):
    return Shadowed(identifier, NOW, "b" * 64, probability, 0.5, ask_strong=True, reasons=("above_threshold",))


def rows(engine):
    with engine.connect() as connection:
        return connection.execute(sa.select(SHADOWS).order_by(SHADOWS.c.decision_id)).all()


def record(log, *scores):
    async def all_of_them():
        for one in scores:
            await log.record(one)

    asyncio.run(all_of_them())


@pytest.fixture
def engine(store_url):
    made = open_store(store_url)
    create_tables(made)
    yield made
    made.dispose()


def test_what_was_taken_is_in_the_store_once_the_log_is_closed(engine):
    log = ShadowLog(engine)
    record(log, *(score(f"dec_{n:03}") for n in range(700)), score("dec_700", probability=None))

    assert log.close()
    found = rows(engine)
    assert len(found) == 701
    assert (found[0].decision_id, found[0].probability, found[0].threshold, found[0].ask_strong, found[0].reasons) == (
        *("dec_000", 0.7, 0.5, True),
        ["above_threshold"],
    )
    assert found[700].probability is None
    assert log.n_dropped == 0


def test_a_score_that_is_there_already_stays_and_loses_none_of_the_others(engine):
    first, second = ShadowLog(engine, pace=AT_ONCE), ShadowLog(engine)
    record(first, score("dec_1", probability=0.1))
    first.close()
    record(second, score("dec_1", probability=0.9), score("dec_2"))
    second.close()

    assert [(row.decision_id, row.probability) for row in rows(engine)] == [("dec_1", 0.1), ("dec_2", 0.7)]


def test_a_store_that_hangs_holds_up_nobody_and_what_is_too_much_is_dropped_and_counted(tmp_path, monkeypatch):
    engine = open_store(f"sqlite:///{tmp_path}/store.db")
    log, go = ShadowLog(engine, pace=Pace(max_waiting=5, gather_s=0.0)), threading.Event()
    monkeypatch.setattr("gateway.bundles.shadowing._insert", lambda *_: go.wait(20))
    record(log, *(score(f"dec_{n}") for n in range(50)))

    assert log.n_dropped >= 50 - 2 * 5 - 1
    go.set()
    assert log.close()
    engine.dispose()


def test_a_store_that_refuses_is_tried_three_times_and_the_loss_is_said(tmp_path, monkeypatch, caplog):
    engine, tries = open_store(f"sqlite:///{tmp_path}/store.db"), []
    log = ShadowLog(engine, pace=AT_ONCE)

    def refuse(*_):
        tries.append(1)
        raise OSError("a text that must not be logged")

    monkeypatch.setattr("gateway.bundles.shadowing._insert", refuse)
    record(log, score("dec_1"))
    deadline = threading.Event()
    for _ in range(400):
        if log.n_dropped:
            break
        deadline.wait(0.05)
    log.close()

    assert (len(tries), log.n_dropped) == (3, 1)
    assert "1 scores of the shadow bundle are on no record so far (OSError)" in caplog.text
    assert "must not be logged" not in caplog.text
    engine.dispose()
