"""What several experts' verdicts on a pair say together, when experts differ in reliability and favour a side.

Model, for expert j and item i, with the strong answer on the left (side = 1) or on the right (side = -1):

    eta_ij = a_j d_i + b_j side_ij + c_j
    P(strong wins) = sigmoid(eta - t),  P(weak wins) = sigmoid(-eta - t),  a tie in between (cumulative logit)
    d_i ~ N(m, 1.5)   log a_j ~ N(0, 0.5)   b_j ~ N(0, 0.3)   c_j ~ N(0, 0.5)   m ~ N(0, 1)   log t ~ N(log 0.5, 1)

a is reliability, b preference for the left, c a leaning to one model's manner, d how much better the strong answer
is, m the mean of d over items. Without ties t is 0. Each d_i is integrated out on a grid (a few labels would never pin
it down), the rest is fitted by its posterior mode with the exact gradient; limits are Laplace's. Since a > 0, an expert
who contradicts everyone is taken for one who does not look. Never draws.

Sources: Birnbaum's two-parameter model as in Bock & Aitkin (1981); Samejima (1969) for the ordered middle class.
Suffixes: J experts, S sides (left, right), V verdicts (weak, tie, strong), G grid points, I items.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit, log_expit, logsumexp, xlogy
from scipy.stats import norm

from assurance.bootstrap import TAIL, Interval
from core.errors import NotEnoughLabels
from core.records import Record

SPREAD = 1.5
"""Prior standard deviation of d over items: it fixes the scale of everything else."""

PRIOR_SD = {"log_a": 0.5, "b": 0.3, "c": 0.5, "m": 1.0, "log_t": 1.0}
"""Prior standard deviations; all prior means are 0 but that of log t."""

TIE_WIDTH = 0.5
"""Prior median of t."""

GRID = np.linspace(-9.0, 9.0, 73)
"""Values of d, six prior standard deviations to either side."""

SIDES = np.array([1.0, -1.0])
Z = float(norm.isf(TAIL))


class Expert(Record):
    """One expert as the model sees him, with 95 % limits of the Laplace approximation; log-odds but for the first."""

    reliability: Interval
    """a: 1 is the typical expert; limits on the log scale."""
    position_bias: Interval
    """b: log-odds for the answer on the left; on an even pair about 25 points of preference per unit."""
    leaning: Interval
    """c: log-odds for the strong model's answer beyond what the items explain."""
    n_labels: int


@dataclass(frozen=True)
class JointView:
    """What the labels say about experts and items."""

    experts: tuple[Expert, ...]
    mean_strength: Interval
    """m, log-odds of the typical expert that the strong answer wins on the typical item."""
    strength: Float[np.ndarray, " i"]
    """Posterior mean of d per item."""
    strength_sd: Float[np.ndarray, " i"]
    strong_better: Float[np.ndarray, " i"]
    """P(d > 0 | labels): the soft label."""
    entropy_bits: Float[np.ndarray, " i"]
    """Entropy of the soft label: 1 where nothing is known, 0 where all is."""


def fit_raters(
    items: Int[np.ndarray, " n"],
    experts: Int[np.ndarray, " n"],
    *,
    verdicts: Int[np.ndarray, " n"],
    strong_on_left: Bool[np.ndarray, " n"],
) -> JointView:
    """Reliability and biases of each expert, and the posterior of each item, from all labels at once.

    Args:
        items: item of each label, counted from 0; an item without a label keeps its prior.
        experts: expert of each label, counted from 0.
        verdicts: 1 the strong answer wins, -1 the weak one, 0 neither.
        strong_on_left: whether the strong answer stood on the left.

    Raises:
        NotEnoughLabels: there is no label.
        ValueError: columns differ in length, or a verdict is none of the three.

    >>> view = fit_raters(np.array([0, 0, 1]), np.array([0, 1, 0]), verdicts=np.array([1, 1, -1]),
    ...                   strong_on_left=np.array([True, False, True]))
    >>> bool(view.strong_better[0] > 0.7 > 0.5 > view.strong_better[1])
    True
    """
    counts, n_experts = _count(items, experts, verdicts=verdicts, strong_on_left=strong_on_left)
    has_ties = bool(np.any(verdicts == 0))
    start = np.append(np.zeros(3 * n_experts + 1), np.log(TIE_WIDTH) if has_ties else [])

    def loss(theta: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        return _loss(theta, counts, n_experts)

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-6})
    sd = np.sqrt(np.diag(np.linalg.inv(_hessian(lambda theta: loss(theta)[1], found.x))))
    low, high = found.x - Z * sd, found.x + Z * sd
    posterior_IG = np.exp(_log_joint(found.x, counts, n_experts))
    posterior_IG /= posterior_IG.sum(axis=1, keepdims=True)
    strength = posterior_IG @ GRID
    strong_better = posterior_IG @ np.where(GRID == 0, 0.5, GRID > 0)
    chances = np.clip(strong_better, 0.0, 1.0)
    n_labels = np.bincount(experts, minlength=n_experts)

    def interval(place: int) -> Interval:
        return Interval(estimate=float(found.x[place]), low=float(low[place]), high=float(high[place]))

    return JointView(
        experts=tuple(
            Expert(
                reliability=Interval(
                    estimate=float(np.exp(found.x[j])), low=float(np.exp(low[j])), high=float(np.exp(high[j]))
                ),
                position_bias=interval(n_experts + j),
                leaning=interval(2 * n_experts + j),
                n_labels=int(n_labels[j]),
            )
            for j in range(n_experts)
        ),
        mean_strength=interval(3 * n_experts),
        strength=strength,
        strength_sd=np.sqrt(np.maximum(posterior_IG @ GRID**2 - strength**2, 0.0)),
        strong_better=chances,
        entropy_bits=-(xlogy(chances, chances) + xlogy(1 - chances, 1 - chances)) / np.log(2),
    )


