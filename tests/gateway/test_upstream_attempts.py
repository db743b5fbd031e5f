"""Attempts at an endpoint that fails: how many, how long between them, and when it is left alone."""

import asyncio
import random
from datetime import UTC, datetime

import pytest

from gateway.asking import exchange as upstream_exchange
from gateway.asking.retrying import Waits
from gateway.asking.upstream import Endpoint, Upstream, UpstreamFailure
from tests.gateway.scripted_endpoint import DONE, SERVING, chunk, completion, endpoint, event, hang, parts, reset, whole

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Q"}]}
GOOD, DOWN = whole(completion()), whole({"error": {}}, 503)
STREAM = parts(event(chunk("hi", finish="stop")), DONE)
BROKEN_STREAM = parts(event(chunk("hi")))
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Setup:
    """An upstream whose waits take no time and whose clock is moved by hand."""

    def __init__(self, url, **settings):
        self.now_s, self.slept = 0.0, []
        endpoint = Endpoint(name="small", base_url=url, **{"timeout_s": 20, "break_after": 100, **settings})
        waits = Waits(random.Random(1), self.sleep)
        self.upstream = Upstream(endpoint, clock=lambda: self.now_s, now=lambda: NOON, waits=waits)

    async def sleep(self, seconds):
        self.slept.append(seconds)

    async def kind(self, **options):
        """How a call ends: `ok` or the kind of failure."""
        try:
            return (await self.upstream.complete(BODY, **options)).call.outcome
        except UpstreamFailure as failure:
            return failure.kind

    async def stream_kind(self):
        try:
            stream = await self.upstream.open_stream(BODY)
        except UpstreamFailure as failure:
            return failure.kind
        try:
            async for _ in stream:
                pass
        except UpstreamFailure as failure:
            return failure.kind
        finally:
            await stream.aclose()
        return "ok"


def on(answers, test, **settings):
    """Run the test on an endpoint with these answers."""

    async def run():
        async with endpoint(*answers) as there:
            setup = Setup(there.url, **settings)
            try:
                return await test(setup, there)
            finally:
                await setup.upstream.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize(
    "failing", [DOWN, reset, whole({"error": {}}, 429), whole({"error": {"code": 529}}), whole(b"", 408)]
)
def test_a_failure_that_passes_is_tried_again_and_counted(failing):
    async def test(setup, there):
        reply = await setup.upstream.complete(BODY)
        return reply.call.n_attempts, len(there.requests), len(setup.slept)

    assert on([failing, failing, GOOD], test) == (3, 3, 2)


def test_a_stream_is_tried_again_as_long_as_nothing_was_passed_on():
    async def test(setup, there):
        stream = await setup.upstream.open_stream(BODY)
        events = [one async for one in stream]
        await stream.aclose()
        return stream.call.n_attempts, len(events)

    assert on([DOWN, parts(is_ended=False), STREAM], test) == (3, 2)


def test_after_the_first_event_no_attempt_follows():
    async def test(setup, there):
        return await setup.stream_kind(), len(there.requests)

    assert on([BROKEN_STREAM, STREAM], test) == ("malformed_stream", 1)


@pytest.mark.parametrize(
    ("max_retries", "max_attempts", "n_requests"), [(2, None, 3), (2, 2, 2), (2, 1, 1), (0, 5, 1), (2, 0, 1)]
)
def test_attempts_have_two_caps(max_retries, max_attempts, n_requests):
    async def test(setup, there):
        with pytest.raises(UpstreamFailure) as failed:
            await setup.upstream.complete(BODY, max_attempts=max_attempts)
        return len(there.requests), failed.value.call.n_attempts, failed.value.kind

    assert on([DOWN], test, max_retries=max_retries) == (n_requests, n_requests, "status_503")


@pytest.mark.parametrize(
    "asked",
    [
        {"retry_after": "2"},
        {"retry_after": "Tue, 24 Nov 2026 12:00:02 GMT"},
        {"retry_after_ms": "2000", "retry_after": "7"},
    ],
)
def test_the_endpoint_says_how_long_to_wait_in_seconds_or_by_a_date(asked):
    async def test(setup, there):
        await setup.upstream.complete(BODY)
        return setup.slept

    (wait_s,) = on([whole({"error": {}}, 429, **asked), GOOD], test)

    assert 2.0 <= wait_s <= 2.25


def test_a_wait_too_long_for_a_request_is_told_to_whoever_asked():
    async def test(setup, there):
        with pytest.raises(UpstreamFailure) as failed:
            await setup.upstream.complete(BODY)
        return len(there.requests), failed.value.status, failed.value.retry_after_s

    assert on([whole({"error": {}}, 429, retry_after="30"), GOOD], test) == (1, 429, 30.0)


