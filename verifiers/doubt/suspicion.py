"""The stack of signals as a check: passes where the calibrated suspicion is at most tau."""

from collections.abc import Sequence
from typing import ClassVar

from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price
from verifiers.doubt.asking import AskingFailed, Bill
from verifiers.doubt.gauge import Gauge, unknown
from verifiers.doubt.limits import asking_failed, not_there, over_limit, share_option


class SuspicionIsLow:
    """Fails where suspicion exceeds tau, the threshold that calibration rows or a certificate chose."""

    id = "doubt.suspicion"
    price = Price.CHEAP
    needs: ClassVar[frozenset[str]] = frozenset({"gauge"})

    def __init__(self, *, tau: float = 0.5, is_hard: bool = True, gauge: Gauge | None = None) -> None:
        """`is_hard`: above tau is a fail, which stops at standard stakes too; else it cannot be decided.

        Raises:
            SettingsError: tau lies outside [0, 1].
        """
        self._tau, self._is_hard, self._gauge = share_option(self.id, "tau", tau), bool(is_hard), gauge

    @property
    def most_calls(self) -> int:
        """Calls that one judgement makes at most."""
        return 0 if self._gauge is None else self._gauge.most_calls

    @property
    def needs_tokens(self) -> bool:
        """Whether suspicion reads the answer's log-probabilities."""
        return self._gauge is not None and self._gauge.needs_tokens

    def judge(self, case: Case) -> CheckResult:
        """Pass iff suspicion <= tau; cannot decide where it is not known, error where asking failed."""
        return self.weigh(case, ())

    def weigh(self, case: Case, earlier: Sequence[CheckResult]) -> CheckResult:
        """The same, after the results that the chain has so far."""
        if self._gauge is None:
            return not_there(self.id, "gauge")
        bill = Bill()
        try:
            measured = self._gauge.measure(case, earlier, bill)
        except AskingFailed as failed:
            return asking_failed(self.id, failed, bill)
        outcome, reason = over_limit(measured.suspicion, self._tau, is_hard=self._is_hard, reason="suspicious")
        if outcome is CheckOutcome.CANNOT_DECIDE and reason == "signal_unknown":
            return unknown(self.id, bill)
        return CheckResult(
            check=self.id,
            outcome=outcome,
            reason=reason,
            evidence={**measured.evidence, "tau": self._tau},
            suspicion=measured.suspicion,
            calls=bill.calls,
            cost_usd=bill.cost_usd,
        )
