"""Streams of one endpoint that fail, stall, or end as they should not, over real HTTP on loopback."""

import asyncio

import pytest

from gateway.asking import stream as upstream_stream
from gateway.asking.upstream import UpstreamFailure
from tests.gateway.scripted_endpoint import (
    COUNTED,
    DONE,
    HANG,
    RESET,
    TAKEN,
    chunk,
    endpoint,
    event,
    hang,
    parts,
    whole,
)
from tests.gateway.stream_reader import ANSWER, BODY, FIRST, LAST, Seen, ask, take, upstream_of


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (parts(DONE), "malformed_stream"),
        (parts(), "malformed_stream"),
        (parts(b": only a comment\n\n"), "malformed_stream"),
        (parts(event(b"no json")), "malformed_stream"),
        (parts(event(b"[]")), "malformed_stream"),
        (parts(event(b'{"choices": null}')), "malformed_stream"),
        (parts(event({"choices": [3]})), "malformed_stream"),
        (parts(event(b'{"choices": [{"index": NaN}]}')), "malformed_stream"),
        (parts(event(b'{"choices": [], "id": "\xff"}')), "malformed_stream"),
        (parts(b"<html>"), "malformed_stream"),
        (parts(FIRST + event(b"{")), "malformed_stream"),
        (parts(RESET), "disconnected"),
        (parts(is_ended=False), "disconnected"),
        (parts(event({"error": {"message": "no"}})), "stream_error"),
        (parts(b"event: error\n" + event({"message": "no"})), "stream_error"),
        (whole({"choices": [{"message": {"content": "whole"}}]}), "malformed_stream"),
        (whole({"error": {"message": "no"}}), "error_in_reply"),
        (whole({"error": {}}, 503), "status_503"),
    ],
)
def test_what_fails_before_the_first_event_raises_when_the_stream_is_opened(answer, kind):
    seen = ask(answer)

    assert (seen.kind, seen.call.outcome, seen.raw) == (kind, kind, [])
    assert seen.failure.call.n_attempts == 1


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (parts(FIRST, TAKEN), "malformed_stream", "Hel"),
        (parts(FIRST, TAKEN, event(chunk(finish="stop", index=1))), "malformed_stream", "Hel"),
        (parts(FIRST, TAKEN, event(chunk("lo")) + event(b"{"), DONE), "malformed_stream", "Hello"),
        (parts(FIRST, TAKEN, b"data: {"), "malformed_stream", "Hel"),
        (parts(FIRST, TAKEN, event(chunk("lo")) + event({"error": {"message": "no"}})), "stream_error", "Hello"),
        (parts(FIRST, TAKEN, RESET), "stream_broken", "Hel"),
        (parts(FIRST, TAKEN, is_ended=False), "stream_broken", "Hel"),
    ],
)
def test_what_fails_later_is_raised_after_what_was_good(answer, kind, text):
    seen = ask(answer)

    assert (seen.kind, seen.call.outcome, seen.text) == (kind, kind, text)
    assert seen.call == seen.failure.call
    assert seen.call.first_token_ms > 0


def test_a_failure_in_the_middle_is_the_end():
    async def asked():
        async with endpoint(parts(FIRST, TAKEN)) as there:
            upstream = upstream_of(there.url)
            stream = await upstream.open_stream(BODY)
            there.taken.set()
            with pytest.raises(UpstreamFailure):
                [one async for one in stream]
            rest = [one async for one in stream]
            await stream.aclose()
            await upstream.aclose()
            return rest

    assert asyncio.run(asked()) == []


@pytest.mark.parametrize("ending", [(), (b"data: [DONE]",), (b"data: [DONE]\n",), (RESET,)])
def test_an_answer_whose_choices_have_finished_needs_no_last_word(ending):
    seen = ask(parts(FIRST, LAST, TAKEN, *ending))

    assert (seen.kind, seen.call.outcome, seen.text, seen.raw[-1]) == (None, "ok", "Hel", DONE)


