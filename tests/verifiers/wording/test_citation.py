import pytest

from core.errors import DataError
from verifiers.wording.citation import CitationCheck

SOURCE = (
    "The exclusionary rule applies to the states. Mapp v. Ohio, 367 U. S. 643, 655 (1961). A claim lies under "
    "42 U.S.C. \u00a7 1983 and 17 C.F.R. \u00a7 240.10b-5(b). See Smith v. Jones, 123 F.3d 456, 458 (9th Cir. 1997); "
    "28 USC 1331; "
    "Pub. L. No. 111-148, 124 Stat. 119; Fed. R. Civ. P. 12(b)(6); [2017] UKSC 5; Regulation (EU) 2016/679."
)


@pytest.fixture
def said(case):
    """The outcome and the reason about an answer to a question with a source."""

    def judge(answer, *, source=SOURCE, **options):
        facts = {} if source is None else {"source": source}
        result = CitationCheck(**options).judge(case(answer, "What is the law?", **facts))
        return str(result.outcome), result.reason

    return judge


@pytest.mark.parametrize(
    "answer",
    [
        "Mapp v. Ohio, 367 U.S. 643 (1961), so holds. Id. at 655.",
        "**Authority.** *Mapp v. Ohio*, 367 US 643, 655.",
        "See 42 USC 1983 and section 1331 of title 28.",
        "17 CFR 240.10b-5(b) is the rule.",
        "Smith v. Jones, 123 F.3d 456 (9th Cir. 1997). Smith, 123 F.3d at 458. Jones, supra.",
        "Public Law 111-148; Federal Rule of Civil Procedure 12(b)(6).",
        "[2017] UKSC 5, and Regulation (EU) 2016/679.",
    ],
)
def test_citations_of_the_source_pass_however_they_are_written(said, answer):
    assert said(answer) == ("pass", "in_source")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Mapp v. Ohio, 367 U.S. 644 (1961)", "not_in_source"),
        ("Varghese v. China Southern Airlines, 925 F.3d 1339 (11th Cir. 2019)", "not_in_source"),
        ("Marbury v. Ohio, 367 U.S. 643 (1961)", "name_not_in_source"),
        ("As Varghese v. China Southern holds, yes.", "name_not_in_source"),
        ("In re Silverton Holdings is on point.", "name_not_in_source"),
        ("Doe v. Ohio, 12 Foo. 34 (1999)", "not_in_source"),
        ("42 U.S.C. \u00a7 1985", "not_in_source"),
        ("17 CFR 240.10b-5(c)", "part_not_in_source"),
        ("Federal Rule of Civil Procedure 12(b)(1)", "not_in_source"),
        ("Smith, 123 F.3d at 470.", "pin_not_in_source"),
        ("Smith, 124 F.3d at 458.", "unresolved_short"),
        ("Id. at 655.", "unresolved_id"),
        ("Varghese, supra, at 12.", "unresolved_supra"),
        ("[2018] UKSC 5", "not_in_source"),
    ],
)
def test_what_the_source_does_not_hold_cannot_be_decided(said, answer, reason):
    assert said(answer) == ("cannot_decide", reason)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("1367 U.S. 643 (1961)", "no_such_volume"),
        ("1203 F.2d 12 (1950)", "no_such_volume"),
        ("99 U.S.C. \u00a7 12", "no_such_title"),
        ("925 F.2d 1339 (11th Cir. 2019)", "year_outside_reporter"),
        ("410 U.S. 9113 (1973)", "no_such_page"),
        ("347 U.S. 483, 12 (1954)", "pin_before_page"),
        ("Mapp v. Ohio, 367 U.S. 643 (1962)", "other_year"),
    ],
)
def test_a_citation_that_no_book_can_hold_fails(said, answer, reason):
    assert said(answer) == ("fail", reason)


def test_a_pack_may_fail_what_stands_in_no_source(said):
    assert said("410 U.S. 113 (1973)", ungrounded="fail") == ("fail", "not_in_source")


def test_a_known_citation_needs_no_source(said, tmp_path):
    known = tmp_path / "known.txt"
    known.write_text("Brown v. Board of Education, 347 U.S. 483 (1954)\n\n5 U.S.C. \u00a7 552\n")

    assert said("347 U.S. 483 (1954); 5 USC 552", source=None, known=known) == ("pass", "in_source")
    assert said("348 U.S. 483 (1955)", source=None, known=known) == ("cannot_decide", "not_in_source")


def test_a_list_of_known_citations_with_a_line_that_is_none_is_refused(tmp_path):
    known = tmp_path / "known.txt"
    known.write_text("347 U.S. 483\nBrown\n")

    with pytest.raises(DataError, match=r"known.txt:2: no citation was recognised"):
        CitationCheck(known=known)


def test_an_answer_without_citations_passes_unless_the_pack_requires_one(said):
    assert said("Yes, within 30 days; see the note.") == ("pass", "no_citations")
    assert said("Yes.", required=True) == ("cannot_decide", "no_citations")
