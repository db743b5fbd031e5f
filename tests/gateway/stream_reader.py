"""Reads a stream of an upstream to its end, and keeps what came of it."""

import asyncio
import json
from dataclasses import dataclass, field

from core.call_record import CallRecord
from gateway.asking.upstream import Endpoint, Upstream, UpstreamFailure
from tests.gateway.scripted_endpoint import COUNTED, DONE, chunk, endpoint, event, parts

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Q"}]}
FIRST, LAST = event(chunk("Hel")), event(chunk(finish="stop"))
ANSWER = parts(FIRST, event(chunk("lo")), LAST, COUNTED, DONE)


@dataclass
class Seen:
    """What came of a stream."""

    there: object
    chunks: list = field(default_factory=list)
    failure: UpstreamFailure | None = None
    call: CallRecord | None = None
    raw: list = field(default_factory=list)

    @property
    def requests(self):
        return self.there.requests

    @property
    def kind(self):
        return self.failure and self.failure.kind

    @property
    def text(self):
        return "".join(choice["delta"].get("content") or "" for one in self.chunks for choice in one["choices"])


def upstream_of(url, **settings):
    return Upstream(
        Endpoint(
            name="small",
            base_url=url,
            **{"max_retries": 0, "timeout_s": 5, "usd_per_million_input": 1, "usd_per_million_output": 2, **settings},
        )
    )


async def take(upstream, seen, body=BODY):
    """Read a stream to its end, or to its failure."""
    stream = None
    try:
        stream = await upstream.open_stream(body)
        async for one in stream:
            seen.raw.append(one)
            seen.there.taken.set()
    except UpstreamFailure as failure:
        seen.failure = failure
    seen.call = stream.call if stream is not None else seen.failure.call
    if stream is not None:
        await stream.aclose()
        assert stream.call == seen.call
    assert all(one.startswith(b"data: ") and one.endswith(b"\n\n") and one.count(b"\n") == 2 for one in seen.raw)
    assert DONE not in seen.raw[:-1]
    seen.chunks = [json.loads(one[6:]) for one in seen.raw if one != DONE]
    return seen


def ask(*answers, body=BODY, **settings):
    async def asked():
        async with endpoint(*answers) as there:
            upstream = upstream_of(there.url, **settings)
            seen = await take(upstream, Seen(there), body)
            await upstream.aclose()
            return seen

    return asyncio.run(asked())
