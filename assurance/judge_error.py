"""What a judge model's verdicts are worth: its errors against experts, and what may be shown on its labels alone.

A judge that misses harms breaks a promise; one that raises false alarms only costs money. So on a judge's labels the
promise is tried at a smaller target, and for low stakes alone. Counts; asks no model, reads no text.

Of sensitivity and specificity only decided verdicts count as right: a judge that does not decide has caught nothing and
cleared nothing. In a trial an undecided row counts as harm, since nobody has shown that it is none.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import beta, binom

from assurance.bootstrap import Interval
from assurance.bounds import binomial_interval, binomial_upper
from assurance.certificates import ALL_STRONG, GRID, Loss, Promise, fixed_sequence
from core.errors import PreceptorError
from core.judge_proof import MIN_SENSITIVITY, MIN_SPECIFICITY
from core.records import Name, Record, Share

UNDECIDED = -1
"""What a judge said of a row on which it was not decided; else 1 for harm and 0 for none."""


class JudgeReliability(Record):
    """How a judge did on one stratum's rows that experts judged too. Harm: the weak answer fails, the strong one not.

    Limits are exact, at 95 %; None where no row of that kind is there. `kappa` is of the decided rows.
    """

    stratum: Name
    n: int
    n_undecided: int
    n_harms: int
    n_caught: int
    n_harmless: int
    n_cleared: int
    sensitivity: Interval | None
    specificity: Interval | None
    kappa: float | None
    may_gate_high_stakes: bool
    why: str


class JudgedPromise(Record):
    """What a judge's labels show of one low-stakes stratum. `threshold` is ALL_STRONG (0) where nothing is shown.

    At the threshold: `n_accepted` of `n` weak answers leave, `n_flagged` of these said to harm or undecided; of
    `n_harms` harms that experts found among such answers, the judge flagged `n_caught`. `target` is what the share of
    flagged answers was held against.
    """

    stratum: Name
    is_shown: bool
    threshold: Share
    max_harm: float
    n: int
    n_accepted: int
    n_flagged: int
    n_harms: int
    n_caught: int
    sensitivity_lower: float
    target: float
    p_value: float
    delta: float
    upper: float | None
    """The largest harm that both samples together do not rule out."""
    why: str


@dataclass(frozen=True)
class JudgedRows:
    """Rows of one stratum that a judge looked at: the probability, and whether it found harm or did not decide.

    `is_harm` is what experts say, on rows that they judged too; None on others.
    """

    probability: Float[np.ndarray, " n"]
    is_flagged: Bool[np.ndarray, " n"]
    is_harm: Bool[np.ndarray, " n"] | None = None


def judge_reliability(stratum: str, said: Int[np.ndarray, " n"], is_harm: Bool[np.ndarray, " n"]) -> JudgeReliability:
    """Sensitivity and specificity to harm with exact limits, kappa, and whether the judge may gate high stakes.

    Args:
        stratum: its name, for the record.
        said: the judge's word per row: 1 harm, 0 none, `UNDECIDED`.
        is_harm: the experts'. The rows must not be chosen by what the judge said.

    >>> found = judge_reliability("law/low", np.array([1, 1, 0, 0, -1]), np.array([True, True, True, False, False]))
    >>> found.n_caught, found.n_harms, found.n_cleared, found.n_harmless, found.n_undecided, found.kappa
    (2, 3, 1, 2, 1, 0.5)
    """
    harms, harmless = int(is_harm.sum()), int((~is_harm).sum())
    caught, cleared = int(((said == 1) & is_harm).sum()), int(((said == 0) & ~is_harm).sum())
    sensitivity = binomial_interval(caught, harms) if harms else None
    specificity = binomial_interval(cleared, harmless) if harmless else None
    decided = said != UNDECIDED
    faults = [
        f"{name} is {'not known' if limits is None else f'{limits.low:.2f} at least'}, and {needed:.2f} is needed"
        for name, limits, needed in (
            ("sensitivity", sensitivity, MIN_SENSITIVITY),
            ("specificity", specificity, MIN_SPECIFICITY),
        )
        if limits is None or limits.low < needed
    ]
    return JudgeReliability(
        stratum=stratum,
        n=len(said),
        n_undecided=int((~decided).sum()),
        n_harms=harms,
        n_caught=caught,
        n_harmless=harmless,
        n_cleared=cleared,
        sensitivity=sensitivity,
        specificity=specificity,
        kappa=cohen_kappa(said[decided] == 1, is_harm[decided]),
        may_gate_high_stakes=not faults,
        why=f"Its {' and its '.join(faults)}. Have experts judge more rows, or mend the rubric." if faults else "",
    )


def cohen_kappa(first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"]) -> float | None:
    """Agreement of two raters beyond what their own rates would give by chance; None where chance alone explains all.

    Source: Cohen (1960), *A coefficient of agreement for nominal scales*.

    >>> cohen_kappa(np.array([True, True, False, False]), np.array([True, False, False, False]))
    0.5
    """
    if not len(first):
        return None
    observed = float(np.mean(first == second))
    p, q = float(first.mean()), float(second.mean())
    expected = p * q + (1 - p) * (1 - q)
    return None if expected >= 1 else round((observed - expected) / (1 - expected), 12)


def promise_on_judged(
    stratum: str, judged: JudgedRows, experts: JudgedRows, promise: Promise, *, start: float
) -> JudgedPromise:
    """The riskiest threshold at which a judge's labels, less what it misses, show that harm stays below `max_loss`.

    P(the true harm at the returned threshold > max_loss) <= delta: at each threshold half of delta pays for the lower
    bound `se` of the judge's sensitivity on accepted answers, the other half for the test that flagged answers are
    rarer than max_loss * se. If both hold, harm = flagged harm / sensitivity < max_loss. Thresholds are tried from
    `start` on, ended by the first failure (`assurance.certificates`).

    Args:
        stratum: its name; it must be of low stakes, which a name that ends in `/low` says.
        judged: rows drawn as the traffic is, one a group, that nothing was fitted to.
        experts: rows that experts judged too, not chosen by what the judge said; they may be among the first.
        promise: harm over all queries, its `max_loss` and `delta`.
        start: the safest threshold that is tried, fixed on other rows. Too safe a start shows nothing: where experts
            found no harm among accepted answers, the judge's sensitivity there is not known.

    Raises:
        PreceptorError: the stratum is of high stakes, or another loss than harm is promised.
        ValueError: the experts' rows do not say what is harmful.
    """
    refuse_high_stakes(stratum)
    if promise.loss is not Loss.HARM or promise.is_selective:
        raise PreceptorError(
            f"A judge's labels show harm over all queries alone, and '{promise.loss}' is promised"
            f"{' of accepted answers' if promise.is_selective else ''}. Have experts label, or promise harm."
        )
    if experts.is_harm is None:
        raise ValueError("The experts' rows do not say which are harmful.")
    path = np.append(min(start, 1.0), GRID[start < GRID])
    n = len(judged.probability)
    n_accepted, flagged = _below(judged.probability, path), _below(judged.probability[judged.is_flagged], path)
    harms = _below(experts.probability[experts.is_harm], path)
    caught = _below(experts.probability[experts.is_harm & experts.is_flagged], path)
    lower = np.where(caught > 0, beta.ppf(promise.delta / 2, np.maximum(caught, 1), harms - caught + 1), 0.0)
    target = promise.max_loss * lower
    p_values = np.where((target > 0) & (n > 0), binom.cdf(flagged, n, target), 1.0)
    n_shown = fixed_sequence(p_values, promise.delta / 2)
    at = max(n_shown - 1, 0)
    is_shown = n_shown > 0 and n_accepted[at] > 0
    upper = min(1.0, binomial_upper(int(flagged[at]), n, promise.delta / 2) / lower[at]) if is_shown else None
    return JudgedPromise(
        stratum=stratum,
        is_shown=is_shown,
        threshold=float(path[at]) if is_shown else ALL_STRONG,
        max_harm=promise.max_loss,
        n=n,
        n_accepted=int(n_accepted[at]),
        n_flagged=int(flagged[at]),
        n_harms=int(harms[at]),
        n_caught=int(caught[at]),
        sensitivity_lower=float(lower[at]),
        target=float(target[at]),
        p_value=float(p_values[at]),
        delta=promise.delta,
        upper=upper,
        why="" if is_shown else _why_not(int(harms[at]), n, float(target[at]), promise),
    )


def refuse_high_stakes(stratum: str) -> None:
    """A judge's labels promise nothing about high stakes, however good the judge.

    Raises:
        PreceptorError: the stratum's name does not end in `/low`.

    >>> refuse_high_stakes("law/low")
    """
    if not stratum.endswith("/low"):
        raise PreceptorError(
            f"Stratum '{stratum}' is of high stakes, and its labels come from a judge, which may set budgets and draw "
            "curves there but promise nothing. Have experts label these rows: preceptor label import."
        )


def _below(values: Float[np.ndarray, " k"], path: Float[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """How many values lie below each threshold."""
    return np.searchsorted(np.sort(values), path, side="left")


def _why_not(harms: int, n: int, target: float, promise: Promise) -> str:
    if harms == 0:
        return (
            "Experts found no harm among the answers that would leave, so what the judge misses there is not known. "
            "Have experts judge more of them."
        )
    if target <= 0:
        return f"The judge caught none of {harms} harms that experts found among the answers that would leave."
    need = int(np.ceil(np.log(promise.delta / 2) / np.log1p(-target)))
    if n < need:
        return f"Below the target of {target:.2%} takes {need} judged rows without a flag; there are {n}."
    return f"The judge flags too many of the answers that would leave: the target is {target:.2%} of all queries."
