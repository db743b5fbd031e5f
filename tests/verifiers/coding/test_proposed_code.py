import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.coding.proposed_code import find_proposed_code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("Code: B42.81", "B42.81"),
        ("**Code:** `B42.81`\n\nRationale: meningitis due to sporotrichosis.", "B42.81"),
        ("ICD-10-CM code: b42.81 (billable)", "B42.81"),
        ("The code is B42.81.", "B42.81"),
        ("Final code = S52.501A; alternative code: S52.502A", "S52.501A"),
        ("B42.81", "B42.81"),
        ("I assign B42.81 (not B42.9).", "B42.81"),
        ("Use B42.81 instead of B42.9 or B42.7.", "B42.81"),
        ("Rather than B42.9, B42.7 or B42.0: Code: B42.81", "B42.81"),
        ("Dotless B4281 is the one.", "B4281"),
        ("Code\uff1aB42.81", "B42.81"),
        ("The HbA1c of 9.1 was noted, on 2024-10-01. E11.65 fits.", "E11.65"),
    ],
)
def test_the_proposed_code_is_found_in_prose(answer, code):
    assert find_proposed_code(answer).code == code


@pytest.mark.parametrize(
    ("answer", "n_found"),
    [
        ("", 0),
        ("I cannot tell.", 0),
        ("Code: unknown", 0),
        ("Not B42.9.", 0),
        ("Either B42.81 or B42.9.", 2),
        ("Code: B42.81, B42.9", 2),
        ("Code: B42.81 and B42.9", 2),
        ("Code: B42.81. On reflection, code: B42.9", 2),
    ],
)
def test_none_or_several_codes_are_no_proposal(answer, n_found):
    proposed = find_proposed_code(answer)

    assert (proposed.code, proposed.n_found) == (None, n_found)


@pytest.mark.parametrize("word", ["1010", "E08-E13", "B428.1", "B42.81.7", "4", "E13.-"])
def test_a_labelled_invention_is_judged_rather_than_overlooked(word):
    assert find_proposed_code(f"Code: {word}").code == word


@given(st.text())
def test_any_text_is_read_without_an_error(answer):
    assert find_proposed_code(answer).n_found >= 0
