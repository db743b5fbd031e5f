"""What the recheck is worth: verdicts of `preceptor verify` beside what experts say of the same weak answers.

Per check, and for all together: how many bad answers it caught and how many good ones it stopped, with exact limits;
and a judge's proof (`core.judge_proof`). Asks no model; reads no text of an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assurance.bootstrap import Interval
from assurance.bounds import binomial_interval
from assurance.judge_error import UNDECIDED, judge_reliability
from core.errors import DataError, NotEnoughLabels, PreceptorError
from core.judge_proof import JudgeProof, StratumProof
from core.reading import read_rows
from core.records import Outcome, Record
from pipeline.certifying import one_a_group
from pipeline.judge_study import experts_outcomes
from pipeline.split import components

ALL = "all checks"
"""What stands for the whole chain: an answer is stopped unless every check passed."""

_NOT_ASKED = frozenset({"not_run"})
_FINE = ("judge_",)
"""A judge's *fine* that may let nothing leave keeps its reason, which begins so."""


class CheckWorth(Record):
    """One check on weak answers that experts judged: `n_caught` of `n_bad` bad ones stopped, `n_stopped` of `n_good`.

    A check stops an answer that it fails; all checks together stop whatever does not pass. `n_undecided` answers were
    neither passed nor failed. Limits are exact, at 95 %; None where there is no such answer.
    """

    check: str
    n: int
    n_undecided: int
    n_bad: int
    n_caught: int
    n_good: int
    n_stopped: int
    catch: Interval | None
    false_alarms: Interval | None


class Worth(Record):
    """The recheck beside experts."""

    n: int
    n_unmatched: int
    checks: tuple[CheckWorth, ...]


@dataclass(frozen=True)
class Matched:
    """Verdicts with the experts' word, one row a group: what each check said, whether the answer was bad, where."""

    verdicts: tuple[Mapping[str, Any], ...]
    is_bad: tuple[bool, ...]
    strata: tuple[str, ...]
    is_drawn_alike: bool
    n_unmatched: int


def matched(verdicts: Path, experts: Path, weak: str) -> Matched:
    """The verdicts whose queries experts judged, by id; of each group one row counts.

    Raises:
        DataError: a file cannot be read, or holds rows of another form.
        PreceptorError: the experts' rows come from a judge.
        NotEnoughLabels: no id stands in both.
    """
    said = {str(row["id"]): row for row in _verdicts_in(verdicts)}
    known = [one for one in experts_outcomes(experts) if weak in one.results]
    both = [one for one in known if one.query.id in said]
    if not both:
        raise NotEnoughLabels(
            f"None of the {len(said)} verdicts is about a query of which {experts} grades the answer of '{weak}'. "
            "Name outcomes with the same ids, and the model whose answers were rechecked."
        )
    chosen = [both[i] for i in one_a_group(_groups(both), [one.query.id for one in both], seed=0)]
    chances = {1.0 if one.inclusion_probability is None else one.inclusion_probability for one in chosen}
    return Matched(
        tuple(said[one.query.id] for one in chosen),
        tuple(one.results[weak].quality <= 0.5 for one in chosen),
        tuple(one.query.stratum_name for one in chosen),
        max(chances) - min(chances) <= 1e-9,
        len(said) - len(both),
    )


def worth_of(rows: Matched) -> Worth:
    """Catch and false alarms of all checks together, and of each, in the order of the verdicts."""
    names = dict.fromkeys(result["check"] for row in rows.verdicts for result in row["checks"])
    found = [_worth(ALL, [(row["outcome"], bad) for row, bad in zip(rows.verdicts, rows.is_bad, strict=True)])]
    for name in names:
        pairs = [
            (result["outcome"], bad)
            for row, bad in zip(rows.verdicts, rows.is_bad, strict=True)
            for result in row["checks"]
            if result["check"] == name and result["outcome"] not in _NOT_ASKED
        ]
        found.append(_worth(name, pairs))
    return Worth(n=len(rows.verdicts), n_unmatched=rows.n_unmatched, checks=tuple(found))


