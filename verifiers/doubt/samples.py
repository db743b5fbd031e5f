"""Self-consistency: the weak model is asked again some times, and its answers are compared with the one it gave.

What a model says only now and then it made up; what it always says may still be wrong, which this cannot see.
Source: Wang et al. (2022), *Self-Consistency Improves Chain of Thought Reasoning in Language Models*.
"""

from typing import ClassVar

from core.errors import SettingsError
from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.doubt.asking import Ask, AskingFailed, Bill
from verifiers.doubt.disagreement import mean_disagreement
from verifiers.doubt.limits import asking_failed, not_there, over_limit, share_option

MOST_SAMPLES = 20


class SelfAgreement:
    """Passes where at most a share `limit` of the weak model's further answers disagrees with the one it gave."""

    id = "doubt.samples"
    price = Price.CHEAP
    needs: ClassVar[frozenset[str]] = frozenset({"weak", "reads_facts"})

    def __init__(
        self,
        *,
        n_samples: int = 3,
        limit: float = 0.34,
        temperature: float = 0.7,
        is_hard: bool = False,
        weak: Ask | None = None,
        reads_facts: bool = False,
    ) -> None:
        """`weak` asks the weak model `n_samples` times, with 0 not at all.

        `reads_facts`: the fact `samples`, a list of texts, may stand in for asking it.
        Facts that a client may write must not: a client could then agree with itself.

        Raises:
            SettingsError: an option is out of range.
        """
        if isinstance(n_samples, bool) or not isinstance(n_samples, int) or not 0 <= n_samples <= MOST_SAMPLES:
            raise SettingsError(
                f"{self.id} has n_samples = {n_samples!r}; 0 to {MOST_SAMPLES} samples are asked for. "
                "Change verifiers.n_samples."
            )
        if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 < temperature <= 2:
            raise SettingsError(
                f"{self.id} has temperature = {temperature!r}; it lies above 0, where a model only repeats itself, and "
                "at 2 at most. Change the pack's options."
            )
        self._n, self._temperature = n_samples, float(temperature)
        self._limit, self._is_hard = share_option(self.id, "limit", limit), bool(is_hard)
        self._weak, self._reads_facts = weak, reads_facts

    @property
    def most_calls(self) -> int:
        """Calls that one judgement makes at most."""
        return 0 if self._weak is None else self._n

    def judge(self, case: Case) -> CheckResult:
        """Pass at or below the limit; cannot decide where nobody can be asked, error where asking failed."""
        bill = Bill()
        try:
            others = self._answers(case, bill)
        except AskingFailed as failed:
            return asking_failed(self.id, failed, bill)
        if not others:
            return not_there(self.id, "weak_model")
        share = mean_disagreement(case.answer, others, query=case.query.text)
        outcome, reason = over_limit(share, self._limit, is_hard=self._is_hard, reason="samples_disagree")
        return CheckResult(
            check=self.id,
            outcome=outcome,
            reason=reason,
            evidence={"disagreement": share, "n_samples": len(others)},
            calls=bill.calls,
            cost_usd=bill.cost_usd,
        )

    def _answers(self, case: Case, bill: Bill) -> list[str]:
        given = given_samples(case) if self._reads_facts else []
        if given or self._weak is None or not self._n:
            return given[:MOST_SAMPLES]
        return sampled_answers(case, self._weak, self._n, temperature=self._temperature, bill=bill)


def given_samples(case: Case) -> list[str]:
    """The texts of the fact `samples`; none where it is no list of texts."""
    given = case.facts.get("samples")
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        return []
    return [one for one in given if isinstance(one, str)]


def sampled_answers(case: Case, weak: Ask, n: int, *, temperature: float, bill: Bill) -> list[str]:
    """`n` further answers of the weak model to the query, each with a seed of its own so that it can be repeated.

    Raises:
        AskingFailed: a call brought none.
    """
    return [
        bill.ask(weak, case.query.messages, {"temperature": temperature, "seed": seed}).text for seed in range(1, n + 1)
    ]
