"""A small drawing kit for figures as SVG text: a frame with axes, and lines, bands, dots and bars in it.

The same data give the same bytes. Colours are CSS variables with a fallback, so a figure follows the light or dark page
it stands in and still reads on its own; nothing is told by colour alone. A value that is not finite is never drawn.
Knows nothing of routers.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Colour = Literal["ink", "muted", "line", "accent", "second", "band", "surface"]

FALLBACK = {
    "ink": "#17211e",
    "muted": "#54625d",
    "line": "#d6dedb",
    "accent": "#0b6557",
    "second": "#b4530a",
    "band": "#cfe4de",
    "surface": "#ffffff",
}
"""Colours of a figure that stands alone."""

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'
LETTER = 6.9
"""Mean width of a letter at the size of a figure's text, in its units."""


@dataclass(frozen=True)
class Frame:
    """The plotted rectangle and what it spans. Units are those of the viewBox, about a pixel on a telephone."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 340
    height: float = 276
    left: float = 44
    right: float = 20
    top: float = 14
    bottom: float = 44

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a value lies in the viewBox.

        >>> Frame((0, 1), (0, 1), width=100, height=100, left=0, right=0, top=0, bottom=0).at(0.25, 0.25)
        (25.0, 75.0)
        """
        (x0, x1), (y0, y1) = self.x, self.y
        across, up = self.width - self.left - self.right, self.height - self.top - self.bottom
        return (self.left + (x - x0) / (x1 - x0) * across, self.top + (1 - (y - y0) / (y1 - y0)) * up)


@dataclass(frozen=True)
class Stroke:
    """How a line looks: colour, width, dashes ("" is solid)."""

    colour: Colour
    width: float = 1.8
    dashes: str = ""


def svg(parts: Iterable[str], *, size: tuple[float, float], name: str, title: str, desc: str) -> str:
    """One <svg> element with a title and a description for those who do not see it; `name` makes its ids unique."""
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc" font-family="{escape(FONT)}" font-size="11.5">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(desc)}</desc>'
        + "".join(parts)
        + "</svg>"
    )


def axes(
    frame: Frame,
    *,
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
    x_label: str,
    y_label: str,
) -> str:
    """Grid, tick labels and the two axis labels; that of y lies flat above its axis, to be read without a turn."""
    (x0, x1), (y0, y1) = frame.x, frame.y
    parts = []
    for value, text in y_ticks:
        (left, y), (right, _) = frame.at(x0, value), frame.at(x1, value)
        parts.append(_segment(left, y, right, y, Stroke("line", 0.8)))
        parts.append(text_at(left - 7, y + 4, text, anchor="end", colour="muted"))
    for value, text in x_ticks:
        (x, bottom), (_, top) = frame.at(value, y0), frame.at(value, y1)
        parts.append(_segment(x, top, x, bottom, Stroke("line", 0.8)))
        parts.append(text_at(x, bottom + 16, text, anchor="middle", colour="muted"))
    (left, bottom), (right, _) = frame.at(x0, y0), frame.at(x1, y0)
    parts.append(_segment(left, bottom, right, bottom, Stroke("muted", 1)))
    parts.append(text_at((left + right) / 2, bottom + 34, x_label, anchor="middle"))
    parts.append(text_at(4, frame.top - 14, y_label))
    return "".join(parts)


def line(frame: Frame, xs: Sequence[float], ys: Sequence[float], stroke: Stroke) -> str:
    """A line through the points; it breaks where one is not finite."""
    pieces: list[list[str]] = [[]]
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(x) and math.isfinite(y):
            pieces[-1].append(_point(frame, x, y))
        elif pieces[-1]:
            pieces.append([])
    return "".join(
        f'<polyline points="{" ".join(piece)}" fill="none" {_stroke(stroke)} stroke-linejoin="round"/>'
        for piece in pieces
        if len(piece) > 1
    )


