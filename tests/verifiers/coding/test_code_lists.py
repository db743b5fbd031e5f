import pytest

from verifiers.chain import CheckOutcome
from verifiers.coding.ages import AgeSuits, age_of
from verifiers.coding.excludes1 import NoExcludes1Pair
from verifiers.coding.icd10cm import CodeBillable, CodeExists
from verifiers.coding.references import Span, spans_of
from verifiers.coding.sequence import InSequence, NotRepeated

PASS, FAIL, DOUBT = CheckOutcome.PASS, CheckOutcome.FAIL, CheckOutcome.CANNOT_DECIDE


def test_one_wrong_code_of_a_list_fails_the_list_and_is_named(case):
    result = CodeBillable().judge(case("Codes: E11.9, S52.501, I10"))

    assert (result.outcome, result.reason) == (FAIL, "seventh_character_missing")
    assert result.evidence == {"n_codes": 3, "code": "S52.501"}


def test_a_missing_placeholder_is_told_from_an_invented_code(case):
    assert CodeExists().judge(case("Code: W01.0A")).reason == "placeholder_missing"
    assert CodeExists().judge(case("Code: W01.0XXA")).outcome is PASS
    assert CodeExists().judge(case("Code: B42.83")).reason == "code_not_found"


@pytest.mark.parametrize("answer", ["E11.22, E10.22", "E10.22, E11.22"])  # type 1 and type 2, in either order
def test_codes_that_exclude_each_other_are_doubted_and_never_failed(case, answer):
    result = NoExcludes1Pair().judge(case(f"Codes: {answer}"))

    assert (result.outcome, result.reason) == (DOUBT, "excludes1_pair")


@pytest.mark.parametrize("answer", ["E11.22, I10, N18.30", "E11.22", "J45.909\nJ45.901"])
def test_codes_that_go_together_exclude_nothing(case, answer):
    assert NoExcludes1Pair().judge(case(answer)).outcome is PASS


def test_a_note_of_a_block_holds_for_its_codes(case):
    assert NoExcludes1Pair().judge(case("Codes: H60.01, H61.21")).outcome is PASS
    assert NoExcludes1Pair().judge(case("Codes: J45.909, J44.9")).outcome is PASS  # Excludes2 and its exceptions


def test_ranges_and_dashes_of_notes_are_expanded():
    assert spans_of(["x (E08-E13)", "y (A15.-, B20)", "z (I69. with final characters -91)"]) == (
        Span("E08", "E13"),
        Span("A15", "A15"),
        Span("B20", "B20"),
    )
    assert [Span("E08", "E13").holds(code) for code in ("E0800", "E1365", "E139", "E14", "E07")] == [
        True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("N18.4, D63.1", "ok"),
        ("D63.1, N18.4", "manifestation_before_cause"),
        ("W11.XXXA, S42.022A", "external_cause_first"),
        ("S42.022A, W11.XXXA", "ok"),
        ("W11.XXXA", "ok"),  # one code has no order
        ("I32, M32.12", "manifestation_before_cause"),
    ],
)
def test_the_order_of_a_list_follows_the_notes(case, answer, reason):
    assert InSequence().judge(case(answer)).reason == reason


def test_a_code_that_stands_twice_is_doubted(case):
    assert NotRepeated().judge(case("E11.9\nI10\nE119")).reason == "code_repeated"
    assert NotRepeated().judge(case("E11.9\nI10")).outcome is PASS


@pytest.mark.parametrize(
    ("code", "age", "reason"),
    [
        ("O80", 28, "ok"),
        ("O80", 70, "age_outside_maternity"),
        ("P59.9", 0, "ok"),
        ("P59.9", 40, "age_outside_newborn"),
        ("Z38.00", 3, "age_outside_newborn"),
        ("Z00.129", 30, "age_outside_paediatric"),
        ("M81.0", 9, "age_outside_adult"),
        ("M81.0", 70, "ok"),
        ("C53.9", 50, "ok"),  # sex and its codes are never looked at
    ],
)
def test_a_code_suits_the_age(case, code, age, reason):
    assert AgeSuits().judge(case(f"Code: {code}", age_years=age)).reason == reason


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("A 70-year-old woman", 70),
        ("28 y/o G1P0 at 39 weeks", 28),
        ("3-day-old infant", 0),
        ("Preterm newborn, gestational age 36 completed weeks", None),
        ("A 70-year-old with a 40-year-old son", None),
        ("Asthma", None),
    ],
)
def test_an_age_is_read_from_the_query_where_it_states_one_alone(case, text, age):
    assert age_of(case("O80", text)) == age


def test_an_age_that_is_not_known_passes_unless_the_pack_requires_it(case):
    assert AgeSuits().judge(case("O80")).outcome is PASS
    assert AgeSuits(required=True).judge(case("O80")).outcome is DOUBT


@pytest.mark.parametrize("check", [NoExcludes1Pair(), InSequence(), NotRepeated(), CodeExists()])
def test_an_answer_without_a_code_cannot_be_decided(case, check):
    assert check.judge(case("I cannot tell.")).reason == "no_code_found"
