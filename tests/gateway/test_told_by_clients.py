"""What a client writes beside its messages can stop its own weak answer, and never let one leave that a pack stops."""

import pytest

from core.records import Query, Stakes, messages_of
from gateway.facts import facts_of
from gateway.recheck import Asked, verdict_on
from tests.gateway.conftest import completion
from verifiers.assembling import Recheck
from verifiers.case import Case
from verifiers.coding.dates import UnreadableDate, date_of_service
from verifiers.stakes.policy import StakesPolicy
from verifiers.wording.allowed import AllowedCheck
from verifiers.wording.language import LanguageCheck
from verifiers.wording.schema import SchemaCheck

GERMAN = "Der Schaden ist nach Ansicht der Versicherung nicht von der Police gedeckt und wird abgelehnt."


def outcome(check, answer, metadata):
    query = Query(id="q", messages=messages_of("Decide."), stakes=Stakes.HIGH)
    reply = {"choices": [{"message": {"content": answer}, "finish_reason": "stop"}]}
    return verdict_on(Recheck((check,)), Asked(query, facts_of({"metadata": metadata})), reply).outcome.value


@pytest.mark.parametrize(
    ("check", "answer", "metadata"),
    [
        (AllowedCheck(allowed=["approve", "deny"]), "maybe", {"allowed": '["maybe"]'}),
        (SchemaCheck(schema={"type": "object", "required": ["code"]}), "{}", {"schema": "true"}),
        (LanguageCheck(language="en"), GERMAN, {"language": "de"}),
    ],
)
def test_a_client_cannot_replace_what_the_pack_asks_for(check, answer, metadata):
    assert outcome(check, answer, {}) == "fail"
    assert outcome(check, answer, metadata) == "fail"


def test_a_client_s_schema_holds_beside_the_pack_s():
    check = SchemaCheck(schema={"type": "object", "required": ["code"]})

    assert outcome(check, '{"code": 1}', {"schema": '{"type": "object"}'}) == "pass"
    assert outcome(check, '{"code": 1}', {"schema": '{"required": ["side"]}'}) == "fail"


@pytest.mark.parametrize("schema", ['{"pattern": "^(a+)+$"}', '{"items": [{"patternProperties": {"(a|a)*b": true}}]}'])
def test_a_pattern_of_a_client_that_may_run_away_is_not_run(schema):
    assert outcome(SchemaCheck(), '"' + "a" * 60 + '!"', {"schema": schema}) == "cannot_decide"
    assert outcome(SchemaCheck(), '"B42"', {"schema": '{"pattern": "^[A-Z][0-9]{2}$"}'}) == "pass"


def test_facts_of_a_row_replace_what_the_pack_says_of_rows_without_them():
    case = Case(query=Query(id="q", messages=messages_of("?")), answer="maybe", facts={"allowed": ["maybe"]})

    assert AllowedCheck(allowed=["approve"]).judge(case).outcome.value == "pass"


def test_a_client_s_date_of_service_that_contradicts_the_query_is_none():
    asked = Query(id="q", messages=messages_of("DOS: 10/01/2025. Asthma."))
    case = Case(query=asked, answer="J45.909", facts={"date_of_service": "2019-01-01"})

    assert date_of_service(case).year == 2019
    with pytest.raises(UnreadableDate):
        date_of_service(case.model_copy(update={"is_client_told": True}))


@pytest.mark.parametrize("stakes", [Stakes.LOW, Stakes.HIGH])
def test_an_image_is_never_answered_by_the_weak_model_by_its_name(make_client, ask, models, stakes):
    image = [{"type": "text", "text": "Say right."}, {"type": "image_url", "image_url": {"url": "data:,"}}]

    response = ask(
        make_client(stakes=StakesPolicy(default=stakes)), "small", messages=[{"role": "user", "content": image}]
    )

    assert response.headers["x-preceptor-stakes"] == "high"  # what is no text is of high stakes
    assert response.headers["x-preceptor-model"] == "large"
    assert response.headers["x-preceptor-reason"] == "content_not_text"
    assert models[0].requests == []


def test_what_no_check_has_read_does_not_leave_beside_a_released_answer(make_client, models, ask):
    models[0].reply = completion("right, says small")
    (said,) = models[0].reply["choices"]
    said["message"]["reasoning_content"] = said["reasoning"] = models[0].reply["search_results"] = "never checked"

    whole, streamed = ask(make_client()), ask(make_client(), stream=True)

    (choice,) = whole.json()["choices"]
    assert choice["message"] == {"role": "assistant", "content": "right, says small"}
    assert "never checked" not in whole.text + streamed.text
    assert whole.headers["x-preceptor-model"] == streamed.headers["x-preceptor-model"] == "small"