def band(frame: Frame, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> str:
    """The area between two lines."""
    known = [
        (x, low, high) for x, low, high in zip(xs, lows, highs, strict=True) if all(map(math.isfinite, (x, low, high)))
    ]
    there = [_point(frame, x, high) for x, _, high in known]
    back = [_point(frame, x, low) for x, low, _ in reversed(known)]
    return f'<polygon points="{" ".join(there + back)}" fill="{_colour("band")}" fill-opacity="0.75"/>' if known else ""


def rule(frame: Frame, start: tuple[float, float], end: tuple[float, float], stroke: Stroke) -> str:
    """A straight line between two points of the frame."""
    if not all(map(math.isfinite, (*start, *end))):
        return ""
    return _segment(*frame.at(*start), *frame.at(*end), stroke)


def mark(frame: Frame, x: float, y: float, shape: str, colour: Colour, *, size: float = 5) -> str:
    """A mark at a point: `dot`, `ring`, `square`, or `diamond`; each with a rim, so that lines do not hide it."""
    return sign(*frame.at(x, y), shape, colour, size=size) if math.isfinite(x) and math.isfinite(y) else ""


def sign(x: float, y: float, shape: str, colour: Colour, *, size: float = 5) -> str:
    """The same mark at a place of the viewBox, as in a legend."""
    fill, rim = _colour(colour), f'stroke="{_colour("surface")}" stroke-width="1.6"'
    if shape == "ring":
        return (
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(size)}" fill="{_colour("surface")}" '
            f'stroke="{fill}" stroke-width="2"/>'
        )
    if shape == "square":
        side = _n(2 * size)
        return f'<rect x="{_n(x - size)}" y="{_n(y - size)}" width="{side}" height="{side}" fill="{fill}" {rim}/>'
    if shape == "diamond":
        s = size * 1.35
        corners = " ".join(f"{_n(a)},{_n(b)}" for a, b in ((x, y - s), (x + s, y), (x, y + s), (x - s, y)))
        return f'<polygon points="{corners}" fill="{fill}" {rim}/>'
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(size)}" fill="{fill}" {rim}/>'


def bar(x: float, y: float, width: float, *, height: float, colour: Colour) -> str:
    """A filled bar at a place of the viewBox, its corners a little round."""
    if not math.isfinite(width):
        return ""
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0))}" height="{_n(height)}" rx="2" '
        f'fill="{_colour(colour)}"/>'
    )


def text_at(x: float, y: float, text: str, *, anchor: str = "start", colour: Colour = "ink", weight: int = 400) -> str:
    """A text at a place of the viewBox."""
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" fill="{_colour(colour)}"{bold}>{escape(text)}</text>'


def legend(items: Sequence[tuple[str, str]], *, top: float, width: float, left: float = 6) -> tuple[str, float]:
    """Rows of samples with their names, and how high they are.

    Args:
        items: (a sample drawn around (0, 0), 24 units wide; its name).
        top: where the first row starts.
        width: of the viewBox; rows break before it.
        left: where rows start.
    """
    parts, x, y = [], left, top + 10
    for sample, name in items:
        wide = 30 + LETTER * len(name) + 13
        if x > left and x + wide > width:
            x, y = left, y + 18
        parts.append(f'<g transform="translate({_n(x + 12)} {_n(y)})">{sample}</g>' + text_at(x + 30, y + 4, name))
        x += wide
    return "".join(parts), y + 10 - top


def sample_line(stroke: Stroke) -> str:
    """A line's sample in a legend."""
    return _segment(-12, 0, 12, 0, stroke)


def sample_band() -> str:
    """A band's sample in a legend."""
    return f'<rect x="-12" y="-6" width="24" height="12" rx="2" fill="{_colour("band")}"/>'


def nice_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers inside [low, high], about so many, a step of 1, 2 or 5 times a power of ten apart.

    >>> nice_ticks(0.13, 0.91)
    [0.2, 0.4, 0.6, 0.8]
    """
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def spread(values: Iterable[float], *, room: float = 0.06, least: float = 0.02) -> tuple[float, float]:
    """A span that holds every finite value with some room around; never empty.

    >>> spread([0.5, 0.5, float("nan")], least=0.2)
    (0.4, 0.6)
    """
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    half = max((high - low) * (0.5 + room), least / 2)
    middle = (low + high) / 2
    return (middle - half, middle + half)


def _segment(x0: float, y0: float, x1: float, y1: float, stroke: Stroke) -> str:
    return f'<line x1="{_n(x0)}" y1="{_n(y0)}" x2="{_n(x1)}" y2="{_n(y1)}" {_stroke(stroke)}/>'


def _stroke(stroke: Stroke) -> str:
    dashes = f' stroke-dasharray="{stroke.dashes}"' if stroke.dashes else ""
    return f'stroke="{_colour(stroke.colour)}" stroke-width="{_n(stroke.width)}"{dashes} stroke-linecap="round"'


def _colour(name: Colour) -> str:
    return f"var(--{name}, {FALLBACK[name]})"


def _point(frame: Frame, x: float, y: float) -> str:
    return ",".join(map(_n, frame.at(x, y)))


def _n(value: float) -> str:
    """A coordinate with one decimal, without a trailing zero."""
    return f"{value:.1f}".removesuffix(".0")
