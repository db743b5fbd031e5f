"""What a soft signal means for an answer, and the options that say so. Decides nothing by itself."""

import math

from core.errors import SettingsError
from verifiers.chain import CheckOutcome, CheckResult
from verifiers.doubt.asking import AskingFailed, Bill


def over_limit(value: float, limit: float, *, is_hard: bool, reason: str) -> tuple[CheckOutcome, str]:
    """Pass at or below the limit. Above it the answer is in doubt, and a fail only where the pack says so.

    NaN is not a small value: it cannot be decided.

    >>> over_limit(0.2, 0.5, is_hard=False, reason="unsure")[0].value
    'pass'
    >>> over_limit(math.nan, 0.5, is_hard=True, reason="unsure")
    (<CheckOutcome.CANNOT_DECIDE: 'cannot_decide'>, 'signal_unknown')
    """
    if math.isnan(value):
        return CheckOutcome.CANNOT_DECIDE, "signal_unknown"
    if value <= limit:
        return CheckOutcome.PASS, "ok"
    return (CheckOutcome.FAIL if is_hard else CheckOutcome.CANNOT_DECIDE), reason


def share_option(check: str, option: str, value: float) -> float:
    """An option of the pack that must lie in [0, 1].

    Raises:
        SettingsError: it does not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise SettingsError(f"{check} has {option} = {value!r}; a share lies in [0, 1]. Change the pack's options.")
    return float(value)


def not_there(check: str, resource: str) -> CheckResult:
    """What the check would ask was not handed in: it cannot decide, since it was named to be asked.

    >>> not_there("doubt.judge", "judge").reason
    'no_judge'
    """
    return CheckResult(check=check, outcome=CheckOutcome.CANNOT_DECIDE, reason=f"no_{resource}")


def asking_failed(check: str, failed: AskingFailed, bill: Bill) -> CheckResult:
    """A call brought no usable reply: an error, with what was asked until then.

    >>> asking_failed("doubt.judge", AskingFailed("timeout"), Bill(calls=1)).reason
    'asked_timeout'
    """
    return CheckResult(
        check=check,
        outcome=CheckOutcome.ERROR,
        reason=f"asked_{failed.kind}",
        calls=bill.calls,
        cost_usd=bill.cost_usd,
    )
