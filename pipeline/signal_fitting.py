"""From verdict rows and experts' word to the stack of signals: which doubts, together, told a wrong answer.

The rows are those of `preceptor verify`: codes, numbers and outcomes, no text. Fits what was recorded and asks nobody.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from assurance.signal_stack import StackFit, fit_signal_stack
from core.errors import DataError, NotEnoughLabels
from pipeline.measuring import Matched
from verifiers.doubt.gauge import signals_of
from verifiers.verdict import CheckResult


def fit_from_verdicts(
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    is_wrong: Mapping[str, bool],
    *,
    groups: Mapping[str, str] | None = None,
    seed: int = 0,
) -> StackFit:
    """The stack over the signals that the rows hold; an answer that experts did not judge is left out.

    A signal that no row holds, or that never varies, is not in the stack.

    Args:
        rows: id -> results of its checks, as `preceptor verify` wrote them.
        is_wrong: id -> whether experts found the answer not acceptable.
        groups: id -> what binds rows (question text, patient); one that has none stands alone.
        seed: deals groups into folds.

    Raises:
        DataError: a row's results cannot be read.
        NotEnoughLabels: too few rows are judged, or no signal tells rows apart.
    """
    judged = sorted(set(rows) & set(is_wrong))
    signals = [signals_of(_results(name, rows[name])) for name in judged]
    names = sorted({name for one in signals for name in one})
    columns = {name: np.array([one.get(name, np.nan) for one in signals]) for name in names}
    telling = {name: column for name, column in columns.items() if _varies(column)}
    if not telling:
        raise NotEnoughLabels(
            f"No signal tells the {len(judged)} judged answers apart. Name a second model, samples or a pack that asks "
            "for log-probabilities, and run `preceptor verify` again."
        )
    bound = groups or {}
    return fit_signal_stack(
        telling,
        np.array([is_wrong[name] for name in judged], dtype=bool),
        groups=np.array([bound.get(name, name) for name in judged]),
        seed=seed,
    )


def stack_of(rows: Matched) -> StackFit:
    """The stack over the verdicts that experts judged, one row a group.

    Raises:
        DataError, NotEnoughLabels: as `fit_from_verdicts`.
    """
    checks = {str(row["id"]): row["checks"] for row in rows.verdicts}
    return fit_from_verdicts(checks, dict(zip(checks, rows.is_bad, strict=True)))


def stack_text(fit: StackFit) -> str:
    """What the stack was fitted on, how well it tells answers that it did not see, and what it weighs."""
    weights = ", ".join(f"{one.name} {one.weight:+.2f}" for one in fit.stack.signals)
    return (
        f"Stack of {len(fit.stack.signals)} signals on {fit.stack.n_labels} answers: AUROC {fit.auroc:.3f} on answers "
        f"held out; weights {weights}."
    )


def _results(name: str, checks: Sequence[Mapping[str, Any]]) -> list[CheckResult]:
    try:
        return [CheckResult.model_validate(check) for check in checks]
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise DataError(
            [f"{name}: {where}: {error.errors()[0]['msg']}"], "Write the verdicts anew with `preceptor verify`."
        ) from error


def _varies(column: np.ndarray) -> bool:
    known = column[np.isfinite(column)]
    return len(np.unique(known)) + (len(known) < len(column)) > 1 and len(known) > 0
