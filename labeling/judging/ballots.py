"""The ballot: what an expert says about a pair by the sides they saw, and the rules it must keep.

Pure. A ballot speaks of left and right; `verdict_of` turns it into the pair's own order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.errors import PreceptorError
from core.records import Stakes, Verdict
from labeling.content.identifiers import kinds_in_reason

MAX_REASON_CHARS = 4000


class Choice(StrEnum):
    """An expert's verdict by the sides they saw."""

    LEFT_BETTER = "left_better"
    RIGHT_BETTER = "right_better"
    BOTH_ACCEPTABLE = "both_acceptable"
    NEITHER_ACCEPTABLE = "neither_acceptable"
    CANNOT_JUDGE = "cannot_judge"


class Severity(StrEnum):
    """How bad a marked sentence is."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


@dataclass(frozen=True)
class SideMark:
    """A sentence of the left or right answer, counted from 0, that the expert marked as faulty."""

    side: str
    sentence: int
    category: str
    severity: Severity


@dataclass(frozen=True)
class Ballot:
    """What the judging form sends. `assignment_id` and `revision` together are its idempotency key."""

    assignment_id: str
    revision: int
    choice: Choice
    left_acceptable: bool | None = None
    right_acceptable: bool | None = None
    strength: int | None = None
    """1 slightly, 2 clearly, 3 much better; of a preference alone."""
    reason: str = ""
    reason_codes: tuple[str, ...] = ()
    marks: tuple[SideMark, ...] = ()
    active_ms: int | None = None
    wall_ms: int | None = None
    guideline_version: int | None = None
    """The version that stood beside the pair, 0 for none; None where the sender does not say: the one in force."""


@dataclass(frozen=True)
class JudgingRules:
    """What a ballot may say and must say."""

    reason_required: str = "high_stakes"
    """`never`, `high_stakes` or `always`: when a preference or *neither* needs a reason."""
    reason_codes: tuple[str, ...] = ()
    mark_categories: tuple[str, ...] = ()


FREE = JudgingRules(reason_required="never")
"""Rules that ask for no reason and know no codes."""


def check_ballot(ballot: Ballot, rules: JudgingRules, *, stakes: Stakes) -> None:
    """Refuse a ballot that contradicts itself, lacks a reason it needs, or carries an identifier of a patient.

    Raises:
        PreceptorError: what to change, in words for the expert.
    """
    left, right = ballot.left_acceptable, ballot.right_acceptable
    has_reason = bool(ballot.reason.strip() or ballot.reason_codes)
    if ballot.choice is Choice.CANNOT_JUDGE and not has_reason:
        raise PreceptorError("A pair that cannot be judged needs a reason. Say what is missing or unclear.")
    if ballot.choice is Choice.BOTH_ACCEPTABLE and False in (left, right):
        raise PreceptorError("You chose 'both acceptable' and marked an answer not acceptable. Change one of the two.")
    if ballot.choice is Choice.NEITHER_ACCEPTABLE and True in (left, right):
        raise PreceptorError("You chose 'neither acceptable' and marked an answer acceptable. Change one of the two.")
    better_and_other = {Choice.LEFT_BETTER: (left, right), Choice.RIGHT_BETTER: (right, left)}.get(ballot.choice)
    if better_and_other == (False, True):
        raise PreceptorError(
            "The better answer is marked not acceptable while the other one is acceptable. "
            "Change a mark or the verdict."
        )
    if needs_reason(ballot.choice, rules, stakes=stakes) and not has_reason:
        why = "This pair has high stakes" if rules.reason_required == "high_stakes" else "Every such verdict counts"
        raise PreceptorError(f"{why}, so the verdict needs a reason. Tick one or write a few words.")
    if ballot.strength is not None and better_and_other is None:
        raise PreceptorError("A strength belongs to a better answer. Choose the better one, or clear the strength.")
    _check_words(ballot, rules)


def needs_reason(choice: Choice, rules: JudgingRules, *, stakes: Stakes) -> bool:
    """Whether a verdict needs a reason under the rules.

    >>> needs_reason(Choice.LEFT_BETTER, JudgingRules("high_stakes"), stakes=Stakes.HIGH)
    True
    >>> needs_reason(Choice.BOTH_ACCEPTABLE, JudgingRules("always"), stakes=Stakes.HIGH)
    False
    """
    if choice is Choice.CANNOT_JUDGE:
        return True
    if choice is Choice.BOTH_ACCEPTABLE or rules.reason_required == "never":
        return False
    return rules.reason_required == "always" or stakes.is_high


def verdict_of(choice: Choice, *, swapped: bool) -> Verdict:
    """The verdict in the pair's canonical order, whatever side was shown where.

    >>> verdict_of(Choice.LEFT_BETTER, swapped=True)
    <Verdict.SECOND_BETTER: 'second_better'>
    """
    if choice is Choice.LEFT_BETTER:
        return Verdict.SECOND_BETTER if swapped else Verdict.FIRST_BETTER
    if choice is Choice.RIGHT_BETTER:
        return Verdict.FIRST_BETTER if swapped else Verdict.SECOND_BETTER
    return Verdict(choice.value)


def in_pair_order(left: bool | None, right: bool | None, *, swapped: bool) -> tuple[bool | None, bool | None]:
    """What was said of left and right, as said of the pair's first and second answer.

    >>> in_pair_order(True, False, swapped=True)
    (False, True)
    """
    return (right, left) if swapped else (left, right)


def _check_words(ballot: Ballot, rules: JudgingRules) -> None:
    if len(ballot.reason) > MAX_REASON_CHARS:
        raise PreceptorError(f"The reason has {len(ballot.reason)} characters. Keep it to {MAX_REASON_CHARS}.")
    if kinds := kinds_in_reason(ballot.reason):
        names = " and ".join(kind.replace("_", " ") for kind in kinds)
        raise PreceptorError(f"The reason seems to hold a patient's {names}. Leave identifiers out of it.")
    _refuse_unknown("reason", ballot.reason_codes, rules.reason_codes)
    _refuse_unknown("mark", [mark.category for mark in ballot.marks], rules.mark_categories)
    places = [(mark.side, mark.sentence) for mark in ballot.marks]
    if len(set(places)) < len(places) or any(side not in ("left", "right") for side, _ in places):
        raise PreceptorError("The marks do not come from the judging page. Reload the page.")


def _refuse_unknown(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise PreceptorError(f"'{unknown[0]}' is no {what} of this project. Reload the page to see those it has.")
