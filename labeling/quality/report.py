"""Everything that the quality page shows, worked out at once from the judgements that stand. Changes nothing."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import sqlalchemy as sa

from assurance.agreement_figures import Measure
from assurance.agreement_report import Release, release_rule
from labeling.quality.agreeing import Agreements, agreements
from labeling.quality.changes import Outdated, outdated
from labeling.quality.disagreements import count_disagreements
from labeling.quality.gold import rates
from labeling.quality.label_columns import VERDICTS, Labels, read_labels
from labeling.quality.overruling import Overruling, overruling
from labeling.quality.raters import Raters, raters_of
from labeling.quality.rulings import Ruling, last_rulings

SHOWN_DAYS = 30


@dataclass(frozen=True)
class VersionShares:
    """How verdicts fall under one version of the guideline; 0 is before the first."""

    version: int
    n: int
    shares: tuple[float, ...]
    """Of each verdict: strong better, weak better, both acceptable, neither, cannot judge."""


@dataclass(frozen=True)
class QualityReport:
    """The quality of the judgements that count."""

    n_judgements: int
    n_pairs: int
    agreements: tuple[Agreements, ...]
    """On all pairs first, then by stratum."""
    release: Release
    raters: Raters
    days: tuple[tuple[date, int], ...]
    """Judgements of each of the last days on which there were any, and the days between; the latest last."""
    by_version: tuple[VersionShares, ...]
    outdated: tuple[Outdated, ...]
    n_waiting: int
    """Pairs that need an adjudicator."""
    rulings_by_class: dict[str, int]
    overruling: Overruling
    """How often experts overruled the recheck."""

    @property
    def overall(self) -> Agreements:
        """Agreement on all pairs."""
        return self.agreements[0]


def quality_report(connection: sa.Connection, *, pass_share: float) -> QualityReport:
    """The report as of now.

    Args:
        connection: the store.
        pass_share: the share of known answers that an expert is asked for.
    """
    labels = read_labels(connection)
    work, rulings = labels.work, last_rulings(connection)
    found = agreements(work)
    return QualityReport(
        n_judgements=len(work),
        n_pairs=len(np.unique(work.pair)),
        agreements=found,
        release=release_rule(found[0].verdict.figures[Measure.ALPHA_NOMINAL]),
        raters=raters_of(labels, rulings=_codes(rulings), gold=rates(connection), pass_share=pass_share),
        days=_days(work),
        by_version=_by_version(work),
        outdated=tuple(outdated(connection)),
        n_waiting=count_disagreements(connection),
        rulings_by_class=dict(sorted(Counter(str(one.error_class) for one in rulings.values()).items())),
        overruling=overruling(connection),
    )


def _codes(rulings: dict[str, Ruling]) -> dict[str, int]:
    return {pair: VERDICTS.index(ruling.verdict) for pair, ruling in rulings.items()}


def _days(work: Labels) -> tuple[tuple[date, int], ...]:
    n_of = Counter(work.day)
    if not n_of:
        return ()
    last = date.fromisoformat(max(n_of))
    first = max(date.fromisoformat(min(n_of)), last - timedelta(days=SHOWN_DAYS - 1))
    days = (first + timedelta(days=k) for k in range((last - first).days + 1))
    return tuple((day, n_of[day.isoformat()]) for day in days)


def _by_version(work: Labels) -> tuple[VersionShares, ...]:
    found, verdict = [], work.by_tier(work.verdict)
    for version in np.unique(work.guideline).tolist():
        n_of = np.bincount(verdict[work.guideline == version], minlength=len(VERDICTS))
        found.append(VersionShares(version, int(n_of.sum()), tuple((n_of / n_of.sum()).tolist())))
    return tuple(found)
