import pytest

from core.errors import DataError
from verifiers.wording.allowed import AllowedCheck
from verifiers.wording.language import LanguageCheck
from verifiers.wording.length import LengthCheck
from verifiers.wording.refusal import RefusalCheck
from verifiers.wording.schema import SchemaCheck

SCHEMA = {
    "type": "object",
    "required": ["code"],
    "properties": {"code": {"type": "string"}, "n": {"type": "integer"}},
    "additionalProperties": False,
}


@pytest.fixture
def said(case):
    """The outcome and the reason that a check gives an answer with these facts."""

    def judge(check, answer, **facts):
        result = check.judge(case(answer, **facts))
        return str(result.outcome), result.reason

    return judge


@pytest.mark.parametrize(
    "answer", ['{"code": "x"}', '```json\n{"code": "x", "n": 2}\n```', 'Here it is: {"code": "x"} as asked.']
)
def test_json_of_the_asked_form_passes_in_a_fence_and_in_prose(said, answer):
    assert said(SchemaCheck(), answer, schema=SCHEMA) == ("pass", "matches")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('{"code": 1}', "breaks_schema"),
        ('{"n": 1}', "breaks_schema"),
        ('{"code": "x", "n": 1.5}', "breaks_schema"),
        ('{"code": "x"', "not_json"),
        ('{"code": "x", "n": NaN}', "not_json"),
        ('{"code": "a", "code": "b"}', "duplicate_key"),
        ("The code is x.", "no_json"),
        ('```json\n{"code": "a"}\n```\nor\n```json\n{"code": "b"}\n```', "several"),
        ('{"a":' * 5_000, "not_json"),
    ],
)
def test_what_is_not_of_the_asked_form_fails(said, answer, reason):
    assert said(SchemaCheck(), answer, schema=SCHEMA) == ("fail", reason)


def test_a_schema_elsewhere_is_never_fetched(said, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *_: pytest.fail("a reference was fetched"))

    assert said(SchemaCheck(), '{"a": 1}', schema={"$ref": "http://127.0.0.1:9/x.json"}) == (
        "cannot_decide",
        "remote_reference",
    )


def test_a_schema_that_is_none_decides_nothing_and_a_pack_with_one_is_refused(said):
    assert said(SchemaCheck(), "{}", schema={"type": "objet"}) == ("cannot_decide", "bad_schema")
    with pytest.raises(DataError, match="not a JSON Schema"):
        SchemaCheck(schema={"type": "objet"})


def test_a_pack_may_want_nothing_but_json(said):
    check = SchemaCheck(schema=SCHEMA, only_json=True)

    assert said(check, '{"code": "x"}') == ("pass", "matches")
    assert said(check, 'So: {"code": "x"}') == ("fail", "not_only_json")
    assert said(check, '```json\n{"code": "x"}\n```') == ("fail", "not_only_json")


def test_without_a_schema_the_check_passes_unless_it_is_required(said):
    assert said(SchemaCheck(), "x") == ("pass", "no_schema")
    assert said(SchemaCheck(required=True), "x") == ("cannot_decide", "no_schema")


LETTERS = {"A": "Asthma", "B": "COPD", "C": "Gout"}
LABELS = ["covered", "not covered"]


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ("Not covered.", LABELS),
        ("**Answer:** covered", LABELS),
        ("It is covered.", LABELS),
        ("The treatment is not covered because the plan excludes it.", LABELS),
        ("(B)", LETTERS),
        ("B. COPD", LETTERS),
        ("The correct answer is (B) COPD, because the patient smokes.", LETTERS),
        ("COPD", LETTERS),
        ("Smoke harms. I think option C fits.", ["A", "B", "C"]),
        ("The patient wheezes.\n\nFinal answer: A", ["A", "B", "C"]),
    ],
)
def test_an_allowed_answer_passes_however_it_is_given(said, answer, allowed):
    assert said(AllowedCheck(), answer, allowed=allowed) == ("pass", "allowed")


