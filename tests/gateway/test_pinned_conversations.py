"""A conversation that needed the strong model stays with it; none is ever pinned to the weak one."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from core.records import Stakes
from gateway.asking.upstream import UpstreamFailure
from gateway.pins import Pins
from gateway.told import Told as Beside
from tests.gateway.conftest import FixedRouter
from tests.gateway.stub_upstream import MESSAGES, StubUpstream, body_of, loop_of

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)
NEXT = [*MESSAGES, {"role": "assistant", "content": "J45"}, {"role": "user", "content": "Sure?"}]


class Clock:
    """A clock that is set."""

    now = START

    def __call__(self):
        return self.now


class Chat:
    """A conversation with a gateway whose router says one thing first and then another."""

    def __init__(self, first, then, *, weak=None, pins=None, stakes=Stakes.HIGH):
        self.clock = Clock()
        self.router = FixedRouter(first)
        self._then = then
        self.pins = pins or Pins(None, 3600, self.clock)
        self.loop = loop_of(weak=weak, router=self.router, stakes=stakes, parts={"pins": self.pins})

    async def turns(self, *, after_s=0, model="auto", told=None):
        """Both turns; returns who answered each and the second one's reasons."""
        first = (await self.loop.answer(body_of(model), told or Beside())).decision
        self.router.probability = self._then
        self.clock.now = START + timedelta(seconds=after_s)
        second = (await self.loop.answer(body_of() | {"messages": NEXT}, told or Beside())).decision
        return first.answered_by, second.answered_by, second.reasons


async def test_a_conversation_that_the_router_sent_to_the_strong_model_stays_there():
    assert await Chat(0.9, 0.1).turns() == ("large", "large", ("pinned_to_strong",))


async def test_a_conversation_whose_weak_answer_was_held_back_stays_there():
    weak = StubUpstream("small", "wrong", "right")

    assert await Chat(0.1, 0.1, weak=weak).turns() == ("large", "large", ("pinned_to_strong",))


@pytest.mark.parametrize("model", ["small", "auto"])
async def test_a_conversation_that_the_weak_model_answers_is_decided_anew_at_each_turn(model):
    assert await Chat(0.1, 0.1).turns(model=model) == ("small", "small", ())
    assert await Chat(0.1, 0.9).turns(model=model) == ("small", "large", ("above_threshold",))


async def test_a_pin_ends():
    assert (await Chat(0.9, 0.1).turns(after_s=3599))[1] == "large"
    assert (await Chat(0.9, 0.1).turns(after_s=3601))[1] == "small"


async def test_what_only_failed_for_a_moment_pins_nothing():
    weak = StubUpstream("small", UpstreamFailure("small", "timeout"), "right")

    assert await Chat(0.1, 0.1, weak=weak).turns() == ("large", "small", ())


async def test_asking_for_the_strong_model_by_its_name_pins_nothing():
    assert await Chat(0.1, 0.1).turns(model="large") == ("large", "small", ())


async def test_a_name_that_says_the_weak_model_is_taken_at_its_word():
    chat = Chat(0.9, 0.9)
    await chat.turns()

    reply = await chat.loop.answer(body_of("small") | {"messages": NEXT})

    assert reply.decision.answered_by == "small"


async def test_another_conversation_is_not_pinned():
    chat = Chat(0.9, 0.1)
    await chat.turns()
    other = [{"role": "user", "content": "Another question"}, *NEXT[1:]]

    assert (await chat.loop.answer(body_of() | {"messages": other})).decision.answered_by == "small"


class BrokenPins:
    """Breaks in one way or another."""

    def __init__(self, *, says):
        self._says = says

    async def is_pinned(self, conversation_sha256, *, is_first_turn=False):
        if self._says == "hang":
            await asyncio.Event().wait()
        if isinstance(self._says, BaseException):
            raise self._says
        return self._says

    async def pin(self, conversation_sha256):
        raise RuntimeError("x")


@pytest.mark.parametrize("says", ["hang", None, 0, "no", RuntimeError("x"), SystemExit(1), asyncio.CancelledError()])
async def test_pins_that_cannot_be_told_leave_it_to_the_strong_model(says):
    loop = loop_of(parts={"pins": BrokenPins(says=says)}, stakes=Stakes.LOW, pins_timeout_s=0.05)

    decision = (await loop.answer(body_of())).decision

    assert (decision.answered_by, decision.reasons) == ("large", ("pins_error",))


async def test_a_pin_that_is_not_taken_loses_no_request():
    loop = loop_of(parts={"pins": BrokenPins(says=False)}, router=FixedRouter(0.9))

    assert (await loop.answer(body_of())).decision.answered_by == "large"
    await loop.aclose()


@pytest.mark.parametrize(("session", "second"), [("s", "large"), (None, "small")])
async def test_a_session_stays_though_it_sends_no_history_and_a_first_turn_never_does(session, second):
    chat, told = Chat(0.9, 0.1), Beside(session=session)
    first = (await chat.loop.answer(body_of("auto"), told)).decision
    chat.router.probability = 0.1

    assert first.answered_by == "large"
    assert (await chat.loop.answer(body_of("auto"), told)).decision.answered_by == second
