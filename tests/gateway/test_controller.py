import asyncio
import gc
import json
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from core.errors import BundleError, PreceptorError, SettingsError
from gateway import Controller, RoutingError
from gateway.answered import Streamed, StrongFailed
from gateway.api.replies import error_envelope, event
from gateway.program.answer_streams import AnswerStream, StreamBroke
from gateway.program.bridge import Bridge
from gateway.streaming import at_once
from tests.gateway.conftest import serving
from tests.gateway.made_bundle import bundle_at

MESSAGES = [{"role": "user", "content": "Which code is right for asthma?"}]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return bundle_at(tmp_path_factory.mktemp("controller") / "bundle")


@pytest.fixture
def make(endpoints, models, bundle):
    _, small_url, _, large_url = endpoints
    made = []

    def build(**options):
        given = {
            "routers": ["mf"],
            "strong_model": "large",
            "weak_model": "small",
            "config": {"mf": {"bundle": str(bundle)}},
            "weak_base_url": small_url,
            "strong_base_url": large_url,
        }
        made.append(Controller(**{**given, **options}))
        return made[-1]

    yield build
    for controller in made:
        controller.close()


@pytest.fixture
def controller(make):
    return make()


def test_a_completion_reads_as_attributes_and_as_the_dictionary_that_came(controller, models):
    answer = controller.chat.completions.create(model="router-mf-1.0", messages=MESSAGES, temperature=0.2, seed=7)

    assert answer.choices[0].message.content == "right, says small"
    assert (answer.model, answer.usage.total_tokens, answer.choices[0].finish_reason) == ("small", 1500, "stop")
    assert answer["choices"][0]["message"]["content"] == "right, says small"
    assert json.loads(answer.model_dump_json())["model"] == "small"
    assert answer.decision.answered_by == "small"
    assert answer.decision.threshold == 1.0
    sent = models[0].requests[0]
    assert {**sent, "model": "small"} == {"model": "small", "messages": MESSAGES, "temperature": 0.2, "seed": 7}


@pytest.mark.parametrize(
    ("given", "answered_by"),
    [
        ({"model": "router-mf-0.0"}, "large"),
        ({"model": "router-mf-1"}, "small"),
        ({"router": "mf", "threshold": 0.0}, "large"),
        ({"router": "mf", "threshold": "1.0"}, "small"),
        ({"model": "router-mf-0", "router": "mf", "threshold": 1.0}, "large"),
        ({"router": "mf"}, "small"),
        ({"model": "auto"}, "small"),
        ({}, "small"),
        ({"model": "large"}, "large"),
    ],
)
def test_the_model_comes_from_its_name_or_from_router_and_threshold(controller, given, answered_by):
    assert controller.completion(messages=MESSAGES, **given).model == answered_by


def test_route_names_the_model_and_asks_none(controller, models):
    rate = controller.batch_calculate_win_rate(["Which code is right for asthma?"], "mf")[0]

    assert 0 < rate < 1
    assert controller.route("Which code is right for asthma?", "mf", rate) == "large"
    assert controller.route("Which code is right for asthma?", "mf", rate + 1e-6) == "small"
    assert models[0].requests == models[1].requests == []


def test_win_rates_come_as_the_kind_that_was_given(controller):
    pandas = pytest.importorskip("pandas")
    prompts = ["asthma", "a fracture of the femur", ""]

    rates = controller.batch_calculate_win_rate(prompts, router="mf")
    series = controller.batch_calculate_win_rate(pandas.Series(prompts, index=[7, 8, 9]), "mf")

    assert isinstance(rates, list)
    assert series.index.tolist() == [7, 8, 9]
    assert np.abs(series.to_numpy() - rates).max() < 1e-6
    assert len(set(rates)) == 3
    assert controller.batch_calculate_win_rate([], "mf") == []


def test_answers_are_counted_by_router_and_model(controller):
    for threshold in (0.0, 1.0, 1.0):
        controller.completion(model=f"router-mf-{threshold}", messages=MESSAGES)
    controller.completion(model="large", messages=MESSAGES)
    controller.route("asthma", "mf", 1.0)

    assert controller.model_counts == {"mf": {"large": 1, "small": 2}}
    assert controller.model_counts["mf"]["nobody"] == 0


