"""The chain: runs checks on one answer and says whether it may leave. What it cannot verify, it never passes."""

from collections.abc import Sequence

from core.records import Stakes
from verifiers.case import Case
from verifiers.running import Limits as Limits
from verifiers.running import Spending, run_check
from verifiers.verdict import ChainVerdict as ChainVerdict
from verifiers.verdict import Check as Check
from verifiers.verdict import CheckOutcome as CheckOutcome
from verifiers.verdict import CheckResult as CheckResult
from verifiers.verdict import Evidence as Evidence
from verifiers.verdict import Price as Price
from verifiers.verdict import Slug as Slug
from verifiers.verdict import price_of, result_of


def run_chain(checks: Sequence[Check], case: Case, *, limits: Limits | None = None) -> ChainVerdict:
    """The verdict of all checks: the free ones, then the cheap ones, then the judge; in their order at equal price.

    Every check has one result. All free ones run. A paid one runs only while the answer may still leave at the stakes
    of `case.query`, and while the caps leave room for it. Raises only KeyboardInterrupt.

    >>> asked = {"id": "q", "messages": [{"role": "user", "content": "Code this."}]}
    >>> run_chain([], Case(query=asked, answer="B42.81")).outcome.value
    'cannot_decide'
    """
    limits = limits or Limits()
    spending = Spending(limits)
    results: list[CheckResult] = []
    for price, check in sorted(((price_of(check), check) for check in checks), key=lambda one: _ORDER[one[0]]):
        if price is not Price.FREE and not _may_leave(results, case.query.stakes):
            results.append(result_of(check, CheckOutcome.NOT_RUN, "already_escalates"))
        elif price is not Price.FREE and not spending.has_room_for(check):
            results.append(result_of(check, CheckOutcome.CANNOT_DECIDE, "over_budget"))
        else:
            result = run_check(check, case, tuple(results), is_free=price is Price.FREE, limits=limits)
            results.append(result if price is Price.FREE else spending.settled(check, result))
    return ChainVerdict(results=tuple(results))


def _may_leave(results: Sequence[CheckResult], stakes: Stakes) -> bool:
    """Whether an answer may still leave at these stakes, if all that is left passes."""
    if not results:
        return stakes is not Stakes.CRITICAL
    return ChainVerdict(results=tuple(results)).releases(stakes)


_ORDER = {price: place for place, price in enumerate(Price)}