def test_done_is_believed_without_a_finish():
    assert ask(parts(FIRST, DONE)).call.outcome == "ok"


def test_nothing_behind_done_is_passed_on():
    assert ask(parts(FIRST, DONE + event(chunk("more")), event(b"no json"))).raw[-1] == DONE


def test_events_without_data_and_comments_are_no_chunks():
    assert ask(parts(b": hi\n\n", b"data:\n\n", FIRST, b"event: ping\n\n", LAST, DONE)).text == "Hel"


def test_an_error_in_a_stream_keeps_its_words_where_the_client_can_act_on_them():
    long = ask(parts(event({"error": {"message": "Too long.", "code": "context_length_exceeded"}})))
    secret = ask(parts(event({"error": {"message": "Incorrect API key sk-...", "code": "invalid_api_key"}})))

    assert (long.failure.status, long.failure.envelope["error"]["message"]) == (400, "Too long.")
    assert (secret.failure.status, secret.failure.envelope) == (None, None)


@pytest.mark.parametrize("answer", [hang, parts(HANG), parts(*[b": still thinking\n\n", 0.02] * 50)])
def test_the_first_event_has_a_time_limit_that_comments_do_not_extend(answer):
    seen = ask(answer, first_token_timeout_s=0.2, timeout_s=30)

    assert seen.kind == "timeout"
    assert 200 <= seen.call.latency_ms < 30_000


def test_a_stream_that_stalls_between_two_events_has_timed_out():
    seen = ask(parts(FIRST, TAKEN, *[b": still here\n\n", 0.05] * 40), timeout_s=0.5)

    assert (seen.kind, seen.call.outcome, seen.text) == ("timeout", "timeout", "Hel")


def test_a_stream_that_goes_on_may_take_longer_than_one_event(monkeypatch):
    slow = [event(chunk("x")), 0.1] * 8
    assert ask(parts(*slow, LAST, DONE), timeout_s=0.6).text == "xxxxxxxx"

    monkeypatch.setattr(upstream_stream, "WHOLE_TIMES", 1)
    assert ask(parts(*slow, LAST, DONE), timeout_s=0.6).kind == "timeout"


def test_an_event_larger_than_the_cap_ends_the_stream(monkeypatch):
    monkeypatch.setattr(upstream_stream, "MAX_EVENT_BYTES", 1000)
    seen = ask(parts(FIRST, TAKEN, event(chunk("x" * 2000)), DONE))

    assert (seen.kind, seen.text) == ("event_too_large", "Hel")


def test_a_client_that_leaves_ends_the_request_to_the_endpoint():
    ended = asyncio.Event()

    async def answer(writer):
        try:
            await parts(FIRST, HANG)(writer)
        finally:
            ended.set()

    async def asked():
        async with endpoint(answer) as there:
            upstream = upstream_of(there.url)
            stream = await upstream.open_stream(BODY)
            await anext(stream)
            reading = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            assert stream.call.outcome == "underway"
            await stream.aclose()
            await upstream.aclose()
            return stream.call, upstream.is_open

    call, is_open = asyncio.run(asked())
    assert (call.outcome, call.cost_usd, is_open) == ("client_left", None, False)


def test_an_answer_that_is_there_whole_when_the_client_leaves_has_been_given():
    async def asked():
        async with endpoint(parts(FIRST + LAST + COUNTED + DONE)) as there:
            upstream = upstream_of(there.url)
            stream = await upstream.open_stream(BODY)
            await anext(stream)
            await stream.aclose()
            await upstream.aclose()
            return stream.call

    call = asyncio.run(asked())
    assert (call.outcome, call.cost_usd) == ("ok", 0.002)


def test_a_connection_is_kept_after_a_whole_stream():
    async def asked():
        async with endpoint(ANSWER) as there:
            upstream = upstream_of(there.url)
            for _ in range(3):
                await take(upstream, Seen(there))
            await upstream.aclose()
            return there.n_connections

    assert asyncio.run(asked()) == 1
