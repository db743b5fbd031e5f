"""Certificates: thresholds that come with a promise, and the evidence for it.

A query goes to the weak model iff its probability is below the threshold (and, where a verifier rechecks, its suspicion
is at most tau). Thresholds are tried from the safest on, on rows that nothing was fitted to, and the first that cannot
be shown to keep the promise ends the trial. Every threshold before it is certified at the full delta, however many
there are. Where none is, the answer is ALL_STRONG: never the strictest threshold anyway.

Source: Angelopoulos, Bates, Candes, Jordan, Lei (2021), *Learn then Test*, section 3 (fixed-sequence testing).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from assurance.bounds import binomial_upper
from assurance.p_values import betting, binomial_tail, hoeffding_bentkus
from core.records import Record, Share

GRID = np.round(np.linspace(0, 1, 1001), 3)
"""The thresholds that are tried, in thousandths: declared before any label is seen, safest first."""

ALL_STRONG = 0.0
"""The threshold that every probability reaches."""


class Loss(StrEnum):
    """What a promise limits. All are measured against always asking the strong model."""

    HARM = "harm"
    """1 where a weak answer left, was wrong, and the strong one was right: the default for high stakes."""
    NET = "net"
    """The same, less the answers where the weak model was right and the strong one wrong. Harm may exceed it."""
    GRADED = "graded"
    """By how much the strong answer was better, where a weak one left, in [0, 1]."""


class Promise(Record):
    """With probability at least 1 - delta, the mean loss is at most `max_loss`.

    `is_selective`: the mean is over the weak answers that left, not over all queries.
    """

    loss: Loss = Loss.HARM
    max_loss: float = Field(gt=0, lt=1)
    delta: float = Field(0.05, gt=0, lt=1)
    is_selective: bool = False


class Certified(Record):
    """What the trial on one stratum's rows found. `threshold` is ALL_STRONG (0) where nothing certifies.

    `mean_loss` and `upper` are over all rows, or over the accepted ones where the promise is selective: the loss at the
    threshold, and the largest that the rows cannot rule out (harm alone has one; None otherwise).
    """

    stratum: str
    is_certified: bool
    threshold: Share
    tau: float | None = None
    n: int
    n_accepted: int
    mean_loss: float
    upper: float | None
    p_value: float
    delta: float
    why: str


@dataclass(frozen=True)
class Rows:
    """Rows of one stratum that nothing was fitted to, one per query, in an order fixed beforehand.

    Attributes:
        probability: that the strong model is needed.
        weak: quality of the weak model's answer, in [0, 1]; above 0.5 it is acceptable.
        strong: quality of the strong model's answer.
        suspicion: the verifier's, about the weak answer; None: no verifier.
        passes: whether the weak answer passes every hard check; None: there are none.
    """

    probability: Float[np.ndarray, " n"]
    weak: Float[np.ndarray, " n"]
    strong: Float[np.ndarray, " n"]
    suspicion: Float[np.ndarray, " n"] | None = None
    passes: Bool[np.ndarray, " n"] | None = None


def losses_if_accepted(rows: Rows, kind: Loss) -> Float[np.ndarray, " n"]:
    """What each row loses when its weak answer leaves, against always strong.

    >>> rows = Rows(probability=np.array([0.1, 0.2]), weak=np.array([0.0, 1.0]), strong=np.array([1.0, 0.0]))
    >>> losses_if_accepted(rows, Loss.NET).tolist(), losses_if_accepted(rows, Loss.HARM).tolist()
    ([1.0, -1.0], [1.0, 0.0])
    """
    if kind is Loss.HARM:
        return ((rows.strong > 0.5) & (rows.weak <= 0.5)).astype(float)
    behind: Float[np.ndarray, " n"] = rows.strong - rows.weak
    return behind if kind is Loss.NET else np.maximum(behind, 0.0)


def certify(
    stratum: str,
    rows: Rows,
    promise: Promise,
    *,
    tau: float | None = None,
    start: float = 0.0,
    grid: Float[np.ndarray, " m"] = GRID,
) -> Certified:
    """The riskiest threshold of the grid that is shown to keep the promise on this stratum.

    P(the true mean loss at the returned threshold <= max_loss) >= 1 - delta over the draw of the rows, whatever the
    router is worth: fixed-sequence testing needs no correction for the number of thresholds.

    Args:
        stratum: its name, for the record.
        rows: at least one; drawn as the traffic is, and used for nothing else.
        promise: what is to be shown.
        tau: the verifier's threshold, fixed on other rows; None: no verifier.
        start: where the trial starts. A selective promise must start where enough answers are accepted to show
            anything (`assurance.planning.start_of`), fixed on other rows.
        grid: thresholds, ascending, declared before the rows were seen.

    Raises:
        ValueError: the rows are not numbers of one length.
    """
    _check(rows)
    path = grid[grid >= start]
    may_leave = _may_leave(rows, tau)
    order = np.argsort(rows.probability, kind="stable")
    # Rows whose probability is below a threshold are a prefix of the rows in order of probability.
    n_below = np.searchsorted(rows.probability[order], path, side="left")
    n_accepted = _prefix_sums(may_leave[order])[n_below].astype(int)
    loss = np.where(may_leave, losses_if_accepted(rows, promise.loss), 0.0)
    totals = _prefix_sums(loss[order])[n_below]
    n = len(rows.probability)
    n_behind = n_accepted if promise.is_selective else np.full(len(path), n)
    if promise.loss is Loss.HARM:
        p_values = _by_the_tail(np.rint(totals).astype(int), n_behind, promise.max_loss)
    elif promise.loss is Loss.GRADED and not promise.is_selective:
        p_values = hoeffding_bentkus(totals / n, n, promise.max_loss)
    else:
        p_values = _by_betting(promise, path, rows.probability, loss=loss, may_leave=may_leave)
    n_certified = fixed_sequence(p_values, promise.delta)
    at = n_certified - 1
    if n_certified == 0 or n_accepted[at] == 0:
        why = _why_not(promise, n, n_accepted)
        return _all_strong(stratum, promise, n=n, tau=tau, p_value=float(p_values[0]) if len(path) else 1.0, why=why)
    harms = round(float(totals[at]))
    return Certified(
        stratum=stratum,
        is_certified=True,
        threshold=float(path[at]),
        tau=tau,
        n=n,
        n_accepted=int(n_accepted[at]),
        mean_loss=float(totals[at] / n_behind[at]),
        upper=binomial_upper(harms, int(n_behind[at]), promise.delta) if promise.loss is Loss.HARM else None,
        p_value=float(p_values[at]),
        delta=promise.delta,
        why=f"{n_accepted[at]} of {n} weak answers leave; p = {p_values[at]:.4f} <= delta = {promise.delta:g}.",
    )


def certify_strata(
    rows: Mapping[str, Rows], promises: Mapping[str, Promise], *, taus: Mapping[str, float | None] | None = None
) -> list[Certified]:
    """A certificate for each stratum, all holding at once with probability at least 1 - the largest delta.

    Each stratum is tried at delta / K (Bonferroni), so the promise also holds over all traffic, whatever its mix.

    Raises:
        ValueError: a stratum has no promise.
    """
    missing = [name for name in rows if name not in promises]
    if missing:
        raise ValueError(f"Stratum '{missing[0]}' has no promise.")
    return [
        certify(
            name,
            rows[name],
            promises[name].model_copy(update={"delta": promises[name].delta / len(rows)}),
            tau=(taus or {}).get(name),
        )
        for name in sorted(rows)
    ]


def certify_family(
    stratum: str, rows: Rows, promise: Promise, taus: Sequence[float | None], *, start: float = 0.0
) -> list[Certified]:
    """One trial for each declared tau (None: verifier off), each at delta / J; all that certify hold at once.

    Choose among them by cost, which needs no labels.
    """
    split = promise.model_copy(update={"delta": promise.delta / len(taus)})
    return [certify(stratum, rows, split, tau=tau, start=start) for tau in taus]


def accepted_share(rows: Rows, threshold: float, tau: float | None = None) -> float:
    """Share of queries whose weak answer leaves; it needs no labels, so it may be read off any traffic.

    >>> accepted_share(Rows(probability=np.array([0.1, 0.6]), weak=np.ones(2), strong=np.ones(2)), 0.5)
    0.5
    """
    return float(np.mean((rows.probability < threshold) & _may_leave(rows, tau)))


def fixed_sequence(p_values: Float[np.ndarray, " m"], delta: float) -> int:
    """How many hypotheses, from the first on, are rejected before the first that is not.

    >>> fixed_sequence(np.array([0.01, 0.04, 0.2, 0.01]), 0.05)
    2
    """
    failing = np.flatnonzero(~(p_values <= delta))
    return int(failing[0]) if len(failing) else len(p_values)


def _may_leave(rows: Rows, tau: float | None) -> Bool[np.ndarray, " n"]:
    """Which weak answers the verifier lets leave, whatever the router says."""
    if tau is None:
        return np.ones(len(rows.probability), dtype=bool)
    if rows.suspicion is None:
        raise ValueError("tau is given, and the rows hold no suspicion of a verifier.")
    checked = rows.suspicion <= tau
    return checked if rows.passes is None else checked & rows.passes


def _by_the_tail(harms: Int[np.ndarray, " m"], n: Int[np.ndarray, " m"], max_harm: float) -> Float[np.ndarray, " m"]:
    """The exact p-values; thresholds between which nothing changes are counted once."""
    cases, which = np.unique(np.stack([harms, n]), axis=1, return_inverse=True)
    return binomial_tail(cases[0], cases[1], max_harm)[which]


def _by_betting(
    promise: Promise,
    path: Float[np.ndarray, " m"],
    probability: Float[np.ndarray, " n"],
    *,
    loss: Float[np.ndarray, " n"],
    may_leave: Bool[np.ndarray, " n"],
) -> Float[np.ndarray, " m"]:
    """P-values of the path up to its first failure, and 1 from there on: the trial ends there."""
    low = -1.0 if promise.loss is Loss.NET else 0.0
    p_values = np.ones(len(path))
    for j, threshold in enumerate(path):
        leaves = may_leave & (probability < threshold)
        column = loss[leaves] if promise.is_selective else np.where(leaves, loss, 0.0)
        if len(column):
            p_values[j] = betting(column[:, None], promise.max_loss, delta=promise.delta, low=low)[0]
        if p_values[j] > promise.delta:
            break
    return p_values


def _all_strong(stratum: str, promise: Promise, *, n: int, tau: float | None, p_value: float, why: str) -> Certified:
    return Certified(
        stratum=stratum,
        is_certified=False,
        threshold=ALL_STRONG,
        tau=tau,
        n=n,
        n_accepted=0,
        mean_loss=0.0,
        upper=None,
        p_value=p_value,
        delta=promise.delta,
        why=why,
    )


def _prefix_sums(values: np.ndarray) -> np.ndarray:
    return np.concatenate(([0.0], np.cumsum(values, dtype=float)))


def _why_not(promise: Promise, n: int, n_accepted: Int[np.ndarray, " m"]) -> str:
    need = math.ceil(math.log(promise.delta) / math.log1p(-promise.max_loss))
    if promise.loss is Loss.HARM and not promise.is_selective and n < need:
        return (
            f"To promise harm <= {promise.max_loss:.1%} at delta {promise.delta:g} takes {need} clean labels; "
            f"there are {n}. Collect {need - n} more."
        )
    if promise.is_selective and len(n_accepted) and n_accepted[0] < need:
        return f"The trial starts with {n_accepted[0]} accepted answers; to show anything takes {need}, none harmful."
    return "The weak answers that the router holds safest lose too much already: it does not tell them apart."


def _check(rows: Rows) -> None:
    columns = [column for column in (rows.probability, rows.weak, rows.strong, rows.suspicion) if column is not None]
    if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
        raise ValueError("The rows are not columns of one length.")
    if not all(np.isfinite(column).all() for column in columns):
        raise ValueError("A row holds a value that is not a number. Leave it to the strong model, or drop it.")
