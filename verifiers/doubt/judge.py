"""A language model grades the weak answer by a rubric, where suspicion is neither low nor high. Asks by a callable.

Below the band nothing is asked and the answer passes; above it nothing is asked and it is in doubt. Within it the judge
says of each criterion whether it is met: all met lets the answer leave where the judge's own reliability allows
that (`core.judge_proof`), one missed is a fail at any stakes. A reply that cannot be read is asked for once more.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from core.errors import SettingsError
from core.judge_proof import JudgeProof, may_gate
from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Evidence, Price
from verifiers.doubt.asking import Ask, AskingFailed, Bill
from verifiers.doubt.gauge import Gauge, unknown
from verifiers.doubt.limits import asking_failed, not_there, share_option
from verifiers.doubt.rubric import rubric_of


class JudgeAccepts:
    """Passes where every criterion is met, or where suspicion is so low that no judge need be asked."""

    id = "doubt.judge"
    price = Price.JUDGE
    needs: ClassVar[frozenset[str]] = frozenset({"judge", "judge_name", "gauge", "proof"})

    def __init__(
        self,
        *,
        criteria: Mapping[str, str] | None = None,
        band: Sequence[float] = (0.0, 1.0),
        judge: Ask | None = None,
        judge_name: str = "judge",
        gauge: Gauge | None = None,
        proof: JudgeProof | None = None,
    ) -> None:
        """Take the rubric and the band of suspicion, both ends in it, where the judge is asked.

        Args:
            criteria: name and sentence of each criterion; None: the general rubric.
            band: from which suspicion up to which the judge is asked; (0, 1) is always, and needs no gauge.
            judge: asks the judge, best of another maker than both models of the pair.
            judge_name: its name, for records and the proof.
            gauge: measures suspicion where no check before the judge has; the largest of theirs counts.
            proof: what the judge has shown beside experts; None: nothing.

        Raises:
            SettingsError: band or criteria cannot be read.
        """
        if isinstance(band, str) or len(band) != 2 or share_option(self.id, "band", band[0]) > band[1]:
            raise SettingsError(f"{self.id} has band = {band!r}; give two shares, the smaller first.")
        self._band = float(band[0]), share_option(self.id, "band", band[1])
        self._rubric = rubric_of(criteria)
        self._judge, self._name, self._gauge, self._proof = judge, judge_name, gauge, proof

    @property
    def most_calls(self) -> int:
        """Calls that one judgement makes at most: a reply that cannot be read is asked for once more."""
        return (0 if self._judge is None else 2) + (self._gauge.most_calls if self._asks_gauge and self._gauge else 0)

    @property
    def task_sha256(self) -> str:
        """Hash of what the judge is asked; a proof is of one task."""
        return self._rubric.sha256

    @property
    def needs_tokens(self) -> bool:
        """Whether suspicion reads the answer's log-probabilities."""
        return self._asks_gauge and self._gauge is not None and self._gauge.needs_tokens

    def judge(self, case: Case) -> CheckResult:
        """Pass, fail, or cannot decide; error where asking failed."""
        return self.weigh(case, ())

    def weigh(self, case: Case, earlier: Sequence[CheckResult]) -> CheckResult:
        """The same, after the results that the chain has so far."""
        bill, suspicion = Bill(), None
        try:
            if self._asks_gauge:
                known = [one.suspicion for one in earlier if one.suspicion is not None]
                if not known and self._gauge is None:
                    return not_there(self.id, "gauge")
                suspicion = (
                    max(known) if known or self._gauge is None else self._gauge.measure(case, earlier, bill).suspicion
                )
                low, high = self._band
                if suspicion < low:
                    return self._result(CheckOutcome.PASS, "not_suspicious", bill=bill, suspicion=suspicion)
                if suspicion > high:
                    return self._result(CheckOutcome.CANNOT_DECIDE, "too_suspicious", bill=bill, suspicion=suspicion)
                if not low <= suspicion <= high:
                    return unknown(self.id, bill)
            if self._judge is None:
                return not_there(self.id, "judge")
            if not self._rubric.fits(case):
                return self._result(CheckOutcome.CANNOT_DECIDE, "too_long", bill=bill, suspicion=suspicion)
            marks = self._marks(self._judge, case, bill)
        except AskingFailed as failed:
            return asking_failed(self.id, failed, bill)
        asked: dict[str, Evidence] = {"judge": self._name[:64], "task": self.task_sha256}
        if marks is None:
            return self._result(
                CheckOutcome.CANNOT_DECIDE, "unreadable_reply", bill=bill, evidence=asked, suspicion=suspicion
            )
        asked.update(marks)
        if not all(marks.values()):
            return self._result(CheckOutcome.FAIL, "criterion_missed", bill=bill, evidence=asked, suspicion=suspicion)
        query = case.query
        gating = may_gate(
            self._proof, query.stakes, judge=self._name, task_sha256=self.task_sha256, stratum=query.stratum_name
        )
        outcome = CheckOutcome.PASS if gating.is_allowed else CheckOutcome.CANNOT_DECIDE
        return self._result(outcome, gating.reason or "ok", bill=bill, evidence=asked, suspicion=suspicion)

    @property
    def _asks_gauge(self) -> bool:
        return self._band != (0.0, 1.0)

    def _marks(self, ask: Ask, case: Case, bill: Bill) -> dict[str, bool] | None:
        for is_retry in (False, True):
            given = bill.ask(ask, self._rubric.messages(case, is_retry=is_retry), {"temperature": 0})
            marks = self._rubric.read(given.text)
            if marks is not None:
                return marks
        return None

    def _result(
        self,
        outcome: CheckOutcome,
        reason: str,
        *,
        bill: Bill,
        suspicion: float | None,
        evidence: Mapping[str, Evidence] | None = None,
    ) -> CheckResult:
        return CheckResult(
            check=self.id,
            outcome=outcome,
            reason=reason,
            evidence=evidence or {},
            suspicion=suspicion,
            calls=bill.calls,
            cost_usd=bill.cost_usd,
        )
