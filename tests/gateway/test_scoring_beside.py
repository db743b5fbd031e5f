"""A bundle that scores beside: after the answer, without a say, and without a trace where it breaks."""

import asyncio
import threading

import numpy as np
import pytest

from core.records import Stakes
from gateway.asking.upstream import UpstreamFailure
from gateway.deciding import FixedBundles
from gateway.parts import Shadowed
from tests.gateway.conftest import SAYS_CODE, FixedRouter
from tests.gateway.stub_upstream import StubUpstream, body_of, loop_of, read
from verifiers.assembling import Recheck

pytestmark = pytest.mark.anyio


class Challenger(FixedRouter):
    sha256 = "c" * 64


class WithShadow(FixedBundles):
    """One bundle decides, another scores beside."""

    def __init__(self, champion, challenger):
        super().__init__({"mf": champion}, Recheck(SAYS_CODE))
        self._challenger = challenger

    def shadow(self, domain):
        if isinstance(self._challenger, Exception):
            raise self._challenger
        return self._challenger


class Shadows(list):
    async def record(self, shadowed):
        self.append(shadowed)


def shadowed_loop(challenger, sink, champion=None, **options):
    source = WithShadow(champion or FixedRouter(0.1), challenger)
    return loop_of(source=source, parts={"shadows": sink}, **options)


async def test_what_the_challenger_would_have_done_is_kept_and_decides_nothing():
    sink = Shadows()
    loop = shadowed_loop(Challenger(0.9), sink)

    decision = (await loop.answer(body_of())).decision
    await loop.aclose()

    assert (decision.answered_by, decision.bundle) == ("small", "f" * 64)
    expected = {"probability": 0.9, "threshold": 0.5, "ask_strong": True, "reasons": ("above_threshold",)}
    assert sink == [Shadowed(decision_id=decision.id, at=decision.at, bundle="c" * 64, **expected)]


async def test_the_answer_does_not_wait_for_the_challenger():
    sink, may_go = Shadows(), threading.Event()
    challenger = Challenger()
    challenger.probabilities = lambda texts, strata=(): np.full(1, 0.1 * may_go.wait(10))
    loop = shadowed_loop(challenger, sink)

    reply = await loop.answer(body_of())
    assert sink == []
    may_go.set()
    await loop.aclose()

    assert [one.decision_id for one in sink] == [reply.decision.id]


async def test_a_stream_is_scored_beside_once_it_has_ended():
    sink = Shadows()
    loop = shadowed_loop(Challenger(0.1), sink, champion=FixedRouter(0.9))

    _, decision = await read(await loop.answer(body_of(stream=True)))
    await loop.aclose()

    assert [(one.decision_id, one.ask_strong) for one in sink] == [(decision.id, False)]


@pytest.mark.parametrize("model", ["small", "large"])
async def test_a_model_asked_for_by_its_name_is_not_scored(model):
    sink, challenger = Shadows(), Challenger()
    loop = shadowed_loop(challenger, sink)

    await loop.answer(body_of(model))
    await loop.aclose()

    assert (sink, challenger.texts) == ([], [])


async def test_a_request_that_no_model_answered_is_scored_too():
    sink = Shadows()
    loop = shadowed_loop(
        Challenger(), sink, strong=StubUpstream("large", UpstreamFailure("large", "x")), stakes="critical"
    )

    with pytest.raises(Exception, match="did not answer"):
        await loop.answer(body_of())
    await loop.aclose()

    assert len(sink) == 1


@pytest.mark.parametrize(
    ("challenger", "reasons"),
    [
        (Challenger(RuntimeError("x")), ["router_error"]),
        (Challenger(np.nan), ["probability_not_in_0_1"]),
        (RuntimeError("x"), []),
        (None, []),
    ],
)
async def test_a_challenger_that_breaks_is_only_reported(challenger, reasons):
    sink = Shadows()
    loop = shadowed_loop(challenger, sink)

    decision = (await loop.answer(body_of())).decision
    await loop.aclose()

    assert decision.answered_by == "small"
    assert [reason for one in sink for reason in one.reasons] == reasons


async def test_a_sink_that_breaks_or_hangs_is_only_logged(caplog):
    class Broken:
        async def record(self, shadowed):
            raise OSError("disk full")

    loop = shadowed_loop(Challenger(), Broken(), record_timeout_s=0.05)

    assert (await loop.answer(body_of())).decision.answered_by == "small"
    await loop.aclose()

    assert "was not scored beside (OSError)" in caplog.text


async def test_under_load_some_are_left_out_and_the_log_says_how_many(caplog, monkeypatch):
    monkeypatch.setattr("gateway.bundles.beside.MAX_WAITING", 2)
    sink = Shadows()
    loop = shadowed_loop(Challenger(), sink, stakes=Stakes.LOW)

    await asyncio.gather(*(loop.answer(body_of()) for _ in range(6)))
    await loop.aclose()

    assert len(sink) == 2
    assert "4 requests were not scored beside" in caplog.text
