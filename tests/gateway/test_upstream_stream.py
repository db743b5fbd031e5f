"""Streamed answers of one endpoint, over real HTTP on loopback."""

import asyncio

import openai

from core.call_record import CallRecord
from tests.gateway.scripted_endpoint import COUNTED, DONE, HANG, chunk, endpoint, event, parts, whole
from tests.gateway.stream_reader import ANSWER, BODY, FIRST, LAST, Seen, ask, take, upstream_of


def test_an_answer_comes_as_it_was_sent_under_the_configured_name():
    seen = ask(ANSWER)

    assert seen.chunks == [
        {**chunk("Hel"), "model": "small"},
        {**chunk("lo"), "model": "small"},
        {**chunk(finish="stop"), "model": "small"},
    ]
    assert seen.raw[-1] == DONE


def test_the_first_event_is_passed_on_before_the_second_is_there():
    async def asked():
        async with endpoint(parts(FIRST, HANG)) as there:
            upstream = upstream_of(there.url)
            stream = await upstream.open_stream(BODY)
            first = await anext(stream)
            await stream.aclose()
            await upstream.aclose()
            return first

    assert b"Hel" in asyncio.run(asked())


def test_usage_is_asked_for_counted_and_hidden_from_a_client_that_did_not_ask():
    null_usage = event({**chunk("Hel"), "usage": None})
    seen = ask(parts(null_usage, LAST, COUNTED, DONE), body={**BODY, "stream_options": {"include_obfuscation": False}})

    assert seen.requests[0].body == {
        **BODY,
        "model": "small",
        "stream": True,
        "stream_options": {"include_obfuscation": False, "include_usage": True},
    }
    assert not any("usage" in one for one in seen.chunks)
    assert len(seen.chunks) == 2
    assert seen.call == CallRecord(
        model="small",
        n_input=1000,
        n_output=500,
        cost_usd=0.002,
        latency_ms=seen.call.latency_ms,
        first_token_ms=seen.call.first_token_ms,
    )
    assert 0 < seen.call.first_token_ms <= seen.call.latency_ms


def test_a_client_that_asked_for_usage_sees_it():
    seen = ask(ANSWER, body={**BODY, "stream": True, "stream_options": {"include_usage": True}})

    assert seen.chunks[-1]["usage"]["total_tokens"] == 1500
    assert seen.chunks[-1]["choices"] == []


def test_usage_beside_choices_is_counted_and_the_choices_are_passed_on():
    seen = ask(
        parts(FIRST, event({**chunk(finish="stop"), "usage": {"prompt_tokens": 2, "completion_tokens": 3}}), DONE)
    )

    assert [one["choices"][0]["finish_reason"] for one in seen.chunks] == [None, "stop"]
    assert (seen.call.n_input, seen.call.n_output) == (2, 3)


def test_running_counts_are_not_added_up():
    counts = [{"prompt_tokens": 2, "completion_tokens": n} for n in (1, 2)]
    seen = ask(parts(*(event({**chunk("x", finish="stop"), "usage": usage}) for usage in counts), DONE))

    assert (seen.call.n_input, seen.call.n_output) == (2, 2)


def test_without_usage_the_cost_is_unknown():
    seen = ask(parts(FIRST, LAST, DONE))

    assert (seen.call.outcome, seen.call.cost_usd) == ("ok", None)


def test_an_endpoint_that_refuses_to_count_is_asked_again_without_and_remembered():
    refusal = whole({"detail": [{"loc": ["body", "stream_options"], "type": "extra_forbidden"}]}, 422)

    async def asked():
        async with endpoint(refusal, ANSWER) as there:
            upstream = upstream_of(there.url)
            seen = [await take(upstream, Seen(there)) for _ in range(2)]
            await upstream.aclose()
            return seen

    first, second = asyncio.run(asked())

    assert ["stream_options" in request.body for request in first.requests] == [True, False, False]
    assert (first.text, second.text, first.call.n_attempts, second.call.n_attempts) == ("Hello", "Hello", 2, 1)


def test_an_endpoint_that_refuses_to_count_and_then_fails_is_asked_but_once_with_the_question():
    refusal = whole({"detail": [{"loc": ["body", "stream_options"], "type": "extra_forbidden"}]}, 422)

    seen = ask(refusal, whole({}, 500), ANSWER, max_retries=1)

    assert ["stream_options" in request.body for request in seen.requests] == [True, False, False]
    assert (seen.text, seen.call.n_attempts) == ("Hello", 3)


def test_a_refusal_that_only_quotes_the_word_is_not_remembered():
    quoting = whole({"error": {"message": "bad: 'what are stream_options?'"}}, 400)

    async def asked():
        async with endpoint(quoting, quoting, ANSWER) as there:
            upstream = upstream_of(there.url)
            seen = [await take(upstream, Seen(there)) for _ in range(2)]
            await upstream.aclose()
            return seen

    first, second = asyncio.run(asked())

    assert first.kind == "status_400"
    assert "stream_options" in second.requests[2].body


def test_a_client_whose_own_wish_for_usage_is_refused_is_told():
    refusal = whole({"error": {"message": "unknown: stream_options"}}, 400)
    seen = ask(refusal, ANSWER, body={**BODY, "stream_options": {"include_usage": True}})

    assert (seen.kind, len(seen.requests)) == ("status_400", 1)
    assert seen.failure.envelope is not None


def test_options_that_are_none_are_left_to_the_endpoint():
    assert ask(ANSWER, body={**BODY, "stream_options": 3}).requests[0].body["stream_options"] == 3
    assert ask(ANSWER, body={**BODY, "stream_options": None}).requests[0].body["stream_options"] == {
        "include_usage": True
    }


def test_several_choices_and_pieces_of_tool_calls_stay_as_they_are():
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a'}}
    tools = {"choices": [{"index": 1, "delta": {"role": "assistant", "content": None, "tool_calls": [call]}}], "new": 1}
    sent = [chunk("a", index=0), tools, chunk(finish="stop", index=0), chunk(finish="tool_calls", index=1)]

    seen = ask(parts(*map(event, sent), DONE))

    assert seen.chunks == [{**one, "model": "small"} for one in sent]


def test_the_official_client_reads_the_same_from_the_gateway_as_from_the_endpoint():
    sent = b": hello\r\n\r\n" + event(chunk("世")).replace(b"\n", b"\r\n") + FIRST + LAST + DONE
    # Cut into small parts, letters of several bytes among them.
    answer = parts(*(sent[start : start + 7] for start in range(0, len(sent), 7)))

    async def asked():
        async with endpoint(answer) as there:
            async with openai.AsyncOpenAI(base_url=there.url, api_key="k", max_retries=0) as client:
                direct = [one async for one in await client.chat.completions.create(**BODY, stream=True)]
            upstream = upstream_of(there.url)
            seen = await take(upstream, Seen(there))
            await upstream.aclose()
        async with (
            endpoint(parts(*seen.raw)) as there,
            openai.AsyncOpenAI(base_url=there.url, api_key="k", max_retries=0) as client,
        ):
            through = [one async for one in await client.chat.completions.create(**BODY, stream=True)]
        return direct, through

    direct, through = asyncio.run(asked())

    assert [one.model for one in through] == ["small"] * 3
    assert through == [one.model_copy(update={"model": "small"}) for one in direct]
