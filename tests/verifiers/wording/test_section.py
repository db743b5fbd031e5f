import pytest

from verifiers.wording.section import SectionCheck

SOURCE = """LEASE
1. Term. The term is five years.
4.2 Fees
The fee is due monthly.
12. Notices
(a) Notices shall be in writing.
(b) Notices are effective on receipt, see Article IV and Section 9(c)(1).
Section 14. Liability
The tenant (i) pays and (ii) insures.
Exhibit B sets out the plan."""


@pytest.fixture
def said(case):
    """The outcome and the reason about an answer to a question with a source."""

    def judge(answer, *, source=SOURCE, query="What does it say?", **options):
        facts = {} if source is None else {"source": source}
        result = SectionCheck(**options).judge(case(answer, query, **facts))
        return str(result.outcome), result.reason

    return judge


@pytest.mark.parametrize(
    "answer",
    [
        "Section 12(b) and Clause 4.2 say so.",
        "Article 4 and \u00a7 9(c)(1).",
        "Exhibit B.",
        "Section 14(ii).",
        "Sections 1, 4.2 and 12.",
        "Sections 4.2-12.",
        "Section 4 as a whole.",
    ],
)
def test_divisions_of_the_source_pass_however_they_are_called(said, answer):
    assert said(answer) == ("pass", "in_source")


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        ("Section 13 applies.", "fail", "not_in_source"),
        ("Article 9 applies.", "fail", "not_in_source"),
        ("Exhibit C.", "fail", "not_in_source"),
        ("Sections 1, 4.3 and 12.", "fail", "not_in_source"),
        ("Section 14(iv).", "fail", "no_such_part"),
        ("Section 9(c)(2).", "cannot_decide", "part_not_in_source"),
        ("Tex. Bus. & Com. Code \u00a7 2.207.", "cannot_decide", "of_another_text"),
        ("Sections 4.2-4.9.", "fail", "not_in_source"),
        ("Section 10 of the Securities Exchange Act.", "cannot_decide", "of_another_text"),
    ],
)
def test_a_division_that_the_source_does_not_have_never_passes(said, answer, outcome, reason):
    assert said(answer) == (outcome, reason)


@pytest.mark.parametrize("answer", ["A party to the deal.", "42 U.S.C. Section 1983", "A clause in the lease.", "Yes."])
def test_words_that_name_no_division_pass(said, answer):
    assert said(answer) == ("pass", "no_sections")


def test_without_a_source_only_what_the_query_names_passes(said):
    assert said("Section 12(b)", source=None) == ("cannot_decide", "no_source")
    assert said("Section 12(b)", source=None, query="What does Section 12(b) say?") == ("pass", "in_source")


def test_a_pack_may_require_that_a_section_is_named(said):
    assert said("Yes.", required=True) == ("cannot_decide", "no_sections")
