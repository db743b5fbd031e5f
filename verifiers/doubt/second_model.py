"""A second cheap model answers the same query; where the two disagree, the weak answer is in doubt.

Two models of different makers rarely make the same mistake; where both were taught it, this cannot see it.
"""

from typing import ClassVar

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.doubt.asking import Ask, AskingFailed, Bill
from verifiers.doubt.disagreement import disagreement
from verifiers.doubt.limits import asking_failed, not_there, over_limit, share_option


class SecondModelAgrees:
    """Passes where a second cheap model says the same."""

    id = "doubt.second_model"
    price = Price.CHEAP
    needs: ClassVar[frozenset[str]] = frozenset({"second", "reads_facts"})

    def __init__(
        self, *, limit: float = 0.5, is_hard: bool = False, second: Ask | None = None, reads_facts: bool = False
    ) -> None:
        """`second` asks the second model; `reads_facts`: the fact `second_answer` may stand in for asking it.

        Facts that a client may write must not: a client could then agree with itself.

        Raises:
            SettingsError: an option is out of range.
        """
        self._limit, self._is_hard = share_option(self.id, "limit", limit), bool(is_hard)
        self._second, self._reads_facts = second, reads_facts

    @property
    def most_calls(self) -> int:
        """Calls that one judgement makes at most."""
        return 0 if self._second is None else 1

    def judge(self, case: Case) -> CheckResult:
        """Pass at or below the limit; cannot decide where nobody can be asked, error where asking failed."""
        bill = Bill()
        try:
            other = second_answer(case, self._second, reads_facts=self._reads_facts, bill=bill)
        except AskingFailed as failed:
            return asking_failed(self.id, failed, bill)
        if other is None:
            return not_there(self.id, "second_model")
        found = disagreement(case.answer, other, query=case.query.text)
        outcome, reason = over_limit(found, self._limit, is_hard=self._is_hard, reason="models_disagree")
        return CheckResult(
            check=self.id,
            outcome=outcome,
            reason=reason,
            evidence={"disagreement": found},
            calls=bill.calls,
            cost_usd=bill.cost_usd,
        )


def second_answer(case: Case, second: Ask | None, *, reads_facts: bool, bill: Bill) -> str | None:
    """The second model's answer, from the fact `second_answer` where that may be read; None: nobody can be asked.

    Raises:
        AskingFailed: the call brought none.
    """
    given = case.facts.get("second_answer") if reads_facts else None
    if isinstance(given, str) and given.strip():
        return given
    return None if second is None else bill.ask(second, case.query.messages, {"temperature": 0}).text
