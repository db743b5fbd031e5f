"""Fits the stack of signals: L2-logistic, signs held, cross-fitted by group, then calibrated. Never reads files.

Each row's held-out score comes from a fit without its group; the calibrator is fitted on these, so the final weights,
which saw every row, are not graded by themselves. A missing signal is said by an indicator of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.optimize import minimize

from assurance.calibration import fit_calibrator
from core.calibrator import sigmoid
from core.errors import NotEnoughLabels
from core.suspicion_stack import RAISING, SIGNALS, StackedSignal, SuspicionStack, spread_out

FEWEST_LABELS = 50
FEWEST_OF_A_KIND = 10
"""Wrong answers, and others, without which no weight can be told from chance."""

FEWEST_MISSING = 20
"""Rows without a signal from which on the fit can say what its absence means."""

N_FOLDS = 5

RIDGE_ROWS = 10.0
"""Strength of the penalty on standardised weights, in rows."""


@dataclass(frozen=True)
class StackFit:
    """The stack, and what it says of the rows it was fitted on, each by a fit and a map without the row's group."""

    stack: SuspicionStack
    held_out: Float[np.ndarray, " n"]
    auroc: float
    """Of the held-out scores."""


def fit_signal_stack(
    columns: Mapping[str, Float[np.ndarray, " n"]],
    is_wrong: Bool[np.ndarray, " n"],
    *,
    groups: Shaped[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> StackFit:
    """The stack of these signals; equal arguments give equal weights.

    Args:
        columns: signal -> value in [0, 1] per row, NaN where missing; names from `core.suspicion_stack.SIGNALS`.
        is_wrong: whether the row's weak answer is not acceptable.
        groups: rows of one group (one question text, one patient) are held out together; None: each row alone.
        seed: deals groups into folds.

    Raises:
        NotEnoughLabels: fewer than 50 rows, or than 10 wrong or 10 other answers, or fewer groups than folds.
        ValueError: a signal has no such name, columns differ in length, or there is none.
    """
    names = _names(columns, len(is_wrong))
    n_wrong = int(np.sum(is_wrong))
    if len(is_wrong) < FEWEST_LABELS or min(n_wrong, len(is_wrong) - n_wrong) < FEWEST_OF_A_KIND:
        raise NotEnoughLabels(
            f"A stack of signals has {len(is_wrong)} labelled answers, {n_wrong} of them wrong; it needs "
            f"{FEWEST_LABELS}, with {FEWEST_OF_A_KIND} wrong and {FEWEST_OF_A_KIND} others. Label more answers."
        )
    events = np.asarray(is_wrong, dtype=bool)
    fold = _folds(len(events), groups, seed=seed)
    score = np.full(len(events), np.nan)
    for one in range(N_FOLDS):
        train = fold != one
        part = _fit({name: columns[name][train] for name in names}, events[train])
        score[~train] = part.score({name: columns[name][~train] for name in names})
    # Missing in the held-out rows alone: the fit without them could not say what it means.
    known = np.isfinite(score)
    held_out = np.full(len(events), np.nan)
    for one in range(N_FOLDS):
        inside, others = known & (fold == one), known & (fold != one)
        if inside.any():
            held_out[inside] = fit_calibrator(score[others], events[others]).apply(score[inside])
    stack = _fit({name: columns[name] for name in names}, events)
    calibrator = fit_calibrator(score[known], events[known])
    return StackFit(
        stack.model_copy(update={"calibrator": calibrator, "n_labels": len(events)}),
        held_out,
        _auroc(score[known], events[known]),
    )


def _fit(columns: Mapping[str, Float[np.ndarray, " n"]], events: Bool[np.ndarray, " n"]) -> SuspicionStack:
    """The weights, by penalised maximum likelihood; the problem is convex."""
    design, bounds, shapes = _design(columns)
    targets = events.astype(float)

    def objective(parameters: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        logits = design @ parameters[1:] + parameters[0]
        residual = sigmoid(logits) - targets
        ridge = RIDGE_ROWS * parameters[1:]
        loss = float(np.sum(np.logaddexp(0.0, logits) - targets * logits) + 0.5 * ridge @ parameters[1:])
        return loss, np.concatenate([[residual.sum()], design.T @ residual + ridge])

    found = minimize(
        objective, np.zeros(design.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=[(None, None), *bounds]
    ).x
    signals, place = [], 1
    for name, center, spread, has_missing in shapes:
        missing_weight = float(found[place + 1]) if has_missing else None
        signals.append(
            StackedSignal(
                name=name, weight=float(found[place]), center=center, spread=spread, missing_weight=missing_weight
            )
        )
        place += 2 if has_missing else 1
    return SuspicionStack(signals=tuple(signals), intercept=float(found[0]), n_labels=len(events))


def _design(
    columns: Mapping[str, Float[np.ndarray, " n"]],
) -> tuple[Float[np.ndarray, "n p"], list[tuple[float | None, None]], list[tuple[str, float, float, bool]]]:
    """Standardised columns with their indicators of missing, the bounds of their weights, and how to undo it."""
    parts: list[Float[np.ndarray, " n"]] = []
    bounds: list[tuple[float | None, None]] = []
    shapes: list[tuple[str, float, float, bool]] = []
    for name, column in columns.items():
        spread_column = spread_out(np.asarray(column, dtype=float))
        missing = np.isnan(spread_column)
        present = spread_column[~missing]
        center = float(present.mean()) if len(present) else 0.0
        spread = float(present.std()) if len(present) else 0.0
        is_constant = spread < 1e-9
        z = np.where(missing | is_constant, 0.0, (spread_column - center) / (1.0 if is_constant else spread))
        has_missing = int(missing.sum()) >= FEWEST_MISSING
        parts.append(z)
        bounds.append((0.0 if name in RAISING else None, None))
        if has_missing:
            parts.append(missing.astype(float))
            bounds.append((None, None))
        shapes.append((name, center, 1.0 if is_constant else spread, has_missing))
    return np.stack(parts, axis=1), bounds, shapes


def _names(columns: Mapping[str, Float[np.ndarray, " n"]], n: int) -> list[str]:
    unknown = sorted(set(columns) - set(SIGNALS))
    if unknown or not columns:
        raise ValueError(f"'{', '.join(unknown)}' is no signal. The signals are: {', '.join(SIGNALS)}.")
    lengths: Sequence[int] = [len(column) for column in columns.values()]
    if set(lengths) != {n}:
        raise ValueError(f"The columns have {lengths} rows and there are {n} labels. Pass one value per row in each.")
    return [name for name in SIGNALS if name in columns]


def _folds(n: int, groups: Shaped[np.ndarray, " n"] | None, *, seed: int) -> Int[np.ndarray, " n"]:
    unit = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    n_units = int(unit.max()) + 1
    if n_units < N_FOLDS:
        raise NotEnoughLabels(f"There are {n_units} groups of answers for {N_FOLDS} folds. Label more questions.")
    return np.asarray((np.random.default_rng(seed).permutation(n_units) % N_FOLDS)[unit])


def _auroc(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> float:
    from assurance.planning import auroc_of

    found = auroc_of(scores, events)
    return float("nan") if found is None else found
