"""Whether a bundle may be taken up for another pair of models: a declared check on labelled answers of that pair.

It never lets a bundle decide for another pair as it is; the gateway refuses that. What passes may be calibrated and
certified anew; what fails must be trained anew.
"""

import numpy as np
from jaxtyping import Float, Int

from assurance.association import auroc_interval
from assurance.attempts import delta_of_attempt
from assurance.bootstrap import Interval
from assurance.certificates import Loss, Rows, losses_if_accepted
from assurance.planning import clean_labels
from core.certificate_settings import CertificateSettings
from core.errors import NotEnoughLabels
from core.records import Record


class NovelPair(Record):
    """The check: whether the score ranks this pair's harm (its AUROC's interval lies above 0.5), and labels enough."""

    weak: str
    strong: str
    n_labels: int
    labels_needed: int
    n_harmful: int
    auroc: Interval | None
    is_allowed: bool
    sentence: str

    @property
    def is_ranking(self) -> bool:
        """Whether its scores rank this pair's harm, however many labels there are."""
        return self.auroc is not None and self.auroc.low > 0.5


def check_novel_pair(
    rows: Rows,
    pair: tuple[str, str],
    *,
    groups: Int[np.ndarray, " n"],
    terms: CertificateSettings,
    rng: np.random.Generator,
) -> NovelPair:
    """The verdict on these rows: scores of the bundle, outcomes of the other pair.

    Args:
        rows: the bundle's probabilities, and what the pair's answers were worth.
        pair: names of the weak and the strong model.
        groups: rows of one group count once.
        terms: what would be promised.
        rng: draws the interval's resamples.
    """
    harmful = losses_if_accepted(rows, Loss.HARM) > 0
    n = len(np.unique(groups))
    needed = clean_labels(terms.max_harm_high, delta_of_attempt(terms.delta, 1, terms.attempts))
    auroc, why = _auroc(rows.probability, harmful, groups, rng)
    ranks = auroc is not None and auroc.low > 0.5
    again = (
        f"set pair to {pair[0]} and {pair[1]} and router.bundle to this one, and calibrate and certify on such labels "
        "with `preceptor run`"
    )
    if not ranks:
        sentence = f"It may not be used for {pair[0]} and {pair[1]}: {why} Train on labels of this pair instead."
    elif n < needed:
        sentence = (
            f"Its scores rank the harm of {pair[0]} (AUROC {auroc}), and {n} labels are too few to promise anything: "
            f"collect {needed - n} more, then {again}."
        )
    else:
        sentence = f"Its scores rank the harm of {pair[0]} (AUROC {auroc}): {again}."
    return NovelPair(
        weak=pair[0],
        strong=pair[1],
        n_labels=n,
        labels_needed=needed,
        n_harmful=int(harmful.sum()),
        auroc=auroc,
        is_allowed=ranks and n >= needed,
        sentence=sentence,
    )


def _auroc(
    scores: Float[np.ndarray, " n"], harmful: np.ndarray, groups: Int[np.ndarray, " n"], rng: np.random.Generator
) -> tuple[Interval | None, str]:
    """The AUROC of harm, and what speaks against it."""
    try:
        auroc = auroc_interval(scores, harmful, rng=rng, groups=groups)
    except NotEnoughLabels as error:
        return None, str(error)
    return auroc, f"its scores do not rank this pair's harm (AUROC {auroc}; a coin has 0.5)."
