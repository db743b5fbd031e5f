"""Whole replies of one endpoint, over real HTTP on loopback."""

import asyncio
import json
import socket

import pytest

from core.call_record import CallRecord
from core.errors import SettingsError
from gateway.asking import exchange as upstream_exchange
from gateway.asking.upstream import Endpoint, Upstream, UpstreamFailure
from tests.gateway.scripted_endpoint import HANG, completion, endpoint, hang, parts, reset, whole

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Grüße, 世界"}], "future": {"a": [1.5, None]}}
PRICES = {"usd_per_million_input": 1, "usd_per_million_output": 2}


def upstream_of(url, **settings):
    return Upstream(Endpoint(name="small", base_url=url, **{"max_retries": 0, "timeout_s": 5, **settings}))


def ask(*answers, body=BODY, **settings):
    """The completion, or its failure; and the endpoint that was asked."""

    async def asked():
        async with endpoint(*answers) as there:
            upstream = upstream_of(there.url, **settings)
            try:
                return await upstream.complete(body), there
            except UpstreamFailure as failure:
                return failure, there
            finally:
                await upstream.aclose()

    return asyncio.run(asked())


def kind_of(*answers, **settings):
    return ask(*answers, **settings)[0].kind


def test_only_the_model_is_changed_in_the_request_and_nothing_in_the_reply():
    reply, there = ask(whole(completion(new={"b": 1})), **PRICES)

    assert there.requests[0].path == "/v1/chat/completions"
    assert there.requests[0].body == {**BODY, "model": "small"}
    assert reply.body == completion(new={"b": 1})
    assert reply.model == "small"


def test_what_a_call_took_and_cost_is_on_its_record():
    reply, _ = ask(whole(completion()), **PRICES)

    assert reply.cost_usd == reply.call.cost_usd == 0.002
    assert reply.call == CallRecord(
        model="small", n_input=1000, n_output=500, cost_usd=0.002, latency_ms=reply.call.latency_ms
    )
    assert 0 < reply.call.latency_ms < 5000


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": 5}, {"prompt_tokens": -1, "completion_tokens": 1}, [],
     {"prompt_tokens": True, "completion_tokens": 1}, {"prompt_tokens": 10**400, "completion_tokens": 1}],
)  # fmt: skip
def test_a_cost_that_was_not_counted_is_unknown(usage):
    assert ask(whole(completion(usage=usage)), **PRICES)[0].cost_usd is None


def test_cached_tokens_cost_as_much_as_others():
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 900}}

    assert ask(whole(completion(usage=usage)), **PRICES)[0].cost_usd == 0.001


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (whole(b"no json"), "malformed_reply"),
        (whole([1]), "malformed_reply"),
        (whole({}), "malformed_reply"),
        (whole({"choices": []}), "malformed_reply"),
        (whole({"choices": [{"message": None}]}), "malformed_reply"),
        (whole(json.dumps(completion()).encode().replace(b"1000", b"NaN")), "malformed_reply"),
        (whole(json.dumps(completion()).encode().replace(b"1000", b"1e999")), "malformed_reply"),
        (whole(b"[" * 100_000), "malformed_reply"),
        (whole(json.dumps(completion()).encode().replace(b"hi", b"\xff")), "malformed_reply"),
        (whole({"error": {"message": "no"}}), "error_in_reply"),
        (whole({**completion(), "error": "no"}), "error_in_reply"),
        (whole({"object": "error", "message": "no"}), "error_in_reply"),
        (whole(b"", 302, location="/v1/elsewhere"), "status_302"),
        (whole(completion(), 201), "status_201"),
        (whole({"error": {}}, 401), "status_401"),
        (whole(b"oops", 500), "status_500"),
        (reset, "disconnected"),
        (parts(b'{"choices"', content_type="application/json", is_ended=False), "disconnected"),
        (whole(b"not zipped", content_encoding="gzip"), "disconnected"),
    ],
)
def test_whatever_is_not_a_completion_is_a_named_failure(answer, kind):
    failure, there = ask(answer)

    assert (failure.kind, failure.call.outcome, failure.call.n_attempts, len(there.requests)) == (kind, kind, 1, 1)
    assert failure.call.latency_ms > 0


def test_bytes_that_are_no_http_are_a_malformed_reply():
    async def gibberish(writer):
        writer.write(b"220 mail.example.org ESMTP\r\n\r\n")
        await writer.drain()

    assert kind_of(gibberish) == "malformed_reply"


@pytest.mark.parametrize(("answer", "timeouts"), [(hang, {}), (parts(b"{", HANG), {})])
def test_an_endpoint_that_takes_too_long_is_left(answer, timeouts):
    failure, _ = ask(answer, timeout_s=0.1)

    assert failure.kind == "timeout"
    assert failure.call.latency_ms >= 100


def test_nobody_there_is_unreachable():
    async def asked():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        upstream = upstream_of(f"http://127.0.0.1:{port}/v1")
        with pytest.raises(UpstreamFailure, match="unreachable"):
            await upstream.complete(BODY)
        await upstream.aclose()

    asyncio.run(asked())


