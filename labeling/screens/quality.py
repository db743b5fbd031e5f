"""The quality screen: agreement, sides, known answers, pace and drift, each a plot with its table and its reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Request, Response

from assurance.agreement import ENOUGH
from assurance.agreement_figures import Measure
from assurance.agreement_report import GOOD, Figure, ReleaseScope
from assurance.bootstrap import Interval
from core.access import Act, Actor, is_same_person, refusal
from core.ledger import EVENTS
from labeling.quality.changes import outdated_pairs
from labeling.quality.report import QualityReport, quality_report
from labeling.screens.adjudicate import CLASS_LABELS
from labeling.screens.room import Site

VERDICT_LABELS = ("Strong better", "Weak better", "Both acceptable", "Neither acceptable", "Cannot judge")
"""Verdicts by tier, in the order of their codes."""

ALPHA_FROM = -0.5
"""Where the scale of alpha begins when an interval reaches below 0, which is chance."""

SCOPES = {
    ReleaseScope.NOTHING: "No release",
    ReleaseScope.LOW_STAKES: "Low stakes alone",
    ReleaseScope.ALL: "All stakes",
}


@dataclass(frozen=True)
class Line:
    """One line of a plot of intervals: without an estimate, `note` stands in its place."""

    label: str
    estimate: float | None
    low: float | None
    high: float | None
    note: str = ""


def add_quality_screen(site: Site) -> None:
    """Add `/quality`."""
    viewer = Depends(site.guard.may(Act.VIEW_QUALITY))
    cache = _Cache(site.settings.pass_share)

    @site.app.get("/quality")
    def quality(request: Request, actor: Annotated[Actor, viewer]) -> Response:
        with site.engine.connect() as connection:
            report = cache.report(connection)
            pairs = outdated_pairs(connection) if report.outdated else {}
        # Who judges does not see their own row: a figure that moves with each vote tells a check from work.
        judges = refusal(Act.JUDGE, actor) is None
        raters = [one for one in report.raters.raters if not (judges and is_same_person(one.name, actor.name))]
        agreement = [
            _of_figure(one.stratum or "All pairs", one.verdict.figures[Measure.ALPHA_NOMINAL])
            for one in report.agreements
        ]
        return site.page(
            request,
            actor,
            "quality.html",
            report=report,
            raters=raters,
            leaves_out_own=judges,
            scope=SCOPES[report.release.scope],
            scope_class=report.release.scope.value,
            enough=ENOUGH,
            good=GOOD,
            measures=Measure,
            agreement=agreement,
            alpha_from=ALPHA_FROM if any((one.low or 0) < 0 for one in agreement) else 0,
            may_adjudicate=refusal(Act.ADJUDICATE, actor) is None,
            sides=[_of_interval(one.name, one.position.left_preference, one.position.reason) for one in raters],
            others=[_of_rate(one.name, one.with_others, "Nobody else judged the same pairs.") for one in raters],
            known=[_of_rate(one.name, one.gold, "No hidden pair yet.") for one in raters],
            again=[_of_interval(one.name, one.again.rate, "Nothing came back yet.") for one in raters],
            pass_share=site.settings.pass_share,
            verdicts=VERDICT_LABELS,
            heat=_heat(report),
            classes={str(name): label for name, label in CLASS_LABELS.items()},
            outdated_pairs=pairs,
        )


class _Cache:
    """The last report, worked out anew once anything was written to the ledger."""

    def __init__(self, pass_share: float) -> None:
        self._pass_share = pass_share
        self._last: tuple[int, QualityReport] | None = None

    def report(self, connection: sa.Connection) -> QualityReport:
        # Read first: what is written meanwhile makes the next look work it out again.
        seq = connection.execute(sa.select(sa.func.max(EVENTS.c.seq))).scalar() or 0
        last = self._last
        if last is None or last[0] != seq:
            last = self._last = (seq, quality_report(connection, pass_share=self._pass_share))
        return last[1]


def _of_figure(label: str, figure: Figure) -> Line:
    return Line(label, figure.estimate, figure.low, figure.high, figure.reason)


def _of_interval(label: str, interval: Interval | None, note: str) -> Line:
    if interval is None:
        return Line(label, None, None, None, note)
    return Line(label, interval.estimate, interval.low, interval.high)


def _of_rate(label: str, rate: object, note: str) -> Line:
    return _of_interval(label, getattr(rate, "share", None), note)


def _heat(report: QualityReport) -> Sequence[Sequence[tuple[int, int]]]:
    """Counts of the confusion matrix, each with its shade: 0 for none of its row to 4 for nearly all."""
    rows = report.raters.confusion.tolist()
    return [[(n, -(-4 * n // max(1, sum(row)))) for n in row] for row in rows]
