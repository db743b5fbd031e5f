"""The report of a run: one HTML file that needs nothing else, and one JSON file with every figure in it.

It says first what to do, then on what evidence, then what is not known. It never fetches anything when opened.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assurance.bands import SHARES
from assurance.curves import CostQualityCurve
from pipeline.figures import Line, Marks, cost_quality_svg, costs_svg, intervals_svg, reliability_svg
from pipeline.report_datasheet import datasheet_html
from pipeline.report_numbers import day, number, p_value, percent, percents, signed, span, usd, usd_span, when
from pipeline.report_records import (
    LIMITS,
    Curve,
    DataFacts,
    ModelFacts,
    Operating,
    RunReport,
    Slice,
)
from pipeline.report_words import Advice, advise, label, three_sentences

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = [
    "LIMITS", "Advice", "Curve", "DataFacts", "ModelFacts", "Operating", "RunReport", "Slice", "advise", "figures_of",
    "label", "recovered", "render_html", "thinned", "three_sentences", "write_report",
]  # fmt: skip

POINTS_PER_CURVE = 200

STRATA_DRAWN = 12
"""Strata, largest first, that get figures of their own; tables hold all."""

ROWS_OF_DATA = range(0, len(SHARES), 10)
"""Points of a curve in the table beside it."""


def write_report(report: RunReport, folder: Path) -> Path:
    """Write `report.html`, `report.json` and the figures as SVG files into the folder; the path of the HTML.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    figures = figures_of(report)
    for name, svg in figures.items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    path = folder / "report.html"
    path.write_text(render_html(report, figures), encoding="utf-8")
    return path


def render_html(report: RunReport, figures: Mapping[str, str]) -> str:
    """The report as one HTML text: styles and figures inline, no script, nothing fetched."""
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            advice=advise(report),
            sentences=three_sentences(report),
            recovered=recovered(report),
            figures=figures,
            drawn=_drawn(report),
            worse=_worse_than_base(report),
            shares=SHARES.tolist(),
            rows_of_data=ROWS_OF_DATA,
        )
    )


def figures_of(report: RunReport) -> dict[str, str]:
    """The figures as SVG texts by name, the same that stand in the HTML; `curves-1` is the largest stratum's."""
    overall = report.overall
    first = next(iter(overall.routers.values()), None)
    figures = {
        "curves": cost_quality_svg(
            {label(name): Line(curve.share_strong, curve.quality) for name, curve in report.curves.items()},
            limits=first.band if first else None,
            marks=_marks(overall),
            title="Quality for each budget, all test rows",
        ),
        "reliability": reliability_svg(report.calibration.bins, title="Reliability, all test rows"),
    }
    if report.evaluation is not None:
        figures["intervals"] = intervals_svg(
            {label(name): found.apgr for name, found in report.evaluation.routers.items()},
            reference=0.5,
            x_label="APGR (0.5 is a coin)",
            title="APGR of every router",
        )
    if report.savings is not None:
        found = report.savings
        figures["costs"] = costs_svg(
            {
                f"{report.strong} always": (found.always_strong, usd(found.always_strong)),
                "Routed": (found.routed.estimate, usd(found.routed.estimate)),
                f"{report.weak} always": (found.always_weak, usd(found.always_weak)),
            },
            title=f"Cost of {found.queries:,} queries",
        )
    for i, one in enumerate(_drawn(report), start=1):
        figures |= _figures_of_stratum(one, i)
    return figures


def thinned(curve: CostQualityCurve) -> Curve:
    """A curve with at most 200 points, its ends among them.

    >>> thinned(CostQualityCurve(np.linspace(0, 1, 1001), np.linspace(0, 1, 1001))).share_strong[-1]
    1.0
    """
    n = len(curve.share_strong)
    kept = np.unique(np.linspace(0, n - 1, min(n, POINTS_PER_CURVE)).round().astype(int))
    return Curve(
        share_strong=tuple(curve.share_strong[kept].round(6).tolist()),
        quality=tuple(curve.quality[kept].round(6).tolist()),
    )


def recovered(report: RunReport) -> float | None:
    """Share of the quality gap between the models that the thresholds recover on the test rows; None without a gap."""
    weak, strong = report.overall.weak_quality.estimate, report.overall.strong_quality.estimate
    return (report.overall.quality.estimate - weak) / (strong - weak) if strong - weak > 1e-9 else None


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        auto_reload=False,  # a page is never made of two versions of its templates
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "day": day,
        "datasheet": datasheet_html,
        "label": label,
        "number": number,
        "p_value": p_value,
        "percent": percent,
        "percents": percents,
        "signed": signed,
        "span": span,
        "usd": usd,
        "usd_span": usd_span,
        "when": when,
    }
    return environment


def _drawn(report: RunReport) -> list[Slice]:
    """The strata with figures; none where there is one stratum, which is all rows over again."""
    shown = [one for one in report.strata if one.routers]
    return shown[:STRATA_DRAWN] if len(report.strata) > 1 else []


def _worse_than_base(report: RunReport) -> list[str]:
    gains = {one.stratum: one.better_than.get("base") for one in report.strata}
    return [stratum for stratum, gain in gains.items() if gain and gain.high < 0]


def _figures_of_stratum(one: Slice, i: int) -> dict[str, str]:
    shares = tuple(SHARES.tolist())
    lines = {label(name): Line(shares, study.band.quality) for name, study in one.routers.items() if study.band}
    figures = {}
    if lines:
        lines["Random"] = Line((0.0, 1.0), (one.weak_quality.estimate, one.strong_quality.estimate))
        figures[f"curves-{i}"] = cost_quality_svg(
            lines,
            limits=next(iter(one.routers.values())).band,
            marks=_marks(one),
            name=f"curves-{i}",
            title=f"Quality for each budget, {one.stratum}",
            has_legend=False,
        )
    if one.calibration:
        figures[f"reliability-{i}"] = reliability_svg(
            one.calibration.bins, name=f"reliability-{i}", title=f"Reliability, {one.stratum}", has_legend=False
        )
    return figures


def _marks(one: Slice) -> Marks:
    return Marks(policy=(one.share_strong.estimate, one.quality.estimate), knee=one.knee)
