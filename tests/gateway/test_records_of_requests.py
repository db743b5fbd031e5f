"""Each request ends on record once, whoever watches it and whatever breaks there."""

import asyncio

import pytest

from core.records import Decision, Stakes
from gateway.loop import StrongFailed
from tests.gateway.conftest import FixedRouter
from tests.gateway.stub_upstream import StubUpstream, Told, body_of, loop_of, read

pytestmark = pytest.mark.anyio


async def test_observers_hear_of_each_final_decision_once_the_failed_ones_too():
    heard, log = [], Told()
    parts = {"decisions": log, "observers": [heard.append]}

    await loop_of(parts=parts).answer(body_of())
    await read(await loop_of(router=FixedRouter(0.9), parts=parts).answer(body_of(stream=True)))
    with pytest.raises(StrongFailed):
        await loop_of(strong=StubUpstream("large", RuntimeError("x")), parts=parts).answer(body_of("large"))

    assert [decision.answered_by for decision in heard] == ["small", "large", None]
    assert heard == log


async def test_an_observer_hears_of_the_decision_that_counts_where_one_before_was_not_recorded():
    heard, log = [], Told(breaks=1)

    reply = await loop_of(parts={"decisions": log, "observers": [heard.append]}).answer(body_of())

    assert heard == log == [reply.decision]
    assert reply.decision.answered_by == "large"


@pytest.mark.parametrize("error", [RuntimeError("x"), SystemExit(1), asyncio.CancelledError()])
async def test_an_observer_that_breaks_is_logged_and_the_others_hear(error, caplog):
    heard = []

    def breaks(decision):
        raise error

    reply = await loop_of(parts={"observers": [breaks, heard.append]}).answer(body_of())

    assert heard == [reply.decision]
    assert f"An observer of decision {reply.decision.id} broke" in caplog.text


async def test_what_is_not_recorded_is_in_the_log_with_its_id_and_reasons(caplog):
    reply = await loop_of(router=FixedRouter(0.9), parts={"decisions": Told(breaks=1)}).answer(body_of())

    assert reply.decision.reasons == ("above_threshold", "decision_not_recorded")
    assert f"{reply.decision.id} was not recorded (OSError): answered by large, reasons above_threshold." in caplog.text


async def test_a_decision_made_here_holds_what_a_record_may_hold():
    log = Told()
    await loop_of(weak=StubUpstream("small", "wrong"), parts={"decisions": log}).answer(body_of("router-mf-0.5"))

    (decision,) = log
    assert Decision.model_validate(decision.model_dump()) == decision


class Hangs:
    async def record(self, decision):
        await asyncio.Event().wait()


@pytest.mark.parametrize(("stakes", "answered"), [(Stakes.HIGH, "large"), (Stakes.LOW, "small")])
async def test_a_store_that_hangs_is_waited_for_so_long_and_no_longer(stakes, answered):
    loop = loop_of(stakes=stakes, parts={"decisions": Hangs()}, record_timeout_s=0.05)

    async with asyncio.timeout(10):
        reply = await loop.answer(body_of())

    assert (reply.decision.answered_by, reply.decision.reasons) == (answered, ("decision_not_recorded",))


class Texts(list):
    """Keeps texts in memory, or breaks."""

    def __init__(self, *, breaks=False):
        super().__init__()
        self.breaks = breaks

    def keep(self, *kept):
        if self.breaks:
            raise OSError("disk full")
        self.append(kept)


async def test_without_the_setting_no_text_is_kept_and_with_it_request_and_answer_are():
    texts = Texts()
    await loop_of().answer(body_of())
    assert texts == []

    reply = await loop_of(texts=texts).answer(body_of())

    ((identifier, request, answer),) = texts
    assert (identifier, request) == (reply.decision.id, body_of())
    assert answer["choices"][0]["message"]["content"] == "right, says small"


async def test_the_text_of_a_stream_is_kept_as_one_answer():
    texts = Texts()
    answer = await loop_of(router=FixedRouter(0.9), texts=texts).answer(body_of(stream=True))
    _, decision = await read(answer)

    ((identifier, _, kept),) = texts
    assert identifier == decision.id
    assert kept["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "right, says large"}, "finish_reason": "stop"}
    ]


async def test_a_failed_request_is_kept_without_an_answer():
    texts = Texts()
    with pytest.raises(StrongFailed):
        await loop_of(strong=StubUpstream("large", RuntimeError("x")), texts=texts).answer(body_of("large"))

    assert [answer for _, _, answer in texts] == [None]


async def test_texts_that_are_not_taken_lose_no_request(caplog):
    reply = await loop_of(texts=Texts(breaks=True)).answer(body_of())

    assert reply.decision.answered_by == "small"
    assert f"The texts of decision {reply.decision.id} were not kept (OSError)" in caplog.text
    assert "right" not in caplog.text


class Unresolved(list):
    def keep(self, query, decision, tried):
        weak, strong = (
            None if one is None else one.body["choices"][0]["message"] for one in (tried.weak, tried.completion)
        )
        self.append((query.id, query.text, weak and weak["content"], strong and strong["content"]))


async def test_what_a_person_must_look_at_holds_both_answers_also_of_a_stream():
    kept = Unresolved()
    loop = loop_of(weak=StubUpstream("small", "wrong"), unresolved=kept)

    _, decision = await read(await loop.answer(body_of(stream=True)))

    assert kept == [(decision.id, "Code this.", "wrong", "right, says large")]


async def test_closing_waits_for_what_is_still_to_be_written():
    started, log = asyncio.Event(), Told()

    class Slow(Told):
        async def record(self, decision):
            started.set()
            await asyncio.sleep(0.05)
            log.append(decision)

    loop = loop_of(parts={"decisions": Slow()})
    asking = asyncio.create_task(loop.answer(body_of()))
    await started.wait()
    asking.cancel()

    await loop.aclose()

    assert [decision.answered_by for decision in log] == ["small"]
