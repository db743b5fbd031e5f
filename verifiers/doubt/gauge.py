"""How suspicious an answer is, in one number: what the band of the judge and the check `doubt.suspicion` read.

A gauge may ask models; what it cannot tell is NaN, and NaN is never taken for a small suspicion.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from core.suspicion_stack import SuspicionStack
from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult
from verifiers.doubt.asking import Ask, Bill
from verifiers.doubt.disagreement import mean_disagreement
from verifiers.doubt.final_answer import words_of
from verifiers.doubt.logprobs import logprob_signals
from verifiers.doubt.samples import given_samples, sampled_answers
from verifiers.doubt.second_model import second_answer

LOGPROBS = frozenset({"logprob_mean", "logprob_least", "logprob_margin"})

_SIGNAL_OF_EVIDENCE = {
    "doubt.logprobs": {"mean": "logprob_mean", "least": "logprob_least", "margin": "logprob_margin"},
    "doubt.samples": {"disagreement": "samples"},
    "doubt.second_model": {"disagreement": "second"},
}
_NOT_SOFT = ("doubt.", "bundle.", "gateway.")
"""Checks whose doubt is a signal of its own, or none of the answer's content."""

LONGEST_ANSWER = 2000
"""Words from which on an answer counts as longest."""


class Measured(NamedTuple):
    """The probability that the answer is wrong, NaN where it is not known, and the evidence by signal."""

    suspicion: float
    evidence: dict[str, float]


class Gauge(Protocol):
    """Measures one case; calls and cost go onto the bill."""

    @property
    def most_calls(self) -> int:
        """Calls that one measurement makes at most."""
        ...

    @property
    def needs_tokens(self) -> bool:
        """Whether it reads the answer's log-probabilities."""
        ...

    def measure(self, case: Case, earlier: Sequence[CheckResult], bill: Bill) -> Measured:
        """The suspicion, after the results that the chain has so far.

        Raises `AskingFailed` where a call brought nothing, and anything where it broke.
        """
        ...


@dataclass(frozen=True)
class FunctionGauge:
    """A gauge that is one function of the case, such as a bundle's classifier of (question, weak answer)."""

    suspicion: Callable[[Case], float]
    most_calls: int = 0
    needs_tokens: bool = False

    def measure(self, case: Case, earlier: Sequence[CheckResult], bill: Bill) -> Measured:
        """What the function says; what is no probability is NaN."""
        return Measured(probability(self.suspicion(case)), {})


@dataclass(frozen=True)
class Sources:
    """Where the stack's signals come from; None or 0: that signal is missing."""

    router: Callable[[Case], float] | None = None
    """Probability that the strong model is needed, from the question alone."""
    classifier: Callable[[Case], float] | None = None
    """Suspicion of the classifier of (question, weak answer)."""
    weak: Ask | None = None
    n_samples: int = 0
    temperature: float = 0.7
    second: Ask | None = None
    reads_facts: bool = False
    """Whether the facts `samples` and `second_answer` may stand in for asking; never where a client writes facts."""


@dataclass(frozen=True)
class StackGauge:
    """The stack over the signals that it was fitted on; signals of weight 0 are not gathered, so nobody is asked."""

    stack: SuspicionStack
    sources: Sources

    @property
    def most_calls(self) -> int:
        """Calls for the samples and the second model, where the stack reads them."""
        samples = self.sources.n_samples if self.sources.weak and "samples" in self.stack.read else 0
        return samples + int(self.sources.second is not None and "second" in self.stack.read)

    @property
    def needs_tokens(self) -> bool:
        """Whether the stack reads log-probabilities."""
        return bool(LOGPROBS & self.stack.read)

    def measure(self, case: Case, earlier: Sequence[CheckResult], bill: Bill) -> Measured:
        """The stack's suspicion of the case; what an earlier check has asked already is not asked again."""
        known_already = signals_of(earlier)
        asked = gather(case, self.sources, wanted=self.stack.read - set(known_already), bill=bill)
        signals = asked | {name: value for name, value in known_already.items() if name in self.stack.read}
        known = {name: value for name, value in signals.items() if not math.isnan(value)}
        return Measured(self.stack.suspicion_of(signals), known)


