import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.store import create_tables, open_store
from gateway import pins as module
from gateway.pins import Pins
from gateway.tables import PINS

A, B = "a" * 64, "b" * 64


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def __call__(self):
        return self.now

    def move(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(store_url):
    engine = open_store(store_url)
    create_tables(engine)
    yield engine
    engine.dispose()


def pin(pins, *conversations):
    async def all_of_them():
        for conversation in conversations:
            await pins.pin(conversation)

    asyncio.run(all_of_them())


def is_pinned(pins, conversation, **options):
    return asyncio.run(pins.is_pinned(conversation, **options))


def stored(engine):
    with engine.connect() as connection:
        return set(connection.execute(sa.select(PINS.c.conversation_sha256)).scalars())


def test_a_pinned_conversation_stays_until_its_time_is_over(clock):
    pins = Pins(None, 60, clock)
    pin(pins, A)

    assert (is_pinned(pins, A), is_pinned(pins, B)) == (True, False)
    clock.move(59.9)
    assert is_pinned(pins, A)
    clock.move(0.1)
    assert not is_pinned(pins, A)


def test_each_turn_that_goes_to_the_strong_model_starts_the_time_again(clock):
    pins = Pins(None, 60, clock)
    pin(pins, A)
    clock.move(50)
    pin(pins, A)
    clock.move(50)

    assert is_pinned(pins, A)


def test_no_time_pins_nothing(clock):
    pins = Pins(None, 0, clock)
    pin(pins, A)

    assert not is_pinned(pins, A)


def test_a_first_turn_is_never_pinned_and_the_store_is_not_asked(clock):
    gone = sa.create_engine("sqlite:////nowhere/at/all.db")
    pins = Pins(gone, 60, clock)
    pin(pins, A)

    assert not is_pinned(pins, A, is_first_turn=True)
    assert not is_pinned(pins, B, is_first_turn=True)
    pins.close()


def test_workers_share_their_pins_through_the_store(engine, clock):
    one, other = Pins(engine, 60, clock), Pins(engine, 60, clock)
    pin(one, A)
    one.close()

    assert (is_pinned(other, A), is_pinned(other, B)) == (True, False)
    clock.move(60)
    assert not is_pinned(other, A)
    other.close()


def test_a_pin_that_another_worker_moved_further_stays_there(engine, clock):
    late = Clock()
    late.move(30)
    for its_clock in (late, clock):
        pins = Pins(engine, 60, its_clock)
        pin(pins, A)
        pins.close()

    clock.move(80)
    assert is_pinned(Pins(engine, 60, clock), A)


def test_a_pin_set_again_moves_the_stores_end_too(engine, clock):
    pins = Pins(engine, 60, clock)
    pin(pins, A)
    clock.move(50)
    pin(pins, A)
    pins.close()
    clock.move(50)

    assert is_pinned(Pins(engine, 60, clock), A)


def test_the_store_forgets_pins_that_have_ended(engine, clock):
    pins = Pins(engine, 60, clock)
    pin(pins, A)
    pins.close()
    assert stored(engine) == {A}
    clock.move(module.PRUNE_S)
    pin(pins, B)
    pins.close()

    assert stored(engine) == {B}


def test_many_pins_reach_the_store(engine, clock):
    pins = Pins(engine, 60, clock)
    pin(pins, *(f"{n:064x}" for n in range(1200)))
    pins.close(30)

    assert len(stored(engine)) == 1200


def test_a_store_that_cannot_say_is_an_error_and_not_a_no(clock):
    gone = sa.create_engine("sqlite:////nowhere/at/all.db")

    with pytest.raises(sa.exc.OperationalError):
        is_pinned(Pins(gone, 60, clock), A)


def test_a_store_that_takes_no_pin_delays_nothing_and_this_process_knows_it(clock, caplog):
    gone = sa.create_engine("sqlite:////nowhere/at/all.db")
    pins = Pins(gone, 60, clock)
    pin(pins, A)
    pins.close()

    assert is_pinned(pins, A)
    assert "did not reach the store" in caplog.text
    assert A not in caplog.text


def test_a_pin_is_written_again_when_the_store_is_back(tmp_path, clock):
    url = f"sqlite:///{tmp_path}/later/store.db"
    pins = Pins(sa.create_engine(url), 60, clock)
    pin(pins, A)
    pins.close()
    engine = open_store(url)
    create_tables(engine)
    pin(pins, A)
    pins.close()

    assert stored(engine) == {A}
    engine.dispose()


def test_memory_holds_no_more_pins_than_it_may_and_the_latest_stay(clock, monkeypatch):
    monkeypatch.setattr(module, "MOST_IN_MEMORY", 3)
    pins = Pins(None, 60, clock)
    pin(pins, *"wxyz", "w")

    assert [is_pinned(pins, one) for one in "wxyz"] == [True, False, True, True]
