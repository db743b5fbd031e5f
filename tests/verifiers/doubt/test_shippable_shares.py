import numpy as np
import pytest

from benchmarks.agreement import read_price
from benchmarks.shippable import Judged, certified_shares, found_shares


def judged(n, rng, *, tells):
    """Answers of which 20 % harm; suspicion tells them apart in a share `tells`, the router's probability never."""
    harm = rng.random(n) < 0.2
    suspicion = np.where(rng.random(n) < tells, np.where(harm, 0.9, 0.1), rng.random(n))
    return Judged(rng.random(n), suspicion, 1.0 - harm, np.ones(n))


def test_the_largest_share_is_found_whose_harm_is_at_most_5_percent():
    scores = np.linspace(0, 1, 100)[None, :]
    harm = np.zeros(100)
    harm[[40, 50, 60, 70, 80, 90]] = 1.0
    shares = {
        is_selective: found_shares(
            scores, harm, is_selective=is_selective, groups=np.arange(100), rng=np.random.default_rng(0)
        )[0][0]
        for is_selective in (False, True)
    }

    # Of all: five may be harmed, so 90 leave. Of those that leave: 4 of 80 are 5 %, and 5 of 90 are more.
    assert shares == {False: 0.9, True: 0.8}


def test_a_tie_leaves_whole_or_not_at_all():
    scores, harm = np.array([[0.1, 0.5, 0.5, 0.5]]), np.array([0.0, 0.0, 0.0, 1.0])

    found, _ = found_shares(scores, harm, is_selective=False, groups=np.arange(4), rng=np.random.default_rng(0))

    assert found == [0.25]


def test_suspicion_that_tells_certifies_more_than_a_router_that_does_not():
    rng = np.random.default_rng(3)
    parts = [judged(1000, rng, tells=0.9) for _ in range(3)]

    ways = certified_shares(*parts, is_selective=False)

    assert ways["router"]["share"] < 0.3
    assert ways["two_thresholds"]["share"] > 0.6
    assert ways["suspicion"]["share"] > 0.6


@pytest.mark.validity
def test_what_is_certified_keeps_its_promise_where_nothing_tells():
    """Over 60 studies the harm of all queries exceeds 5 % in no more than delta, up to 3 standard errors."""
    rng = np.random.default_rng(4)
    broken = []
    for _ in range(60):
        parts = [judged(600, rng, tells=0.3) for _ in range(2)]
        large = judged(20_000, rng, tells=0.3)
        ways = certified_shares(*parts, large, is_selective=False)
        broken.append([one["n_harmed"] / one["n"] > 0.05 for one in ways.values()])

    assert np.all(np.mean(broken, axis=0) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60))


def test_a_price_is_read_as_it_is_stated():
    assert read_price("DeepSeek-V3=0.27,1.10")[1][:2] == (0.27, 1.1)
    with pytest.raises(Exception, match="is no price"):
        read_price("DeepSeek-V3=cheap")
