"""How far experts agree, on all pairs and by stratum: on the verdict, the signed strength, and each answer's release.

| figure | on |
|---|---|
| raw, nominal alpha, AC1, Fleiss's kappa | the verdict, four kinds; *cannot judge* is no label |
| ordinal alpha | the signed strength: first much better ... both acceptable ... second much better |
| raw, nominal alpha, AC1 | whether the weak answer is acceptable, and the strong one |

On the scale of strength, *both acceptable* is the middle, a preference without a strength counts as *clearly*, and
*neither acceptable* is left out: it says nothing of which is better. Figures have 95 % intervals, from one fixed seed,
so that a page shows the same figures each time; where a figure has no value, its reason stands in its place.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from assurance.agreement_figures import Measure
from assurance.agreement_report import AgreementReport, Figure, agreement_report
from labeling.quality.label_columns import CANNOT, Labels

SEED = 20261124
"""Draws the resamples behind the intervals; any number would do, as long as it stays."""

N_VERDICTS = 4
ON_VERDICT = (Measure.RAW, Measure.ALPHA_NOMINAL, Measure.AC1, Measure.FLEISS)
ON_RELEASE = (Measure.RAW, Measure.ALPHA_NOMINAL, Measure.AC1)


@dataclass(frozen=True)
class Agreements:
    """Agreement within one stratum, or on all pairs (None)."""

    stratum: str | None
    n_pairs: int
    """Pairs with a judgement that counts."""
    verdict: AgreementReport
    strength: Figure
    n_on_scale: int
    """Pairs of which two experts or more said how much better an answer is, or that both are acceptable."""
    weak_release: AgreementReport
    strong_release: AgreementReport

    @property
    def notes(self) -> tuple[str, ...]:
        """Why figures are undefined or mislead, each sentence once."""
        shown = (Measure.RAW, Measure.ALPHA_NOMINAL, Measure.AC1)
        figures = (*(self.verdict.figures[one] for one in shown), self.strength)
        found = [self.verdict.caution, *(figure.reason for figure in figures)]
        return tuple(dict.fromkeys(note for note in found if note))


def agreements(labels: Labels) -> tuple[Agreements, ...]:
    """Agreement on all pairs, then by stratum where there are several.

    Args:
        labels: judgements that count.
    """
    tables = _Tables(
        verdict=labels.slots(np.where(labels.verdict == CANNOT, -1, labels.verdict)),
        strength=labels.slots(labels.signed_strength),
        weak=labels.slots(_release(labels, is_strong=False)),
        strong=labels.slots(_release(labels, is_strong=True)),
    )
    is_judged = np.bincount(labels.pair, minlength=len(labels.pairs)) > 0
    strata = [code for code in range(len(labels.strata)) if np.any(is_judged & (labels.stratum_of_pair == code))]
    found = [tables.within(None, is_judged)]
    if len(strata) > 1:
        found += [tables.within(labels.strata[code], is_judged & (labels.stratum_of_pair == code)) for code in strata]
    return tuple(found)


@dataclass(frozen=True)
class _Tables:
    """One pair a row; see `Labels.slots`."""

    verdict: Int[np.ndarray, "p k"]
    strength: Int[np.ndarray, "p l"]
    weak: Int[np.ndarray, "p m"]
    strong: Int[np.ndarray, "p m"]

    def within(self, stratum: str | None, rows: Int[np.ndarray, " p"]) -> Agreements:
        on_scale = self.strength[rows]
        ordinal = _report(on_scale, (Measure.ALPHA_ORDINAL,), n=None)
        return Agreements(
            stratum=stratum,
            n_pairs=int(rows.sum()),
            verdict=_report(self.verdict[rows], ON_VERDICT, n=N_VERDICTS),
            strength=ordinal.figures[Measure.ALPHA_ORDINAL],
            n_on_scale=ordinal.n_items,
            weak_release=_report(self.weak[rows], ON_RELEASE, n=2),
            strong_release=_report(self.strong[rows], ON_RELEASE, n=2),
        )


def _report(table: Int[np.ndarray, "p k"], measures: tuple[Measure, ...], *, n: int | None) -> AgreementReport:
    return agreement_report(table, rng=np.random.default_rng(SEED), measures=measures, n_categories=n)


def _release(labels: Labels, *, is_strong: bool) -> Int[np.ndarray, " n"]:
    """Whether the strong or the weak answer is acceptable by each judgement; -1 where nobody said which it is."""
    first_is_strong = labels.first_is_strong[labels.pair]
    first, second = labels.qualities.T
    return np.where(first_is_strong < 0, -1, np.where((first_is_strong == 1) == is_strong, first, second))
