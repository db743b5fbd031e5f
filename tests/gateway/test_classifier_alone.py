"""The bundle's classifier adds to the checks and replaces none."""

import asyncio

import pytest

from core.records import Query, Stakes
from gateway.doubt_of_bundle import BundleSuspicion
from gateway.recheck import Asked, recheck_in_time
from verifiers.assembling import Recheck

ANSWERED = {"choices": [{"message": {"content": "B42.81"}, "finish_reason": "stop"}]}


def found(suspicion, stakes, *choices):
    query = Query(id="q", messages=({"role": "user", "content": "Code this."},), stakes=stakes)
    doubt = BundleSuspicion(lambda pairs: [suspicion], 0.5)
    return asyncio.run(recheck_in_time(Recheck(), Asked(query, {}, doubt), {"choices": choices or ANSWERED["choices"]}))


@pytest.mark.parametrize("stakes", [Stakes.HIGH, Stakes.CRITICAL])
def test_a_classifier_alone_lets_no_high_stakes_answer_leave(stakes):
    finding = found(0.1, stakes)

    assert (finding.is_released, finding.verdict) == (False, "cannot_decide")
    assert "chain:no_checks" in finding.reasons


@pytest.mark.parametrize(("suspicion", "released"), [(0.1, True), (0.5, True), (0.6, False), (float("nan"), False)])
@pytest.mark.parametrize("stakes", [Stakes.LOW, Stakes.STANDARD])
def test_below_high_stakes_its_threshold_decides(stakes, suspicion, released):
    assert found(suspicion, stakes).is_released is released


@pytest.mark.parametrize("stakes", [Stakes.LOW, Stakes.STANDARD])
def test_where_one_of_two_choices_could_not_be_scored_neither_leaves(stakes):
    cut_off = {"message": {"content": "Code: B4"}, "finish_reason": "length"}

    assert found(0.1, stakes, *ANSWERED["choices"]).is_released is True
    assert found(0.1, stakes, *ANSWERED["choices"], cut_off).is_released is False