def test_a_stream_is_chunks_for_a_plain_loop(controller):
    stream = controller.completion(model="router-mf-1.0", messages=MESSAGES, stream=True)
    chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "right, says small"
    assert {chunk.model for chunk in chunks} == {"small"}
    assert stream.decision.answered_by == "small"
    assert stream.decision.is_streamed
    assert list(stream) == []


def test_a_stream_is_chunks_for_an_async_loop(controller):
    async def read():
        stream = await controller.acompletion(
            model="router-mf-0", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        return [chunk async for chunk in stream], stream.decision

    chunks, decision = asyncio.run(read())

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "right, says large"
    assert chunks[-1].usage.total_tokens == 1500
    assert decision.answered_by == "large"
    assert controller.model_counts["mf"] == {"large": 1}


def test_a_stream_that_is_left_is_closed_and_the_next_request_answers(controller):
    with controller.completion(model="router-mf-1.0", messages=MESSAGES, stream=True) as stream:
        next(stream)
    dropped = controller.completion(model="router-mf-1.0", messages=MESSAGES, stream=True)
    del dropped
    gc.collect()

    assert list(stream) == []
    assert controller.completion(messages=MESSAGES).model == "small"


def test_a_stream_that_breaks_says_so_after_the_chunks_that_came(controller):
    decision = controller.completion(messages=MESSAGES).decision
    bridge = Bridge()

    async def streamed():
        finished = asyncio.get_running_loop().create_future()
        chunk = event({"choices": [{"index": 0, "delta": {"content": "J4\u2028"}}]})
        return Streamed(at_once([chunk + chunk, event(error_envelope("It broke off."))]), decision, finished)

    stream = AnswerStream(bridge.call(streamed), bridge)
    seen = []

    with pytest.raises(StreamBroke, match="It broke off"):
        seen.extend(chunk.choices[0].delta.content for chunk in stream)
    assert seen == ["J4\u2028", "J4\u2028"]
    assert list(stream) == []
    bridge.close(streamed, timeout_s=30)


def test_chunks_come_as_the_model_writes_them(make):
    second_may_come = threading.Event()
    app = FastAPI()

    def chunk(text, reason=None):
        return event({"id": "1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]})

    @app.post("/v1/chat/completions")
    def answer():
        def events():
            yield chunk("one ")
            assert second_may_come.wait(30)
            yield chunk("two", "stop")
            yield b"data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    with serving(app) as url:
        stream = make(weak_base_url=url).completion(model="router-mf-1.0", messages=MESSAGES, stream=True)
        first = next(stream).choices[0].delta.content
        second_may_come.set()

        assert (first, [chunk.choices[0].delta.content for chunk in stream]) == ("one ", ["two"])


def test_a_plain_call_works_where_an_event_loop_runs(controller):
    async def cell():
        return controller.completion(model="router-mf-1.0", messages=MESSAGES).model

    assert asyncio.run(cell()) == "small"


def test_many_event_loops_and_threads_share_one_controller(controller):
    async def twice():
        answers = [controller.acompletion(model="router-mf-1.0", messages=MESSAGES) for _ in range(2)]
        return [answer.model for answer in await asyncio.gather(*answers)]

    def once(_):
        return controller.completion(model="router-mf-0.0", messages=MESSAGES).model

    with ThreadPoolExecutor(4) as pool:
        threads = list(pool.map(once, range(8)))
        loops = [asyncio.run(twice()) for _ in range(3)]

    assert threads == ["large"] * 8
    assert loops == [["small", "small"]] * 3
    assert controller.model_counts["mf"] == {"large": 8, "small": 6}


def test_a_message_that_came_may_be_sent_back(controller, models):
    first = controller.completion(messages=MESSAGES)
    controller.completion(messages=[*MESSAGES, first.choices[0].message, {"role": "user", "content": "Sure?"}])

    assert models[0].requests[1]["messages"][1] == {"role": "assistant", "content": "right, says small"}


def test_an_object_of_the_openai_library_may_be_sent(controller, models):
    message = pytest.importorskip("openai").types.chat.ChatCompletionMessage(role="assistant", content="J45")
    controller.completion(messages=[*MESSAGES, message, {"role": "user", "content": "Sure?"}])

    assert models[0].requests[0]["messages"][1] == {"content": "J45", "role": "assistant"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"router": "bert", "threshold": 0.5}, "no router 'bert'"),
        ({"router": "mf", "threshold": 1.5}, "threshold 1.5 is not a number in"),
        ({"router": "mf", "threshold": float("nan")}, "threshold nan"),
        ({"router": "mf", "threshold": "much"}, "threshold 'much'"),
        ({"threshold": 0.5}, "no router 'None'"),
        ({"model": "router-mf-1.5"}, "threshold in a router name"),
        ({"model": "router-bert-0.5"}, "names that work: auto"),
        ({"model": "gpt-4"}, "names that work: auto"),
        ({"messages": []}, "`messages` is missing"),
        ({"messages": None}, "`messages` is missing"),
        ({"messages": [{"role": "user", "content": object()}]}, "type object cannot be sent"),
        ({"api_key": "secret"}, "`api_key` is not sent with a request"),
        ({"extra_body": {"api_key": "secret"}}, "`api_key` is not sent with a request"),
    ],
)
def test_what_cannot_be_routed_is_one_error_with_a_sentence(controller, models, given, says):
    with pytest.raises(RoutingError, match=says):
        controller.completion(**{"messages": MESSAGES, **given})
    with pytest.raises(RoutingError, match=says):
        asyncio.run(controller.acompletion(**{"messages": MESSAGES, **given}))
    assert models[0].requests == models[1].requests == []


