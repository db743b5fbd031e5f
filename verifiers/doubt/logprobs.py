"""How sure the weak model was of what it said: log-probabilities of the words that carry the answer. Asks nobody."""

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from verifiers.case import Case, Token
from verifiers.chain import CheckOutcome, CheckResult, Price
from verifiers.doubt.final_answer import AnswerKind, find_final_answer
from verifiers.doubt.limits import over_limit, share_option


class LogprobSignals(NamedTuple):
    """Three signals in [0, 1], higher is more suspicious; `margin` is NaN where no runner-up was given.

    `mean`: 1 less the geometric mean of the tokens' probabilities. `least`: 1 less the smallest of them. `margin`: 1
    less the smallest lead of a token's probability over the best that was not chosen.
    """

    mean: float
    least: float
    margin: float
    n_tokens: int


class AnswerLogprobs:
    """Passes where the weak model was sure of every token of its final answer."""

    id = "doubt.logprobs"
    price = Price.FREE
    needs: ClassVar[frozenset[str]] = frozenset()
    most_calls = 0
    needs_tokens = True

    def __init__(self, *, limit: float = 0.5, is_hard: bool = False) -> None:
        """`limit`: the least probable token may have no less than 1 - limit; `is_hard`: beyond it is a fail."""
        self._limit, self._is_hard = share_option(self.id, "limit", limit), bool(is_hard)

    def judge(self, case: Case) -> CheckResult:
        """Pass at or below the limit; cannot decide without log-probabilities."""
        signals = logprob_signals(case)
        if signals is None:
            return CheckResult(check=self.id, outcome=CheckOutcome.CANNOT_DECIDE, reason="no_logprobs")
        outcome, reason = over_limit(signals.least, self._limit, is_hard=self._is_hard, reason="model_unsure")
        evidence = {"mean": signals.mean, "least": signals.least, "n_tokens": signals.n_tokens}
        if not math.isnan(signals.margin):
            evidence["margin"] = signals.margin
        return CheckResult(check=self.id, outcome=outcome, reason=reason, evidence=evidence)


def logprob_signals(case: Case) -> LogprobSignals | None:
    """The signals of the tokens that carry the final answer, else of all; None where the case holds no tokens.

    Tokens that do not spell the answer are not used: they belong to another text.

    >>> asked = {"id": "q", "messages": [{"role": "user", "content": "2 + 2?"}]}
    >>> tokens = tuple(Token(text=t, logprob=math.log(p)) for t, p in [("It is", 0.9), (" ", 1.0), ("4", 0.25)])
    >>> logprob_signals(Case(query=asked, answer="It is 4", tokens=tokens))
    LogprobSignals(mean=0.75, least=0.75, margin=nan, n_tokens=1)
    """
    if not case.tokens or "".join(token.text for token in case.tokens).strip() != case.answer.strip():
        return None
    found = find_final_answer(case.answer, case.query.text)
    spanned = case.tokens
    if found.kind is not AnswerKind.WORDS:
        spanned = _tokens_in(case.tokens, found.start, found.end, lead=_lead(case)) or case.tokens
    probabilities = [math.exp(token.logprob) for token in spanned]
    mean = math.exp(math.fsum(token.logprob for token in spanned) / len(spanned))
    leads = [
        probability - math.exp(token.runner_up)
        for token, probability in zip(spanned, probabilities, strict=True)
        if token.runner_up is not None
    ]
    margin = 1.0 - max(0.0, min(leads)) if leads else math.nan
    return LogprobSignals(_tidy(1.0 - mean), _tidy(1.0 - min(probabilities)), _tidy(margin), len(spanned))


def _lead(case: Case) -> int:
    """How many characters the tokens spell before the answer's first, as where the gateway stripped white space."""
    spelt = "".join(token.text for token in case.tokens)
    return (len(spelt) - len(spelt.lstrip())) - (len(case.answer) - len(case.answer.lstrip()))


def _tokens_in(tokens: Sequence[Token], start: int, end: int, *, lead: int) -> tuple[Token, ...]:
    """The tokens that overlap characters start to end of the answer."""
    inside, place = [], -lead
    for token in tokens:
        after = place + len(token.text)
        if place < end and after > start:
            inside.append(token)
        place = after
    return tuple(inside)


def _tidy(share: float) -> float:
    return share if math.isnan(share) else round(min(1.0, max(0.0, share)), 12)