def gather(case: Case, sources: Sources, *, wanted: frozenset[str], bill: Bill) -> dict[str, float]:
    """The signals of one case by name, in [0, 1], NaN where missing; the names are `core.suspicion_stack.SIGNALS`.

    Raises:
        AskingFailed: a call brought no usable reply.
    """
    found: dict[str, float] = {}
    if LOGPROBS & wanted:
        read = logprob_signals(case)
        for name in ("mean", "least", "margin"):
            found[f"logprob_{name}"] = math.nan if read is None else getattr(read, name)
    if "router" in wanted and sources.router is not None:
        found["router"] = probability(sources.router(case))
    if "classifier" in wanted and sources.classifier is not None:
        found["classifier"] = probability(sources.classifier(case))
    if "length" in wanted:
        found["length"] = length_signal(case.answer)
    if "samples" in wanted:
        found["samples"] = mean_disagreement(case.answer, _samples(case, sources, bill), query=case.query.text)
    if "second" in wanted:
        other = second_answer(case, sources.second, reads_facts=sources.reads_facts, bill=bill)
        found["second"] = mean_disagreement(case.answer, [] if other is None else [other], query=case.query.text)
    return {name: found.get(name, math.nan) for name in sorted(wanted)}


def signals_of(earlier: Sequence[CheckResult]) -> dict[str, float]:
    """What the chain's results so far say already; their names are those of the stack's signals.

    | signal | from |
    |---|---|
    | soft_findings | checks that ask nobody and could not decide |
    | logprob_mean, logprob_least, logprob_margin | evidence of `doubt.logprobs` |
    | samples, second | evidence of `doubt.samples` and `doubt.second_model` |
    | classifier | suspicion of `bundle.suspicion` |

    >>> signals_of([])
    {'soft_findings': 0.0}
    """
    soft = CheckOutcome.CANNOT_DECIDE
    n = sum(one.outcome is soft for one in earlier if not one.check.startswith(_NOT_SOFT))
    found = {"soft_findings": n / (n + 1)}
    for one in earlier:
        if one.check == "bundle.suspicion":
            found["classifier"] = probability(one.suspicion)
        for evidence, name in _SIGNAL_OF_EVIDENCE.get(one.check, {}).items():
            found[name] = probability(one.evidence.get(evidence))
    return {name: value for name, value in found.items() if not math.isnan(value)}


def length_signal(answer: str) -> float:
    """How long an answer is, on a scale of the logarithm of its words; 1 from 2,000 words on.

    >>> length_signal(""), length_signal("word " * 2000)
    (0.0, 1.0)
    """
    return min(1.0, math.log1p(len(words_of(answer))) / math.log1p(LONGEST_ANSWER))


def probability(value: object) -> float:
    """A number in [0, 1], else NaN.

    >>> probability(0.25), probability(1.5), probability("0.2")
    (0.25, nan, nan)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if 0 <= value <= 1 else math.nan


def unknown(check: str, bill: Bill) -> CheckResult:
    """The gauge could not tell: not a pass."""
    return CheckResult(
        check=check,
        outcome=CheckOutcome.CANNOT_DECIDE,
        reason="suspicion_unknown",
        calls=bill.calls,
        cost_usd=bill.cost_usd,
    )


def _samples(case: Case, sources: Sources, bill: Bill) -> list[str]:
    given = given_samples(case) if sources.reads_facts else []
    if given or sources.weak is None or not sources.n_samples:
        return given
    return sampled_answers(case, sources.weak, sources.n_samples, temperature=sources.temperature, bill=bill)