def test_route_and_win_rates_know_their_routers(controller):
    with pytest.raises(RoutingError, match="no router 'bert'"):
        controller.route("x", "bert", 0.5)
    with pytest.raises(RoutingError, match="threshold 2"):
        controller.route("x", "mf", 2)
    with pytest.raises(RoutingError, match="no router 'bert'"):
        controller.batch_calculate_win_rate(["x"], "bert")


def test_what_libraries_merge_into_the_body_goes_along(controller, models):
    controller.completion(messages=MESSAGES, extra_body={"guided_choice": ["yes", "no"]}, timeout=60)

    assert models[0].requests[0]["guided_choice"] == ["yes", "no"]
    assert "timeout" not in models[0].requests[0]


def test_a_failing_weak_model_is_answered_for_and_a_failing_strong_one_is_an_error(make, models):
    controller = make()
    models[0].status = 400
    assert controller.completion(model="router-mf-1.0", messages=MESSAGES).model == "large"
    models[1].status = 400

    with pytest.raises(StrongFailed, match="status_400") as failed:
        controller.completion(model="router-mf-0.0", messages=MESSAGES)
    assert failed.value.decision.answered_by is None


def test_stakes_that_ask_for_a_recheck_go_to_the_strong_model_where_there_is_none(make):
    controller = make()
    assert controller.completion(model="router-mf-1.0", messages=MESSAGES, stakes="high").model == "large"
    assert make(stakes="high").completion(model="router-mf-1.0", messages=MESSAGES).model == "large"
    with pytest.raises(SettingsError, match="'much' are no stakes"):
        make(stakes="much")


def test_a_key_goes_into_the_header_and_into_nothing_else(make, models, monkeypatch):
    monkeypatch.setenv("LARGE_KEY", "strong-secret")
    controller = make(api_key="weak-secret", strong_api_key_env="LARGE_KEY")
    for threshold in (0.0, 1.0):
        controller.completion(model=f"router-mf-{threshold}", messages=MESSAGES)

    assert models[0].headers[0]["authorization"] == "Bearer weak-secret"
    assert models[1].headers[0]["authorization"] == "Bearer strong-secret"
    assert "secret" not in json.dumps([models[0].requests, models[1].requests])
    assert "secret" not in repr(vars(controller))


def test_one_base_url_serves_both_models_as_routellm_has_it(make, models):
    small_url = make()._parts.loop._models.weak.endpoint.base_url
    controller = make(weak_base_url=None, strong_base_url=None, api_base=small_url)

    assert controller.completion(model="router-mf-0.0", messages=MESSAGES).model == "large"
    assert [request["model"] for request in models[0].requests] == ["large"]


