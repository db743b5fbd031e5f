import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Query, Stakes, messages_of
from verifiers.case import Case
from verifiers.chain import ChainVerdict, CheckOutcome, CheckResult, Price, run_chain

SECRET = Case(query=Query(id="q", messages=messages_of("secret question")), answer="secret answer")


class Says:
    """A check that always says the same."""

    price = Price.FREE

    def __init__(self, outcome, identifier="says"):
        self.id, self._outcome = identifier, outcome

    def judge(self, case):
        return CheckResult(check=self.id, outcome=self._outcome, reason="because")


class Breaks:
    """A check that raises, with the answer in its message."""

    id = "breaks"
    price = Price.FREE

    def judge(self, case):
        raise ValueError(f"cannot read {case.answer}")


class Returns:
    """A check that returns whatever it was given."""

    id = "returns"
    price = Price.FREE

    def __init__(self, value):
        self._value = value

    def judge(self, case):
        return self._value


def test_all_checks_passing_is_a_pass():
    assert run_chain([Says("pass"), Says("pass", "also")], SECRET).outcome is CheckOutcome.PASS


def test_a_check_that_raises_is_an_error_and_its_message_is_not_kept():
    verdict = run_chain([Breaks()], SECRET)

    assert verdict.outcome is CheckOutcome.ERROR
    assert verdict.reasons == ("breaks:raised_valueerror",)
    assert "secret" not in verdict.model_dump_json()


@pytest.mark.parametrize("value", [None, True, float("nan"), "pass", CheckOutcome.PASS])
def test_a_check_that_returns_something_else_is_an_error(value):
    assert run_chain([Returns(value)], SECRET).outcome is CheckOutcome.ERROR


def test_a_result_in_another_checks_name_is_an_error():
    forged = CheckResult(check="other", outcome=CheckOutcome.PASS, reason="ok")

    assert run_chain([Returns(forged)], SECRET).outcome is CheckOutcome.ERROR


def test_no_checks_verify_nothing():
    verdict = run_chain([], SECRET)

    assert verdict.outcome is CheckOutcome.CANNOT_DECIDE
    assert verdict.reasons == ("chain:no_checks",)


@given(st.lists(st.sampled_from(CheckOutcome)))
def test_high_stakes_release_needs_every_check_to_pass(outcomes):
    verdict = ChainVerdict(results=tuple(CheckResult(check="c", outcome=o, reason="r") for o in outcomes))

    assert verdict.releases(Stakes.HIGH) == (bool(outcomes) and set(outcomes) == {CheckOutcome.PASS})
    assert verdict.releases(Stakes.LOW)
    against = {CheckOutcome.FAIL, CheckOutcome.ERROR, CheckOutcome.NOT_RUN}
    assert verdict.releases(Stakes.STANDARD) == (not against & set(outcomes))
    assert not verdict.releases(Stakes.CRITICAL)
