"""Whether a decision counts as weak, strong or escalated."""

from core.call_record import CallRecord
from gateway.api.replies import decided
from gateway.model_names import Names
from tests.gateway.made_decision import made_decision

NAMES = Names("small", "large", ("mf",), ())


def test_a_weak_model_that_was_never_asked_was_not_escalated_from():
    decision = made_decision(reasons=("weak_context_window",))

    assert decided(decision, names=NAMES) == "strong"


def test_a_weak_model_that_failed_was_escalated_from():
    decision = made_decision(reasons=("weak_timeout",), calls=(CallRecord(model="small", outcome="timeout"),))

    assert decided(decision, names=NAMES) == "escalated"


def test_what_nobody_answered_was_decided_for_nobody():
    assert decided(made_decision(answered_by=None), names=NAMES) is None