def test_names_with_a_provider_are_given_back_as_they_were_given(make):
    controller = make(weak_model="ollama/small", strong_model="openai/large")

    assert controller.route("asthma", "mf", 0.0) == "openai/large"
    assert controller.completion(model="router-mf-1.0", messages=MESSAGES).model == "small"
    assert controller.model_counts["mf"] == {"ollama/small": 1}


def test_a_bundle_may_be_named_by_the_environment_or_by_routellms_word(make, bundle, monkeypatch):
    assert make(config={"mf": {"checkpoint_path": str(bundle)}}).completion(messages=MESSAGES).model == "small"
    monkeypatch.setenv("PRECEPTOR_BUNDLE", "/nowhere")
    monkeypatch.setenv("PRECEPTOR_BUNDLE_MF", str(bundle))
    assert make(config=None).completion(messages=MESSAGES).model == "small"


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"config": None}, SettingsError, r"Nothing says which bundle router 'mf' is.*PRECEPTOR_BUNDLE"),
        ({"config": {"mf": {"path": "x"}}}, SettingsError, "says 'path', which nothing here reads"),
        ({"config": {"mf": {"checkpoint_path": "routellm/mf_gpt4_augmented"}}}, BundleError, "no bundle in 'routellm"),
        ({"routers": []}, SettingsError, "No router is named"),
        ({"weak_model": "tiny"}, SettingsError, r"between 'small' \(weak\) and 'large' \(strong\), not.*'tiny'"),
        ({"weak_model": "large"}, SettingsError, "both 'large'"),
        ({"weak_base_url": None}, SettingsError, "not known where the model 'small' answers"),
        ({"weak_base_url": "no address"}, SettingsError, "no address"),
        ({"weak_api_key_env": "NO_SUCH_KEY"}, SettingsError, "NO_SUCH_KEY"),
        ({"api_key": "two\nlines"}, SettingsError, "holds a character that no key has"),
    ],
)
def test_a_controller_that_cannot_work_is_not_built(make, monkeypatch, options, error, says):
    monkeypatch.delenv("PRECEPTOR_BUNDLE", raising=False)

    with pytest.raises(error, match=says):
        make(**options)


def test_a_closed_controller_says_so(make):
    controller = make()
    controller.completion(messages=MESSAGES)
    controller.close()
    controller.close()

    with pytest.raises(PreceptorError, match="closed"):
        controller.completion(messages=MESSAGES)


def test_a_request_that_takes_longer_than_the_program_waits_is_a_timeout(controller, models):
    with pytest.raises(TimeoutError):
        controller.completion(model="router-mf-0.0", messages=MESSAGES, timeout=0)


def test_a_program_that_closes_nothing_ends_by_itself(endpoints, models, bundle):
    program = f"""
        import sys

        from gateway import Controller

        client = Controller(
            routers=["mf"],
            strong_model="large",
            weak_model="small",
            config={{"mf": {{"bundle": {str(bundle)!r}}}}},
            weak_base_url={endpoints[1]!r},
            strong_base_url={endpoints[3]!r},
        )
        response = client.chat.completions.create(
            model="router-mf-1.0", messages=[{{"role": "user", "content": "Hello!"}}]
        )
        print(response.choices[0].message.content)
        asked = [{{"role": "user", "content": "x"}}]
        for chunk in client.completion(router="mf", threshold=0.0, messages=asked, stream=True):
            print(chunk.choices[0].delta.content or "", end="")
        print(sorted({{"torch", "mlflow", "litellm", "openai"}} & set(sys.modules)))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120, check=False
    )

    assert ran.stdout == "right, says small\nright, says large[]\n"
    assert (ran.returncode, ran.stderr) == (0, "")


def test_importing_the_room_loads_nothing_heavy():
    program = (
        "import sys, gateway; print(sorted({'torch', 'mlflow', 'numpy', 'aiohttp', 'pydantic'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout.strip() == "[]"


def test_the_room_has_nothing_else():
    import gateway

    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        _ = gateway.Server
