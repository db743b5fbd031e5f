"""Figures as SVG text: the same data give the same bytes. Nothing is shown or written here.

Colours are CSS variables with a fallback, so a figure follows the light or dark page it stands in and still reads on
its own. Lines differ in stroke as well as in colour.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from assurance.bootstrap import Interval
from assurance.calibration import ReliabilityBin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Line(NamedTuple):
    """One curve to draw: share of strong calls against quality."""

    share_strong: Sequence[float]
    quality: Sequence[float]


INK, MUTED, GRID, ACCENT, SECOND, BAND = "#17211e", "#54625d", "#d6dedb", "#0b6557", "#b4530a", "#cfe4de"
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line", ACCENT: "accent", SECOND: "second", BAND: "band"}

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "preceptor",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.fontsize": 10,
}


def cost_quality_svg(lines: Mapping[str, Line], *, at: tuple[float, float] | None = None) -> str:
    """Mean quality against the share of strong calls, one line per router.

    Args:
        lines: by the label in the legend, most important first. `Random` and `Oracle` are drawn as references.
        at: where the threshold puts the first router: share of strong calls, quality.
    """
    from matplotlib import rc_context
    from matplotlib.ticker import PercentFormatter

    with rc_context(_STYLE):
        figure, axes = _square()
        colours = iter([ACCENT, SECOND, INK, MUTED])
        strokes: Iterator[Any] = iter(["-", (0, (6, 2)), (0, (3, 2, 1, 2)), (0, (1, 1))])
        for i, (label, line) in enumerate(lines.items()):
            if label == "Random":
                axes.plot(line.share_strong, line.quality, color=MUTED, lw=1.2, ls=(0, (2, 3)), label=label)
            elif label == "Oracle":
                axes.plot(line.share_strong, line.quality, color=MUTED, lw=1.2, label=label)
            else:
                width = 2.6 if i == 0 else 1.8
                stroke, colour = next(strokes, "-"), next(colours, MUTED)
                axes.plot(line.share_strong, line.quality, color=colour, lw=width, ls=stroke, label=label)
        if at is not None:
            axes.plot([at[0]], [at[1]], "o", ms=9, color=ACCENT, label="This threshold")
        axes.set(xlim=(0, 1), xlabel="Share of calls to the strong model", ylabel="Mean quality of the answers")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.legend(loc="lower right", handlelength=2.6)
        return _svg(figure, prefix="curve")


def reliability_svg(bins: Sequence[ReliabilityBin]) -> str:
    """Observed against predicted probability, with the band in which a perfectly calibrated model stays."""
    from matplotlib import rc_context
    from matplotlib.ticker import PercentFormatter

    predicted = [row.predicted for row in bins]
    with rc_context(_STYLE):
        figure, axes = _square()
        axes.plot([0, 1], [0, 1], color=MUTED, lw=1.2, ls=(0, (2, 3)), label="Perfect")
        lows, highs = [row.low for row in bins], [row.high for row in bins]
        axes.vlines(predicted, lows, highs, color=BAND, lw=9, label="Chance alone (95 %)")
        axes.plot(predicted, [row.observed for row in bins], "o-", color=ACCENT, lw=1.8, ms=6, label="This router")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="Probability given by the router", ylabel="Share that needed it")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.legend(loc="upper left")
        return _svg(figure, prefix="reliability")


def intervals_svg(intervals: Mapping[str, Interval], *, reference: float, xlabel: str) -> str:
    """One row per label: the estimate as a dot, its interval as a bar, and a line at the reference value."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 0.9 + 0.36 * len(intervals)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(reference, color=MUTED, lw=1.2, ls=(0, (2, 3)))
        for i, interval in enumerate(intervals.values()):
            colour = ACCENT if i == 0 else MUTED
            axes.plot([interval.low, interval.high], [i, i], color=colour, lw=3, solid_capstyle="round")
            axes.plot([interval.estimate], [i], "o", color=colour, ms=7)
        axes.set_yticks(range(len(intervals)), list(intervals))
        axes.set(xlabel=xlabel, ylim=(len(intervals) - 0.4, -0.6))
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", lw=0.7)
        axes.set_axisbelow(True)
        return _svg(figure, prefix="intervals")


def learning_curve_svg(sizes: Sequence[int], apgr: Sequence[Interval]) -> str:
    """APGR against the number of labels, on a doubling axis, with intervals and the line of a coin."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        figure, axes = _square()
        axes.axhline(0.5, color=MUTED, lw=1.2, ls=(0, (2, 3)), label="Coin")
        axes.vlines(sizes, [i.low for i in apgr], [i.high for i in apgr], color=BAND, lw=7, label="95 % interval")
        axes.plot(sizes, [i.estimate for i in apgr], "o-", color=ACCENT, lw=1.8, ms=6, label="This router")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set(xlabel="Labels", ylabel="APGR on held-out rows")
        axes.legend(loc="upper left")
        return _svg(figure, prefix="learning")


def _square() -> "tuple[Figure, Axes]":
    """A nearly square figure that still reads at 320 px."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.grid(lw=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: "Figure", *, prefix: str) -> str:
    """The figure as one <svg> element: no date, no metadata, ids that are unique on the page, colours by variable."""
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable}, {colour})")
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", text, count=1)
    return re.sub(r'(<svg [^>]*?)height="[^"]*"', r"\1", text, count=1)
