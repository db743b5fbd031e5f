import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.phi.chain import Chain, default_chain, merged
from labeling.phi.findings import LETTER_OF, Finding
from labeling.phi.masking import masked, masked_item, segments

PIECES = st.sampled_from(
    "Mr. Okonkwo|Maria Lopez|I50.9|CPT 99214|Hodgkin lymphoma|MRN 48213|555-210-2233|03/04/2024|a@b.org|12 Oak Street|"
    "\n|. |, |"
    "SSN 123-45-6789|a 92-year-old|lives in Marfa|TX 79843|é|Ünal|-|(|)|/|NPI 1234567893|203.0.113.7|x".split("|")
)
TEXTS = st.one_of(
    st.text(max_size=60), st.lists(PIECES, max_size=12).map(" ".join), st.lists(PIECES, max_size=9).map("".join)
)


@st.composite
def texts_with_findings(draw: st.DrawFn) -> tuple[str, list[Finding]]:
    """Any text with any findings, merged as the chain merges them."""
    text = draw(st.text(min_size=1, max_size=40))
    spans = draw(st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, 9)), max_size=6))
    kinds = st.sampled_from(sorted(LETTER_OF))
    found = [Finding.of(draw(kinds), start, min(start + n, len(text)), detector="any", score=0.5) for start, n in spans]
    return text, merged(found)


@given(texts_with_findings())
def test_segments_joined_are_the_text(case):
    text, findings = case

    pieces = segments(text, findings)

    assert "".join(piece for piece, _ in pieces) == text
    assert [finding for _, finding in pieces if finding] == findings
    assert all(piece for piece, _ in pieces)


@given(texts_with_findings())
def test_a_mask_stands_where_each_found_text_stood(case):
    text, findings = case

    pattern = "".join(
        re.escape(piece) if finding is None else r"\[[A-Z0-9-]+-\d+\]" for piece, finding in segments(text, findings)
    )

    assert re.fullmatch(pattern, masked(text, findings), re.DOTALL)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_the_chain_finds_ordered_spans_inside_any_text(text):
    findings = default_chain().find(text)

    edges = [edge for finding in findings for edge in (finding.start, finding.end)]
    assert edges == sorted(edges)
    assert all(0 <= f.start < f.end <= len(text) for f in findings)
    assert "".join(piece for piece, _ in segments(text, findings)) == text


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_merging_never_uncovers_what_a_detector_found(text):
    chain = Chain(protects_codes=False)
    raw = [finding for detector in chain.detectors for finding in detector.find(text)]

    covered = {at for finding in merged(raw) for at in range(finding.start, finding.end)}

    assert covered == {at for finding in raw for at in range(finding.start, finding.end)}


def test_the_same_value_gets_the_same_number_within_an_item():
    texts = ["Mr. Okonkwo, MRN 48213.", "MRN 48213 belongs to OKONKWO; MRN 99120 to Dr. Silva."]
    findings = default_chain().find_in_item(texts)

    assert masked_item(texts, findings) == [
        "Mr. [NAME-1], MRN [MRN-1].",
        "MRN [MRN-1] belongs to OKONKWO; MRN [MRN-2] to Dr. [NAME-2].",
    ]


def test_numbers_say_nothing_about_values_of_another_item():
    assert masked("MRN 48213", default_chain().find("MRN 48213")) == "MRN [MRN-1]"
    assert masked("MRN 99120", default_chain().find("MRN 99120")) == "MRN [MRN-1]"


def test_a_masked_text_is_clean_and_keeps_its_codes():
    text = "Maria Lopez, DOB 4/7/1961, MRN 48213, 12 Oak Street, call 555-210-2233: I50.9, CPT 99214, Hodgkin lymphoma."

    clean = masked(text, default_chain().find(text))

    assert clean == (
        "[NAME-1], DOB [DATE-OF-BIRTH-1], MRN [MRN-1], [STREET-1], call [PHONE-1]: I50.9, CPT 99214, Hodgkin lymphoma."
    )
    assert default_chain().find(clean) == []


def test_overlapping_findings_are_refused():
    a = Finding.of("mrn", 0, 4, detector="x", score=0.9)
    b = Finding.of("name", 2, 6, detector="x", score=0.9)

    with pytest.raises(ValueError, match="does not follow"):
        segments("abcdefgh", [a, b])
