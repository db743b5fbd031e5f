import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asking.failure import UpstreamFailure
from gateway.asking.retrying import FIRST_WAIT_S, LONGEST_WAIT_S, Waits, insist

PASSING = UpstreamFailure("m", "status_503", status=503)


class Slept:
    """Waits that take no time, and how long they were."""

    def __init__(self):
        self.seconds = []

    async def __call__(self, seconds):
        self.seconds.append(seconds)


def insisted(outcomes, *, max_attempts=10, left_s=100.0):
    """What comes of attempts with these outcomes, and the waits between them."""
    slept, left = Slept(), list(outcomes)

    async def attempt():
        outcome = left.pop(0)
        if isinstance(outcome, UpstreamFailure):
            raise outcome
        return outcome

    async def run():
        until_s = asyncio.get_running_loop().time() + left_s
        waits = Waits(random.Random(7), slept)
        try:
            return await insist(attempt, max_attempts=max_attempts, until_s=until_s, waits=waits)
        except UpstreamFailure as failure:
            return failure.kind

    return asyncio.run(run()), slept.seconds, len(outcomes) - len(left)


def failed(kind, **about):
    return UpstreamFailure("m", kind, **about)


@given(st.integers(1, 12), st.integers(0, 10**6))
def test_a_wait_lies_between_nothing_and_a_bound_that_doubles(n_failed, seed):
    wait_s = Waits(random.Random(seed)).before_next(n_failed, None)

    assert 0.0 <= wait_s <= min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (n_failed - 1))


def test_waits_are_spread_over_the_whole_of_it():
    waits = Waits(random.Random(3))
    drawn = [waits.before_next(3, None) for _ in range(1000)]  # evenly in [0, 1]

    assert sum(wait_s < 0.1 for wait_s in drawn) == pytest.approx(100, abs=30)
    assert sum(wait_s > 0.9 for wait_s in drawn) == pytest.approx(100, abs=30)


@pytest.mark.parametrize(
    "passing",
    [failed("unreachable"), failed("connect_timeout"), failed("disconnected"),
     *(failed(f"status_{status}", status=status) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529))],
)  # fmt: skip
def test_what_may_pass_is_tried_again(passing):
    assert insisted([passing, passing, "answer"])[::2] == ("answer", 3)


@pytest.mark.parametrize(
    "lasting",
    [failed("timeout"), failed("malformed_reply"), failed("tls_failed"), failed("malformed_stream"),
     *(failed(f"status_{status}", status=status) for status in (302, 400, 401, 403, 404, 413, 422))],
)  # fmt: skip
def test_what_will_not_pass_is_not(lasting):
    assert insisted([lasting, "answer"]) == (lasting.kind, [], 1)


def test_it_gives_up_after_so_many_attempts_with_the_last_failure():
    kind, waits, n_attempts = insisted([failed("unreachable"), PASSING, "answer"], max_attempts=2)

    assert (kind, len(waits), n_attempts) == ("status_503", 1, 2)


def test_it_does_not_wait_past_the_time_that_is_left():
    assert insisted([PASSING, "answer"], left_s=0.0) == ("status_503", [], 1)


def test_it_waits_as_long_as_the_endpoint_asks_at_least():
    outcome, waits, _ = insisted([failed("status_429", status=429, retry_after_s=2.0), "answer"])

    assert outcome == "answer"
    assert 2.0 <= waits[0] <= 2.25


def test_an_endpoint_that_asks_for_a_long_wait_is_not_tried_again():
    assert insisted([failed("status_429", status=429, retry_after_s=30.0), "answer"]) == ("status_429", [], 1)


def test_a_circuit_that_opened_meanwhile_leaves_the_failure_before_it():
    assert insisted([PASSING, failed("circuit_open"), "answer"])[::2] == ("status_503", 2)
    assert insisted([failed("circuit_open"), "answer"])[::2] == ("circuit_open", 1)