@pytest.mark.parametrize(
    ("answers", "cost_usd"),
    [([DOWN], 0.0), ([whole({"error": {}}, 401)], 0.0), ([reset], None), ([reset, DOWN], None), ([whole({})], None)],
)
def test_a_call_that_came_to_no_model_cost_nothing_and_one_that_may_have_is_unknown(answers, cost_usd):
    async def test(setup, there):
        with pytest.raises(UpstreamFailure) as failed:
            await setup.upstream.complete(BODY)
        return failed.value.call.cost_usd

    assert on(answers, test, max_retries=1) == cost_usd


def test_the_words_of_a_refusal_are_not_waited_for(monkeypatch):
    monkeypatch.setattr(upstream_exchange, "REFUSAL_S", 0.1)

    async def endless(writer):
        writer.write(b"HTTP/1.1 503 X\r\ncontent-length: 100\r\n\r\n{")
        await hang(writer)

    async def test(setup, there):
        return await setup.kind(), len(there.requests)

    assert on([endless, GOOD], test) == ("ok", 2)


def test_all_attempts_together_have_one_time_limit():
    async def test(setup, there):
        with pytest.raises(UpstreamFailure) as failed:
            await setup.upstream.complete(BODY)
        return failed.value.kind, failed.value.call.n_attempts

    assert on([DOWN, hang], test, timeout_s=0.3) == ("timeout", 2)


def test_an_endpoint_that_is_down_is_left_alone_at_once():
    async def test(setup, there):
        kinds = [await setup.kind() for _ in range(4)]
        with pytest.raises(UpstreamFailure) as turned_away:
            await setup.upstream.complete(BODY)
        return kinds, len(there.requests), setup.upstream.is_open, turned_away.value

    kinds, n_requests, is_open, failure = on([DOWN], test, break_after=3, max_retries=0, break_s=10)

    assert kinds == ["status_503", "status_503", "status_503", "circuit_open"]
    assert (n_requests, is_open) == (3, True)
    assert (failure.call.n_attempts, failure.retry_after_s, failure.may_pass) == (0, 10.0, False)


def test_attempts_end_when_the_circuit_opens_between_them():
    async def test(setup, there):
        return await setup.kind(), len(there.requests)

    assert on([DOWN], test, break_after=2, max_retries=5) == ("status_503", 2)


def test_one_call_tries_an_endpoint_after_the_break_while_others_are_turned_away():
    async def test(setup, there):
        await setup.kind()
        setup.now_s = 10.0
        probe = asyncio.create_task(setup.kind())
        while len(there.requests) < 2:
            await asyncio.sleep(0)
        others = [await setup.kind() for _ in range(3)]
        probe.cancel()
        await asyncio.wait([probe])
        return others, await setup.kind(), await setup.kind()

    found = on([DOWN, hang, GOOD], test, break_after=1, max_retries=0, break_s=10)

    assert found == (["circuit_open"] * 3, "ok", "ok")


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429])
def test_a_refusal_is_no_outage(status):
    async def test(setup, there):
        return [await setup.kind() for _ in range(4)]

    assert on([whole({"error": {}}, status)], test, break_after=2, max_retries=0) == [f"status_{status}"] * 4


def test_streams_that_break_halfway_open_the_circuit():
    async def test(setup, there):
        return [await setup.stream_kind() for _ in range(3)]

    assert on([BROKEN_STREAM], test, break_after=2) == ["malformed_stream", "malformed_stream", "circuit_open"]


def test_whole_streams_between_them_keep_it_closed():
    async def test(setup, there):
        return [await setup.stream_kind() for _ in range(6)][-1]

    assert on([BROKEN_STREAM, STREAM] * 3, test, break_after=2) == "ok"


def test_a_reply_of_the_wrong_shape_speaks_against_the_endpoint():
    async def test(setup, there):
        return [await setup.kind() for _ in range(3)]

    assert on([whole({})], test, break_after=2) == ["malformed_reply", "malformed_reply", "circuit_open"]


def test_embeddings_share_the_circuit_of_the_endpoint():
    async def test(setup, there):
        with pytest.raises(UpstreamFailure):
            await setup.upstream.embeddings({"input": "a"})
        return await setup.kind()

    assert on([DOWN], test, break_after=1, max_retries=0) == "circuit_open"


def test_after_an_outage_requests_do_not_come_back_all_at_once():
    async def test(setup, there):
        await asyncio.gather(*(setup.upstream.complete(BODY) for _ in range(40)))
        return setup.slept

    async def down(writer):
        while len(SERVING.get().requests) < 40:
            await asyncio.sleep(0.001)
        await DOWN(writer)

    waits = on([down] * 40 + [GOOD], test)

    assert len(waits) == 40
    assert all(0.0 <= wait_s <= 0.25 for wait_s in waits)
    assert max(waits) - min(waits) > 0.15
