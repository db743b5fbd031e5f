"""What streams when, and that each stream ends on record however it ends."""

import asyncio
import gc
import json

import pytest

from core.records import Stakes
from gateway.asking.upstream import UpstreamFailure
from gateway.loop import Reply, Streamed, StrongFailed
from tests.gateway.conftest import FixedRouter
from tests.gateway.stub_upstream import StubUpstream, Told, body_of, loop_of, read, said

ONE, TWO, DONE = (
    b'data: {"choices":[{"index":0,"delta":{"content":"ri"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"ght"}}]}\n\n',
    b"data: [DONE]\n\n",
)
BODY = body_of(stream=True)

pytestmark = pytest.mark.anyio


def streaming(*events, name="large"):
    return StubUpstream(name, events=events)


async def streamed(loop, body=BODY):
    answer = await loop.answer(body)
    assert isinstance(answer, Streamed)
    return answer


async def test_the_strong_models_events_leave_as_they_come():
    gate, log = asyncio.Event(), Told()
    loop = loop_of(strong=streaming(ONE, gate, TWO, DONE), router=FixedRouter(0.9), parts={"decisions": log})

    answer = await streamed(loop)
    first = await anext(answer.events)
    assert (first, log, answer.decision.answered_by) == (ONE, [], "large")  # the rest does not exist yet
    gate.set()
    rest = [event async for event in answer.events]

    assert rest == [TWO, DONE]
    (decision,) = log
    assert (decision.id, decision.is_streamed, decision.cost_usd) == (answer.decision.id, True, 0.25)
    assert [(call.n_input, call.n_output) for call in decision.calls] == [(10, 5)]
    assert await answer.finished == decision


async def test_done_is_sent_only_once_the_decision_is_on_record():
    log = Told()
    answer = await streamed(loop_of(strong=streaming(ONE, DONE), router=FixedRouter(0.9), parts={"decisions": log}))

    assert await anext(answer.events) == ONE
    assert log == []
    assert await anext(answer.events) == DONE
    assert len(log) == 1


async def test_a_weak_answer_streams_as_it_comes_where_nothing_rechecks_it():
    loop = loop_of(
        weak=streaming(ONE, TWO, DONE, name="small"), stakes=Stakes.LOW, parts={"decisions": (log := Told())}
    )

    events, decision = await read(await streamed(loop))

    assert events == [ONE, TWO, DONE]
    assert (decision.answered_by, decision.verdict, decision.reasons) == ("small", "skipped", ())
    assert log == [decision]


@pytest.mark.parametrize("stakes", [Stakes.STANDARD, Stakes.HIGH])
async def test_a_weak_answer_that_is_rechecked_is_asked_whole_recorded_and_then_sent_as_events(stakes):
    weak, log = StubUpstream("small"), Told()

    answer = await streamed(loop_of(weak=weak, stakes=stakes, parts={"decisions": log}))

    assert weak.streams == []
    assert "stream" not in weak.asked[0]
    assert [decision.verdict for decision in log] == ["pass"]  # before the first byte
    events, decision = await read(answer)
    assert (said(events), events[-1], decision) == ("right, says small", DONE, log[0])


class Doubting(FixedRouter):
    """A bundle whose classifier is asked at any stakes."""

    def tau(self, stratum):
        return 0.5

    def suspicions(self, pairs):
        return [0.9]


async def test_at_low_stakes_a_doubt_of_the_bundle_keeps_a_weak_stream_back():
    weak = StubUpstream("small")

    events, decision = await read(await streamed(loop_of(weak=weak, router=Doubting(), stakes=Stakes.LOW)))

    assert (said(events), weak.streams) == ("right, says large", [])
    assert decision.reasons == ("bundle.suspicion:suspicious",)


async def test_a_weak_answer_held_back_is_replaced_by_the_strong_models_stream():
    strong = streaming(ONE, TWO, DONE)

    events, decision = await read(await streamed(loop_of(weak=StubUpstream("small", "wrong"), strong=strong)))

    assert events == [ONE, TWO, DONE]
    assert (decision.answered_by, decision.verdict) == ("large", "fail")
    assert [call.model for call in decision.calls] == ["small", "large"]


async def test_a_weak_stream_that_fails_before_its_first_event_goes_to_the_strong_model():
    weak = StubUpstream("small", UpstreamFailure("small", "timeout"))

    events, decision = await read(await streamed(loop_of(weak=weak, stakes=Stakes.LOW)))

    assert (said(events), decision.reasons) == ("right, says large", ("weak_timeout",))
    assert [(call.model, call.outcome) for call in decision.calls] == [("small", "timeout"), ("large", "ok")]
    assert decision.cost_usd is None  # what a call that failed has cost is not known


