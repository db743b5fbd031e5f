"""Limits of a key: by the minute, by the day, at the same time; alone, and shared by workers."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.keys.door import NotAdmitted
from gateway.keys.limiter import KeyLimits, Limiter, Spent, Window

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = "2026-11-24"


def tries(limiter, limits, ticks, *, now=NOON):
    """How many of the requests at these moments were let in; each is over at once."""
    n = 0
    for tick in ticks:
        try:
            limiter.admit("k", limits, tick=tick, now=now)
        except NotAdmitted:
            continue
        limiter.release("k")
        n += 1
    return n


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 30), min_size=1, max_size=80), st.integers(1, 10))
def test_no_sixty_seconds_hold_more_than_the_limit(gaps, limit):
    limiter, moments = Limiter(), []
    for tick in np.cumsum(gaps):
        if tries(limiter, KeyLimits(requests_per_minute=limit), [float(tick)]):
            moments.append(float(tick))

    assert max(sum(start <= tick < start + 60 for tick in moments) for start in moments) <= limit


def test_a_client_that_keeps_to_the_pace_is_never_refused():
    assert tries(Limiter(), KeyLimits(requests_per_minute=60), [1.01 * n for n in range(1000)]) == 1000


def test_the_refusal_says_when_the_next_request_is_free():
    limiter = Limiter()
    assert tries(limiter, KeyLimits(requests_per_minute=2), [0.0, 10.0]) == 2

    with pytest.raises(NotAdmitted) as refused:
        limiter.admit("k", KeyLimits(requests_per_minute=2), tick=20.0, now=NOON)

    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    assert refused.value.headers() == {"retry-after": "40"}
    assert tries(limiter, KeyLimits(requests_per_minute=2), [59.9, 60.1]) == 1


def test_one_key_s_requests_do_not_slow_another_s():
    limiter, limits = Limiter(), KeyLimits(requests_per_minute=1)
    limiter.admit("a", limits, tick=0.0, now=NOON)

    limiter.admit("b", limits, tick=0.0, now=NOON)


def test_requests_under_way_are_limited_until_one_ends():
    limiter, limits = Limiter(), KeyLimits(max_concurrent=2)
    for _ in range(2):
        limiter.admit("k", limits, tick=0.0, now=NOON)
    with pytest.raises(NotAdmitted, match="2 requests at the same time"):
        limiter.admit("k", limits, tick=0.0, now=NOON)
    limiter.release("k")

    limiter.admit("k", limits, tick=0.0, now=NOON)


def test_four_workers_together_let_no_more_at_once_than_the_limit():
    limits, n = KeyLimits(max_concurrent=8), 0
    for limiter in [Limiter(n_workers=4) for _ in range(4)]:
        for _ in range(8):
            try:
                limiter.admit("k", limits, tick=0.0, now=NOON)
                n += 1
            except NotAdmitted:
                pass

    assert n == 8


def test_a_budget_is_spent_by_costs_and_is_new_at_midnight_utc():
    limiter, limits = Limiter(), KeyLimits(usd_per_day=1.0)
    limiter.admit("k", limits, tick=0.0, now=NOON)
    limiter.spend("k", 1.0, now=NOON)

    with pytest.raises(NotAdmitted) as refused:
        limiter.admit("k", limits, tick=0.0, now=NOON)

    assert (refused.value.status, refused.value.code) == (429, "insufficient_quota")
    assert refused.value.headers() == {"retry-after": "43200", "x-should-retry": "false"}
    limiter.admit("k", limits, tick=0.0, now=NOON + timedelta(hours=12))


def test_what_is_being_written_and_what_could_not_be_written_still_counts():
    limiter = Limiter()
    limiter.spend("k", 0.4, now=NOON)
    limiter.take()
    limiter.spend("k", 0.2, now=NOON)
    assert limiter.spent_usd("k", DAY) == pytest.approx(0.6)
    limiter.put_back()

    assert limiter.spent_usd("k", DAY) == pytest.approx(0.6)
    assert limiter.take() == {("k", DAY): Spent(0, pytest.approx(0.6))}


def test_what_others_spent_counts_once_it_is_learnt():
    limiter = Limiter(n_workers=2)
    limiter.spend("k", 0.25, now=NOON)
    limiter.take()
    limiter.learn({"k": Spent(10, 0.75)}, DAY, tick=1.0)

    assert limiter.spent_usd("k", DAY) == 0.75
    with pytest.raises(NotAdmitted, match=r"has spent its 0\.75 US dollars"):
        limiter.admit("k", KeyLimits(usd_per_day=0.75), tick=1.0, now=NOON)


class Shared:
    """What the store does for workers: sums, and each worker's turn at it."""

    def __init__(self):
        self.sums = {}

    def turn(self, limiter, tick):
        for (key, day), spent in limiter.take().items():
            assert day == DAY
            self.sums[key] = self.sums.get(key, Spent()).plus(spent)
        limiter.learn(dict(self.sums), DAY, tick=tick)


@pytest.mark.parametrize("n_workers", [1, 2, 4, 8])
def test_workers_that_are_stormed_exceed_the_limit_by_less_than_one_request_each(n_workers):
    rng = np.random.default_rng(7)
    store, workers = Shared(), [Limiter(n_workers=n_workers) for _ in range(n_workers)]
    limits, moments = KeyLimits(requests_per_minute=100), []
    next_turn = rng.uniform(0, 1, n_workers)
    for tick in np.arange(0, 130, 0.01):  # 100 requests a second, to workers by chance; each has its turn by the second
        number = int(rng.integers(n_workers))
        if tick >= next_turn[number]:
            store.turn(workers[number], float(tick))
            next_turn[number] = tick + 1
        if tries(workers[number], limits, [float(tick)]):
            moments.append(tick)
    counts = np.searchsorted(moments, np.array(moments) + 60) - np.arange(len(moments))

    assert 90 <= counts.max() <= 100 + n_workers - 1
    assert len(moments) >= 190


def test_a_worker_that_knows_nothing_of_the_others_keeps_to_its_share():
    limiter = Limiter(n_workers=4)
    limiter.put_back()

    assert tries(limiter, KeyLimits(requests_per_minute=100), [0.001 * n for n in range(200)]) == 25


def test_a_new_day_s_sums_start_at_nothing():
    limiter, limits = Limiter(), KeyLimits(requests_per_minute=10)
    assert tries(limiter, limits, [0.0]) == 1
    limiter.take()
    limiter.learn({"k": Spent(1000, 1.0)}, DAY, tick=0.5)
    with pytest.raises(NotAdmitted):  # 999 of the others
        limiter.admit("k", limits, tick=1.0, now=NOON)
    limiter.learn({"k": Spent(3, 0.0)}, "2026-11-25", tick=70.0)

    assert tries(limiter, limits, [70.5 + 0.01 * n for n in range(20)], now=NOON + timedelta(days=1)) == 7


def test_a_window_forgets_what_is_older_than_a_minute():
    window = Window()
    for second in range(100):
        window.add(1, at=float(second))

    assert window.count(now=99.5) == 60
    assert window.free_in_s(now=99.5) == pytest.approx(0.5)
