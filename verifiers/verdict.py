"""What a check is, what it says of an answer, and what all of them say together. Runs nothing.

Five outcomes, kept apart in every record:

| outcome | meaning |
|---|---|
| pass | the check found nothing against the answer |
| fail | the check found the answer wrong |
| cannot_decide | the check did not find what it needs to judge, or the caps forbid to ask it (`over_budget`) |
| error | the check itself broke, whatever it raised or returned, or was late (`timeout`) |
| not_run | the chain did not run it: the answer could not leave any more (`already_escalates`) |

At high stakes anything but pass escalates. Evidence holds codes, numbers and hashes, never the text.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import Field

from core.records import Record, Stakes
from verifiers.case import Case

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
"""A short machine-readable name, safe in a header and too short to carry an answer."""

Finite = Annotated[float, Field(allow_inf_nan=False)]

Evidence = Annotated[str, Field(max_length=64)] | int | Finite | bool


class CheckOutcome(StrEnum):
    """What a check, or the whole chain, says of an answer."""

    PASS = "pass"
    FAIL = "fail"
    CANNOT_DECIDE = "cannot_decide"
    ERROR = "error"
    NOT_RUN = "not_run"


class Price(StrEnum):
    """What a check costs to run, and so when it runs: `free` first, `judge` last."""

    FREE = "free"
    CHEAP = "cheap"
    JUDGE = "judge"


class CheckResult(Record):
    """What one check said, why, and on what evidence.

    `suspicion` is a check's own probability that the answer is wrong, where it gives one. `calls` and `cost_usd` count
    what it asked of models; a cost of None is not known. The chain sets `elapsed_ms`.
    """

    check: Slug
    outcome: CheckOutcome
    reason: Slug
    evidence: Mapping[Slug, Evidence] = {}
    suspicion: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    calls: Annotated[int, Field(ge=0)] = 0
    cost_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = 0.0
    elapsed_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Check(Protocol):
    """Judges one case. `id` names it in records; it never changes its meaning under the same id.

    A check may also have:

    | attribute | meaning |
    |---|---|
    | `weigh(case, earlier)` | is called instead of `judge`, with the results so far, in the order in which they ran |
    | `most_calls`, `most_usd` | what one judgement may ask of models; 1 and 0 where a paid check does not say |
    | `needs_tokens` | it reads the answer's log-probabilities, so the gateway asks for them |
    """

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
        """The worst result: fail, error, cannot_decide, pass; what nothing was run for is not decided."""
        outcomes = {result.outcome for result in self.results}
        for outcome in (CheckOutcome.FAIL, CheckOutcome.ERROR):
            if outcome in outcomes:
                return outcome
        return CheckOutcome.PASS if outcomes == {CheckOutcome.PASS} else CheckOutcome.CANNOT_DECIDE

    @property
    def reasons(self) -> tuple[str, ...]:
        """`check:reason` of every result that is not a pass; those that were not run only where nothing else is."""
        if not self.results:
            return ("chain:no_checks",)
        against = [result for result in self.results if result.outcome is not CheckOutcome.PASS]
        ran = [result for result in against if result.outcome is not CheckOutcome.NOT_RUN]
        return tuple(f"{result.check}:{result.reason}" for result in ran or against)

    @property
    def calls(self) -> int:
        """Model calls that the checks made."""
        return sum(result.calls for result in self.results)

    @property
    def cost_usd(self) -> float | None:
        """What those calls cost together; None where that of one is not known."""
        costs = [result.cost_usd for result in self.results]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None

    def releases(self, stakes: Stakes) -> bool:
        """Whether a weak answer at these stakes may leave: any at low, none at critical, one that passed at the others.

        At standard one that could not be decided may leave too, where every check was run.

        >>> undecided = ChainVerdict(results=())
        >>> [undecided.releases(stakes) for stakes in Stakes]
        [True, True, False, False]
        """
        if stakes in (Stakes.LOW, Stakes.CRITICAL):
            return stakes is Stakes.LOW
        all_ran = all(result.outcome is not CheckOutcome.NOT_RUN for result in self.results)
        undecided_may = self.outcome is CheckOutcome.CANNOT_DECIDE and stakes is Stakes.STANDARD and all_ran
        return self.outcome is CheckOutcome.PASS or undecided_may


def price_of(check: Check) -> Price:
    """The check's price; one that names none runs last, in a thread of its own."""
    try:
        return Price(check.price)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - whatever `price` is or raises
        return Price.JUDGE


def result_of(check: Check, outcome: CheckOutcome, reason: str) -> CheckResult:
    """A result that the chain gives in a check's name, both made fit for a record."""
    try:
        identifier: object = check.id
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a check that cannot even say its name
        identifier = None
    return CheckResult(check=_slug(identifier), outcome=outcome, reason=_slug(reason))


def _slug(name: object) -> str:
    if not isinstance(name, str):
        return "unnamed"
    return re.sub(r"[^a-z0-9_.-]", "_", name.lower())[:64].lstrip("_.-") or "unnamed"
