import pytest

from verifiers.wording.quote import QuoteCheck

SOURCE = (
    "4.2 Liability\nThe Tenant shall not be liable for any loss unless written notice was given within thirty (30) "
    "days after the loss. The fee is $1,500.50 per month, payable in agree-\nment with the schedule."
)


@pytest.fixture
def said(case):
    """The outcome and the reason about an answer to a question with a source."""

    def judge(answer, *, source=SOURCE, query="What does it say?", **options):
        facts = {} if source is None else {"source": source}
        result = QuoteCheck(**options).judge(case(answer, query, **facts))
        return str(result.outcome), result.reason

    return judge


@pytest.mark.parametrize(
    "answer",
    [
        'It says "the Tenant shall not be liable for any loss".',
        "It says \u201cthe Tenant shall not be liable for any loss,\u201d no more.",
        "> The Tenant shall not be liable\n> for any loss",
        '"[t]he Tenant shall not be liable . . . unless written notice was given"',
        "'The fee is $1,500.50 per month' is the tenant's burden",
        "\u201cpayable in agreement with the schedule\u201d",
        '{"quote": "The fee is $1,500.50 per month", "verdict": "due"}',
        "\u00abThe fee is $1,500.50 per month\u00bb",
    ],
)
def test_typography_ellipses_and_brackets_make_no_difference_to_a_true_quotation(said, answer):
    assert said(answer) == ("pass", "in_source")


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        (
            '"The Tenant shall not be liable for any damage unless written notice was given within thirty (30) days"',
            "cannot_decide",
            "changed_quote",
        ),
        ('"the Tenant shall be liable for any loss"', "fail", "changed_negation"),
        ('"written notice was given within sixty (30) days"', "fail", "changed_number"),
        ('"The fee is $1,600.50 per month"', "fail", "changed_number"),
        ('"sixty (30) days"', "fail", "changed_number"),
        ('"the Landlord may keep the deposit for ever"', "fail", "invented_quote"),
        ('"The Tenant shall ... be liable for any loss"', "cannot_decide", "elided_negation"),
        ("\u201cThe Tenant shall be liable for any loss unless written notice was given", "fail", "changed_negation"),
        ('```json\n{"excerpt": "The fee is $1,600.50 per month"}\n```', "fail", "changed_number"),
    ],
)
def test_a_quotation_with_one_changed_word_never_passes(said, answer, outcome, reason):
    assert said(answer) == (outcome, reason)


def test_quotation_marks_around_a_term_are_no_quotation(said):
    assert said('The "Premises" are what it calls "the unit".') == ("pass", "no_quotes")


def test_two_quotations_are_not_read_as_one_and_what_stands_between(said):
    assert said('It says "any loss unless written notice" and "The fee is $1,500.50".') == ("pass", "in_source")


def test_the_worst_of_several_quotations_counts(said):
    assert said('"The fee is $1,500.50 per month" but "The fee is $9.75 per month"')[0] == "fail"


def test_without_a_source_an_unknown_quotation_cannot_be_decided(said):
    assert said('"the Landlord may keep the deposit"', source=None) == ("cannot_decide", "no_source")


def test_what_the_query_itself_says_may_be_quoted(said):
    asked = "Is it true that the roof may be closed at noon?"

    assert said('You ask whether "the roof may be closed at noon".', query=asked) == ("pass", "in_source")


def test_an_answer_without_quotations_passes_unless_the_pack_requires_one(said):
    assert said("Yes.") == ("pass", "no_quotes")
    assert said("Yes.", required=True) == ("cannot_decide", "no_quotes")


def test_evidence_holds_no_text_of_the_answer(case):
    result = QuoteCheck().judge(case('"the Landlord may keep the deposit for ever"', source=SOURCE))

    assert not [value for value in result.evidence.values() if isinstance(value, str)]


def test_a_fault_beyond_what_is_read_is_not_passed(said):
    assert said("word " * 13_000) == ("cannot_decide", "too_long")
