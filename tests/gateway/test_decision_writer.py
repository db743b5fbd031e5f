import asyncio
import threading
import time
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from core.records import Stakes
from core.store import open_store, writing
from gateway.records.decision_log import DecisionLog
from gateway.records.decision_writer import DecisionWriter, NotRecorded, Patience
from tests.gateway.test_decision_log import DECISION, FULL, numbered

SOON = Patience(wait_s=0.5, first_pause_s=0.01, longest_pause_s=0.05)
LONG = Patience(wait_s=20.0)


class CountingLog(DecisionLog):
    """A real log that counts its transactions and remembers which of them waited for the disk."""

    def __init__(self, engine):
        super().__init__(engine)
        self.sizes, self.waited, self.n_synced = [], [], 0

    def append(self, rows, *, survives_power_cut=True):
        self.sizes.append(len(rows))
        self.waited.append(survives_power_cut)
        super().append(rows, survives_power_cut=survives_power_cut)

    def sync(self):
        self.n_synced += 1
        super().sync()


@pytest.fixture
def log(store_url):
    engine = open_store(store_url)
    yield CountingLog(engine)
    engine.dispose()


@pytest.fixture
def make_writer(log):
    writers = []

    def make(patience=LONG, log=log):
        writers.append(DecisionWriter(log, patience=patience))
        return writers[-1]

    yield make
    for writer in writers:
        writer.close()


@contextmanager
def held(store_url):
    """Someone else holds the table, so that nothing can be appended."""
    other = open_store(store_url)
    with writing(other) as connection:
        if other.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE gateway_decision IN ACCESS EXCLUSIVE MODE"))
        yield
    other.dispose()


def n_on_record(log):
    return len(log.recent(100_000))


async def settled(writer, decisions):
    """What `record` gave for each, together: None or what it raised."""
    return await asyncio.gather(*(writer.record(one) for one in decisions), return_exceptions=True)


def kinds(results):
    return {None if one is None else one.kind for one in results}


async def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_a_decision_is_on_record_once_record_returns(make_writer, log):
    async def main():
        await make_writer().record(FULL)
        return log.find(FULL.id)

    assert asyncio.run(main()) == FULL


def test_what_waits_together_is_appended_in_few_transactions(make_writer, log):
    results = asyncio.run(settled(make_writer(), numbered(1200)))

    assert kinds(results) == {None}
    assert n_on_record(log) == 1200
    assert sum(log.sizes) == 1200
    assert len(log.sizes) <= 20
    assert max(log.sizes) <= 500


def test_one_bad_decision_in_a_batch_fails_alone(make_writer, log, store_url):
    log.record(DECISION)
    taken = DECISION.model_copy(update={"answered_by": "small"})

    async def main():
        writer = make_writer()
        with held(store_url):
            first = asyncio.ensure_future(writer.record(FULL))
            await until(lambda: log.sizes)
            rest = asyncio.ensure_future(settled(writer, [*numbered(6)[2:], taken]))
            await asyncio.sleep(0)
        await first
        return await rest

    results = asyncio.run(main())
    assert [None if one is None else one.kind for one in results] == [None, None, None, None, "row_refused"]
    assert {one.id for one in log.recent(10)} == {"dec_full", "dec_1", "dec_2", "dec_3", "dec_4", "dec_5"}
    assert log.find("dec_1") == DECISION


def test_high_stakes_answers_that_were_rechecked_wait_for_the_disk_and_others_reach_it_soon(make_writer, log):
    low = FULL.model_copy(update={"id": "dec_low", "stakes": Stakes.LOW})
    strong = FULL.model_copy(update={"id": "dec_strong", "verdict": None})

    async def main():
        writer = make_writer(LONG._replace(sync_every_s=0.01))
        await writer.record(FULL)
        await writer.record(low)
        await writer.record(strong)
        await until(lambda: log.n_synced)

    asyncio.run(main())
    assert log.waited == [True, False, False]


def test_a_store_that_hangs_makes_callers_late_then_refuses_at_once_and_is_used_again_when_it_answers(
    make_writer, log, store_url
):
    async def main():
        writer = make_writer(SOON)
        with held(store_url):
            late = await settled(writer, numbered(3))
            assert writer.is_away
            started = time.monotonic()
            refused = await settled(writer, numbered(5)[3:])
            took_s = time.monotonic() - started
        await until(lambda: not writer.is_away)
        await writer.record(FULL)
        return late, refused, took_s

    late, refused, took_s = asyncio.run(main())
    assert kinds(late) == {"late"}
    assert kinds(refused) == {"store_away"}
    assert took_s < SOON.wait_s
    assert log.find(FULL.id) == FULL
    assert log.find("dec_3") is log.find("dec_4") is None


