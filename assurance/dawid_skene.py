"""The class of each item from several experts' labels, with each expert's own confusions (Dawid & Skene).

Two to five experts say too little for plain EM, which makes up a class or believes one expert. So every expert starts
with imagined labels, most of them right (a Dirichlet prior on each row of the confusion matrix), and EM climbs to the
posterior mode. Never draws.

Source: Dawid & Skene (1979), *Maximum likelihood estimation of observer error-rates using the EM algorithm*; the prior
enters as counts added in the M step (Dempster, Laird & Rubin 1977, section 3).
Suffixes: I items, J experts, K classes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp, xlogy

from assurance.agreement_figures import NO_LABEL
from core.errors import NotEnoughLabels
from core.records import Record

TOLERANCE = 1e-8
"""EM stops where the log posterior density grows by less than this per item."""


class ImaginedLabels(Record):
    """The prior, as labels that each expert is imagined to have given to items of each class."""

    right: float = 8.0
    """Imagined right labels per class."""
    wrong: float = 2.0
    """Imagined wrong labels per class, spread evenly over the other classes."""
    per_class: float = 1.0
    """Imagined items of each class."""


MOSTLY_RIGHT = ImaginedLabels()
"""Eight in ten right, which ten labels of one class outweigh."""

NO_PRIOR = ImaginedLabels(right=0.0, wrong=0.0, per_class=0.0)
"""Plain maximum likelihood, for comparison; it overfits when experts are few."""


@dataclass(frozen=True)
class Classes:
    """What the labels say about items and experts."""

    posterior: Float[np.ndarray, "i k"]
    """Chance of each class, per item; the shares of the classes where an item has no label."""
    confusion: Float[np.ndarray, "j k k"]
    """Per expert: row is the true class, column the label; rows sum to 1."""
    prevalence: Float[np.ndarray, " k"]
    """Share of each class among items."""
    log_density: tuple[float, ...]
    """Log posterior density after each iteration, up to a constant; it never falls."""
    has_converged: bool

    @property
    def accuracy(self) -> Float[np.ndarray, " j"]:
        """Each expert's chance of a right label, over the classes as they occur."""
        return np.asarray(np.einsum("jkk,k->j", self.confusion, self.prevalence))

    @property
    def entropy_bits(self) -> Float[np.ndarray, " i"]:
        """Entropy of each item's posterior; log2 of the number of classes where nothing is known."""
        return np.asarray(-np.sum(xlogy(self.posterior, self.posterior), axis=1) / np.log(2))


def dawid_skene(
    labels: Int[np.ndarray, "items experts"],
    *,
    n_classes: int,
    imagined: ImaginedLabels = MOSTLY_RIGHT,
    max_iterations: int = 500,
) -> Classes:
    """Posterior class of every item and confusion matrix of every expert.

    Args:
        labels: one row per item, one column per expert; classes 0..n_classes - 1, and -1 where there is no label.
        n_classes: at least 2.
        imagined: the prior.
        max_iterations: EM stops here at the latest; `has_converged` says whether it had to.

    Raises:
        NotEnoughLabels: there is no label.
        ValueError: labels is not a table, or holds a class out of range.

    >>> found = dawid_skene(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0]] * 25), n_classes=2)
    >>> found.posterior.argmax(axis=1)[:4].tolist(), found.accuracy.round(1).tolist()
    ([1, 1, 0, 0], [1.0, 1.0, 0.6])
    """
    _check(labels, n_classes)
    n_items, n_experts = labels.shape
    # 1 where the item got this label of this expert
    given_IJK = (labels[:, :, None] == np.arange(n_classes)).astype(float).reshape(n_items, -1)
    other = imagined.wrong / (n_classes - 1)
    added_KK = np.full((n_classes, n_classes), other) + (imagined.right - other) * np.eye(n_classes)
    n_given = given_IJK.reshape(n_items, n_experts, n_classes).sum(axis=1)
    posterior = (n_given + 1.0 / n_classes) / (n_given.sum(axis=1, keepdims=True) + 1.0)
    track: list[float] = []
    has_converged = False
    while not has_converged and len(track) < max_iterations:
        prevalence = _shares(posterior.sum(axis=0) + imagined.per_class)
        counted_JKK = (given_IJK.T @ posterior).reshape(n_experts, n_classes, n_classes).transpose(0, 2, 1)
        confusion = _shares(counted_JKK + added_KK)
        joint_IK = given_IJK @ _log(confusion.transpose(0, 2, 1).reshape(-1, n_classes)) + _log(prevalence)
        evidence_I = logsumexp(joint_IK, axis=1)
        posterior = np.exp(joint_IK - evidence_I[:, None])
        prior = np.sum(xlogy(added_KK, confusion)) + np.sum(xlogy(imagined.per_class, prevalence))
        track.append(float(evidence_I.sum() + prior))
        has_converged = len(track) > 1 and track[-1] - track[-2] < TOLERANCE * n_items
    return Classes(
        posterior=posterior,
        confusion=confusion,
        prevalence=prevalence,
        log_density=tuple(track),
        has_converged=has_converged,
    )


def _check(labels: Int[np.ndarray, "items experts"], n_classes: int) -> None:
    if labels.ndim != 2:
        raise ValueError(f"The labels have {labels.ndim} axes; pass a table of items by experts, -1 for no label.")
    if n_classes < 2:
        raise ValueError(f"n_classes is {n_classes}; there is nothing to tell apart below 2.")
    if not labels.size or np.all(labels == NO_LABEL):
        raise NotEnoughLabels("There is no label to learn a class from. Have some items judged.")
    if labels.min() < NO_LABEL or labels.max() >= n_classes:
        raise ValueError(
            f"Labels range from {labels.min()} to {labels.max()}; classes are 0 to {n_classes - 1}, -1 is none."
        )


def _shares(counts: Float[np.ndarray, "*n k"]) -> Float[np.ndarray, "*n k"]:
    """Rows that sum to 1; even where nothing was counted."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(total > 0, counts / np.where(total > 0, total, 1.0), 1.0 / counts.shape[-1]))


def _log(chances: Float[np.ndarray, "*n k"]) -> Float[np.ndarray, "*n k"]:
    """Logarithm with a floor, so that what was never seen is all but impossible and 0 times it is 0."""
    return np.asarray(np.log(np.maximum(chances, 1e-300)))
