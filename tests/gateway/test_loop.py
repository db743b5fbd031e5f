import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import SettingsError
from gateway.asking.upstream import Endpoint, Upstream, UpstreamFailure
from gateway.loop import StrongFailed
from gateway.model_names import UnknownModel
from tests.gateway.conftest import answered

MESSAGES = [{"role": "user", "content": "Code this."}]


def test_the_loop_answers_without_a_server(make_loop, models, log):
    reply = answered(make_loop(), model="auto", messages=MESSAGES, temperature=0)

    assert (reply.text, reply.decision.answered_by) == ("right, says small", "small")
    assert models[0].requests[0]["temperature"] == 0
    assert log.find(reply.decision.id) == reply.decision


def test_several_event_loops_may_share_one_routing_loop(make_loop):
    loop = make_loop()

    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda _: answered(loop, model="auto", messages=MESSAGES).text, range(8)))

    assert set(texts) == {"right, says small"}


def test_faults_are_raised_as_errors_with_a_sentence(make_loop, models):
    with pytest.raises(UnknownModel, match="router-mf-0"):
        answered(make_loop(), model="gpt-4", messages=MESSAGES)
    models[1].status = 503
    with pytest.raises(StrongFailed, match="status_503") as failed:
        answered(make_loop(), model="large", messages=MESSAGES)
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
        return late, gone

    assert asyncio.run(both()) == ("timeout", "unreachable")