def proof_of(rows: Matched, check: str) -> JudgeProof:
    """The proof of the judge behind a check, stratum by stratum, on the rows where it was asked.

    Raises:
        NotEnoughLabels: it was asked about none of these answers.
        PreceptorError: two judges or tasks are among the verdicts, or the rows were not drawn alike.
    """
    asked = [
        (result, bad, stratum)
        for row, bad, stratum in zip(rows.verdicts, rows.is_bad, rows.strata, strict=True)
        for result in row["checks"]
        if result["check"] == check and "task" in result["evidence"]
    ]
    if not asked:
        raise NotEnoughLabels(
            f"'{check}' asked its judge about none of these answers. Recheck answers with `preceptor verify` and a "
            "pack that holds it."
        )
    judges = {(str(result["evidence"]["judge"]), str(result["evidence"]["task"])) for result, _, _ in asked}
    if len(judges) > 1:
        raise PreceptorError(
            f"The verdicts come from {len(judges)} judges or tasks, and a proof is of one. Recheck all answers anew."
        )
    if not rows.is_drawn_alike:
        raise PreceptorError(
            "The experts' rows had different chances of being chosen, so they do not say what the judge misses on the "
            "others. Name rows drawn alike, such as audit.jsonl of a frozen version."
        )
    ((judge, task),) = judges
    strata = []
    for stratum in sorted({where for _, _, where in asked}):
        inside = [(_said(result), bad) for result, bad, where in asked if where == stratum]
        found = judge_reliability(stratum, np.array([one for one, _ in inside]), np.array([bad for _, bad in inside]))
        strata.append(
            StratumProof(
                stratum=stratum,
                n=found.n,
                n_undecided=found.n_undecided,
                n_bad=found.n_harms,
                n_caught=found.n_caught,
                n_good=found.n_harmless,
                n_cleared=found.n_cleared,
                sensitivity_low=None if found.sensitivity is None else found.sensitivity.low,
                specificity_low=None if found.specificity is None else found.specificity.low,
            )
        )
    return JudgeProof(judge=judge, task_sha256=task, strata=tuple(strata))


def worth_text(worth: Worth) -> str:
    """The table."""
    lines = [
        f"{worth.n} rechecked answers that experts judged, one a group; {worth.n_unmatched} verdicts are about others.",
        "",
        f"{'':<28}{'answers':>8}  {'bad ones stopped':<28}{'good ones stopped':<28}undecided",
    ]
    for one in worth.checks:
        catch, alarms = _words(one.n_caught, one.n_bad, one.catch), _words(one.n_stopped, one.n_good, one.false_alarms)
        lines.append(f"{one.check:<28}{one.n:>8}  {catch:<28}{alarms:<28}{one.n_undecided:>9}")
    return "\n".join(lines)


def proof_text(proof: JudgeProof) -> str:
    """Where the judge may gate high stakes, and where not and why."""
    return "\n".join(
        f"{one.stratum}: {proof.judge} may gate high stakes."
        if not one.faults
        else f"{one.stratum}: {proof.judge} may not gate high stakes. Its {' and its '.join(one.faults)}."
        for one in proof.strata
    )


def _worth(check: str, pairs: Sequence[tuple[str, bool]]) -> CheckWorth:
    is_stopped = [(outcome != "pass" if check == ALL else outcome == "fail", bad) for outcome, bad in pairs]
    n_bad = sum(bad for _, bad in pairs)
    n_good = len(pairs) - n_bad
    n_caught = sum(stopped and bad for stopped, bad in is_stopped)
    n_stopped = sum(stopped and not bad for stopped, bad in is_stopped)
    return CheckWorth(
        check=check,
        n=len(pairs),
        n_undecided=sum(outcome not in ("pass", "fail") for outcome, _ in pairs),
        n_bad=n_bad,
        n_caught=n_caught,
        n_good=n_good,
        n_stopped=n_stopped,
        catch=binomial_interval(n_caught, n_bad) if n_bad else None,
        false_alarms=binomial_interval(n_stopped, n_good) if n_good else None,
    )


def _said(result: Mapping[str, Any]) -> int:
    """The judge's own word: 1 bad, 0 fine, `UNDECIDED`."""
    if result["outcome"] == "fail":
        return 1
    is_fine = result["outcome"] == "pass" or str(result["reason"]).startswith(_FINE)
    return 0 if is_fine else UNDECIDED


def _verdicts_in(path: Path) -> list[dict[str, Any]]:
    rows = read_rows(path)
    wanted = {"id", "outcome", "checks"}
    faults = [
        f"{row.place}: no verdict (it lacks {', '.join(sorted(wanted - row.values.keys()))})"
        for row in rows
        if wanted - row.values.keys()
    ]
    if faults:
        raise DataError(faults, "Name the file that `preceptor verify` wrote.")
    return [row.values for row in rows]


def _groups(outcomes: Sequence[Outcome]) -> Any:  # noqa: ANN401 - an array of numbers
    return components([one.query.text for one in outcomes], [one.query.group for one in outcomes])


def _words(count: int, n: int, limits: Interval | None) -> str:
    return "none to judge by" if limits is None else f"{count}/{n} [{limits.low:.3f}, {limits.high:.3f}]"
