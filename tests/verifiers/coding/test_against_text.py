import pytest

from verifiers.chain import CheckOutcome
from verifiers.coding.description import DescriptionMatches
from verifiers.coding.laterality import SideMatches
from verifiers.coding.seventh_character import SeventhCharacterMatches

PASS, DOUBT = CheckOutcome.PASS, CheckOutcome.CANNOT_DECIDE


@pytest.mark.parametrize(
    ("note", "right", "wrong"),
    [
        ("58-year-old with T2DM and diabetic CKD", "E11.22", "E11.21"),
        ("58-year-old with T2DM and diabetic CKD", "E11.22", "E10.22"),
        ("Fear of women", "F40.291", "F40.290"),
        ("Acute exacerbation of COPD, treated with steroids.", "J44.1", "J44.9"),
        ("Migraine with aura, not intractable, without status migrainosus.", "G43.109", "G43.009"),
        ("Epilepsy, unspecified, not intractable, no status.", "G40.909", "G40.919"),
        ("CHF exacerbation: acute on chronic systolic heart failure.", "I50.23", "I50.33"),
        ("Essential hypertension. Attending: Ms. Tanaka.", "I10", "I95.0"),
        ("Malignant neoplasm of prostate.", "C61", "C16.0"),
        ("Strep throat, rapid strep positive.", "J02.0", "J32.0"),
        ("Burn of second degree of right thigh, initial encounter", "T24.211A", "T24.311A"),
        ("Encounter for screening. Impression: iron deficiency anemia. Denies chest pain.", "D50.9", "D59.0"),
    ],
)
def test_a_code_of_something_else_is_doubted_and_the_right_one_is_not(case, note, right, wrong):
    assert DescriptionMatches().judge(case(f"Code: {right}", note)).outcome is PASS
    assert DescriptionMatches().judge(case(f"Code: {wrong}", note)).outcome is DOUBT


def test_a_description_in_the_answer_is_held_against_its_code_whatever_the_query_says(case):
    result = DescriptionMatches().judge(case("E11.21 - Type 2 diabetes mellitus with diabetic chronic kidney disease"))

    assert (result.outcome, result.reason) == (DOUBT, "another_code_fits_better")
    assert result.evidence == {"code": "E11.21", "rival": "E11.22"}


def test_each_code_of_a_list_is_spoken_for_by_its_own_part_of_the_note(case):
    note = "Hypertensive heart disease with heart failure; acute on chronic diastolic CHF. Asthma, mild persistent."

    assert DescriptionMatches().judge(case("Codes: I11.0, I50.33, J45.30", note)).outcome is PASS
    assert DescriptionMatches().judge(case("Codes: I11.0, I50.33, J45.40", note)).outcome is DOUBT


def test_a_code_beside_which_nothing_is_said_passes_unless_the_pack_requires_it(case):
    bare = case("J45.909", "Code this.")

    assert DescriptionMatches().judge(bare).reason == "nothing_stated"
    assert DescriptionMatches(required=True).judge(bare).outcome is DOUBT


def test_candidates_that_the_query_offers_are_no_words_of_the_note(case):
    note = "Code this: fear of women\nCandidate codes:\nF40.290 Androphobia\nF40.291 Gynephobia"

    assert DescriptionMatches().judge(case("Code: F40.291", note)).outcome is PASS


@pytest.mark.parametrize(
    ("note", "code", "outcome"),
    [
        ("Pain in R knee since Tuesday", "M25.561", PASS),
        ("Pain in R knee since Tuesday", "M25.562", DOUBT),
        ("Left knee pain, right hip replaced last year", "M25.562", PASS),
        ("Left knee pain, right hip replaced last year", "M25.561", DOUBT),
        ("Bilateral primary osteoarthritis of knees", "M17.12", DOUBT),
        ("Cataract, age-related nuclear, OD", "H25.11", PASS),
        ("Cataract, age-related nuclear, OD", "H25.12", DOUBT),
        ("Knee pain", "M25.561", PASS),  # the text names no side
        ("Acute appendicitis, left the ward against advice", "K35.80", PASS),
    ],
)
def test_the_side_of_a_code_is_that_of_the_text(case, note, code, outcome):
    assert SideMatches().judge(case(f"Code: {code}", note)).outcome is outcome


@pytest.mark.parametrize(
    ("note", "code", "reason"),
    [
        ("Closed fracture of lower end of right radius, initial visit", "S52.501A", "ok"),
        ("Closed fracture of lower end of right radius, initial visit", "S52.501D", "phase_differs_from_text"),
        ("Fracture of lower end of right radius, nonunion, seen at follow-up", "S52.501K", "ok"),
        ("Fracture of lower end of right radius, nonunion, seen at follow-up", "S52.501P", "healing_differs_from_text"),
        ("Open fracture type II of right radius, initial encounter", "S52.501A", "opening_differs_from_text"),
        ("Open fracture type IIIA of right radius, initial encounter", "S52.501B", "opening_type_differs_from_text"),
        ("Fracture of right radius, initial encounter. Follow up in 2 weeks.", "S52.501A", "ok"),
        ("Poor fetal growth, first trimester, fetus 2", "O36.5911", "fetus_differs_from_text"),
        ("POAG, bilateral, mild stage", "H40.1132", "stage_differs_from_text"),
        ("Late effect of concussion", "S06.0X0S", "ok"),
    ],
)
def test_the_seventh_character_tells_what_the_text_tells(case, note, code, reason):
    assert SeventhCharacterMatches().judge(case(f"Code: {code}", note)).reason == reason


def test_the_trimester_and_its_number_are_no_fetus(case):
    note = "Oligohydramnios, third trimester, fetus 2"

    assert DescriptionMatches().judge(case("O41.03X2", note)).outcome is PASS
    assert DescriptionMatches().judge(case("O41.02X2", note)).outcome is DOUBT
