import math

import pytest

from core.errors import SettingsError
from core.records import Query, messages_of
from verifiers.case import Case, Token
from verifiers.chain import CheckOutcome
from verifiers.doubt.logprobs import AnswerLogprobs, logprob_signals


def tokens_of(*parts):
    return tuple(Token(text=text, logprob=math.log(p), runner_up=math.log(q) if q else None) for text, p, q in parts)


def case_of(answer, tokens, query="What is 2 + 2?"):
    return Case(query=Query(id="q", messages=messages_of(query)), answer=answer, tokens=tokens)


def test_only_the_tokens_of_the_final_number_count():
    tokens = tokens_of(("I", 0.1, 0.05), (" think", 0.2, 0.1), (" it is ", 0.3, 0.2), ("1", 0.8, 0.1), ("4", 0.5, 0.4))

    found = logprob_signals(case_of("I think it is 14", tokens))

    assert found.n_tokens == 2
    assert found.least == pytest.approx(0.5)
    assert found.mean == pytest.approx(1 - math.sqrt(0.4))
    assert found.margin == pytest.approx(0.9)


def test_an_answer_in_words_counts_every_token():
    tokens = tokens_of(("acute", 0.9, None), (" pain", 0.4, None))

    found = logprob_signals(case_of("acute pain", tokens, "What is it?"))

    assert (found.n_tokens, found.least) == (2, pytest.approx(0.6))
    assert math.isnan(found.margin)


def test_tokens_that_spell_another_text_are_not_believed():
    assert logprob_signals(case_of("5", tokens_of(("4", 1.0, None)))) is None


def test_white_space_around_the_answer_shifts_nothing():
    tokens = tokens_of(("  It is", 0.1, None), (" ", 0.1, None), ("4", 0.75, None), ("\n", 0.1, None))

    assert logprob_signals(case_of("It is 4", tokens)).mean == pytest.approx(0.25)


@pytest.mark.parametrize(("p", "outcome"), [(0.9, "pass"), (0.5, "pass"), (0.49, "cannot_decide")])
def test_an_unsure_answer_is_in_doubt_and_not_wrong(p, outcome):
    result = AnswerLogprobs(limit=0.5).judge(case_of("4", tokens_of(("4", p, None))))

    assert result.outcome.value == outcome


def test_a_pack_may_make_it_a_fail():
    result = AnswerLogprobs(limit=0.5, is_hard=True).judge(case_of("4", tokens_of(("4", 0.2, None))))

    assert (result.outcome, result.reason) == (CheckOutcome.FAIL, "model_unsure")


def test_without_logprobs_nothing_passes():
    result = AnswerLogprobs().judge(case_of("4", ()))

    assert (result.outcome, result.reason) == (CheckOutcome.CANNOT_DECIDE, "no_logprobs")


@pytest.mark.parametrize("limit", [-0.1, 1.5, float("nan"), True, "0.5"])
def test_a_limit_that_is_no_share_is_refused(limit):
    with pytest.raises(SettingsError, match=r"doubt.logprobs has limit = .* a share lies in \[0, 1\]"):
        AnswerLogprobs(limit=limit)
