import time

import pytest

from core.records import Query, messages_of
from verifiers.case import Case
from verifiers.chain import CheckOutcome
from verifiers.coding.candidates import CodeIsCandidate
from verifiers.coding.icd10cm import CodeBillable, CodeExists, load_code_set
from verifiers.packs import checks_of

PASS, FAIL, CANNOT_DECIDE = CheckOutcome.PASS, CheckOutcome.FAIL, CheckOutcome.CANNOT_DECIDE


def case(answer, query="Code this."):
    return Case(query=Query(id="q", messages=messages_of(query)), answer=answer)


@pytest.mark.parametrize(
    ("answer", "exists", "billable"),
    [
        ("Code: B42.81", PASS, PASS),
        ("Code: B4281", PASS, PASS),
        ("Code: S52.501A", PASS, PASS),
        ("Code: B20", PASS, PASS),  # names a block too
        ("Code: E11", PASS, FAIL),  # a category needs more characters
        ("Code: S52.501", PASS, FAIL),  # the 7th character is missing
        ("Code: B42.83", FAIL, FAIL),  # no such code
        ("Code: B428.1", FAIL, FAIL),  # the dot stands in the wrong place
        ("Code: E08-E13", FAIL, FAIL),  # a block
        ("Code: 4", FAIL, FAIL),  # a chapter
        ("Code: 1010", FAIL, FAIL),  # invented
        ("Either B42.81 or B42.9.", CANNOT_DECIDE, CANNOT_DECIDE),
        ("No idea.", CANNOT_DECIDE, CANNOT_DECIDE),
    ],
)
def test_existence_and_billability_of_the_proposed_code(answer, exists, billable):
    assert CodeExists().judge(case(answer)).outcome is exists
    assert CodeBillable().judge(case(answer)).outcome is billable


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("Meningitis.\nCandidate codes:\n- B42.81 Cerebral sporotrichosis\n- B42.9 Sporotrichosis", PASS),
        ("Meningitis.\nCandidates: A87.9, G03.9", FAIL),
        ("Meningitis due to sporotrichosis.", PASS),
    ],
)
def test_a_code_off_the_querys_list_fails(text, outcome):
    assert CodeIsCandidate().judge(case("Code: B42.81", text)).outcome is outcome


def test_a_list_of_candidates_and_no_single_code_cannot_be_decided():
    result = CodeIsCandidate().judge(case("Either would do.", "Candidates: A87.9, G03.9"))

    assert result.outcome is CANNOT_DECIDE


def test_evidence_holds_the_code_found_and_nothing_that_is_not_code_shaped():
    assert CodeExists().judge(case("Code: B42.81 for John Doe")).evidence == {"code": "B42.81", "is_labelled": True}
    assert "123-45-6789" not in CodeExists().judge(case("Code: 123-45-6789")).model_dump_json()


def test_the_pack_judges_an_answer_within_5_ms():
    checks = checks_of("medical_coding")
    answer = "Code: B42.81\nRationale: " + "cerebral sporotrichosis with meningitis, not B42.9. " * 40

    started = time.process_time()
    for _ in range(20):
        for check in checks:
            check.judge(case(answer))

    assert (time.process_time() - started) / 20 < 0.005


def test_the_release_has_its_74719_billable_codes():
    codes = load_code_set()

    assert len(codes.billable) == 74_719
    assert codes.billable < codes.codes
