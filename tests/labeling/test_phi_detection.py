import pytest

from labeling.phi.chain import Chain, default_chain, kinds_of
from labeling.phi.findings import LETTER_OF, LETTERS, Finding
from labeling.phi.word_lists import eponym_phrases


def found(text: str) -> list[tuple[str, str]]:
    """Letters and texts of what the default chain finds."""
    return [(f.hipaa_letter, text[f.start : f.end]) for f in default_chain().find(text)]


@pytest.mark.parametrize(
    ("letter", "text", "value"),
    [
        ("A", "Mr. Okonkwo denies chest pain.", "Okonkwo"),
        ("A", "Mrs. Rose Brown returned.", "Rose Brown"),
        ("A", "Patient name: Ines Duarte", "Ines Duarte"),
        ("A", "Discussed with Maria Lopez today.", "Maria Lopez"),
        ("A", "Signed by J. R. Whitaker, MD", "J. R. Whitaker"),
        ("A", "Query for GARCIA, JUAN about sepsis", "GARCIA, JUAN"),
        ("A", "Dr. Graves ordered the test.", "Graves"),
        ("B", "Lives at 12 Oak Street, Apt 4B.", "12 Oak Street, Apt 4B"),
        ("B", "She lives in Marfa with her son.", "Marfa"),
        ("B", "ZIP code: 79843-1201", "79843-1201"),
        ("B", "Transferred from Chattanooga overnight.", "Chattanooga"),
        ("B", "Anschrift: Hauptstraße 17", "Hauptstraße 17"),
        ("B", "Resident of Harris County", "Harris County"),
        ("C", "Admitted 03/04/2024 with fever", "03/04/2024"),
        ("C", "Discharged 2024-03-04.", "2024-03-04"),
        ("C", "Seen on March 3rd, 2024", "March 3rd, 2024"),
        ("C", "Seen 4 Mar 2024", "4 Mar 2024"),
        ("C", "Operated 4-MAR-2024", "4-MAR-2024"),
        ("C", "In March 2024 the pain began", "March 2024"),
        ("C", "Vu le 14 mars 2023", "14 mars 2023"),
        ("C", "Admitted 3/14 with fever", "3/14"),
        ("C", "DOB 4/7/61", "4/7/61"),
        ("C", "A 92-year-old man", "92"),
        ("D", "Call (555) 210-2233 ext. 4", "(555) 210-2233 ext. 4"),
        ("D", "Mobile +44 20 7946 0958", "+44 20 7946 0958"),
        ("E", "Fax: 555-210-2234", "555-210-2234"),
        ("F", "Write to j.doe+clinic@mail.example.org", "j.doe+clinic@mail.example.org"),
        ("G", "SSN 123-45-6789", "123-45-6789"),
        ("G", "SSN ending in 6789", "6789"),
        ("H", "MRN: 00482913", "00482913"),
        ("H", "medical record number is A-77120", "A-77120"),
        ("I", "Member ID XGH-338127", "XGH-338127"),
        ("I", "Card shows 1EG4-TE5-MK73", "1EG4-TE5-MK73"),
        ("J", "Account number 77-1204-9", "77-1204-9"),
        ("J", "Paid with 4111 1111 1111 1111", "4111 1111 1111 1111"),
        ("K", "Driver's license D1234567", "D1234567"),
        ("L", "His car, 1M8GDM9AXKP042788, was hit", "1M8GDM9AXKP042788"),
        ("L", "License plate 7ABC123", "7ABC123"),
        ("M", "Pacemaker serial number PJN-448120", "PJN-448120"),
        ("M", "UDI (01)00844588003288(21)A1B2C3", "(01)00844588003288(21)A1B2C3"),
        ("N", "Photos at https://portal.example.com/p/8812.", "https://portal.example.com/p/8812"),
        ("O", "Logged from 203.0.113.77", "203.0.113.77"),
        ("O", "Logged from 2001:db8::8a2e:370:7334", "2001:db8::8a2e:370:7334"),
        ("P", "Fingerprint template was stored", "Fingerprint template"),
        ("Q", "See ![wound](face_0312.jpg)", "![wound](face_0312.jpg)"),
        ("R", "Accession number S24-10023", "S24-10023"),
        ("R", "Rendering provider NPI 1234567893", "1234567893"),
        ("R", "Passport 533380006", "533380006"),
    ],
)
def test_an_identifier_of_each_safe_harbor_letter_is_found(letter, text, value):
    assert found(text) == [(letter, value)]


