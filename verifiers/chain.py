"""The chain: runs checks on one answer and says whether it may leave. What it cannot verify, it never passes.

Four outcomes, kept apart in every record:

| outcome | meaning |
|---|---|
| pass | the check found nothing against the answer |
| fail | the check found the answer wrong |
| cannot_decide | the check did not find what it needs to judge |
| error | the check itself broke, whatever it raised or returned |

Anything but pass escalates a high-stakes answer. Evidence holds codes, numbers and hashes, never the text.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from core.records import Record, Stakes
from verifiers.case import Case

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
"""A short machine-readable name, safe in a header and too short to carry an answer."""

Evidence = Annotated[str, Field(max_length=64)] | int | float | bool


class CheckOutcome(StrEnum):
    """What a check, or the whole chain, says of an answer."""

    PASS = "pass"
    FAIL = "fail"
    CANNOT_DECIDE = "cannot_decide"
    ERROR = "error"


class Price(StrEnum):
    """What a check costs to run, and so when it runs: `free` first, `judge` last."""

    FREE = "free"
    CHEAP = "cheap"
    JUDGE = "judge"


class CheckResult(Record):
    """What one check said, why, and on what evidence.

    `suspicion` is a check's own probability that the answer is wrong, where it gives one. `calls` and `cost_usd` count
    what it asked of models.
    """

    check: Slug
    outcome: CheckOutcome
    reason: Slug
    evidence: Mapping[Slug, Evidence] = {}
    suspicion: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    calls: Annotated[int, Field(ge=0)] = 0
    cost_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class Check(Protocol):
    """Judges one case. `id` names it in records; it never changes its meaning under the same id."""

    @property
    def id(self) -> str:
        """The check's name, such as `icd10cm.billable`."""
        ...

    @property
    def price(self) -> Price:
        """What it costs to run."""
        ...

    def judge(self, case: Case) -> CheckResult:
        """The check's result; raising is allowed and counts as `error`."""
        ...


class ChainVerdict(Record):
    """The results of all checks on one answer, worst first in `outcome`."""

    results: tuple[CheckResult, ...]

    @property
    def outcome(self) -> CheckOutcome:
        """The worst result: fail, error, cannot_decide, pass; without results nothing was decided."""
        outcomes = {result.outcome for result in self.results}
        for outcome in (CheckOutcome.FAIL, CheckOutcome.ERROR, CheckOutcome.CANNOT_DECIDE):
            if outcome in outcomes:
                return outcome
        return CheckOutcome.PASS if outcomes else CheckOutcome.CANNOT_DECIDE

    @property
    def reasons(self) -> tuple[str, ...]:
        """`check:reason` of every result that is not a pass."""
        if not self.results:
            return ("chain:no_checks",)
        return tuple(
            f"{result.check}:{result.reason}" for result in self.results if result.outcome is not CheckOutcome.PASS
        )

    def releases(self, stakes: Stakes) -> bool:
        """Whether a weak answer at these stakes may leave: any at low, none at critical, one that passed at the others.

        At standard one that could not be decided may leave too.

        >>> undecided = ChainVerdict(results=())
        >>> [undecided.releases(stakes) for stakes in Stakes]
        [True, True, False, False]
        """
        if stakes in (Stakes.LOW, Stakes.CRITICAL):
            return stakes is Stakes.LOW
        undecided_may = self.outcome is CheckOutcome.CANNOT_DECIDE and stakes is Stakes.STANDARD
        return self.outcome is CheckOutcome.PASS or undecided_may


def run_chain(checks: Sequence[Check], case: Case) -> ChainVerdict:
    """The verdict of all checks, in order; an exception or a malformed result is the outcome `error`.

    >>> asked = {"id": "q", "messages": [{"role": "user", "content": "Code this."}]}
    >>> run_chain([], Case(query=asked, answer="B42.81")).outcome.value
    'cannot_decide'
    """
    return ChainVerdict(results=tuple(_judge(check, case) for check in checks))


def _judge(check: Check, case: Case) -> CheckResult:
    try:
        result = check.judge(case)
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its outcome; the message may hold the text
        return _error(check, f"raised_{type(error).__name__}")
    if not isinstance(result, CheckResult) or result.check != check.id:
        return _error(check, "malformed_result")
    return result


def _error(check: Check, reason: str) -> CheckResult:
    return CheckResult(
        check=_slug(getattr(check, "id", None)), outcome=CheckOutcome.ERROR, reason=_slug(reason), evidence={}
    )


def _slug(name: object) -> str:
    """The name made fit for a record; what is no name at all becomes `unnamed`."""
    return (
        re.sub(r"[^a-z0-9_.-]", "_", name.lower())[:64].lstrip("_.-") or "unnamed"
        if isinstance(name, str)
        else "unnamed"
    )
