"""Kept texts: sealed, looked at by few and on record, pruned; a store that is away loses no request."""

import json
import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.access import Actor, Role
from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from core.sealing import secret_key
from core.store import open_store, writing
from gateway.records.texts import NotKept, Text, TextLog, count_texts, prune_texts, view_text
from gateway.tables import TEXTS

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STEWARD = Actor("sam", frozenset({Role.STEWARD}))
REQUEST = {"model": "auto", "messages": [{"role": "user", "content": "CANARY-ASKED of Ann, ü, \ud800"}]}
ANSWER = {"choices": [{"message": {"content": "CANARY-ANSWERED"}}]}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("PRECEPTOR_SECRET_KEY", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")


@pytest.fixture
def store(store_url):
    engine = open_store(store_url)
    yield engine
    engine.dispose()


def kept(store, *texts, now=NOON):
    log = TextLog(store, clock=lambda: now)
    for identifier, request, answer in texts:
        log.keep(identifier, request, answer)
    assert log.close()


def view(store, identifier, *, by=STEWARD):
    with writing(store) as connection:
        return view_text(connection, identifier, key=secret_key(store), by=by, now=NOON)


def rows(store):
    with store.connect() as connection:
        return {row.decision_id: row.sealed for row in connection.execute(sa.select(TEXTS))}


def test_a_steward_reads_what_was_asked_and_answered_word_for_word(store):
    kept(store, ("dec_1", REQUEST, ANSWER), ("dec_2", REQUEST, None))

    assert view(store, "dec_1") == Text(NOON, REQUEST, ANSWER)
    assert view(store, "dec_2").answer is None


def test_nothing_of_a_text_is_in_the_store_s_file_or_beside_it(tmp_path, monkeypatch):
    monkeypatch.delenv("PRECEPTOR_SECRET_KEY")
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    kept(store, *((f"dec_{n}", REQUEST, ANSWER) for n in range(50)))
    assert view(store, "dec_7") == Text(NOON, REQUEST, ANSWER)
    store.dispose()

    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"dec_7" in everything
    assert b"CANARY" not in everything


def test_a_text_opens_under_its_own_decision_alone(store):
    kept(store, ("dec_1", REQUEST, ANSWER), ("dec_2", REQUEST, ANSWER))
    sealed = rows(store)
    assert sealed["dec_1"] != sealed["dec_2"]
    with writing(store) as connection:
        connection.execute(TEXTS.update().where(TEXTS.c.decision_id == "dec_2").values(sealed=sealed["dec_1"]))

    with pytest.raises(PreceptorError, match="'dec_2' does not open with this key"):
        view(store, "dec_2")


def test_each_look_is_an_event_and_the_event_holds_no_text(store):
    kept(store, ("dec_1", REQUEST, ANSWER))
    view(store, "dec_1")
    view(store, "dec_1")

    events = Ledger(store).events(subject="dec_1")
    assert [(event.actor, event.action) for event in events] == [("sam", "phi.view")] * 2
    assert events[0].details == {"what": "gateway_text"}


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.STEWARD}))
def test_nobody_but_a_steward_looks_at_or_prunes_a_text(store, role):
    kept(store, ("dec_1", REQUEST, ANSWER))
    other = Actor("bob", frozenset({role}))

    with pytest.raises(AccessDenied):
        view(store, "dec_1", by=other)
    with pytest.raises(AccessDenied), writing(store) as connection:
        prune_texts(connection, before=NOON + timedelta(days=1), by=other, now=NOON)
    assert list(rows(store)) == ["dec_1"]
    assert Ledger(store).events() == []


def test_a_text_that_was_not_kept_is_told_from_one_that_does_not_open(store, monkeypatch):
    kept(store, ("dec_1", REQUEST, ANSWER))

    with pytest.raises(PreceptorError, match="No text was kept of the decision 'dec_9'"):
        view(store, "dec_9")
    monkeypatch.setenv("PRECEPTOR_SECRET_KEY", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=")
    with pytest.raises(PreceptorError, match="Set PRECEPTOR_SECRET_KEY to the key that the gateway had"):
        view(store, "dec_1")


def test_pruning_deletes_what_is_older_and_says_so_in_the_ledger(store):
    kept(store, ("old", REQUEST, ANSWER), now=NOON - timedelta(days=31))
    kept(store, ("new", REQUEST, ANSWER), now=NOON - timedelta(days=29))
    before = NOON - timedelta(days=30)
    with writing(store) as connection:
        assert count_texts(connection, before=before) == 1
        assert prune_texts(connection, before=before, by=STEWARD, now=NOON) == 1

    assert list(rows(store)) == ["new"]
    (event,) = Ledger(store).events(action="texts.prune")
    assert event.details == {"n_texts": 1, "before": "2026-10-25T12:00:00.000+00:00", "open_store": False}


def test_the_same_decision_is_kept_once(store):
    kept(store, ("dec_1", REQUEST, ANSWER), ("dec_1", REQUEST, None))

    assert view(store, "dec_1").answer == ANSWER


def test_many_threads_keep_texts_and_none_is_lost(store):
    log = TextLog(store)

    def keep(thread):
        for number in range(50):
            log.keep(f"{thread}-{number}", {"n": number}, None)

    threads = [threading.Thread(target=keep, args=(thread,)) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.close()

    assert len(rows(store)) == 300


def test_a_store_that_is_away_for_a_moment_loses_no_text(store):
    with writing(store) as connection:
        connection.execute(sa.text("ALTER TABLE gateway_text RENAME TO gone"))
    log = TextLog(store, pause_s=0.2)
    log.keep("dec_1", REQUEST, ANSWER)
    with writing(store) as connection:
        connection.execute(sa.text("ALTER TABLE gone RENAME TO gateway_text"))

    assert log.close()
    assert view(store, "dec_1").request == REQUEST


def test_a_store_that_stays_away_costs_texts_and_the_log_says_how_many_and_nothing_of_them(store, caplog):
    with writing(store) as connection:
        connection.execute(sa.text("ALTER TABLE gateway_text RENAME TO gone"))
    log = TextLog(store, pause_s=0.0)
    with caplog.at_level(logging.DEBUG):
        log.keep("dec_1", REQUEST, ANSWER)
        assert log.close()
    with writing(store) as connection:
        connection.execute(sa.text("ALTER TABLE gone RENAME TO gateway_text"))

    assert "The texts of 1 decisions were not kept: the store does not take them (" in caplog.text
    assert "CANARY" not in caplog.text


def test_no_more_waits_in_memory_than_there_is_room_for(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    log = TextLog(store, max_waiting_chars=3000)

    with writing(store), pytest.raises(NotKept, match="Too many texts wait"):  # the store's one writer is here
        for number in range(100):
            log.keep(f"dec_{number}", {"text": "x" * 500}, None)
    assert log.close()
    with pytest.raises(NotKept, match="closed"):
        log.keep("dec_late", {}, None)
    store.dispose()


def test_what_is_kept_is_whole_json(store):
    kept(store, ("dec_1", {"tools": [{"deep": [None, 1.5, "\u0000"]}]}, {}))

    assert json.dumps(view(store, "dec_1").request) == '{"tools": [{"deep": [null, 1.5, "\\u0000"]}]}'
