import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.coding.claim import read_claim


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        ("E11.9, I10", ["E11.9", "I10"]),
        ("1. E11.9\n2. I10\n3. J45.909", ["E11.9", "I10", "J45.909"]),
        ('{"codes": ["E11.9", "I10"]}', ["E11.9", "I10"]),
        ("Codes: S52.501A (radius fracture), E11.9 (diabetes)\nRationale: I10 was considered.", ["S52.501A", "E11.9"]),
        ("Primary code: S52.501A\nAdditional codes: E11.9, I10", ["S52.501A", "E11.9", "I10"]),
        ("Use E11.9 for diabetes and I10 for hypertension.", ["E11.9", "I10"]),
        ("Options considered:\n- B42.9 other\n- B42.7 other\nCode: B42.81", ["B42.81"]),
        ("Code: B42.81. Cerebral, so not B42.9.", ["B42.81"]),
        ("HCPCS: J0120 x 2 units\nICD-10: E11.9", ["E11.9"]),
        ("D51.9 - Vitamin B12 deficiency anemia", ["D51.9"]),
        ("S22.089A Fracture of T11-T12 vertebra", ["S22.089A"]),
        ("1. A80.2\n2. B91", ["A80.2", "B91"]),
        ("E11.9\nE11.9", ["E11.9", "E11.9"]),
        ("Code: 1010", ["1010"]),
    ],
)
def test_a_list_is_claimed_as_a_whole(answer, codes):
    assert [each.code for each in read_claim(answer).codes] == codes


@pytest.mark.parametrize(
    "answer", ["Either B42.81 or B42.9.", "B42.81 or B42.9", "Code: B42.81. On reflection, code: B42.9"]
)
def test_alternatives_claim_nothing(answer):
    claim = read_claim(answer)

    assert (claim.codes, claim.n_open) == ((), 2)


@pytest.mark.parametrize(
    ("answer", "stated"),
    [
        ("I10 - Essential hypertension", "Essential hypertension"),
        ("Essential hypertension (I10)", "Essential hypertension"),
        ("Code: I10\nDescription: Essential hypertension", "Essential hypertension"),
        ("Essential hypertension: I10", "Essential hypertension"),
        ("The answer is I10. It is not I15.9.", ""),
    ],
)
def test_what_the_answer_says_of_a_code_is_read_beside_it(answer, stated):
    assert read_claim(answer).codes[0].stated == stated


@given(st.text(alphabet="ABIST0125.-, \n:()orcdesnt", max_size=200))
def test_any_answer_is_read_without_an_error(answer):
    assert read_claim(answer).n_open >= 0


@pytest.mark.parametrize("part", ["E11.9, not E11.65 ", "code: ", "no, ", "B12 ", "(((", "\n1. I10 "])
def test_a_very_long_answer_is_read_in_bounded_time(part):
    started = time.process_time()
    read_claim(part * 40_000)

    assert time.process_time() - started < 1.0
