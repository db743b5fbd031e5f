import numpy as np
import pytest

from assurance.attempts import Attempt, attempt_number, bucket_hashes, delta_of_attempt
from assurance.certificates import Promise, Rows, certify
from tests.assurance.test_certificate_validity import true_harm
from tests.assurance.test_certificates import SEPARATION, world


def attempt(tried, keys):
    return Attempt(tried=tried, buckets=bucket_hashes(keys))


ROWS = [f"question {i}" for i in range(200)]


def test_all_attempts_together_never_spend_more_than_delta():
    assert sum(delta_of_attempt(0.05, i) for i in range(1, 100_000)) == pytest.approx(0.05, rel=1e-4)
    assert sum(delta_of_attempt(0.05, i, 4) for i in range(1, 100)) == pytest.approx(0.05)


def test_attempts_are_counted_from_one():
    with pytest.raises(ValueError, match="Attempt 0 does not exist"):
        delta_of_attempt(0.05, 0)


def test_another_router_on_the_same_rows_is_a_second_attempt_and_the_first_keeps_its_number():
    first, second = attempt("a", ROWS), attempt("b", ROWS)

    assert attempt_number([], first) == 1
    assert attempt_number([first], second) == 2
    assert attempt_number([first, second, second], first) == 1


@pytest.mark.parametrize("rows", [[*ROWS, "one more"], ROWS[:-5], ROWS[::-1], [*ROWS, *ROWS]])
def test_a_few_rows_more_or_fewer_or_in_another_order_start_no_new_count(rows):
    assert attempt_number([attempt("a", ROWS)], attempt("b", rows)) == 2


def test_new_rows_start_a_new_count():
    assert attempt_number([attempt("a", ROWS)], attempt("a", [f"new {i}" for i in range(200)])) == 1


def test_empty_buckets_are_never_taken_for_shared_rows():
    assert attempt_number([attempt("a", ["x"])], attempt("b", ["y"])) == 1


def another_router(rows, rng):
    """The same rows under a router of the same worth: its AUROC for harm is that of `world`, its noise its own."""
    harmful = (rows.strong > 0.5) & (rows.weak <= 0.5)
    score = rng.normal(size=len(harmful)) + SEPARATION * harmful
    return Rows(probability=1 / (1 + np.exp(-(score - 1))), weak=rows.weak, strong=rows.strong)


@pytest.mark.validity
def test_choosing_among_twenty_routers_on_one_set_of_rows_breaks_the_promise_unless_the_attempts_share_delta():
    rng = np.random.default_rng(77)
    n_studies, n_routers, max_harm, delta = 150, 20, 0.02, 0.05
    broken = np.zeros(2)
    for _ in range(n_studies):
        rows = world(1000, rng)
        routers = [another_router(rows, rng) for _ in range(n_routers)]
        for j, levels in enumerate(([delta] * n_routers, [delta_of_attempt(delta, i + 1) for i in range(n_routers)])):
            promises = (Promise(max_loss=max_harm, delta=level) for level in levels)
            found = [certify("all", router, promise) for router, promise in zip(routers, promises, strict=True)]
            broken[j] += true_harm(max(one.threshold for one in found)) > max_harm
    full, shared = broken / n_studies

    assert full > 0.2
    assert shared <= delta + 3 * np.sqrt(delta * (1 - delta) / n_studies)
