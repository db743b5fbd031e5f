"""What a decision counts for, and the store's sums."""

import threading

import pytest

from core.call_record import CallRecord
from core.store import open_store, writing
from gateway.keys.limiter import Spent
from gateway.keys.spending import ASSUMED_USD, Pricing, add_spending, spending_on
from tests.gateway.made_decision import made_decision


def call(cost_usd=None, outcome="ok"):
    return CallRecord(model="m", outcome=outcome, cost_usd=cost_usd)


def test_a_known_cost_is_counted_as_it_is():
    assert Pricing().usd_of(made_decision(cost_usd=0.02, calls=(call(0.02),))) == 0.02


def test_an_unknown_cost_is_never_nothing(caplog):
    pricing = Pricing()
    unknown = made_decision(cost_usd=None, calls=(call(None),))

    assert pricing.usd_of(unknown) == ASSUMED_USD == 0.10
    pricing.usd_of(made_decision(cost_usd=0.5, calls=(call(0.5),)))
    pricing.usd_of(made_decision(cost_usd=0.2, calls=(call(0.2),)))
    assert pricing.usd_of(unknown) == 0.5
    assert len([record for record in caplog.records if "is not known" in record.getMessage()]) == 1


@pytest.mark.parametrize("outcome", ["timeout", "malformed_stream", "stream_broken", "client_left", "ok", "whatever"])
def test_a_call_that_may_have_been_charged_for_counts_beside_what_is_known(outcome):
    decision = made_decision(cost_usd=None, calls=(call(None, outcome), call(0.3)))

    assert Pricing().usd_of(decision) == pytest.approx(0.3 + ASSUMED_USD)


def test_a_call_that_is_known_to_cost_nothing_counts_nothing():
    refused = call(0.0, "status_429")

    assert Pricing().usd_of(made_decision(cost_usd=0.0, calls=(refused,))) == 0.0
    assert Pricing().usd_of(made_decision(cost_usd=None, calls=(refused, call(None)))) == ASSUMED_USD


def test_a_request_that_asked_nobody_cost_nothing():
    assert Pricing().usd_of(made_decision(cost_usd=None, calls=())) == 0.0


def test_a_recheck_of_unknown_cost_counts_as_well():
    assert Pricing().usd_of(made_decision(cost_usd=None, calls=(call(0.3),))) == pytest.approx(0.3 + ASSUMED_USD)


def test_a_call_without_a_decision_counts_as_one_with_it_does():
    pricing = Pricing()

    assert pricing.usd_of_call(call(None)) == ASSUMED_USD
    assert pricing.usd_of_call(call(0.5)) == 0.5
    assert pricing.usd_of_call(call(None, "timeout")) == 0.5
    assert pricing.usd_of_call(CallRecord(model="m", outcome="circuit_open", n_attempts=0)) == 0.0


def test_sums_grow_by_key_and_day(store_url):
    store = open_store(store_url)
    for _ in range(2):
        with writing(store) as connection:
            add_spending(connection, {("a", "2026-11-24"): Spent(2, 0.5), ("b", "2026-11-25"): Spent(1, 0.25)})
            add_spending(connection, {})

    with store.connect() as connection:
        assert spending_on(connection, "2026-11-24") == {"a": Spent(4, 1.0)}
        assert spending_on(connection, "2026-11-25") == {"b": Spent(2, 0.5)}
    store.dispose()


def test_writers_at_the_same_time_lose_nothing_and_never_wait_for_each_other(store_url):
    store = open_store(store_url)
    faults = []

    def write(keys):
        try:
            for _ in range(20):
                with writing(store) as connection:
                    add_spending(connection, {(key, "2026-11-24"): Spent(1, 0.125) for key in keys})
        except Exception as error:  # noqa: BLE001 - whatever goes wrong fails the test
            faults.append(error)

    threads = [threading.Thread(target=write, args=(keys,)) for keys in ("abc", "cba", "bca")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with store.connect() as connection:
        assert spending_on(connection, "2026-11-24") == {key: Spent(60, 7.5) for key in "abc"}
    assert faults == []
    store.dispose()
