"""The figures of reports, as SVG text: cost-quality curves, reliability, intervals, costs, learning curves.

Each takes plain numbers and says in its description what it shows. Nothing is shown or written here.
"""

from collections.abc import Mapping, Sequence
from math import ceil, log2
from typing import NamedTuple

import numpy as np

from assurance.bands import SHARES, CurveBand
from assurance.bootstrap import Interval
from assurance.reliability import ReliabilityBin
from pipeline.plots import (
    LETTER,
    Frame,
    Stroke,
    axes,
    band,
    bar,
    legend,
    line,
    mark,
    nice_ticks,
    rule,
    sample_band,
    sample_line,
    sign,
    spread,
    svg,
    text_at,
)


class Line(NamedTuple):
    """One curve to draw: share of strong calls against quality."""

    share_strong: Sequence[float]
    quality: Sequence[float]


class Marks(NamedTuple):
    """Points on a cost-quality figure: (share of strong calls, quality); None is not drawn."""

    policy: tuple[float, float] | None = None
    knee: tuple[float, float] | None = None


NO_MARKS = Marks()
REFERENCES = {"Random": Stroke("muted", 1.2, "1 4"), "Oracle": Stroke("muted", 1)}
ROUTERS = (Stroke("accent", 2.6), Stroke("second", 1.8, "7 3"), Stroke("ink", 1.5, "3 3"), Stroke("muted", 1.5, "1 3"))
SIDES = (340.0, 276.0)


def cost_quality_svg(
    lines: Mapping[str, Line],
    *,
    limits: CurveBand | None = None,
    marks: Marks = NO_MARKS,
    name: str = "curves",
    title: str,
    has_legend: bool = True,
) -> str:
    """Mean quality against the share of strong calls: a line per router, the first with its band.

    Args:
        lines: by the name in the legend, most important first; `Random` and `Oracle` are drawn as references.
        limits: 95 % limits of the first line.
        marks: what the thresholds do, and the knee of the first line.
        name: makes ids unique on a page.
        title: what the figure is called.
        has_legend: whether it says what its lines are; not where it stands among others like it.
    """
    values = [value for one in lines.values() for value in one.quality]
    values += [*limits.low, *limits.high] if limits else []
    low, high = spread(values)
    frame = Frame((0.0, 1.0), (low, high), top=28)
    looks = iter(ROUTERS)
    strokes = {label: REFERENCES.get(label) or next(looks, ROUTERS[-1]) for label in lines}
    items = [(sample_line(stroke), label) for label, stroke in strokes.items()]
    parts = [_share_axes(frame, y_label="Mean quality of the answers")]
    if limits:
        parts.append(band(frame, SHARES.tolist(), limits.low, limits.high))
        items.insert(1, (sample_band(), "95 % band"))
    parts += [
        line(frame, one.share_strong, one.quality, strokes[label]) for label, one in reversed(list(lines.items()))
    ]
    first = next(iter(lines.values()))
    weak, strong = first.quality[0], first.quality[-1]
    parts += [mark(frame, 0, weak, "ring", "ink", size=4), mark(frame, 1, strong, "square", "ink", size=4.5)]
    items += [
        (sign(0, 0, "ring", "ink", size=4), "Always weak"),
        (sign(0, 0, "square", "ink", size=4.5), "Always strong"),
    ]
    if marks.knee:
        parts.append(mark(frame, *marks.knee, "diamond", "second"))
        items.append((sign(0, 0, "diamond", "second"), "Knee"))
    if marks.policy:
        parts.append(mark(frame, *marks.policy, "dot", "accent", size=6.5))
        items.append((sign(0, 0, "dot", "accent", size=6), "These thresholds"))
    at = (
        f" The thresholds stand at {marks.policy[0]:.0%} strong calls, quality {marks.policy[1]:.3f}."
        if marks.policy
        else ""
    )
    desc = (
        f"Mean quality against the share of calls to the strong model, from {weak:.3f} with none to {strong:.3f} with "
        f"only such calls. Lines: {', '.join(lines)}.{at}"
    )
    return _with_legend(parts, items if has_legend else [], name=name, title=title, desc=desc)


def reliability_svg(
    bins: Sequence[ReliabilityBin], *, name: str = "reliability", title: str, has_legend: bool = True
) -> str:
    """Observed against predicted probability, with the band in which a perfectly calibrated model stays."""
    most = max((value for one in bins for value in (one.predicted, one.observed, one.high)), default=1.0)
    end = min(1.0, max(0.2, ceil(most * 5) / 5))
    frame = Frame((0.0, end), (0.0, end), top=28)
    shares = [(share, f"{share:.0%}") for share in np.linspace(0.0, end, 5).tolist()]
    parts = [
        axes(
            frame,
            x_ticks=shares,
            y_ticks=shares,
            x_label="Probability given",
            y_label="Share that needed the strong model",
        )
    ]
    parts += [rule(frame, (one.predicted, one.low), (one.predicted, one.high), Stroke("band", 9)) for one in bins]
    parts.append(rule(frame, (0, 0), (end, end), Stroke("muted", 1.2, "1 4")))
    parts.append(line(frame, [one.predicted for one in bins], [one.observed for one in bins], Stroke("accent", 1.8)))
    parts += [mark(frame, one.predicted, one.observed, "dot", "accent", size=4) for one in bins]
    items = [
        (sample_line(Stroke("accent", 1.8)) + sign(0, 0, "dot", "accent", size=4), "Router"),
        (sample_band(), "Chance alone (95 %)"),
        (sample_line(Stroke("muted", 1.2, "1 4")), "Perfect"),
    ]
    outside = sum(not one.low <= one.observed <= one.high for one in bins)
    desc = (
        f"Observed share against the probability given, in {len(bins)} groups of queries; {outside} lie outside the "
        "band in which a perfectly calibrated router stays in 95 of 100 studies."
    )
    return _with_legend(parts, items if has_legend else [], name=name, title=title, desc=desc)