@pytest.mark.parametrize("broken", [UpstreamFailure("small", "stream_broken"), RuntimeError("the text"), SystemExit(1)])
async def test_a_stream_that_breaks_ends_with_an_error_and_on_record(broken, caplog):
    weak = streaming(ONE, broken, name="small")

    events, decision = await read(await streamed(loop_of(weak=weak, stakes=Stakes.LOW)))

    assert events[0] == ONE
    assert json.loads(events[1].removeprefix(b"data: "))["error"]["code"] == "upstream_failed"
    assert len(events) == 2
    kind = "weak_stream_broken" if isinstance(broken, UpstreamFailure) else "weak_error"
    assert (decision.answered_by, decision.reasons) == ("small", (kind,))
    assert "the text" not in caplog.text


async def test_a_strong_stream_that_does_not_begin_is_a_failure_with_its_decision():
    strong, log = StubUpstream("large", UpstreamFailure("large", "status_500", status=500)), Told()

    with pytest.raises(StrongFailed) as failed:
        await loop_of(strong=strong, router=FixedRouter(0.9), parts={"decisions": log}).answer(BODY)

    assert log == [failed.value.decision]
    assert failed.value.decision.reasons == ("above_threshold", "strong_status_500")


async def test_a_client_that_leaves_a_stream_is_on_record_and_the_upstream_is_closed():
    strong, log = streaming(ONE, asyncio.Event()), Told()
    loop = loop_of(strong=strong, router=FixedRouter(0.9), parts={"decisions": log})
    answer = await streamed(loop)
    await anext(answer.events)

    await answer.events.aclose()
    await loop.aclose()

    (decision,) = log
    assert (decision.reasons, decision.answered_by) == (("above_threshold", "client_left"), "large")
    assert [call.outcome for call in decision.calls] == ["client_left"]
    assert (strong.streams[0].is_closed, await answer.finished) == (True, decision)
    assert [event async for event in answer.events] == []


async def test_a_reader_that_is_cancelled_while_it_waits_is_on_record_once():
    log = Told()
    loop = loop_of(strong=streaming(ONE, asyncio.Event()), router=FixedRouter(0.9), parts={"decisions": log})
    answer = await streamed(loop)
    reading = asyncio.create_task(read(answer))
    await asyncio.sleep(0.01)

    reading.cancel()
    await asyncio.wait([reading])
    await answer.events.aclose()
    await loop.aclose()

    assert [decision.reasons[-1] for decision in log] == ["client_left"]


class SlowSink(Told):
    """Takes decisions once it is let go."""

    def __init__(self):
        super().__init__()
        self.is_reached, self.may_go = asyncio.Event(), asyncio.Event()

    async def record(self, decision):
        self.is_reached.set()
        await self.may_go.wait()
        await super().record(decision)


async def test_a_client_that_leaves_while_the_end_is_recorded_undoes_no_record():
    log = SlowSink()
    loop = loop_of(strong=streaming(ONE, DONE), router=FixedRouter(0.9), parts={"decisions": log})
    answer = await streamed(loop)
    await anext(answer.events)
    reading = asyncio.create_task(anext(answer.events))
    await log.is_reached.wait()

    reading.cancel()
    await asyncio.wait([reading])
    assert not answer.finished.cancelled()
    log.may_go.set()
    await loop.aclose()

    assert [decision.reasons for decision in log] == [("above_threshold",)]
    assert answer.finished.result() == log[0]


async def test_a_stream_that_nobody_reads_or_closes_is_on_record_all_the_same():
    log = Told()
    loop = loop_of(router=FixedRouter(0.9), parts={"decisions": log})

    await loop.answer(BODY)  # and dropped: its response never began
    gc.collect()
    await asyncio.sleep(0)
    await loop.aclose()

    assert [decision.reasons for decision in log] == [("above_threshold", "client_left")]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_before_the_answer_is_on_record_with_the_call_under_way(stream):
    gate, log = asyncio.Event(), Told()

    class Hangs(StubUpstream):
        async def complete(self, body, *, max_attempts=None):
            gate.set()
            await asyncio.Event().wait()

        open_stream = complete

    loop = loop_of(strong=Hangs("large"), router=FixedRouter(0.9), parts={"decisions": log})
    asking = asyncio.create_task(loop.answer(body_of(stream=stream)))
    await gate.wait()

    asking.cancel()
    await asyncio.wait([asking])
    await loop.aclose()

    (decision,) = log
    assert (decision.answered_by, decision.reasons) == (None, ("above_threshold", "client_left"))
    assert [(call.model, call.outcome, call.cost_usd) for call in decision.calls] == [("large", "client_left", None)]
    assert asking.cancelled()


async def test_at_high_stakes_a_weak_answer_that_is_not_on_record_does_not_stream():
    log = Told(breaks=1)

    events, decision = await read(await streamed(loop_of(parts={"decisions": log})))

    assert said(events) == "right, says large"
    assert (log, decision.reasons) == ([decision], ("decision_not_recorded",))


async def test_without_stream_the_answer_is_whole():
    assert isinstance(await loop_of().answer(body_of(stream=False)), Reply)
