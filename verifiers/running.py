"""Runs one check in its time and within the caps; whatever it does, one well-formed result comes of it.

A free check runs where the chain runs, since a thread would cost more than the check; when it is late, its result is
dropped once it returns. A paid check runs in a thread of its own, which is left behind when it is late.
"""

import contextvars
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from core.records import Record
from verifiers.case import Case
from verifiers.verdict import Check, CheckOutcome, CheckResult, Price, price_of, result_of


class Limits(Record):
    """What the recheck of one answer may take; `timeouts_s` overrides the seconds of a check by its id."""

    check_timeout_s: Annotated[float, Field(gt=0)] = 2.0
    max_calls: Annotated[int, Field(ge=0)] = 8
    max_cost_usd: Annotated[float, Field(ge=0)] = 0.05
    timeouts_s: Mapping[str, Annotated[float, Field(gt=0)]] = {}

    def timeout_s(self, check: str) -> float:
        """Seconds that the check of this id has."""
        return self.timeouts_s.get(check, self.check_timeout_s)


class Spending:
    """What the checks of one answer have asked of models, against the caps."""

    def __init__(self, limits: Limits) -> None:
        self._calls_left, self._usd_left = limits.max_calls, limits.max_cost_usd

    def has_room_for(self, check: Check) -> bool:
        """Whether the caps allow the most that this check may ask for."""
        calls, usd = _most(check)
        return calls <= self._calls_left and usd <= self._usd_left

    def settled(self, check: Check, result: CheckResult) -> CheckResult:
        """The result, its cost taken off what is left; one that went over a cap has not passed.

        What a check has spent that broke without a word of it is not known: it counts as the most that it may.
        """
        calls, usd = result.calls, result.cost_usd
        if result.outcome is CheckOutcome.ERROR and calls == 0:
            result = result.model_copy(update={"cost_usd": None})
            calls, usd = _most(check)[0], None
        if usd is None:
            usd = _most(check)[1]
        self._calls_left -= calls
        self._usd_left -= usd
        if result.outcome is CheckOutcome.PASS and (self._calls_left < 0 or self._usd_left < 0):
            return result.model_copy(update={"outcome": CheckOutcome.CANNOT_DECIDE, "reason": "over_budget"})
        return result


def run_check(
    check: Check, case: Case, earlier: Sequence[CheckResult], *, is_free: bool, limits: Limits
) -> CheckResult:
    """The check's result with the time it took: its own, or the outcome `error` and why.

    Raises:
        KeyboardInterrupt: someone stops the program.
    """
    started = time.perf_counter()
    try:
        timeout_s = limits.timeout_s(check.id)
        result = _judge(check, case, earlier) if is_free else _in_thread(check, case, earlier, timeout_s)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a check that cannot say its id, or a thread that cannot start
        timeout_s, result = limits.check_timeout_s, _broken(check, error)
    elapsed_s = time.perf_counter() - started
    if result is None or elapsed_s > timeout_s:
        result = result_of(check, CheckOutcome.ERROR, "timeout")
    return result.model_copy(update={"elapsed_ms": round(elapsed_s * 1000, 3)})


def _in_thread(check: Check, case: Case, earlier: Sequence[CheckResult], timeout_s: float) -> CheckResult | None:
    """The result, or None when it is late. The thread sees the caller's context and never keeps the process alive."""
    given: list[CheckResult] = []
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=lambda: given.append(context.run(_judge, check, case, earlier)),
        name=f"check-{check.id}",
        daemon=True,
    )
    thread.start()
    thread.join(timeout_s)
    return given[0] if given else None


def _judge(check: Check, case: Case, earlier: Sequence[CheckResult]) -> CheckResult:
    """What the check says, read anew, since a record can be made without being checked."""
    try:
        weigh = getattr(check, "weigh", None)
        said = check.judge(case) if weigh is None else weigh(case, earlier)
        if not isinstance(said, CheckResult) or said.check != check.id or said.outcome is CheckOutcome.NOT_RUN:
            return result_of(check, CheckOutcome.ERROR, "malformed_result")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a check raises is its outcome; the message may hold text
        return _broken(check, error)
    try:
        return CheckResult.model_validate(said.model_dump(warnings=False))
    except Exception:  # noqa: BLE001 - fields that no record may hold, such as NaN
        return result_of(check, CheckOutcome.ERROR, "malformed_result")


def _broken(check: Check, error: BaseException) -> CheckResult:
    return result_of(check, CheckOutcome.ERROR, f"raised_{type(error).__name__}")


def _most(check: Check) -> tuple[int, float]:
    """The most calls and dollars of one judgement; what does not read as numbers leaves no room."""
    n_calls = 0 if price_of(check) is Price.FREE else 1
    try:
        return int(getattr(check, "most_calls", n_calls)), float(getattr(check, "most_usd", 0.0))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - whatever the attributes are
        return 10**9, float("inf")
