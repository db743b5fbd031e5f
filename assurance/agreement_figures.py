"""The figures of agreement, each as 1 - observed / expected disagreement, for many weightings of the items at once.

Works on kinds of items (items whose labels are alike) and never draws: intervals are in assurance.agreement_report.
Every figure is about the items that two experts or more judged; items judged once change none of them.

Sources: Krippendorff (2011), *Computing Krippendorff's Alpha-Reliability*, section D; Gwet (2008), *Computing
inter-rater reliability and its variance in the presence of high agreement*; Fleiss (1971); Cohen (1960). For missing
labels, raw agreement and the shares of AC1 and Fleiss's kappa are means over items of what each item's own labels say.

Suffixes: B weightings, P kinds of items, E experts, C codes.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int

MOST_CODES = 50
"""A table of coincidences grows with the square of the number of codes."""

SMALLEST_EXPECTED = 1e-12
"""Expected disagreement below this is none: the figure has no value."""

NO_LABEL = -1
"""The code of an item that an expert did not judge."""


class Measure(StrEnum):
    """A figure of agreement."""

    RAW = "raw"
    ALPHA_NOMINAL = "alpha_nominal"
    ALPHA_ORDINAL = "alpha_ordinal"
    ALPHA_INTERVAL = "alpha_interval"
    AC1 = "ac1"
    COHEN = "cohen_kappa"
    FLEISS = "fleiss_kappa"


ALPHAS = (Measure.ALPHA_NOMINAL, Measure.ALPHA_ORDINAL, Measure.ALPHA_INTERVAL)
"""Krippendorff's alpha by metric."""


@dataclass(frozen=True)
class Kinds:
    """Items that two experts or more judged; items with the same labels are one kind."""

    rows: Int[np.ndarray, "p e"]
    """The labels of each kind: by expert where there are two experts, sorted where there are more."""
    n_of_kind: Int[np.ndarray, " p"]
    codes: Int[np.ndarray, " c"]
    """The codes that occur, ascending."""
    counts: Float[np.ndarray, "p c"]
    """How many labels of each code an item of the kind has."""

    @property
    def n_items(self) -> int:
        """Items judged twice or more."""
        return int(self.n_of_kind.sum())

    @property
    def n_labels(self) -> int:
        """Labels of those items."""
        return int(self.n_of_kind @ self.counts.sum(axis=1))

    @property
    def shares(self) -> Float[np.ndarray, " c"]:
        """Share of the labels that each code has."""
        return np.asarray(self.n_of_kind @ self.counts) / self.n_labels


def kinds_of_items(labels: Int[np.ndarray, "items experts"]) -> Kinds:
    """The items with two labels or more, gathered by their labels.

    Args:
        labels: one row per item, one column per expert; codes >= 0, and -1 where an expert gave no label.

    Raises:
        ValueError: labels is not a table, or holds a code below -1.

    >>> kinds = kinds_of_items(np.array([[0, 1], [0, 1], [1, -1]]))
    >>> kinds.rows.tolist(), kinds.n_of_kind.tolist()
    ([[0, 1]], [2])
    """
    if labels.ndim != 2:
        raise ValueError(f"The labels have {labels.ndim} axes; pass a table of items by experts, -1 for no label.")
    if labels.size and labels.min() < NO_LABEL:
        raise ValueError(
            f"A label has the code {labels.min()}; codes start at 0, and -1 stands for no label. Shift them."
        )
    judged = labels[np.sum(labels != NO_LABEL, axis=1) >= 2]
    judged = judged[:, np.any(judged != NO_LABEL, axis=0)]
    if judged.shape[1] > 2:
        judged = np.sort(judged, axis=1)
    rows, n_of_kind = np.unique(judged, axis=0, return_counts=True) if len(judged) else (judged, np.zeros(0, dtype=int))
    codes = np.unique(rows[rows != NO_LABEL])
    counts = np.sum(rows[:, :, None] == codes, axis=1).astype(float)
    return Kinds(rows=rows, n_of_kind=n_of_kind, codes=codes, counts=counts)


@dataclass(frozen=True)
class Disagreement:
    """What a figure is made of, under each weighting of the items."""

    observed: Float[np.ndarray, " b"]
    expected: Float[np.ndarray, " b"]
    """What chance alone would give."""
    largest: Float[np.ndarray, " b"]
    """What an item would have whose two labels are as far apart as labels are here."""

    @property
    def figure(self) -> Float[np.ndarray, " b"]:
        """1 - observed / expected; NaN where chance expects no disagreement.

        >>> Disagreement(np.array([0.1, 0.0]), np.array([0.5, 0.0]), np.ones(2)).figure.tolist()
        [0.8, nan]
        """
        has_value = self.expected > SMALLEST_EXPECTED
        return np.where(has_value, 1.0 - self.observed / np.where(has_value, self.expected, 1.0), np.nan)


