import asyncio
import threading

import pytest

from core.errors import PreceptorError
from gateway.program.bridge import Bridge


@pytest.fixture
def bridge():
    bridge = Bridge()
    yield bridge
    bridge.close(lambda: asyncio.sleep(0), timeout_s=30)


async def thread_name():
    return threading.current_thread().name


def test_work_of_threads_and_event_loops_runs_on_one_loop_of_its_own(bridge):
    async def loop_of():
        return id(asyncio.get_running_loop())

    async def ask():
        return await bridge.wait(loop_of)

    assert len({bridge.call(loop_of), asyncio.run(ask()), asyncio.run(ask())}) == 1
    assert bridge.call(thread_name) == "preceptor-controller"


def test_a_caller_that_is_cancelled_cancels_its_work(bridge):
    began, ended = threading.Event(), threading.Event()

    async def work():
        began.set()
        try:
            await asyncio.sleep(300)
        finally:
            ended.set()

    async def leave():
        task = asyncio.create_task(bridge.wait(work))
        await asyncio.to_thread(began.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())

    assert ended.wait(30)


def test_a_caller_that_is_tired_of_waiting_cancels_its_work(bridge):
    ended = threading.Event()

    async def work():
        try:
            await asyncio.sleep(300)
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        bridge.call(work, timeout_s=0.1)
    assert ended.wait(30)


def test_its_own_loop_cannot_wait_for_itself(bridge):
    async def work():
        return bridge.call(thread_name)

    with pytest.raises(RuntimeError, match="cannot wait for itself"):
        bridge.call(work)


def test_closing_runs_the_last_work_cancels_the_rest_and_is_final():
    bridge = Bridge()
    seen = []

    async def forever():
        try:
            await asyncio.sleep(300)
        finally:
            seen.append("cancelled")

    async def last():
        seen.append("last")

    bridge.start(forever)
    bridge.call(thread_name)
    bridge.close(last, timeout_s=30)
    bridge.close(last, timeout_s=30)

    assert seen == ["last", "cancelled"]
    with pytest.raises(PreceptorError, match="closed"):
        bridge.call(thread_name)


def test_it_may_be_closed_from_its_own_thread():
    bridge = Bridge()
    thread = bridge.call(lambda: _itself())

    async def close():
        bridge.close(lambda: asyncio.sleep(0), timeout_s=30)

    bridge.call(close)
    thread.join(30)

    assert not thread.is_alive()


async def _itself():
    return threading.current_thread()