def test_a_plain_server_behind_https_is_a_failure_that_does_not_pass():
    async def asked():
        async with endpoint(whole(completion())) as there:
            upstream = upstream_of(there.url.replace("http:", "https:"))
            with pytest.raises(UpstreamFailure) as failed:
                await upstream.complete(BODY)
            await upstream.aclose()
            return failed.value

    failure = asyncio.run(asked())
    assert (failure.kind, failure.may_pass) == ("tls_failed", False)


def test_a_reply_larger_than_the_cap_is_refused_before_it_is_read_whole(monkeypatch):
    monkeypatch.setattr(upstream_exchange, "MAX_REPLY_BYTES", 10_000)
    large = completion("x" * 20_000)

    assert kind_of(whole(large)) == "reply_too_large"
    assert kind_of(whole(large, zipped=True)) == "reply_too_large"
    assert ask(whole(completion("x" * 5000)))[0].body["choices"]


def test_a_compressed_reply_is_read():
    assert ask(whole(completion(), zipped=True))[0].body == completion()


def test_a_request_of_megabytes_is_sent_whole():
    reply, there = ask(whole(completion()), body={**BODY, "image": "x" * 3_000_000})

    assert len(there.requests[0].body["image"]) == 3_000_000
    assert reply.model == "small"


def test_what_is_no_json_is_not_sent():
    failure, there = ask(whole(completion()), body={**BODY, "temperature": float("nan")})

    assert (failure.kind, there.requests) == ("body_not_json", [])


def test_half_a_surrogate_pair_is_passed_on_as_json_says_it():
    _, there = ask(whole(completion()), body={**BODY, "half": "\ud83d"})

    assert there.requests[0].body["half"] == "\ud83d"


@pytest.mark.parametrize("status", [400, 413, 422, 429])
def test_what_the_client_can_act_on_keeps_the_endpoints_words(status):
    envelope = {"error": {"message": "Too long.", "code": "context_length_exceeded"}}

    failure, _ = ask(whole(envelope, status))

    assert (failure.status, failure.envelope) == (status, envelope)
    assert ask(whole([envelope], status))[0].envelope == envelope


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_what_speaks_of_the_gateways_own_account_does_not(status):
    failure, _ = ask(whole({"error": {"message": "Incorrect API key provided: sk-..."}}, status))

    assert (failure.status, failure.envelope) == (status, None)


def test_an_error_in_a_reply_of_status_200_has_the_status_that_its_code_names():
    limited, _ = ask(whole({"error": {"message": "slow down", "code": 429}}))
    secret, _ = ask(whole({"error": {"message": "bad key", "code": "invalid_api_key"}}))

    assert (limited.status, limited.envelope["error"]["message"], limited.may_pass) == (429, "slow down", True)
    assert (secret.status, secret.envelope) == (None, None)


def test_the_key_goes_into_one_header_and_into_no_error(monkeypatch):
    monkeypatch.setenv("SMALL_KEY", "sk-secret")

    failure, there = ask(whole({"error": {}}, 401), api_key_env="SMALL_KEY")

    assert there.requests[0].headers["authorization"] == "Bearer sk-secret"
    assert "secret" not in f"{failure!r} {failure} {failure.call}"


@pytest.mark.parametrize(
    ("base_url", "key", "said"),
    [
        ("no url", "k", "no address"),
        ("ftp://example.org/v1", "k", "no address"),
        ("http://", "k", "no address"),
        ("http://[::1/v1", "k", "no address"),
        ("http://me:secret@example.org/v1", "k", "password"),
        ("http://example.org/v1", "", r"\$SMALL_KEY, which is not set"),
        ("http://example.org/v1", "two\nlines", "end of a line"),
    ],
)
def test_an_endpoint_that_cannot_be_asked_is_refused_at_the_start(monkeypatch, base_url, key, said):
    monkeypatch.setenv("SMALL_KEY", key)

    with pytest.raises(SettingsError, match=said) as refused:
        upstream_of(base_url, api_key_env="SMALL_KEY")

    assert "secret" not in str(refused.value)


def test_a_query_of_the_base_url_stays_behind_the_path():
    async def asked():
        async with endpoint(whole(completion())) as there:
            upstream = upstream_of(there.url + "/?api-version=2026%2001")
            await upstream.complete(BODY)
            await upstream.aclose()
            return there.requests[0].path

    assert asyncio.run(asked()) == "/v1/chat/completions?api-version=2026%2001"


def test_environment_and_cookies_steer_no_request(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def asked():
        async with endpoint(whole(completion(), set_cookie="a=b")) as there:
            upstream = upstream_of(there.url)
            await upstream.complete(BODY)
            await upstream.complete(BODY)
            await upstream.aclose()
            return there.requests[1].headers

    assert not {"cookie", "authorization"} & set(asyncio.run(asked()))


def test_embeddings_are_passed_through_as_they_are():
    body = {"model": "embed-1", "input": ["a"], "dimensions": 3}
    reply = b'{"object": "list", "data": [{"embedding": [0.10, 1e-7]}], "usage": {"prompt_tokens": 1000}}'

    async def asked():
        async with endpoint(whole(reply)) as there:
            upstream = upstream_of(there.url, **PRICES)
            found = await upstream.embeddings(body)
            await upstream.aclose()
            return found, there.requests[0]

    found, request = asyncio.run(asked())
    assert found.body == reply
    assert (found.call.n_input, found.call.cost_usd) == (1000, 0.001)
    assert (request.path, request.body) == ("/v1/embeddings", body)
