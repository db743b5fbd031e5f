import time

import pytest

from verifiers.doubt.disagreement import disagreement, mean_disagreement, token_f1
from verifiers.doubt.final_answer import AnswerKind, find_final_answer

ASKED = "Which nerve?\nA. Radial\nB. Ulnar\nC. Median\nD. Axillary"


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("C", "C"),
        ("(c)", "C"),
        ("C. Median", "C"),
        ("**Answer:** B", "B"),
        ("**B** is tempting, but the answer is **D**.", "D"),
        ("Option A is wrong. The correct answer is (C).", "C"),
        ("A thorough look at A and B.\n\nFinal answer: D) Axillary", "D"),
        ("The correct option is B because the ulnar nerve passes the elbow.\nAnswer: B", "B"),
        ("the answer is a) Radial", "A"),
        ('{"step_by_step_thinking": "A or B? 2 of 3 say B.", "answer_choice": "C"}', "C"),
    ],
)
def test_the_letter_is_the_one_stated_as_the_answer(answer, letter):
    found = find_final_answer(answer, ASKED)

    assert (found.kind, found.value) == (AnswerKind.OPTION, letter)
    assert answer[found.start : found.end].upper() == letter


def test_several_letters_are_no_answer():
    assert find_final_answer('{"answer_choice": "C/D"}', ASKED).kind is AnswerKind.WORDS


def test_a_letter_that_is_no_option_is_not_an_answer():
    assert find_final_answer("The answer is H.", ASKED).kind is AnswerKind.WORDS


def test_an_article_is_not_an_option():
    assert find_final_answer("The answer is a nerve of the arm.", ASKED).kind is AnswerKind.WORDS


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("5 boxes of 12 hold 60. #### 60", "60"),
        ("It fell from $1,200 to ($300.50), so -3.", "-3"),
        ("The loss is ($1,300).", "-1300"),
        ("Revenue rose 12.50 %", "12.5%"),
        ("The answer is 7, as 3 of 10 left.", "7"),
        ("0.0", "0"),
    ],
)
def test_the_number_is_the_announced_one_else_the_last(answer, value):
    found = find_final_answer(answer, "How much is it?")

    assert (found.kind, found.value) == (AnswerKind.NUMBER, value)


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        ("12.5%", "0.125", 0.0),
        ("12.5%", "12.50", 0.0),
        ("12.5%", "1.25", 1.0),
        ("1,000", "1000.00", 0.0),
        ("1000", "1001", 1.0),
        ("Code: E11.9", "The code is e119", 0.0),
        ("Code: E11.9", "Code: E11.8", 1.0),
        ("Code: E11.9", "12", 1.0),
        ("acute renal failure", "acute renal failure", 0.0),
        ("acute renal failure", "42", 1.0),
        ("acute renal failure", "healthy", 1.0),
    ],
)
def test_answers_are_compared_by_value(one, other, far):
    assert disagreement(one, other, query="What is it?") == far
    assert disagreement(other, one, query="What is it?") == far


def test_letters_are_compared_whatever_stands_around_them():
    assert disagreement("C", "C. Median, since it passes the carpal tunnel.", query=ASKED) == 0.0
    assert mean_disagreement("C", ["Answer: C", "Answer: B", "(C)", "no idea"], query=ASKED) == 0.5


def test_token_f1_is_the_harmonic_mean_of_both_shares():
    assert token_f1("a b c d", "a b") == 2 * 2 / 6
    assert token_f1("", "") == 1.0
    assert token_f1("a", "") == 0.0


def test_long_answers_are_read_from_their_end_in_bounded_time():
    answer = "The answer is (A). " * 60_000 + "\nAnswer: C"

    started = time.process_time()
    found = find_final_answer(answer, ASKED)

    assert (found.value, answer[found.start : found.end]) == ("C", "C")
    assert time.process_time() - started < 1.0
