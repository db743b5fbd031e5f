import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import SettingsError
from gateway.chat_request import RequestFault
from gateway.controller import StrongFailed
from gateway.model_names import UnknownModel
from gateway.upstream import Endpoint, Upstream, UpstreamFailure

MESSAGES = [{"role": "user", "content": "Code this."}]


@pytest.fixture
def controller(make_controller):
    controller = make_controller()
    yield controller
    controller.close()


def test_the_same_loop_answers_without_a_server(controller, models, log):
    reply = controller.completion(model="auto", messages=MESSAGES, temperature=0)

    assert (reply.text, reply.decision.answered_by) == ("right, says small", "small")
    assert models[0].requests[0]["temperature"] == 0
    assert log.find(reply.decision.id) == reply.decision


def test_threads_and_an_event_loop_may_share_one_controller(controller):
    async def twice():
        replies = await asyncio.gather(*(controller.acompletion(model="auto", messages=MESSAGES) for _ in range(2)))
        await controller.aclose()
        return replies

    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda _: controller.completion(model="auto", messages=MESSAGES).text, range(8)))

    assert set(texts) == {reply.text for reply in asyncio.run(twice())} == {"right, says small"}


def test_a_closed_controller_can_be_used_again(controller):
    controller.completion(model="auto", messages=MESSAGES)
    controller.close()

    assert controller.completion(model="auto", messages=MESSAGES).text


def test_faults_are_raised_as_errors_with_a_sentence(controller, models):
    with pytest.raises(RequestFault, match="`messages` is missing"):
        controller.completion(model="auto")
    with pytest.raises(UnknownModel, match="router-mf-0"):
        controller.completion(model="gpt-4", messages=MESSAGES)
    models[1].status = 503
    with pytest.raises(StrongFailed, match="status_503") as failed:
        controller.completion(model="large", messages=MESSAGES)
    assert failed.value.decision.reasons == ("asked_by_name", "strong_status_503")


def test_a_key_comes_from_the_environment_or_the_gateway_does_not_start(monkeypatch, endpoints, models):
    endpoint = Endpoint(name="small", base_url=endpoints[1], api_key_env="SMALL_KEY")
    monkeypatch.setenv("SMALL_KEY", "secret")
    upstream = Upstream(endpoint)

    async def ask():
        await upstream.complete({"messages": MESSAGES})
        await upstream.aclose()

    asyncio.run(ask())

    assert models[0].headers[0]["authorization"] == "Bearer secret"
    monkeypatch.delenv("SMALL_KEY")
    with pytest.raises(SettingsError, match="SMALL_KEY"):
        Upstream(endpoint)


def test_an_endpoint_that_is_not_there_or_too_slow_is_a_named_failure():
    async def kind_of(endpoint):
        upstream = Upstream(endpoint)
        try:
            await upstream.complete({"messages": MESSAGES})
        except UpstreamFailure as failure:
            return failure.kind
        finally:
            await upstream.aclose()

    async def silent(reader, writer):
        await reader.read()
        writer.close()

    async def both():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        late = await kind_of(Endpoint(name="m", base_url=f"http://127.0.0.1:{port}/v1", timeout_s=0.1))
        server.close()
        await server.wait_closed()
        gone = await kind_of(Endpoint(name="m", base_url=f"http://127.0.0.1:{port}/v1", timeout_s=5))
        nonsense = await kind_of(Endpoint(name="m", base_url="no url", timeout_s=5))
        return late, gone, nonsense

    assert asyncio.run(both()) == ("timeout", "unreachable_connecterror", "unreachable_unsupportedprotocol")
