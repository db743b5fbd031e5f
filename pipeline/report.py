"""The report of a run: one HTML file that needs nothing else, and one JSON file with the same content.

It says first what to do, then on what evidence, then what is not known. It never fetches anything when opened.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from assurance.bootstrap import Interval
from assurance.calibration import CalibrationCheck
from assurance.curves import CostQualityCurve
from core.records import Record
from pipeline.evaluation import Evaluation
from pipeline.figures import Line, cost_quality_svg, intervals_svg, reliability_svg

LABELS = {
    "adapted": "Adapted router",
    "base": "Base router",
    "random": "Random",
    "oracle": "Oracle",
    "prompt_length": "Prompt length",
    "topic_prior": "Topic prior",
    "tfidf_ridge": "TF-IDF ridge",
}
"""What routers and floors are called on paper; other names stand as they are."""

IN_A_SENTENCE = {
    "adapted": "the adapted router",
    "base": "the base router",
    "random": "a coin",
    "prompt_length": "the length of the prompt",
    "topic_prior": "the average of its topic",
    "tfidf_ridge": "a regression on its words",
}
"""The same in plain words, where no table explains them."""

POINTS_PER_CURVE = 200

LIMITS = (
    "Not certified. This version issues no certificate: the budget and the figures here are estimates, "
    "not a promise about harm.",
    "The figures hold for queries like the test rows. Other departments, later months or other models need new rows.",
    "Quality is what the outcome rows say it is. Where a reference or a judge stood in for an expert, "
    "so do these figures.",
    "The strong model's own errors are not covered: answering always with it has the quality given above.",
)
"""What the report does not show, said in the report."""


class Curve(Record):
    """Points of a cost-quality curve, thinned for drawing."""

    share_strong: tuple[float, ...]
    quality: tuple[float, ...]


class Operating(Record):
    """What one threshold does on the test rows: a query goes to the strong model iff its probability >= threshold.

    `budget` is the share of strong calls that was asked for. `share_strong` is the share on the test rows, with its
    exact interval. `quality` is the mean quality of the routed answers, `random_quality` that of a coin with the same
    share. Costs are in USD per 1,000 queries, None where a cost is unknown.
    """

    threshold: float
    budget: float
    share_strong: Interval
    quality: float
    random_quality: float
    cost_usd_per_1000: float | None = None
    weak_cost_usd_per_1000: float | None = None
    strong_cost_usd_per_1000: float | None = None


class RunReport(Record):
    """All that a report says. The first router of `evaluation` is the one in question.

    `rows` counts rows per part of the split. `sources` counts rows per source of the outcomes (expert, reference,
    judge). `lineage` holds fingerprints and versions by name. `curves` holds a curve per router to be drawn, with
    `random` and `oracle` beside them.
    """

    format: Literal["preceptor/report/1"] = "preceptor/report/1"
    name: str
    created: str
    target: str
    rows: Mapping[str, int]
    sources: Mapping[str, int] = {}
    evaluation: Evaluation
    calibration: CalibrationCheck
    operating: Operating
    curves: Mapping[str, Curve]
    lineage: Mapping[str, str]
    limits: tuple[str, ...] = LIMITS


class Advice(NamedTuple):
    """What to do, why, and whether the evidence is for it (good), open, or against."""

    mood: Literal["good", "open", "against"]
    headline: str
    reason: str


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
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"label": label, "percent": percent, "span": span}
    return environment.get_template("report.html").render(
        report=report, advice=advise(report), recovered=recovered(report), figures=figures
    )


def figures_of(report: RunReport) -> dict[str, str]:
    """The three figures as SVG texts by name, the same that stand in the HTML: curves, reliability, intervals."""
    lines = {label(name): Line(curve.share_strong, curve.quality) for name, curve in report.curves.items()}
    at = (report.operating.share_strong.estimate, report.operating.quality)
    apgr = {label(name): figures.apgr for name, figures in report.evaluation.routers.items()}
    return {
        "curves": cost_quality_svg(lines, at=at),
        "reliability": reliability_svg(report.calibration.bins),
        "intervals": intervals_svg(apgr, reference=0.5, xlabel="APGR (0.5 is a coin)"),
    }


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


def advise(report: RunReport) -> Advice:
    """What someone who reads no statistics can act on: promote, wait, or do not.

    Promote only when the interval lies above a coin's and above every other router measured on the same rows.
    """
    evaluation = report.evaluation
    first, figures = next(iter(evaluation.routers.items()))
    others = evaluation.better_than
    better = [name for name, difference in others.items() if difference.high < 0]
    open_to = [name for name, difference in others.items() if difference.low <= 0 <= difference.high]
    name = _plain(first)
    if figures.apgr.low <= 0.5:
        return Advice(
            "against",
            f"Do not promote {name}.",
            "On queries it had not seen it cannot be told from a coin. Label more queries, or queries closer to these.",
        )
    if better:
        return Advice(
            "against",
            f"Do not promote {name}.",
            f"{_capital(_listed(better))} did better on the same queries. Use that instead, or label more queries.",
        )
    if open_to:
        return Advice(
            "open",
            f"{_capital(name)} is better than a coin, but not yet proven.",
            f"It could not be shown to beat {_listed(open_to)} on these queries. More labels would decide it.",
        )
    beaten = f"{_listed(list(others))}, each" if others else "a coin"
    return Advice(
        "good",
        f"{_capital(name)} is ready for promotion.",
        f"On queries it had not seen it beat {beaten} by more than chance explains.",
    )


def recovered(report: RunReport) -> float:
    """Share of the quality gap between the models that the threshold recovers on the test rows."""
    evaluation = report.evaluation
    gap = evaluation.strong_quality - evaluation.weak_quality
    return (report.operating.quality - evaluation.weak_quality) / gap


def label(name: str) -> str:
    """The name on paper.

    >>> label("tfidf_ridge"), label("my-router")
    ('TF-IDF ridge', 'my-router')
    """
    return LABELS.get(name, name)


def percent(share: float, digits: int = 0) -> str:
    r"""A share as a percentage; its sign never stands on a line alone.

    >>> percent(0.304), percent(0.304, 1)
    ('30\xa0%', '30.4\xa0%')
    """
    return f"{share * 100:.{digits}f}\N{NO-BREAK SPACE}%"


def span(interval: Interval, *, sign: bool = False) -> str:
    """The limits of an interval in words that are read aloud rightly.

    >>> span(Interval(estimate=0.7, low=0.65, high=0.75)), span(Interval(estimate=0.1, low=-0.02, high=0.2), sign=True)
    ('0.650 to 0.750', '−0.020 to +0.200')
    """
    form = "+.3f" if sign else ".3f"
    return f"{interval.low:{form}} to {interval.high:{form}}".replace("-", "−")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(name: str) -> str:
    return IN_A_SENTENCE.get(name, name)


def _listed(names: list[str]) -> str:
    plain = [_plain(name) for name in names]
    return plain[0] if len(plain) == 1 else ", ".join(plain[:-1]) + " and " + plain[-1]
