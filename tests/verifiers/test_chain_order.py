"""The chain's order, its caps on time, calls and cost, and what comes of a check that keeps to none of them."""

import threading
import time

import pytest

from core.records import Query, Stakes, messages_of
from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Limits, Price, run_chain


class Asks:
    """A check with a price; it counts how often it was asked, and waits for `gate` where one is given."""

    def __init__(self, identifier, price, outcome="pass", *, most=(1, 0.0), used=(1, 0.0), gate=None):
        self.id, self.price, self.outcome, self.used, self.gate = identifier, price, outcome, used, gate
        self.most_calls, self.most_usd = most
        self.n_asked = 0

    def judge(self, case):
        self.n_asked += 1
        if self.gate is not None:
            self.gate.wait(30)
        calls, cost_usd = self.used
        return CheckResult(check=self.id, outcome=self.outcome, reason="r", calls=calls, cost_usd=cost_usd)


class Weighs:
    """A check that passes when all before it passed, and says how many those were."""

    id, price = "weighs", Price.CHEAP

    def weigh(self, case, earlier):
        outcome = "pass" if all(result.outcome == "pass" for result in earlier) else "cannot_decide"
        return CheckResult(check=self.id, outcome=outcome, reason="r", evidence={"n": len(earlier)})


def free(identifier, outcome="pass"):
    return Asks(identifier, Price.FREE, outcome, most=(0, 0.0), used=(0, 0.0))


def case(stakes=Stakes.HIGH):
    return Case(query=Query(id="q", messages=messages_of("Q"), stakes=stakes), answer="A")


def outcomes(verdict):
    return {result.check: (result.outcome.value, result.reason) for result in verdict.results}


def test_free_checks_run_first_then_cheap_ones_then_the_judge_and_their_own_order_is_kept():
    checks = [
        Asks("judge", Price.JUDGE),
        free("b"),
        Asks("cheap", Price.CHEAP),
        free("a"),
    ]

    assert [result.check for result in run_chain(checks, case()).results] == ["b", "a", "cheap", "judge"]


@pytest.mark.parametrize(
    ("stakes", "outcome", "is_asked"),
    [
        (Stakes.HIGH, "pass", True),
        (Stakes.HIGH, "cannot_decide", False),
        (Stakes.HIGH, "fail", False),
        (Stakes.STANDARD, "cannot_decide", True),
        (Stakes.STANDARD, "fail", False),
        (Stakes.CRITICAL, "pass", False),
    ],
)
def test_a_paid_check_is_asked_only_while_the_answer_may_still_leave(stakes, outcome, is_asked):
    paid = Asks("paid", Price.CHEAP)
    last = free("last")

    verdict = run_chain([free("first", outcome), paid, last], case(stakes))

    assert paid.n_asked == is_asked
    assert last.n_asked == 1
    assert outcomes(verdict)["paid"] == (("pass", "r") if is_asked else ("not_run", "already_escalates"))


def test_a_check_that_was_not_run_is_no_pass_and_no_reason_of_its_own():
    verdict = run_chain([free("first", "fail"), Asks("paid", Price.CHEAP)], case())

    assert verdict.outcome is CheckOutcome.FAIL
    assert verdict.reasons == ("first:r",)
    assert not run_chain([Asks("paid", Price.CHEAP)], case(Stakes.CRITICAL)).releases(Stakes.HIGH)


def test_a_check_cannot_say_of_itself_that_it_was_not_run():
    assert outcomes(run_chain([free("a", "not_run")], case()))["a"] == ("error", "malformed_result")


def test_what_would_exceed_the_calls_is_not_asked_and_has_not_passed():
    first, second = Asks("first", Price.CHEAP, most=(2, 0.0), used=(2, 0.0)), Asks("second", Price.CHEAP, most=(2, 0.0))

    verdict = run_chain([first, second], case(), limits=Limits(max_calls=3))

    assert (first.n_asked, second.n_asked) == (1, 0)
    assert outcomes(verdict) == {"first": ("pass", "r"), "second": ("cannot_decide", "over_budget")}
    assert (verdict.calls, verdict.releases(Stakes.HIGH)) == (2, False)


