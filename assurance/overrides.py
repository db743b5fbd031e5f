"""How often experts overrule the recheck: overall and check by check, with exact intervals. It never reads a text.

Only answers that a person had to look at are counted here, so these rates say nothing about answers that left unseen.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from assurance.bootstrap import Interval
from assurance.bounds import binomial_interval
from core.records import Record


class Reviewed(NamedTuple):
    """One weak answer that the machine rechecked and an expert judged before seeing what it had said.

    `objections` name the checks that did not pass it; `machine_passed` whether none objected.
    """

    machine_passed: bool
    expert_accepts: bool
    objections: tuple[str, ...] = ()


class Overridden(Record):
    """Answers of one kind, those on which the expert said the opposite, and their share; None without answers."""

    n: int
    n_overridden: int
    share: Interval | None


class Overrides(Record):
    """How often experts overruled the recheck.

    `objected` counts answers that the machine did not pass: overridden means that the expert accepts the answer for
    release, so the objection cost a strong call for nothing. `passed` counts those that it passed: overridden means
    that the expert does not accept it. `by_check` is `objected` for each check that objected.
    """

    overall: Overridden
    objected: Overridden
    passed: Overridden
    by_check: Mapping[str, Overridden]


def overrides(reviewed: Sequence[Reviewed]) -> Overrides:
    """Count them. Intervals are exact (Clopper-Pearson) at 95 %, and want each answer to be counted once.

    Args:
        reviewed: one row an answer.

    >>> accepted = Reviewed(machine_passed=False, expert_accepts=True, objections=("a",))
    >>> refused = Reviewed(machine_passed=False, expert_accepts=False, objections=("a", "b"))
    >>> found = overrides([accepted, refused, Reviewed(machine_passed=True, expert_accepts=True)])
    >>> (found.overall.n, found.overall.n_overridden, found.objected.n, found.by_check["a"].n_overridden)
    (3, 1, 2, 1)
    >>> found.by_check["b"].share.estimate, overrides([]).overall.share
    (0.0, None)
    """
    objected = [row for row in reviewed if not row.machine_passed]
    checks = sorted({check for row in objected for check in row.objections})
    return Overrides(
        overall=_overridden(reviewed),
        objected=_overridden(objected),
        passed=_overridden([row for row in reviewed if row.machine_passed]),
        by_check={check: _overridden([row for row in objected if check in row.objections]) for check in checks},
    )


def _overridden(rows: Sequence[Reviewed]) -> Overridden:
    n = sum(row.expert_accepts != row.machine_passed for row in rows)
    return Overridden(n=len(rows), n_overridden=n, share=binomial_interval(n, len(rows)) if rows else None)
