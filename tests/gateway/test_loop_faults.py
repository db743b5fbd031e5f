"""Faults in the parts beside the checks, whole answers and streams: nothing unverified leaves, nothing is lost.

The stages: what decides, the stop switch, the scorer, pins, the bundle that scores beside and its sink, observers, the
store, and both models' streams.
"""

import asyncio
import logging
import random
from collections import Counter

import numpy as np
import pytest

from core.records import Stakes
from gateway.asking.upstream import UpstreamFailure
from gateway.attempts import Models
from gateway.deciding import Deciding
from gateway.loop import Guard, RoutingLoop, Streamed, StrongFailed
from tests.gateway.conftest import SAYS_CODE, FixedRouter
from tests.gateway.faulty_parts import HANG, Faults, FaultyParts, FaultySink, FaultySource, Logged
from tests.gateway.stub_upstream import StubUpstream, body_of, said
from tests.gateway.test_recheck_faults import RAISED
from verifiers.assembling import Recheck
from verifiers.stakes.policy import StakesPolicy

FAST_S = 0.02
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'
BROKEN = (UpstreamFailure("large", "stream_broken"), UpstreamFailure("large", "timeout"), RuntimeError("x"))

KEEPS_BACK = {
    "deciding": (*RAISED, None, "x", 3, Deciding(None, Recheck(SAYS_CODE)), Deciding(FixedRouter(), None)),
    "stopped": (*RAISED, None, True, 1, 0, "no", []),
    "scorer": (*RAISED, HANG, None, "0.1", [], False, np.nan, np.inf, -0.1, 1.1, 0.9, object()),
    "pins": (*RAISED, HANG, None, True, 0, "no", object()),
    "decisions": (*RAISED, HANG),
}
"""After any of these the strong model answers, though the weak answer would pass."""

IS_ONLY_BESIDE = {
    "shadow": (*RAISED, "x", FixedRouter(RuntimeError("x")), FixedRouter(np.nan)),
    "shadows": (*RAISED, HANG),
    "pin": (*RAISED, HANG),
    "observer": RAISED,
    "strong_stream": ([EVENT, one] for one in BROKEN),
    "nothing": (None,),
}
"""None of these has a say; the weak answer is wrong, and must not leave because of them."""


def loop_with(given, *, weak_text, stakes):
    faults = Faults(given)
    seconds = FAST_S if given else 60
    parts, decisions = FaultyParts(faults), FaultySink(faults, "decisions")
    weak = StubUpstream("small", weak_text)
    strong = StubUpstream("large", "strong", events=given.get("strong_stream"))
    loop = RoutingLoop(
        models=Models(weak, strong),
        source=FaultySource(faults, FixedRouter(), Recheck(SAYS_CODE)),
        guard=Guard(StakesPolicy(default=stakes), *(seconds,) * 3, pins_timeout_s=seconds),
        decisions=decisions,
        observers=[parts.observe],
        scorer=parts,
        pins=parts,
        shadows=FaultySink(faults, "shadows"),
    )
    return loop, decisions, weak


async def outcome(loop, *, stream):
    """The final decision, and the text that left."""
    try:
        answer = await loop.answer(body_of(stream=stream))
    except StrongFailed as failed:
        return failed.decision, ""
    if not isinstance(answer, Streamed):
        return answer.decision, answer.text
    events = [event async for event in answer.events]
    return await answer.finished, said(events)


def violations(n_faults, stages, *, weak_text, stakes=Stakes.HIGH, seed):
    """What went wrong in so many seeded faults, by stage and fault."""
    rng, logged = random.Random(seed), Logged()
    found = Counter()
    listed = {stage: tuple(faults) for stage, faults in stages.items()}

    async def one(stage, fault, stream):
        given = {} if stage == "nothing" else {stage: fault}
        loop, decisions, weak = loop_with(given, weak_text=weak_text, stakes=stakes)
        decision, text = await outcome(loop, stream=stream)
        what = f"{stage}: {fault!r:.60} stream={stream}"
        found[f"weak answer left: {what}"] += decision.answered_by == "small" or "small" in text
        found[f"weak streamed: {what}"] += bool(weak.streams)
        found[f"lost: {what}"] += decision.id not in decisions.ids and not logged.tells_of(decision.id)

    async def run():
        names = list(listed)
        for first in range(0, n_faults, 64):  # some at once, since a hang takes its time
            chosen = [names[number % len(names)] for number in range(first, min(first + 64, n_faults))]
            await asyncio.gather(*(one(stage, rng.choice(listed[stage]), rng.random() < 0.5) for stage in chosen))
            logged.lines.clear()

    logger = logging.getLogger("preceptor.gateway")
    logger.addHandler(logged)
    try:
        asyncio.run(run())
    finally:
        logger.removeHandler(logged)
    return {what: n for what, n in found.items() if n}


@pytest.mark.parametrize("stream", [False, True])
def test_without_a_fault_a_right_weak_answer_leaves_and_is_on_record(stream):
    async def run():
        loop, decisions, _ = loop_with({}, weak_text="right, says small", stakes=Stakes.HIGH)
        decision, text = await outcome(loop, stream=stream)
        return decision.answered_by, text, decision.id in decisions.ids

    assert asyncio.run(run()) == ("small", "right, says small", True)


def test_after_a_fault_before_or_at_the_record_no_weak_answer_leaves():
    assert violations(1_000, KEEPS_BACK, weak_text="right, says small", seed=1) == {}


def test_what_breaks_beside_lets_no_wrong_answer_leave():
    assert violations(600, IS_ONLY_BESIDE, weak_text="wrong, says small", seed=2) == {}


@pytest.mark.slow
def test_of_ten_thousand_faults_in_the_parts_none_lets_a_weak_answer_leave_or_loses_a_request():
    stages = {name: tuple(faults) for name, faults in KEEPS_BACK.items()}

    assert violations(10_000, stages, weak_text="right, says small", seed=3) == {}
