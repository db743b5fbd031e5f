from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.asking.breaker import Breaker


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker(break_after=3, break_s=10.0, clock=clock)


def fail(breaker, n):
    for _ in range(n):
        breaker.admit().failed()


def test_it_opens_after_so_many_failures_in_a_row(breaker):
    fail(breaker, 2)
    assert not breaker.is_open

    fail(breaker, 1)

    assert breaker.is_open
    assert breaker.admit() is None


def test_a_success_between_them_starts_the_row_anew(breaker):
    fail(breaker, 2)
    breaker.admit().succeeded()
    fail(breaker, 2)

    assert not breaker.is_open


def test_an_answer_that_only_began_forgives_nothing(breaker):
    for _ in range(3):
        stream = breaker.admit()
        stream.began()
        stream.failed()

    assert breaker.is_open


def test_one_probe_passes_after_the_break_and_closes_it_when_it_succeeds(breaker, clock):
    fail(breaker, 3)
    clock.now_s = 9.9
    assert breaker.admit() is None
    assert breaker.wait_s == pytest.approx(0.1)

    clock.now_s = 10.0
    probe = breaker.admit()

    assert breaker.admit() is None
    probe.succeeded()
    assert breaker.admit() is not None


def test_a_probe_that_fails_opens_it_for_another_break(breaker, clock):
    fail(breaker, 3)
    clock.now_s = 10.0
    breaker.admit().failed()

    assert breaker.wait_s == 10.0
    clock.now_s = 20.0
    assert breaker.admit() is not None


def test_a_probe_that_begins_to_answer_closes_it_and_may_fail_later(breaker, clock):
    fail(breaker, 3)
    clock.now_s = 10.0
    probe = breaker.admit()
    probe.began()
    assert not breaker.is_open

    probe.failed()
    fail(breaker, 1)
    assert not breaker.is_open
    fail(breaker, 1)
    assert breaker.is_open


def test_a_probe_that_nobody_waits_for_makes_room_for_the_next(breaker, clock):
    fail(breaker, 3)
    clock.now_s = 10.0
    breaker.admit().left()

    assert breaker.admit() is not None


def test_a_probe_that_takes_long_is_joined_by_another_and_either_may_close_it(breaker, clock):
    fail(breaker, 3)
    clock.now_s = 10.0
    slow = breaker.admit()
    clock.now_s = 19.9
    assert breaker.admit() is None

    clock.now_s = 20.0
    second = breaker.admit()
    slow.succeeded()

    assert not breaker.is_open
    second.failed()
    assert not breaker.is_open


def test_calls_from_before_it_opened_change_nothing(breaker, clock):
    early, late = breaker.admit(), breaker.admit()
    fail(breaker, 3)
    clock.now_s = 5.0

    early.succeeded()
    late.failed()

    assert breaker.is_open
    assert breaker.wait_s == 5.0


def test_how_a_call_ended_is_said_once(breaker):
    call = breaker.admit()
    for _ in range(5):
        call.failed()

    assert not breaker.is_open


def test_of_many_threads_one_makes_the_probe(breaker, clock):
    fail(breaker, 3)
    clock.now_s = 10.0

    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(lambda _: breaker.admit() is not None, range(64)))

    assert sum(admitted) == 1


class BreakerLife(RuleBasedStateMachine):
    """Whatever happens in whatever order, it never stays open for ever."""

    @initialize()
    def begin(self):
        self.clock = Clock()
        self.breaker = Breaker(break_after=2, break_s=10.0, clock=self.clock)
        self.under_way = []

    @rule()
    def admit(self):
        passage = self.breaker.admit()
        if passage is not None:
            self.under_way.append(passage)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), ending=st.sampled_from(["began", "succeeded", "failed", "left"]))
    def end(self, data, ending):
        passage = data.draw(st.sampled_from(self.under_way))
        getattr(passage, ending)()
        if ending != "began":
            self.under_way.remove(passage)

    @rule(seconds=st.sampled_from([1.0, 10.0]))
    def wait(self, seconds):
        self.clock.now_s += seconds

    @invariant()
    def waits_no_longer_than_a_break(self):
        assert 0.0 <= self.breaker.wait_s <= 10.0

    def teardown(self):
        for passage in getattr(self, "under_way", []):
            passage.left()
        if hasattr(self, "clock"):
            self.clock.now_s += 10.0
            assert self.breaker.admit() is not None


BreakerLife.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
test_whatever_happens_it_lets_a_call_through_in_the_end = BreakerLife.TestCase