def disagreements(
    measure: Measure, kinds: Kinds, weights_BP: Float[np.ndarray, "b p"], *, n_categories: int
) -> Disagreement:
    """Observed disagreement, and what chance would give, under each weighting of the kinds of items.

    Args:
        measure: the figure; it is 1 - observed / expected.
        kinds: the items.
        weights_BP: how often each kind counts, one row per weighting.
        n_categories: labels that an expert could give; AC1 alone depends on it.

    Raises:
        ValueError: the measure is not defined for these labels; the message says why.
    """
    if measure in ALPHAS:
        return _krippendorff(measure, kinds, weights_BP)
    if measure is Measure.COHEN:
        return _cohen(kinds, weights_BP)
    per_item = kinds.counts.sum(axis=1)
    n_B = weights_BP.sum(axis=1)
    observed = weights_BP @ pair_disagreement(kinds) / n_B
    ones = np.ones_like(observed)
    shares_BC = weights_BP @ (kinds.counts / per_item[:, None]) / n_B[:, None]
    if measure is Measure.RAW:
        return Disagreement(observed, ones, ones)
    if measure is Measure.FLEISS:
        return Disagreement(observed, 1.0 - np.sum(shares_BC**2, axis=1), ones)
    if n_categories < 2:
        raise ValueError(
            "AC1 needs two categories to choose from, and one occurs. Say how many an expert could choose."
        )
    return Disagreement(observed, 1.0 - np.sum(shares_BC * (1.0 - shares_BC), axis=1) / (n_categories - 1), ones)


def pair_disagreement(kinds: Kinds) -> Float[np.ndarray, " p"]:
    """Chance that two labels of one item differ, per kind of item."""
    per_item = kinds.counts.sum(axis=1)
    agreeing = np.sum(kinds.counts * (kinds.counts - 1.0), axis=1)
    return np.asarray(1.0 - agreeing / (per_item * (per_item - 1.0)))


def _krippendorff(measure: Measure, kinds: Kinds, weights_BP: Float[np.ndarray, "b p"]) -> Disagreement:
    """Alpha by the matrix of coincidences; the ordinal metric is the squared distance of mid-ranks."""
    counts, n_codes = kinds.counts, len(kinds.codes)
    if n_codes > MOST_CODES:
        raise ValueError(f"The labels have {n_codes} different codes; alpha is computed for {MOST_CODES}. Group them.")
    pairs_PCC = counts[:, :, None] * counts[:, None, :]
    pairs_PCC[:, np.arange(n_codes), np.arange(n_codes)] -= counts
    pairs_PCC /= (counts.sum(axis=1) - 1.0)[:, None, None]
    pairs_BCC = (weights_BP @ pairs_PCC.reshape(len(counts), -1)).reshape(-1, n_codes, n_codes)
    totals_BC = pairs_BCC.sum(axis=2)
    n_B = totals_BC.sum(axis=1)
    if measure is Measure.ALPHA_NOMINAL:
        distance = 1.0 - np.eye(n_codes)[None]
    else:
        ranks = np.cumsum(totals_BC, axis=1) - 0.5 * totals_BC
        place = kinds.codes[None].astype(float) if measure is Measure.ALPHA_INTERVAL else ranks / n_B[:, None]
        distance = (place[:, :, None] - place[:, None, :]) ** 2
    observed = np.sum(pairs_BCC * distance, axis=(1, 2)) / n_B
    chance_BCC = totals_BC[:, :, None] * totals_BC[:, None, :]
    expected = np.sum(chance_BCC * distance, axis=(1, 2)) / (n_B * (n_B - 1.0))
    return Disagreement(observed, expected, np.broadcast_to(distance.max(axis=(1, 2)), n_B.shape))


def _cohen(kinds: Kinds, weights_BP: Float[np.ndarray, "b p"]) -> Disagreement:
    """Two experts' disagreement, and what their own shares of each code would give."""
    n_experts = kinds.rows.shape[1]
    if n_experts != 2:
        raise ValueError(f"Cohen's kappa is for two experts, and {n_experts} judged. Read Fleiss's kappa or alpha.")
    n_B = weights_BP.sum(axis=1)[:, None]
    first_BC, second_BC = (weights_BP @ (column[:, None] == kinds.codes) / n_B for column in kinds.rows.T)
    observed = weights_BP @ (kinds.rows[:, 0] != kinds.rows[:, 1]) / n_B[:, 0]
    return Disagreement(observed, 1.0 - np.sum(first_BC * second_BC, axis=1), np.ones_like(observed))
