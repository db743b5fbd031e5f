"""What a judge model has shown beside experts, as it travels: a file that names the judge, its task, and limits.

Written by the commands that measure a judge; read before its word may let an answer of high stakes leave. Holds counts
and limits, no text; tests nothing itself.
"""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, ValidationError

from core.errors import DataError
from core.records import Name, Record, Share, Stakes

MIN_SENSITIVITY = 0.80
MIN_SPECIFICITY = 0.85
"""What the lower limits must reach before a judge may stand in the way of high-stakes answers."""

Count = Annotated[int, Field(ge=0)]


class StratumProof(Record):
    """A judge on one stratum's rows that experts judged too.

    Of `n_bad` bad answers it called `n_caught` bad, of `n_good` others it called `n_cleared` good; what it did not
    decide is neither. The lower limits are exact, at 95 %; None where there is no such row.
    """

    stratum: Name
    n: Count
    n_undecided: Count
    n_bad: Count
    n_caught: Count
    n_good: Count
    n_cleared: Count
    sensitivity_low: Share | None
    specificity_low: Share | None

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not shown, in words; none where the judge may gate high stakes.

        >>> few = StratumProof(stratum="law/high", n=4, n_undecided=0, n_bad=0, n_caught=0, n_good=4, n_cleared=4,
        ...                    sensitivity_low=None, specificity_low=0.4)
        >>> few.faults
        ('sensitivity is not known, and 0.80 is needed', 'specificity is 0.40 at least, and 0.85 is needed')
        """
        return tuple(
            f"{name} is {'not known' if low is None else f'{low:.2f} at least'}, and {needed:.2f} is needed"
            for name, low, needed in (
                ("sensitivity", self.sensitivity_low, MIN_SENSITIVITY),
                ("specificity", self.specificity_low, MIN_SPECIFICITY),
            )
            if low is None or low < needed
        )


class JudgeProof(Record):
    """One judge at one task, stratum by stratum. Another model, rubric or way of asking is another judge."""

    format: Literal["preceptor/judge-proof/1"] = "preceptor/judge-proof/1"
    judge: Name
    task_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    strata: tuple[StratumProof, ...]


class Gating(NamedTuple):
    """Whether a judge's word may let an answer leave; else why not, as a slug and as a sentence."""

    reason: str = ""
    why: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reason


def may_gate(proof: JudgeProof | None, stakes: Stakes, *, judge: str, task_sha256: str, stratum: str) -> Gating:
    """Whether this judge's *fine* may let an answer of these stakes leave. Its *wrong* counts always.

    Below high stakes it may. At high stakes it may where its own proof, of the same judge, task and stratum, reaches
    both limits. At critical stakes no judge may.

    Args:
        proof: what was measured; None where nothing was.
        stakes: of the request.
        judge: the judge's name as asked.
        task_sha256: hash of what it is asked: instructions, rubric, votes.
        stratum: of the request.

    >>> may_gate(None, Stakes.STANDARD, judge="j", task_sha256="0" * 64, stratum="law/standard").is_allowed
    True
    >>> may_gate(None, Stakes.HIGH, judge="j", task_sha256="0" * 64, stratum="law/high").reason
    'judge_not_measured'
    """
    if not stakes.is_high:
        return Gating()
    if stakes is Stakes.CRITICAL:
        return Gating("judge_at_critical", "No judge lets an answer of critical stakes leave.")
    if proof is None:
        return Gating("judge_not_measured", f"Nobody measured the judge '{judge}' beside experts. {_MEASURE}")
    if proof.judge != judge or proof.task_sha256 != task_sha256:
        return Gating(
            "judge_proof_of_another",
            f"The proof is of '{proof.judge}' at task {proof.task_sha256[:12]}, and '{judge}' is asked task "
            f"{task_sha256[:12]}. {_MEASURE}",
        )
    found = next((one for one in proof.strata if one.stratum == stratum), None)
    if found is None:
        return Gating("judge_not_measured_here", f"The judge '{judge}' was not measured in '{stratum}'. {_MEASURE}")
    if found.faults:
        return Gating("judge_too_weak", f"In '{stratum}' its {' and its '.join(found.faults)}. {_MEASURE}")
    return Gating()


def read_proof(path: Path) -> JudgeProof:
    """The proof in a file.

    Raises:
        DataError: the file is missing, or is no proof.
    """
    try:
        return JudgeProof.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError([f"{path}: {error.strerror}"], "Name the file that `preceptor measure` wrote.") from error
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors()]
        raise DataError(faults, "Name the file that `preceptor measure` wrote.") from error


_MEASURE = "Measure it there: preceptor measure (docs/judge.md)."
