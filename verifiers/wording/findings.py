"""How a check of wording says what it found, and how much of an answer it reads. It looks at no text itself."""

from typing import NamedTuple

from verifiers.chain import CheckOutcome, CheckResult, Evidence

READ_CHARS = 60_000
"""Characters of an answer that a check reads. What is longer can fail, but never pass unread."""

SOURCE_CHARS = 600_000
"""Characters of a source that a check reads. What stands beyond is not found."""


class Finding(NamedTuple):
    """An outcome with its reason, before it is known which check says it."""

    outcome: CheckOutcome
    reason: str
    evidence: dict[str, Evidence]

    @property
    def severity(self) -> int:
        """0 for a pass, 1 for a soft finding, 2 for an answer found wrong."""
        return {CheckOutcome.PASS: 0, CheckOutcome.CANNOT_DECIDE: 1}.get(self.outcome, 2)

    def by(self, check: str) -> CheckResult:
        """The finding as the result of the check of this id."""
        return CheckResult(check=check, outcome=self.outcome, reason=self.reason, evidence=self.evidence)


def passed(reason: str, **evidence: Evidence) -> Finding:
    """Nothing was found against the answer."""
    return Finding(CheckOutcome.PASS, reason, evidence)


def failed(reason: str, **evidence: Evidence) -> Finding:
    """The answer was found wrong."""
    return Finding(CheckOutcome.FAIL, reason, evidence)


def undecided(reason: str, **evidence: Evidence) -> Finding:
    """A soft finding, or something that was needed is missing."""
    return Finding(CheckOutcome.CANNOT_DECIDE, reason, evidence)


def not_applicable(reason: str, required: bool) -> Finding:
    """The check has nothing to look at: a pass, unless the pack requires it to find something.

    >>> not_applicable("no_quotes", required=False).outcome.value
    'pass'
    >>> not_applicable("no_quotes", required=True).outcome.value
    'cannot_decide'
    """
    return undecided(reason) if required else passed(reason)


def unless_unread(finding: Finding, answer: str) -> Finding:
    """A pass is withdrawn where the answer is longer than what was read.

    >>> unless_unread(passed("in_source"), "x" * 70_000)[:2]
    (<CheckOutcome.CANNOT_DECIDE: 'cannot_decide'>, 'too_long')
    """
    if finding.outcome is not CheckOutcome.PASS or len(answer) <= READ_CHARS:
        return finding
    return undecided("too_long", chars=len(answer), read_chars=READ_CHARS)