@pytest.mark.parametrize(
    ("answer", "allowed", "outcome", "reason"),
    [
        ("Answer: partially covered", LABELS, "fail", "not_allowed"),
        ("Partially covered", LABELS, "cannot_decide", "not_alone"),
        ("Pending", LABELS, "fail", "not_allowed"),
        ("covered or not covered", LABELS, "cannot_decide", "several"),
        ("Answer: D", LETTERS, "fail", "not_allowed"),
        ("F", LETTERS, "fail", "not_allowed"),
        ("D. Pneumonia", LETTERS, "fail", "not_allowed"),
        ("A. COPD", LETTERS, "cannot_decide", "several"),
        ("Asthma and gout", LETTERS, "cannot_decide", "several"),
        ("", LABELS, "fail", "empty"),
        ("covered", [], "cannot_decide", "bad_allowed"),
    ],
)
def test_an_answer_that_is_not_among_the_allowed_never_passes(said, answer, allowed, outcome, reason):
    assert said(AllowedCheck(), answer, allowed=allowed) == (outcome, reason)


@pytest.mark.parametrize(
    "answer",
    [
        "The claim was declined because the policy lapsed.",
        "The insurer is unable to pay, and the borrower must decline to answer.",
        "We will not pay the claim.",
        "I am sorry to hear that. Code: J45.909",
        'The agent said "I cannot help you with this" and hung up.',
        "The court refused to enforce the clause.",
        "I cannot find any breach in the lease.",
    ],
)
def test_answers_about_declining_are_no_refusals(said, answer):
    assert said(RefusalCheck(), answer) == ("pass", "answers")


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        ("I'm sorry, but I can\u2019t help with that.", "fail", "declined"),
        ("As an AI language model, I do not give advice.", "fail", "declined"),
        ("I cannot determine the code from this note.", "fail", "declined"),
        ("Lo siento, no puedo ayudar.", "fail", "declined"),
        ("I don't know.", "fail", "abstained"),
        ("", "fail", "empty"),
        ("...", "fail", "empty"),
        ("There is insufficient information to decide.", "cannot_decide", "not_enough"),
        (
            "I cannot provide legal advice, but under the clause on default the tenant has thirty days from receipt "
            "of a written notice in which to cure the default, after which the landlord may end the lease.",
            "cannot_decide",
            "hedged",
        ),
    ],
)
def test_an_answer_that_declines_or_is_empty_never_passes(said, answer, outcome, reason):
    assert said(RefusalCheck(), answer) == (outcome, reason)


GERMAN = "Der Mieter zahlt die Miete am ersten Tag des Monats im Voraus."


def test_the_language_is_told_where_there_is_enough_text(said):
    assert said(LanguageCheck(), GERMAN, language="de") == ("pass", "as_asked")
    assert said(LanguageCheck(), GERMAN, language="en-US") == ("fail", "other_language")
    assert said(LanguageCheck(language="en"), GERMAN) == ("fail", "other_language")


def test_short_answers_and_codes_are_in_every_language(said):
    assert said(LanguageCheck(), "Code: J45.909", language="fr") == ("pass", "too_short")


def test_no_language_asked_passes_and_an_unknown_one_cannot_be_decided(said):
    assert said(LanguageCheck(), GERMAN) == ("pass", "no_language")
    assert said(LanguageCheck(required=True), GERMAN) == ("cannot_decide", "no_language")
    assert said(LanguageCheck(), GERMAN, language="xq") == ("cannot_decide", "unknown_language")


@pytest.mark.parametrize(
    "answer",
    [
        "This is is is wrong.",
        "the claim is paid the claim is paid the claim is paid",
        "The fee is due on Monday. " * 4,
        "Reason: the fee is due now. Yes.\nNo.\n" * 4,
    ],
)
def test_an_answer_that_goes_round_in_circles_fails(said, answer):
    assert said(LengthCheck(), answer) == ("fail", "repeated_text")


@pytest.mark.parametrize(
    "answer",
    ["A very very very long road.", "No, no, no.", "| yes | no | yes | no |\n" * 5, "Rates: 5 5 5 5 5", "had had"],
)
def test_emphasis_tables_and_numbers_may_repeat(said, answer):
    assert said(LengthCheck(), answer) == ("pass", "fits")


def test_the_length_is_kept_within_its_limits(said):
    check = LengthCheck(min_words=2, max_words=4)

    assert said(check, "one") == ("fail", "too_few_words")
    assert said(check, "one two three four five") == ("fail", "too_many_words")
    assert said(check, "one two three") == ("pass", "fits")