def test_every_letter_has_a_kind():
    assert set(LETTER_OF.values()) == set(LETTERS)


@pytest.mark.parametrize(
    "text",
    [
        "S72.001A, I10, Z79.4, CPT 99214-25, HCPCS J1885",
        "NDC 0002-8215-01 and LOINC 2345-7, SNOMED CT 44054006, HbA1c 8.9 %",
        "NDC 00002821501; RxNorm 860975; MS-DRG 291; revenue code 0450",
        "ICD-10-PCS 0DTJ4ZZ, 02703ZZ; ICD-9 250.00; morphology 8140/3",
        "BP 125/85, pulse 93, weight 92 kg, creatinine 4.2, 5/5 strength, titer 1:320",
        "Metformin 500 mg BID, insulin 10-20 units, amoxicillin 250 mg/5 mL",
        "Cushing syndrome, Hodgkin lymphoma, Down syndrome in a newborn, mother Graves",
        "Non-Hodgkin lymphoma; Charcot-Marie-Tooth disease; Guillain-Barré; Ehlers Danlos",
        "MRN not documented; SSN withheld; account on hold",
        "A 45-year-old; patients 90 or older; those aged 65 to 95; age 90+",
        "Texas, Virginia and Washington; since 2019; FY2026",
        "Seen at 10:30:45 with Glasgow Coma Scale 15 and Boston bowel score 7",
        "See https://www.cms.gov/medicare/coding for the rule",
        "The Wilson disease gene; Bell's palsy; a Foley catheter; Wells score 4",
    ],
)
def test_codes_values_and_eponyms_are_left_alone(text):
    assert found(text) == []


def test_every_eponym_of_the_list_survives_beside_its_disease():
    lost = [phrase for phrase in eponym_phrases() if found(f"History of {phrase} disease, stable.")]

    assert len(eponym_phrases()) >= 80
    assert lost == []


@pytest.mark.parametrize("text", ["MRN I50", "account number 99214", "Member ID E11.9"])
def test_a_label_outweighs_the_look_of_a_code(text):
    assert len(found(text)) == 1


def test_without_the_allow_list_a_title_case_eponym_pair_would_be_a_person():
    text = "Discussed Thomas Williams today."

    assert found(text) == [("A", "Thomas Williams")]
    assert found("Discussed Osler-Weber-Rendu today.") == []


def test_a_name_found_once_is_found_in_all_texts_of_the_item():
    question, answer = "Mr. Okonkwo has I10.", "For Okonkwo code I10."

    first, second = default_chain().find_in_item([question, answer])

    assert [question[f.start : f.end] for f in first] == ["Okonkwo"]
    assert [(answer[f.start : f.end], f.detector) for f in second] == [("Okonkwo", "echo")]
    assert default_chain().find(answer) == []


def test_kinds_are_counted_by_item():
    texts = ["Pt reachable at 555-010-2233, DOB 4/7/1961.", "S72.001A, CPT 99214; MRN 88123"]

    assert kinds_of(texts) == {"phone": 1, "date_of_birth": 1, "mrn": 1}
    assert kinds_of(["I10 is valid."]) == {}


def test_a_finding_holds_places_and_kinds_but_no_text():
    finding = Finding.of("mrn", 4, 12, detector="patterns", score=0.95)
    text = "MRN 00482913 for Maria Lopez"

    assert Finding.__slots__ == ("start", "end", "kind", "hipaa_letter", "detector", "score", "is_labelled")
    assert not hasattr(finding, "__dict__")
    assert "00482913" not in repr(default_chain().find(text))
    assert "Lopez" not in repr(default_chain().find(text))


def test_a_detector_of_ones_own_joins_the_chain():
    class WardDetector:
        name = "ward"

        def find(self, text: str) -> list[Finding]:
            at = text.find("Ward 7")
            return [Finding.of("unique_code", at, at + 6, detector=self.name, score=0.9)] if at >= 0 else []

    chain = Chain((WardDetector(),))

    assert [(f.start, f.end, f.detector) for f in chain.find("On Ward 7 since")] == [(3, 9, "ward")]


def test_findings_below_the_least_score_are_dropped():
    text = "Reference 948120664 stands alone: 948120664"

    assert [f.kind for f in Chain(least_score=0.4).find("Number 948120664")] == []
    assert [f.kind for f in Chain().find("Number 948120664")] == ["long_number"]
    assert len(Chain().find(text)) == 2
