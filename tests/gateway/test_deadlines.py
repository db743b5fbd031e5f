"""Deadlines on the event loop: what is late is cancelled, and a cancellation from outside stays one."""

import asyncio

import pytest

from gateway.contained import Until, in_time

pytestmark = pytest.mark.anyio


def soon(seconds=0.01):
    return asyncio.get_running_loop().time() + seconds


async def test_what_is_late_is_cancelled_and_says_so():
    ended = []

    async def late():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    with pytest.raises(TimeoutError):
        await in_time(late(), timeout_s=0.01)
    with pytest.raises(TimeoutError), Until(soon()):
        await late()

    assert ended == ["work", "work"]
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)  # the task itself goes on


async def test_of_two_deadlines_the_sooner_one_ends_the_wait_and_the_later_one_does_not():
    with Until(soon(30)):
        with pytest.raises(TimeoutError), Until(soon()):
            await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await in_time(asyncio.Event().wait(), timeout_s=0.01)
    with pytest.raises(TimeoutError), Until(soon()):
        await in_time(asyncio.Event().wait(), timeout_s=30)


async def test_work_that_waits_several_times_gets_what_it_waits_for_and_what_that_raises():
    async def fails():
        await asyncio.sleep(0)
        raise KeyError("k")

    async def work():
        first = await asyncio.create_task(asyncio.sleep(0, "a"))
        with pytest.raises(KeyError):
            await asyncio.create_task(fails())
        return first, await asyncio.create_task(asyncio.sleep(0, "b"))

    assert await in_time(work(), timeout_s=10) == ("a", "b")
    assert await in_time(asyncio.create_task(asyncio.sleep(0, "task")), timeout_s=10) == "task"


async def test_work_that_swallows_its_cancellation_returns_late_and_leaves_no_timer_behind():
    async def stubborn():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"

    assert await in_time(stubborn(), timeout_s=0.01) == "late"
    assert asyncio.current_task().cancelling() == 0


async def test_who_is_cancelled_from_outside_at_the_deadline_is_cancelled():
    async def waits():
        with Until(soon(0.0)):
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(task.cancel)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_does_not_wait_starts_no_timer(monkeypatch):
    async def known():
        return 3

    def no_timer(*_):
        raise AssertionError("a timer was started")

    monkeypatch.setattr(asyncio.get_running_loop(), "call_at", no_timer)

    assert await in_time(known(), timeout_s=10) == 3