def _count(
    items: Int[np.ndarray, " n"],
    experts: Int[np.ndarray, " n"],
    *,
    verdicts: Int[np.ndarray, " n"],
    strong_on_left: Bool[np.ndarray, " n"],
) -> tuple[csr_array, int]:
    """How often each item got each (expert, side, verdict), and the number of experts."""
    if not len(items) == len(experts) == len(verdicts) == len(strong_on_left):
        raise ValueError("Items, experts, verdicts and sides differ in length. Pass one of each per label.")
    if not len(items):
        raise NotEnoughLabels("There is no label to learn about experts from. Have some pairs judged.")
    if not np.isin(verdicts, (-1, 0, 1)).all():
        raise ValueError("A verdict is none of 1 (strong wins), 0 (neither), -1 (weak wins). Code verdicts so.")
    n_experts = int(experts.max()) + 1
    cell = (experts * 2 + ~strong_on_left) * 3 + verdicts + 1
    shape = (int(items.max()) + 1, 6 * n_experts)
    return csr_array((np.ones(len(items)), (items, cell)), shape=shape), n_experts


def _loss(theta: Float[np.ndarray, " p"], counts: csr_array, n_experts: int) -> tuple[float, Float[np.ndarray, " p"]]:
    """Minus the log posterior density of (log a, b, c, m, log t) with the items integrated out, and its gradient."""
    has_ties = len(theta) > 3 * n_experts + 1
    a, m = np.exp(theta[:n_experts]), theta[3 * n_experts]
    joint_IG = _log_joint(theta, counts, n_experts)
    evidence_I = logsumexp(joint_IG, axis=1)
    posterior_IG = np.exp(joint_IG - evidence_I[:, None])
    expected_JSVG = (counts.T @ posterior_IG).reshape(n_experts, 2, 3, -1)
    _, slope_eta, slope_t = _verdict_chances(theta, n_experts)
    pull_JSG = np.sum(expected_JSVG * slope_eta, axis=2)
    gain = np.concatenate(
        [
            a * np.einsum("jsg,g->j", pull_JSG, GRID),
            np.einsum("jsg,s->j", pull_JSG, SIDES),
            np.sum(pull_JSG, axis=(1, 2)),
            [np.sum(posterior_IG @ (GRID - m)) / SPREAD**2],
            [np.sum(expected_JSVG * slope_t) * np.exp(theta[-1])] if has_ties else [],
        ]
    )
    mean, sd = np.zeros(len(theta)), np.repeat([PRIOR_SD["log_a"], PRIOR_SD["b"], PRIOR_SD["c"]], n_experts)
    sd = np.append(sd, [PRIOR_SD["m"], PRIOR_SD["log_t"]][: len(theta) - len(sd)])
    if has_ties:
        mean[-1] = np.log(TIE_WIDTH)
    away = (theta - mean) / sd
    return float(0.5 * away @ away - evidence_I.sum()), away / sd - gain


def _log_joint(theta: Float[np.ndarray, " p"], counts: csr_array, n_experts: int) -> Float[np.ndarray, "i g"]:
    """Log of each item's labels and d, up to a constant, per grid point."""
    chances_JSVG = _verdict_chances(theta, n_experts)[0]
    prior_G = norm.logpdf(GRID, loc=theta[3 * n_experts], scale=SPREAD)
    return np.asarray(counts @ chances_JSVG.reshape(6 * n_experts, -1) + prior_G)


def _verdict_chances(theta: Float[np.ndarray, " p"], n_experts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log chance of each verdict, with its slopes in eta and in t, each of shape J S V G.

    A tie has chance sigmoid(t - eta) - sigmoid(-t - eta) = sigmoid(t - eta) sigmoid(t + eta) (1 - exp(-2 t)).
    """
    a, b, c = np.exp(theta[:n_experts]), theta[n_experts : 2 * n_experts], theta[2 * n_experts : 3 * n_experts]
    t = float(np.exp(theta[-1])) if len(theta) > 3 * n_experts + 1 else 0.0
    eta = a[:, None, None] * GRID + (b[:, None] * SIDES + c[:, None])[:, :, None]
    not_strong, not_weak = expit(t - eta), expit(t + eta)
    tie = log_expit(t - eta) + log_expit(t + eta) + (np.log(-np.expm1(-2 * t)) if t else 0.0)
    widen = 2 / np.expm1(2 * t) if t else 0.0
    chances = np.stack([log_expit(-eta - t), tie, log_expit(eta - t)], axis=2)
    slope_eta = np.stack([-not_weak, not_strong - not_weak + 0.0, not_strong], axis=2)
    slope_t = np.stack([-not_weak, 2 - not_strong - not_weak + widen, -not_strong], axis=2)
    return chances, slope_eta, slope_t


def _hessian(
    gradient: Callable[[Float[np.ndarray, " p"]], Float[np.ndarray, " p"]], at: Float[np.ndarray, " p"]
) -> Float[np.ndarray, "p p"]:
    """Forward differences of the exact gradient, made symmetric.

    >>> _hessian(lambda x: np.array([2 * x[0], 6 * x[1]]), np.zeros(2)).round(6).tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """
    here = gradient(at)
    rows = np.array([gradient(at + move) - here for move in 1e-4 * np.eye(len(at))]) / 1e-4
    return np.asarray((rows + rows.T) / 2)
