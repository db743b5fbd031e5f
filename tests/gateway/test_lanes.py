"""Threads beside the event loop: as many as there is work for, and never one for what nobody waits for any more."""

import asyncio
import os
import threading
import time

import pytest

from gateway.contained import BrokeOff, Lane, in_thread, in_time
from gateway.scoring import Scorer

pytestmark = pytest.mark.anyio


async def test_work_runs_in_as_many_threads_as_the_lane_has_and_no_more():
    lane, together = Lane(3), threading.Barrier(3)

    def work():
        together.wait(10)  # passes only where three run at once
        return threading.get_ident()

    threads = await asyncio.gather(*(in_thread(work, timeout_s=10, lane=lane) for _ in range(6)))

    assert len(set(threads)) == 3


async def test_one_after_the_other_needs_one_thread():
    lane = Lane(3)

    threads = [await in_thread(threading.get_ident, timeout_s=10, lane=lane) for _ in range(5)]

    assert len(set(threads)) <= 2  # the first may not be idle again when the second piece of work comes


async def test_late_work_is_not_waited_for_and_waiting_for_a_thread_counts():
    lane, may_go, begun = Lane(1), threading.Event(), []

    with pytest.raises(TimeoutError):
        await in_thread(lambda: may_go.wait(10), timeout_s=0.05, lane=lane)
    with pytest.raises(TimeoutError):
        await in_thread(lambda: begun.append(1), timeout_s=0.05, lane=lane)
    may_go.set()

    assert await in_thread(lambda: "next", timeout_s=10, lane=lane) == "next"
    assert begun == []  # it was given up before a thread took it


async def test_a_lane_that_hangs_takes_no_thread_from_another():
    hanging, may_go = Lane(1), threading.Event()
    stuck = hanging.begin(lambda: may_go.wait(10))

    assert await in_thread(lambda: "done", timeout_s=10, lane=Lane(1)) == "done"
    may_go.set()
    assert await stuck


@pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit(), asyncio.CancelledError(), StopIteration()])
async def test_what_is_meant_to_end_a_program_ends_only_the_work(error):
    def work():
        raise error

    async def coroutine():
        raise error

    with pytest.raises(BrokeOff, match=type(error).__name__):
        await in_thread(work, timeout_s=10)
    with pytest.raises((BrokeOff, RuntimeError)):  # a coroutine turns StopIteration into a RuntimeError itself
        await in_time(coroutine(), timeout_s=10)


async def test_whoever_is_cancelled_from_outside_is_cancelled():
    for waits in (in_thread(lambda: time.sleep(0.2), timeout_s=10), in_time(asyncio.Event().wait(), timeout_s=10)):
        task = asyncio.create_task(waits)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_thread_that_has_nothing_to_do_ends(monkeypatch):
    monkeypatch.setattr("gateway.contained.IDLE_S", 0.01)
    lane = Lane(1)
    thread = await in_thread(threading.current_thread, timeout_s=10, lane=lane)

    thread.join(10)

    assert not thread.is_alive()
    assert await in_thread(lambda: "again", timeout_s=10, lane=lane) == "again"


async def test_after_a_fork_a_lane_begins_anew(monkeypatch):
    lane, go_on = Lane(1), threading.Event()
    in_the_parent = asyncio.ensure_future(in_thread(lambda: go_on.wait(10), timeout_s=20, lane=lane))
    await asyncio.sleep(0)
    child = os.getpid() + 1

    monkeypatch.setattr("os.getpid", lambda: child)

    assert await in_thread(lambda: "of the child", timeout_s=10, lane=lane) == "of the child"
    go_on.set()
    assert await in_the_parent


@pytest.fixture
def no_threads(monkeypatch):
    """The system gives no thread for the gateway's work until it is told to."""
    start, gives = threading.Thread.start, threading.Event()

    def start_or_fail(thread):
        if thread.name.startswith("preceptor-") and not gives.is_set():
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_fail)
    return gives


async def test_a_lane_and_a_scorer_that_were_given_no_thread_work_again_once_there_are_some(no_threads):
    class Half:
        def probabilities(self, texts, strata=()):
            return [0.5] * len(texts)

    lane, scorer, bundle = Lane(1), Scorer(), Half()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await in_thread(lambda: 1, timeout_s=10, lane=lane)
        with pytest.raises(RuntimeError):
            await scorer.probability(bundle, "a")

    no_threads.set()

    assert await in_thread(lambda: 2, timeout_s=10, lane=lane) == 2
    assert await scorer.probability(bundle, "a") == 0.5
    scorer.close()


async def test_work_whose_thread_does_not_start_is_left_to_those_that_run(no_threads):
    lane, go = Lane(2), threading.Event()
    no_threads.set()
    first = lane.begin(lambda: go.wait(10))
    no_threads.clear()

    second = lane.begin(lambda: 2)
    go.set()

    assert await asyncio.wait_for(asyncio.gather(first, second), 10) == [True, 2]
