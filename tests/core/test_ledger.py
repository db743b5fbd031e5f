import threading

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import LedgerError
from core.ledger import GENESIS, Ledger, append_in
from core.store import open_store, writing


def test_each_event_follows_the_hash_of_the_one_before(store_url):
    ledger = Ledger(open_store(store_url))
    first = ledger.append("ann", "label.submit", "pair-1", {"n": 1})
    second = ledger.append("bob", "label.submit", "pair-2", {"ok": True})

    assert (first.seq, first.prev_hash) == (1, GENESIS)
    assert (second.seq, second.prev_hash) == (2, first.hash)
    assert ledger.events() == [first, second]
    assert ledger.verify() == 2


def test_the_database_itself_refuses_to_change_an_event(store_url):
    engine = open_store(store_url)
    Ledger(engine).append("ann", "release.promote", "m", {"version": 1})

    for statement in ("UPDATE ledger_event SET actor = 'eve'", "DELETE FROM ledger_event"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), writing(engine) as connection:
            connection.execute(sa.text(statement))


def test_one_byte_edited_behind_the_trigger_is_found_and_named(store_url):
    engine = open_store(store_url)
    ledger = Ledger(engine)
    for number in range(4):
        ledger.append("ann", "label.submit", f"pair-{number}", {"n": number})
    _without_triggers(engine, "UPDATE ledger_event SET details = '{\"n\":7}' WHERE seq = 3")

    with pytest.raises(LedgerError, match="event 3: its content does not match its hash"):
        ledger.verify()


def test_a_removed_event_is_found_and_named(store_url):
    engine = open_store(store_url)
    ledger = Ledger(engine)
    for number in range(4):
        ledger.append("ann", "label.submit", f"pair-{number}", {})
    _without_triggers(engine, "DELETE FROM ledger_event WHERE seq = 2")

    with pytest.raises(LedgerError, match="event 3: event 2 is missing"):
        ledger.verify()


def test_an_event_vanishes_with_the_transaction_it_was_part_of(store_url):
    engine = open_store(store_url)
    ledger = Ledger(engine)

    with pytest.raises(RuntimeError), writing(engine) as connection:
        append_in(connection, "ann", "label.submit", "pair-1", {})
        raise RuntimeError("the state change failed")

    assert ledger.events() == []


def test_writers_at_once_neither_lose_nor_fork_events(store_url):
    ledger = Ledger(open_store(store_url))

    def write(name: str) -> None:
        for number in range(10):
            ledger.append(name, "label.submit", f"pair-{number}", {})

    threads = [threading.Thread(target=write, args=(name,)) for name in ("ann", "bob", "cy", "dee")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ledger.verify() == 40


def test_a_fraction_in_the_details_is_refused_with_what_to_do(store_url):
    ledger = Ledger(open_store(store_url))

    with pytest.raises(LedgerError, match=r"'share' is a float.*Write numbers with a fraction as text"):
        ledger.append("ann", "route.config", "m", {"share": 0.5})


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(details=st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.booleans() | st.none()))
def test_any_details_survive_the_round_trip_and_verify(tmp_path_factory, details):
    details = {key: value.replace("\0", "") if isinstance(value, str) else value for key, value in details.items()}
    ledger = Ledger(open_store(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'store.db'}"))
    ledger.append("ann", "label.submit", "pair", details)

    assert ledger.verify() == 1
    assert ledger.events()[0].details == details


def _without_triggers(engine: sa.Engine, statement: str) -> None:
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(sa.text("DROP TRIGGER ledger_event_no_update"))
            connection.execute(sa.text("DROP TRIGGER ledger_event_no_delete"))
        else:
            connection.execute(sa.text("DROP TRIGGER ledger_event_append_only ON ledger_event"))
        connection.exec_driver_sql(statement)
