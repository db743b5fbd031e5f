"""The official client against a real gateway before two real endpoints, all on loopback: everything it does, works."""

import asyncio
import base64
import json
import struct
import threading
import time

import openai
import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.api.app import Doors, create_app
from gateway.asking.upstream import Endpoint, Upstream
from gateway.attempts import Models
from gateway.deciding import FixedBundles
from gateway.keys.door import NotAdmitted, OneKey
from gateway.loop import RoutingLoop
from gateway.parts import InThread
from tests.gateway.conftest import FixedRouter, completion, serving
from verifiers.assembling import Recheck
from verifiers.packs import checks_of

MESSAGES = [{"role": "user", "content": "Meningitis due to sporotrichosis"}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"town": {"type": "string"}}}},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"town": "Bern"}'}}


class Speaker:
    """An endpoint that answers what `reply` makes of a request: a completion, or the chunks of a stream."""

    def __init__(self, text):
        self.requests, self.reply = [], lambda body: completion(text)
        routes = [
            Route("/v1/chat/completions", self.answer, methods=["POST"]),
            Route("/v1/embeddings", self.embed, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        reply = self.reply(body)
        if isinstance(reply, Response):
            return reply
        if isinstance(reply, dict):
            return Response(json.dumps(reply), media_type="application/json")
        events = [f"data: {json.dumps(chunk)}\n\n" for chunk in reply]
        return StreamingResponse(iter([*events, "data: [DONE]\n\n"]), media_type="text/event-stream")

    async def embed(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        vector = base64.b64encode(struct.pack("<2f", 0.5, -1.0)).decode()
        data = [{"object": "embedding", "index": n, "embedding": vector} for n in range(len(body["input"]))]
        usage = {"prompt_tokens": 2, "total_tokens": 2}
        reply = {"object": "list", "data": data, "model": body["model"], "usage": usage}
        return Response(json.dumps(reply), media_type="application/json")


def chunk(delta=None, finish_reason=None, **fields):
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    known = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name"}
    return {**known, "choices": choices, **fields}


USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}


def says(*words):
    """Chunks of an answer, word by word."""
    first, *rest = ({"content": word} for word in words)
    return [
        chunk({"role": "assistant", **first}),
        *(chunk(delta) for delta in rest),
        chunk({}, "stop"),
        chunk(usage=USAGE),
    ]


class Router(FixedRouter):
    """Long questions need the strong model."""

    def probabilities(self, texts, strata=()):
        return super().probabilities(texts) * 0 + [min(1.0, len(text) / 100) for text in texts]


LONG = [{"role": "user", "content": "x" * 90}]
"""What the strong model is asked."""


@pytest.fixture
def speakers():
    small, large = Speaker("Code: B42.81"), Speaker("Code: B42.81\nRationale: the tabular list names it.")
    with serving(small.app) as small_url, serving(large.app) as large_url:
        yield (small, small_url), (large, large_url)


@pytest.fixture
def small(speakers):
    return speakers[0][0]


@pytest.fixture
def large(speakers):
    return speakers[1][0]


@pytest.fixture
def make_url(speakers, log):
    """Serves a gateway before the two speakers."""
    opened = []

    def make(keys=None):
        models = Models(*(Upstream(Endpoint(name=n, base_url=u)) for n, (_, u) in zip(NAMES, speakers, strict=True)))
        source = FixedBundles({"mf": Router()}, Recheck(checks_of("medical_coding")))
        loop = RoutingLoop(models=models, source=source, decisions=InThread(log))
        doors = Doors(keys=keys or OneKey("team-key"), decisions=log, embeddings=models.strong)
        app = create_app(loop, doors=doors)
        opened.append(serving(app))
        return opened[-1].__enter__()

    yield make
    for one in opened:
        one.__exit__(None, None, None)


NAMES = ("small", "large")


@pytest.fixture
def client(make_url):
    with openai.OpenAI(base_url=make_url(), api_key="team-key", max_retries=0) as client:
        yield client


def test_a_right_code_is_answered_by_the_weak_model_and_an_invented_one_by_the_strong(client, small):
    right = client.chat.completions.create(model="auto", messages=MESSAGES, extra_body={"future": 1})
    small.reply = lambda body: completion("Code: B42.83")
    invented = client.chat.completions.create(model="router-mf-0.9", messages=MESSAGES)

    assert (right.model, right.choices[0].message.content) == ("small", "Code: B42.81")
    assert (invented.model, invented.choices[0].message.content.partition("\n")[0]) == ("large", "Code: B42.81")
    assert small.requests[0]["future"] == 1


def test_the_decision_stands_in_the_headers_and_its_id_where_the_client_looks_for_it(client, small):
    small.reply = lambda body: completion("Code: E11")

    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=MESSAGES, extra_headers={"x-preceptor-debug": "1"}
    )

    assert raw.headers["x-preceptor-model"] == "large"
    assert raw.headers["x-preceptor-reason"] == "icd10cm.billable:code_not_billable"
    assert raw.headers["x-preceptor-verdict"] == "fail"
    assert raw.parse()._request_id == raw.headers["x-preceptor-decision-id"]


def test_a_stream_comes_word_by_word_with_its_usage(client, large):
    large.reply = lambda body: says("One", " two", " three")

    stream = client.chat.completions.create(
        model="auto", messages=LONG, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    assert [one.choices[0].delta.content for one in chunks if one.choices] == ["One", " two", " three", None]
    assert {one.model for one in chunks} == {"large"}
    assert chunks[-1].usage.total_tokens == 13
    assert stream.response.headers["x-preceptor-decision"] == "strong"


def test_a_checked_stream_of_the_weak_model_reads_the_same(client, small):
    stream = client.chat.completions.create(
        model="auto", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == "Code: B42.81"
    assert {one.model for one in chunks} == {"small"}
    assert chunks[-1].usage.total_tokens == 1500


def test_the_clients_own_accumulator_makes_a_completion_of_a_stream(client, large):
    large.reply = lambda body: says("One", " two")

    with client.chat.completions.stream(model="auto", messages=LONG) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()

    assert kinds.count("content.delta") == 2
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == ("One two", "stop")


def test_a_stream_that_is_left_ends_at_the_model_too_and_stands_on_record(client, large):
    was_closed = threading.Event()

    async def words_without_end():
        try:
            yield f"data: {json.dumps(chunk({'content': 'word '}))}\n\n"
            await asyncio.sleep(600)
        finally:
            was_closed.set()

    large.reply = lambda body: StreamingResponse(words_without_end(), media_type="text/event-stream")

    with client.chat.completions.create(model="auto", messages=LONG, stream=True) as stream:
        assert next(iter(stream)).choices[0].delta.content == "word "
        identifier = stream.response.headers["x-preceptor-decision-id"]

    assert was_closed.wait(60)
    found = until(lambda: client.get(f"/decisions/{identifier}", cast_to=dict))
    assert found["reasons"] == ["above_threshold", "client_left"]
    assert (found["answered_by"], found["is_streamed"], found["key_id"]) == ("large", True, "shared")


def until(ask):
    """What is asked for, once it is there."""
    end = time.monotonic() + 60
    while True:
        try:
            return ask()
        except openai.NotFoundError:
            assert time.monotonic() < end
            time.sleep(0.02)


def with_tool(body):
    """Calls the tool first, and answers once it has its result."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        text = f"It is {last['content']} in Bern."
        return says(text) if body.get("stream") else completion(text)
    if body.get("stream"):
        start = {"index": 0, **CALL, "function": {"name": "weather", "arguments": ""}}
        return [
            chunk({"role": "assistant", "content": None, "tool_calls": [start]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"town": '}}]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Bern"}'}}]}),
            chunk({}, "tool_calls"),
        ]
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    return completion("", choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])


@pytest.mark.parametrize("model", ["auto", "large"])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_the_whole_loop_of_a_tool_works(client, small, large, model, is_streamed):
    small.reply = large.reply = with_tool
    messages = [{"role": "user", "content": "The weather in Bern?"}]

    def ask():
        if not is_streamed:
            return client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
        with client.chat.completions.stream(model=model, messages=messages, tools=[WEATHER]) as stream:
            return stream.get_final_completion()

    called = ask().choices[0]
    (call,) = called.message.tool_calls
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": call.id, "content": "warm"},
    ]
    answer = ask().choices[0]

    assert (called.finish_reason, called.message.content) == ("tool_calls", None)
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == ("call_1", "weather", {"town": "Bern"})
    assert (answer.message.content, answer.finish_reason) == ("It is warm in Bern.", "stop")
    assert [one["messages"] for one in large.requests] == [messages[:1], messages]
    assert all(one["tools"] == [WEATHER] for one in large.requests)


class Coded(BaseModel):
    """A structured answer."""

    code: str
    is_billable: bool


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_structured_answer_is_parsed(client, large, is_streamed):
    text = '{"code": "B42.81", "is_billable": true}'
    large.reply = lambda body: says(text[:9], text[9:]) if body.get("stream") else completion(text)

    if is_streamed:
        with client.chat.completions.stream(model="auto", messages=LONG, response_format=Coded) as stream:
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.parse(model="auto", messages=LONG, response_format=Coded)

    assert answer.choices[0].message.parsed == Coded(code="B42.81", is_billable=True)
    asked = large.requests[0]["response_format"]
    assert (asked["type"], asked["json_schema"]["strict"]) == ("json_schema", True)


def test_several_answers_come_with_their_log_probabilities(client, large):
    def reply(body):
        token = {"token": "Code", "bytes": [67], "logprob": -0.25, "top_logprobs": []}
        message = {"role": "assistant", "content": "Code"}
        one = {"message": message, "finish_reason": "stop", "logprobs": {"content": [token], "refusal": None}}
        return completion("", choices=[{"index": number, **one} for number in range(body["n"])])

    large.reply = reply
    answer = client.chat.completions.create(model="auto", messages=LONG, n=2, logprobs=True, top_logprobs=0)

    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[1].logprobs.content[0].logprob == -0.25
    assert (large.requests[0]["n"], large.requests[0]["top_logprobs"]) == (2, 0)


def test_embeddings_are_decoded_by_the_client(client, large):
    answer = client.embeddings.create(model="embedder", input=["a", "b"], dimensions=2)

    assert [one.embedding for one in answer.data] == [[0.5, -1.0], [0.5, -1.0]]
    assert large.requests == [{"model": "embedder", "input": ["a", "b"], "dimensions": 2, "encoding_format": "base64"}]


def test_the_models_are_listed_and_found(client):
    assert [model.id for model in client.models.list()] == ["auto", "router-mf-0.5", "small", "large"]
    assert client.models.retrieve("router-mf-0.25").id == "router-mf-0.25"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("vendor/model")


def test_the_asynchronous_client_asks_many_at_once_and_streams(make_url, large):
    large.reply = lambda body: says("One", " two") if body.get("stream") else completion(body["messages"][0]["content"])

    async def run(url):
        async with openai.AsyncOpenAI(base_url=url, api_key="team-key", max_retries=0) as client:
            asked = [[{"role": "user", "content": f"{number:090}"}] for number in range(20)]
            answers = await asyncio.gather(
                *(client.chat.completions.create(model="auto", messages=one) for one in asked)
            )
            stream = await client.chat.completions.create(model="auto", messages=LONG, stream=True)
            words = [one.choices[0].delta.content async for one in stream if one.choices]
            return [int(answer.choices[0].message.content) for answer in answers], words

    numbers, words = asyncio.run(run(make_url()))

    assert numbers == list(range(20))
    assert words == ["One", " two", None]


def refuses_as(status, code):
    """What an endpoint says with an error status."""
    error = {"message": "No.", "type": "invalid_request_error", "param": "temperature", "code": code}
    return lambda body: Response(json.dumps({"error": error}), status, media_type="application/json")


def test_errors_are_the_clients_own_exceptions(client, large):
    ask = client.chat.completions.create
    with pytest.raises(openai.NotFoundError, match="router-mf-0\\.5") as caught:
        ask(model="gpt-4", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError, match="number in") as caught:
        ask(model="router-mf-7", messages=MESSAGES)
    assert caught.value.code == "invalid_threshold"
    with pytest.raises(openai.BadRequestError, match="x-preceptor-task"):
        ask(model="auto", messages=MESSAGES, extra_headers={"x-preceptor-task": "x" * 300})
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="wrong").chat.completions.create(model="auto", messages=MESSAGES)
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "exception", "code"),
    [
        (400, openai.BadRequestError, "unsupported_value"),
        (422, openai.UnprocessableEntityError, "unsupported_value"),
        (401, openai.InternalServerError, "upstream_failed"),
        (404, openai.InternalServerError, "upstream_failed"),
    ],
)
def test_an_endpoints_refusal_is_the_clients_exception_and_names_the_decision(
    client, large, is_streamed, status, exception, code
):
    large.reply = refuses_as(status, "unsupported_value")

    with pytest.raises(exception) as caught:
        client.chat.completions.create(model="large", messages=MESSAGES, stream=is_streamed)

    assert caught.value.code == code
    assert caught.value.request_id.startswith("dec_")


def test_a_stream_that_breaks_raises_the_clients_error_after_what_came(client, large):
    has_read = threading.Event()

    def events():
        yield f"data: {json.dumps(chunk({'content': 'One'}))}\n\n"
        assert has_read.wait(60)  # else both may come at once, and the strong model has failed before its first event
        yield "data: {no JSON\n\n"

    large.reply = lambda body: StreamingResponse(events(), media_type="text/event-stream")

    stream = iter(client.chat.completions.create(model="auto", messages=LONG, stream=True))

    assert next(stream).choices[0].delta.content == "One"
    has_read.set()
    with pytest.raises(openai.APIError, match="broke off"):
        list(stream)


class Refuses:
    """A door that refuses everybody in one way, and counts them."""

    def __init__(self, code, kind, status=429):
        self.refusal = {"status": status, "code": code, "message": "Not now.", "kind": kind}
        self.n_asked = 0

    async def admit(self, authorization):
        self.n_asked += 1
        raise NotAdmitted(**self.refusal, retry_after_s=1)

    async def aclose(self):
        pass


@pytest.mark.parametrize(
    ("code", "status", "exception", "n_asked"),
    [
        ("insufficient_quota", 429, openai.RateLimitError, 1),
        ("rate_limit_exceeded", 429, openai.RateLimitError, 2),
        ("domain_not_allowed", 403, openai.PermissionDeniedError, 1),
    ],
)
def test_a_client_comes_back_where_that_may_help_and_not_where_the_budget_is_used_up(
    make_url, code, status, exception, n_asked
):
    door = Refuses(code, "requests", status)

    with (
        openai.OpenAI(base_url=make_url(door), api_key="k", max_retries=1) as client,
        pytest.raises(exception) as caught,
    ):
        client.chat.completions.create(model="auto", messages=MESSAGES)

    assert caught.value.code == code
    assert door.n_asked == n_asked