def test_a_caller_that_left_before_its_turn_is_passed_over(make_writer, log, store_url):
    async def main():
        writer = make_writer()
        with held(store_url):
            first = asyncio.ensure_future(writer.record(FULL))
            await until(lambda: log.sizes)
            left, stayed = (asyncio.ensure_future(writer.record(one)) for one in numbered(2))
            await asyncio.sleep(0)
            left.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(first, stayed)

    asyncio.run(main())
    assert {one.id for one in log.recent(10)} == {"dec_full", "dec_1"}


@pytest.mark.postgres
def test_connections_that_were_cut_are_made_anew_and_no_decision_is_lost(postgres_url):
    engine = open_store(postgres_url)
    log, other = DecisionLog(engine), open_store(postgres_url)
    cut = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async def main():
        writer = DecisionWriter(log, patience=LONG)
        results = []
        for number in range(0, 200, 20):
            with other.connect() as connection:
                connection.execute(cut)
            results += await settled(writer, numbered(200)[number : number + 20])
        await asyncio.to_thread(writer.close)
        return results

    results = asyncio.run(main())
    assert kinds(results) == {None}
    assert n_on_record(log) == 200
    engine.dispose()
    other.dispose()


class BrokenLog(DecisionLog):
    """A real log whose store is away while `is_broken`."""

    is_broken, n_tries = True, 0

    def append(self, rows, *, survives_power_cut=True):
        self.n_tries += 1
        if self.is_broken:
            raise sa.exc.OperationalError("INSERT", {}, ConnectionError("away"))
        super().append(rows, survives_power_cut=survives_power_cut)


@pytest.fixture
def broken(store_url):
    engine = open_store(store_url)
    yield BrokenLog(engine)
    engine.dispose()


def test_a_short_absence_of_the_store_is_waited_out(make_writer, broken):
    async def main():
        pending = asyncio.ensure_future(settled(make_writer(log=broken), numbered(10)))
        await until(lambda: broken.n_tries >= 3)
        broken.is_broken = False
        return await pending

    assert kinds(asyncio.run(main())) == {None}
    assert n_on_record(broken) == 10


def test_a_long_absence_costs_the_first_callers_their_patience_and_the_next_nothing(make_writer, broken):
    async def main():
        writer = make_writer(SOON._replace(longest_pause_s=60.0, first_pause_s=0.2), broken)
        first = await settled(writer, numbered(2))
        started, tries = time.monotonic(), broken.n_tries
        later = await settled(writer, numbered(100))
        return first, later, time.monotonic() - started, broken.n_tries - tries

    first, later, took_s, n_tries = asyncio.run(main())
    assert kinds(first) <= {"late", "store_away"}
    assert kinds(later) == {"store_away"}
    assert (took_s < SOON.wait_s, n_tries) == (True, 0)


def test_more_than_the_bound_may_not_wait(make_writer, log, store_url):
    async def main():
        writer = make_writer(LONG._replace(max_waiting=5))
        with held(store_url):
            first = asyncio.ensure_future(writer.record(FULL))
            await until(lambda: log.sizes)
            rest = asyncio.ensure_future(settled(writer, numbered(8)))
            await asyncio.sleep(0)
        return await first, await rest

    _, rest = asyncio.run(main())
    assert [None if one is None else one.kind for one in rest] == [None] * 5 + ["too_many_waiting"] * 3


def test_close_appends_what_waits_and_then_refuses(make_writer, log, store_url):
    async def main():
        writer = make_writer()
        with held(store_url):
            pending = asyncio.ensure_future(settled(writer, numbered(20)))
            await until(lambda: log.sizes)
            closing = asyncio.create_task(asyncio.to_thread(writer.close))
            await asyncio.sleep(0)
        assert await closing
        with pytest.raises(NotRecorded, match="stopping"):
            await writer.record(FULL)
        return await pending

    assert kinds(asyncio.run(main())) == {None}
    assert n_on_record(log) == 20
    assert log.n_synced == 1


def test_several_event_loops_share_one_writer(make_writer, log):
    writer, results = make_writer(), []

    def one_loop(number):
        mine = [one.model_copy(update={"id": f"{one.id}_{number}"}) for one in numbered(50)]
        results.extend(asyncio.run(settled(writer, mine)))

    threads = [threading.Thread(target=one_loop, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(results), kinds(results), n_on_record(log)) == (200, {None}, 200)


def test_no_wake_up_is_lost_when_decisions_come_one_at_a_time(make_writer, log):
    async def main():
        writer = make_writer()
        for one in numbered(300, stakes=Stakes.LOW):
            await writer.record(one)

    asyncio.run(main())
    assert n_on_record(log) == 300
