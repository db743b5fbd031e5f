"""Connections to an endpoint: kept, counted, closed, and never shared with a dead neighbour."""

import asyncio
import gc
import sys

import pytest

from gateway.asking.upstream import UpstreamFailure
from tests.gateway.scripted_endpoint import completion, endpoint, hang, whole
from tests.gateway.stream_reader import BODY, upstream_of


def test_a_connection_is_kept_for_the_next_request():
    async def asked():
        async with endpoint(whole(completion()), whole({"error": {}}, 400), whole(completion())) as there:
            upstream = upstream_of(there.url)
            await upstream.complete(BODY)
            with pytest.raises(UpstreamFailure):
                await upstream.complete(BODY)
            await upstream.complete(BODY)
            await upstream.aclose()
            return there.n_connections

    assert asyncio.run(asked()) == 1


def test_no_more_connections_are_open_than_allowed_and_who_waits_too_long_for_one_is_told():
    async def asked():
        async with endpoint(hang) as there:
            upstream = upstream_of(there.url, max_connections=1, connect_timeout_s=0.1, timeout_s=30)
            first = asyncio.create_task(upstream.complete(BODY))
            while not there.requests:
                await asyncio.sleep(0)
            with pytest.raises(UpstreamFailure) as failed:
                await upstream.complete(BODY)
            first.cancel()
            await asyncio.wait([first])
            await upstream.aclose()
            return failed.value, there.n_connections

    failure, n_connections = asyncio.run(asked())
    assert (failure.kind, failure.may_pass, n_connections) == ("connect_timeout", True, 1)


def test_each_event_loop_has_connections_of_its_own_and_closes_them_though_nobody_said_so(
    monkeypatch, endpoints, models
):
    unraised = []
    monkeypatch.setattr(sys, "unraisablehook", unraised.append)
    upstream = upstream_of(endpoints[1])

    names = [asyncio.run(upstream.complete(BODY)).model for _ in range(3)]
    del upstream
    gc.collect()

    assert names == ["small", "small", "small"]
    assert unraised == []


def test_closed_connections_are_opened_again():
    async def asked():
        async with endpoint(whole(completion())) as there:
            upstream = upstream_of(there.url)
            for _ in range(2):
                await upstream.complete(BODY)
                await upstream.aclose()
            await upstream.aclose()
            return there.n_connections

    assert asyncio.run(asked()) == 2


def test_a_client_that_goes_takes_its_request_with_it():
    async def asked():
        async with endpoint(hang, whole(completion())) as there:
            upstream = upstream_of(there.url, max_connections=1)
            task = asyncio.create_task(upstream.complete(BODY))
            while not there.requests:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            reply = await upstream.complete(BODY)  # the one connection is free again
            await upstream.aclose()
            return reply.model

    assert asyncio.run(asked()) == "small"


def test_a_dead_endpoint_does_not_slow_requests_to_another():
    async def asked():
        async with endpoint(hang) as dead, endpoint(whole(completion())) as alive:
            slow, fast = upstream_of(dead.url, timeout_s=60), upstream_of(alive.url, timeout_s=30)
            hanging = [asyncio.create_task(slow.complete(BODY)) for _ in range(50)]
            while len(dead.requests) < 50:
                await asyncio.sleep(0)
            replies = await asyncio.gather(*(fast.complete(BODY) for _ in range(50)))
            assert not any(task.done() for task in hanging)
            for task in hanging:
                task.cancel()
            await asyncio.wait(hanging)
            await slow.aclose()
            await fast.aclose()
            return replies

    assert {reply.model for reply in asyncio.run(asked())} == {"small"}
