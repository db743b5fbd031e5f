import pytest

from labeling.content.screening import names_a_model, phi_kinds


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SSN 123-45-6789 on file", "ssn"),
        ("MRN: 00482913", "mrn"),
        ("medical record number is A-77120", "mrn"),
        ("call (555) 010-2233", "phone"),
        ("call +1 555.010.2233 today", "phone"),
        ("write to j.doe+clinic@mail.example.org", "email"),
        ("DOB 04/07/1961", "date_of_birth"),
        ("born on April 7, 1961", "date_of_birth"),
        ("date of birth: 7 April 1961", "date_of_birth"),
    ],
)
def test_an_identifier_is_found(text, kind):
    assert phi_kinds([text]) == {kind: 1}


@pytest.mark.parametrize(
    "text",
    [
        "S72.001A, I10, Z79.4, CPT 99214-25, HCPCS J1885",
        "NDC 0002-8215-01 and LOINC 2345-7, HbA1c 8.9 %",
        "Cushing syndrome, Hodgkin lymphoma, Down syndrome in a newborn",
        "MRN not documented",
        "Seen 03/04/2024, follow-up in 2 weeks",
        "BP 125/85, pulse 93, creatinine 4.2",
    ],
)
def test_codes_and_clinical_text_are_left_alone(text):
    assert phi_kinds([text]) == {}


@pytest.mark.parametrize("text", ["As GPT-4, I code I10.", "I am Claude.", "I'm a model trained by OpenAI."])
def test_a_model_that_names_itself_is_noticed(text):
    assert names_a_model(text)


@pytest.mark.parametrize("text", ["As an acute condition, code J20.9.", "I am certain: I10.", "Developed by trauma."])
def test_plain_answers_name_no_model(text):
    assert not names_a_model(text)