def intervals_svg(
    intervals: Mapping[str, Interval], *, reference: float, x_label: str, name: str = "intervals", title: str
) -> str:
    """One row per label: the estimate as a dot, its interval as a bar, and a line at the reference value."""
    left = 14 + LETTER * max(map(len, intervals))
    height = 58 + 24 * len(intervals)
    low, high = spread([reference, *(v for one in intervals.values() for v in (one.low, one.high, one.estimate))])
    frame = Frame((low, high), (len(intervals) - 0.5, -0.5), height=height, left=left, top=10)
    ticks = [(value, f"{value:g}") for value in nice_ticks(low, high, about=4)]
    parts = [axes(frame, x_ticks=ticks, y_ticks=[], x_label=x_label, y_label="")]
    parts.append(rule(frame, (reference, -0.5), (reference, len(intervals) - 0.5), Stroke("muted", 1.4, "1 4")))
    for i, (label, one) in enumerate(intervals.items()):
        look = Stroke("accent" if i == 0 else "muted", 3)
        parts.append(rule(frame, (one.low, i), (one.high, i), look))
        parts.append(mark(frame, one.estimate, i, "dot", look.colour, size=4.5))
        parts.append(text_at(4, frame.at(low, i)[1] + 4, label, weight=650 if i == 0 else 400))
    desc = "; ".join(f"{label} {one}" for label, one in intervals.items())
    return svg(parts, size=(frame.width, height), name=name, title=title, desc=desc)


def costs_svg(amounts: Mapping[str, tuple[float, str]], *, name: str = "costs", title: str) -> str:
    """A bar per way of answering, its amount beside it; the second one is the router's."""
    width, height = SIDES[0], 12 + 44 * len(amounts)
    most = max((amount for amount, _ in amounts.values()), default=0.0) or 1.0
    parts = []
    for i, (label, (amount, text)) in enumerate(amounts.items()):
        y = 8 + 44 * i
        parts.append(text_at(2, y + 10, label))
        parts.append(text_at(width - 2, y + 10, text, anchor="end", weight=650))
        parts.append(bar(2, y + 16, width - 4, height=12, colour="line"))
        parts.append(bar(2, y + 16, (width - 4) * amount / most, height=12, colour="accent" if i == 1 else "muted"))
    desc = "; ".join(f"{label}: {text}" for label, (_, text) in amounts.items())
    return svg(parts, size=(width, height), name=name, title=title, desc=desc)


def learning_curve_svg(sizes: Sequence[int], apgr: Sequence[Interval]) -> str:
    """APGR against the number of labels, on a doubling axis, with intervals and the line of a coin."""
    at = [log2(size) for size in sizes]
    low, high = spread([0.5, *(v for one in apgr for v in (one.low, one.high))])
    frame = Frame(spread(at, least=1.0), (low, high), top=28)
    ticks = [(value, f"{value:g}") for value in nice_ticks(low, high)]
    parts = [
        axes(
            frame,
            x_ticks=[(x, str(size)) for x, size in zip(at, sizes, strict=True)],
            y_ticks=ticks,
            x_label="Labels",
            y_label="APGR on held-out rows",
        ),
        rule(frame, (frame.x[0], 0.5), (frame.x[1], 0.5), Stroke("muted", 1.2, "1 4")),
        *(rule(frame, (x, one.low), (x, one.high), Stroke("band", 8)) for x, one in zip(at, apgr, strict=True)),
        line(frame, at, [one.estimate for one in apgr], Stroke("accent", 1.8)),
        *(mark(frame, x, one.estimate, "dot", "accent", size=4.5) for x, one in zip(at, apgr, strict=True)),
    ]
    items = [
        (sample_line(Stroke("accent", 1.8)) + sign(0, 0, "dot", "accent", size=4), "This router"),
        (sample_band(), "95 % interval"),
        (sample_line(Stroke("muted", 1.2, "1 4")), "Coin"),
    ]
    desc = "; ".join(f"{size} labels {one}" for size, one in zip(sizes, apgr, strict=True))
    return _with_legend(parts, items, name="learning", title="APGR against the number of labels", desc=desc)


def _share_axes(frame: Frame, *, y_label: str) -> str:
    return axes(
        frame,
        x_ticks=[(share, f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)],
        y_ticks=[(value, f"{value:g}") for value in nice_ticks(*frame.y)],
        x_label="Share of calls to the strong model",
        y_label=y_label,
    )


def _with_legend(parts: Sequence[str], items: Sequence[tuple[str, str]], *, name: str, title: str, desc: str) -> str:
    width, height = SIDES
    shown, high = legend(items, top=height, width=width) if items else ("", 0.0)
    return svg([*parts, shown], size=(width, height + high), name=name, title=title, desc=desc)