def test_what_would_exceed_the_cost_is_not_asked():
    dear = Asks("dear", Price.JUDGE, most=(1, 0.02))

    verdict = run_chain([dear], case(), limits=Limits(max_cost_usd=0.01))

    assert dear.n_asked == 0
    assert verdict.reasons == ("dear:over_budget",)


def test_a_check_that_spent_more_than_it_said_has_not_passed_and_its_cost_counts():
    verdict = run_chain([Asks("liar", Price.CHEAP, used=(1, 0.5))], case(), limits=Limits(max_cost_usd=0.05))

    assert outcomes(verdict)["liar"] == ("cannot_decide", "over_budget")
    assert verdict.cost_usd == 0.5


@pytest.mark.parametrize("price", [Price.CHEAP, Price.JUDGE])
def test_a_late_paid_check_is_left_behind_and_its_cost_is_not_known(price):
    gate = threading.Event()

    started = time.perf_counter()
    verdict = run_chain([Asks("late", price, gate=gate)], case(), limits=Limits(timeouts_s={"late": 0.02}))
    waited_s = time.perf_counter() - started
    gate.set()

    assert outcomes(verdict)["late"] == ("error", "timeout")
    assert verdict.cost_usd is None
    assert waited_s < 10


def test_a_free_check_that_came_late_has_not_passed():
    class Slow(Asks):
        def judge(self, case):
            time.sleep(0.02)
            return super().judge(case)

    verdict = run_chain([Slow("slow", Price.FREE)], case(), limits=Limits(check_timeout_s=0.01))

    assert outcomes(verdict)["slow"] == ("error", "timeout")


def test_every_result_tells_how_long_it_took():
    verdict = run_chain([free("a"), Asks("b", Price.CHEAP)], case())

    assert all(result.elapsed_ms >= 0 for result in verdict.results)


def test_a_check_that_weighs_sees_what_ran_before_it():
    verdict = run_chain([Weighs(), free("a"), free("b")], case())

    assert verdict.results[-1].evidence == {"n": 2}
    assert verdict.outcome is CheckOutcome.PASS


@pytest.mark.parametrize("price", [Price.FREE, Price.CHEAP, "gratis", None])
@pytest.mark.parametrize("error", [SystemExit(), GeneratorExit(), MemoryError(), RecursionError(), TimeoutError()])
def test_whatever_a_check_raises_is_its_outcome(price, error):
    class Raises(Asks):
        def judge(self, case):
            raise error

    verdict = run_chain([Raises("raises", price)], case())

    assert outcomes(verdict) == {"raises": ("error", f"raised_{type(error).__name__.lower()}")}


@pytest.mark.parametrize("price", [Price.FREE, Price.CHEAP])
@pytest.mark.parametrize(
    "fields", [{"suspicion": float("nan")}, {"outcome": "pass "}, {"evidence": {"x": float("inf")}}]
)
def test_a_result_that_was_made_without_being_checked_is_an_error(price, fields):
    class Forges(Asks):
        def judge(self, case):
            told = {"check": "forges", "outcome": "pass", "reason": "r", "evidence": {}, "suspicion": None, **fields}
            return CheckResult.model_construct(**told, calls=0, cost_usd=0.0, elapsed_ms=None)

    assert outcomes(run_chain([Forges("forges", price)], case()))["forges"] == ("error", "malformed_result")


def test_a_check_without_a_name_is_an_error():
    class Nameless:
        @property
        def id(self):
            raise SystemExit

        price = Price.CHEAP

    assert outcomes(run_chain([Nameless()], case())) == {"unnamed": ("error", "raised_systemexit")}


def test_ctrl_c_is_not_swallowed():
    class Stopped(Asks):
        def judge(self, case):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_chain([Stopped("stopped", Price.FREE)], case())
