"""What a check of figures found, and the result that follows. A hard finding fails; a soft one cannot decide."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from verifiers.chain import CheckOutcome, CheckResult, Evidence
from verifiers.figures.amounts import READ_CHARACTERS


class Finding(NamedTuple):
    """One thing found against an answer, with the numbers that show it."""

    reason: str
    is_hard: bool
    evidence: Mapping[str, Evidence]


def conclude(
    check: str, findings: Sequence[Finding], *, n_checked: int, nothing: str, required: bool, text: str = ""
) -> CheckResult:
    """The result of a check: its first hard finding, else its first soft one, else a pass.

    Args:
        check: the check's id.
        findings: what was found, in reading order.
        n_checked: how many equations, dates, ... were looked at.
        nothing: the reason where none was, as `no_dates`.
        required: with it, nothing to look at is no pass.
        text: the answer, of which more than the cap is not read.
    """
    worst = next((found for found in findings if found.is_hard), findings[0] if findings else None)
    evidence: dict[str, Evidence] = {"n_checked": n_checked, "n_found": len(findings)}
    if len(text) > READ_CHARACTERS:
        evidence["read_characters"] = READ_CHARACTERS
    if worst is not None:
        outcome = CheckOutcome.FAIL if worst.is_hard else CheckOutcome.CANNOT_DECIDE
        return CheckResult(check=check, outcome=outcome, reason=worst.reason, evidence={**evidence, **worst.evidence})
    if n_checked == 0:
        outcome = CheckOutcome.CANNOT_DECIDE if required else CheckOutcome.PASS
        return CheckResult(check=check, outcome=outcome, reason=nothing, evidence=evidence)
    return CheckResult(check=check, outcome=CheckOutcome.PASS, reason="holds", evidence=evidence)


def number(value: Decimal) -> float:
    """The value as evidence shows it, to 12 significant digits.

    >>> number(Decimal("33.333333333333333"))
    33.3333333333
    """
    return float(f"{value:.12g}")
