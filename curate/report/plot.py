"""Inline SVG for the report page: bars, flows, histograms, intervals, curves.

Colours come from the page's CSS classes (`kept`, `dropped`, `quarantine`), so that light, dark and print all work.
Every text is escaped here; what these functions return is safe to place in the page as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from curate.report.trust import ReliabilityBin

Part = tuple[str, float]  # (CSS class, share of the full width, 0..1)

_W, _H = 540, 230  # user units; the plots are drawn near this size, so text stays readable on a phone
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 22, 30
_MAX_BARS = 90
_MAX_POINTS = 600
_THIN = 0.003  # a part that exists is never too thin to see


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """About ``wanted`` round numbers (1, 2 or 5 times a power of ten apart) within [low, high]."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low] if math.isfinite(low) else []
    raw = span / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def number(value: float | None) -> str:
    """A measured value in few digits; 'n/a' where there is none."""
    if value is None or not math.isfinite(value):
        return "n/a"
    if value == 0 or 0.001 <= abs(value) < 10:
        return f"{value:.3f}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def bar(parts: Sequence[Part], label: str, mark: float | None = None) -> Markup:
    """A horizontal stacked bar as wide as its container, a line at ``mark`` (0..1); its height is the CSS's."""
    shapes, x = Markup(""), 0.0
    for css, width in parts:
        if width > 0:
            drawn = max(width, _THIN)
            shapes += Markup('<rect class="{}" x="{:.3f}%" width="{:.3f}%" height="100%"/>').format(
                css, 100 * min(x, 1 - _THIN), 100 * drawn
            )
        x += width
    if mark is not None:
        shapes += Markup('<line class="mark" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="100%"/>').format(100 * mark)
    return Markup('<svg class="bar" role="img" aria-label="{}">{}</svg>').format(label, shapes)


def flow(kept: float, parts: Sequence[Part]) -> Markup:
    """What leaves a funnel's bar downwards: the kept part straight on, the others bent away and fading."""
    shapes = Markup('<rect class="flow-kept" width="{:.2f}" height="40"/>').format(1000 * kept)
    x = 1000 * kept
    for css, width in parts:
        if width <= 0:
            continue
        end = x + 1000 * max(width, _THIN)
        shapes += Markup(
            '<path class="flow-{}" d="M{a:.1f} 0H{b:.1f}'
            'C{b:.1f} 22 {d:.1f} 18 {d:.1f} 40H{c:.1f}C{c:.1f} 18 {a:.1f} 22 {a:.1f} 0Z"/>'
        ).format(css, a=x, b=end, c=x + 26, d=end + 26)
        x += 1000 * width
    return Markup(
        '<svg class="flow" viewBox="0 0 1000 40" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(shapes)


def histogram(
    edges: Sequence[float], kept: Sequence[int], dropped: Sequence[int], cut: float | None, label: str
) -> Markup:
    """Kept and dropped counts stacked over ``edges`` (len n+1, rising), a dashed line at ``cut``.

    More than 90 bins are drawn as sums of neighbours. The axis reaches as far as a cut that lies outside the bins.
    """
    size = max(1, math.ceil(len(kept) / _MAX_BARS))
    bins = [
        (edges[i], edges[min(i + size, len(kept))], sum(kept[i : i + size]), sum(dropped[i : i + size]))
        for i in range(0, len(kept), size)
    ]
    marks = [edges[0], edges[-1]] + ([cut] if cut is not None and math.isfinite(cut) else [])
    low, high = _widened(min(marks), max(marks))
    top = max(1, *(k + d for _, _, k, d in bins))
    shapes = _axes(low, high, 0.0, float(top))
    for left, right, k, d in bins:
        if k + d == 0:
            continue
        x0, x1 = _x(left, low, high), _x(right, low, high)
        title = f"{number(left)} to {number(right)}: {k:,} kept, {d:,} dropped"
        shapes += _stack(x0, max(x1 - x0 - 1, 1), (("kept", k), ("dropped", d)), top, title)
    if len(marks) == 3:
        shapes += _cut_line(_x(marks[2], low, high), marks[2])
    return _figure(shapes, label)


def curve(points: Sequence[tuple[float, float]], label: str) -> Markup:
    """A line through one or more finite ``points`` (x, y); more than 600 are thinned evenly, the last stays."""
    step = max(1, math.ceil(len(points) / _MAX_POINTS))
    drawn = list(points[::step])
    if points and drawn[-1] != points[-1]:
        drawn.append(points[-1])
    left, right = _widened(min(x for x, _ in drawn), max(x for x, _ in drawn))
    low, high = _widened(min(y for _, y in drawn), max(y for _, y in drawn))
    low = 0.0 if 0 < low < 0.5 * high else low  # near zero already: show the whole height
    path = " ".join(f"{_x(x, left, right):.1f},{_y(y, low, high):.1f}" for x, y in drawn)
    x, y = _x(drawn[-1][0], left, right), _y(drawn[-1][1], low, high)
    shapes = _axes(left, right, low, high)
    shapes += Markup('<polyline class="line" points="{}"/>').format(path)
    shapes += Markup('<circle class="kept" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(x, y)
    shapes += Markup('<text class="end" x="{:.1f}" y="{:.1f}">{}</text>').format(x - 6, y - 9, number(drawn[-1][1]))
    return _figure(shapes, label)


def scatter(points: Sequence[tuple[float, float]], line: Sequence[tuple[float, float]], label: str) -> Markup:
    """Finite ``points`` (x, y), one or more, and a ``line`` that was fitted to them, on one pair of axes."""
    every = [*points, *line]
    left, right = _widened(min(x for x, _ in every), max(x for x, _ in every))
    low, high = _widened(min(0.0, *(y for _, y in every)), max(y for _, y in every))
    path = " ".join(f"{_x(x, left, right):.1f},{_y(y, low, high):.1f}" for x, y in line)
    shapes = _axes(left, right, low, high) + Markup('<polyline class="line" points="{}"/>').format(path)
    for x, y in points:
        dot = Markup('<circle class="kept" cx="{:.1f}" cy="{:.1f}" r="3.5"/>')
        shapes += dot.format(_x(x, left, right), _y(y, low, high))
    return _figure(shapes, label)


def interval(value: float, low: float | None, high: float | None, label: str) -> tuple[Markup, float, float]:
    """A dot with its interval on an axis, and the axis' ends: 0 to 1 where all lies within, else round numbers."""
    known = [v for v in (value, low, high) if v is not None and math.isfinite(v)]
    start, end = 0.0, 1.0
    if known and not all(0 <= v <= 1 for v in known):
        start, end = _rounded(min(0.0, *known), max(0.0, *known))

    def at(v: float) -> float:
        return 100 * (v - start) / (end - start)

    shapes = Markup('<line class="track" x1="0" x2="100%" y1="11" y2="11"/>')
    shapes += Markup("").join(
        Markup('<line class="track" x1="{0:.2f}%" x2="{0:.2f}%" y1="7" y2="15"/>').format(25 * i) for i in range(5)
    )
    if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
        for x1, x2, y1, y2 in ((low, high, 11, 11), (low, low, 5, 17), (high, high, 5, 17)):
            line = Markup('<line class="whisker" x1="{:.3f}%" x2="{:.3f}%" y1="{}" y2="{}"/>')
            shapes += line.format(at(x1), at(x2), y1, y2)
    if math.isfinite(value):
        shapes += Markup('<circle class="kept" cx="{:.3f}%" cy="11" r="4"/>').format(at(value))
    return Markup('<svg class="interval" role="img" aria-label="{}">{}</svg>').format(label, shapes), start, end


def rate(value: float, low: float, high: float, mark: float, label: str) -> Markup:
    """A share in 0..1 as a dot with its interval, as wide as its container, a line at ``mark``."""
    shapes = Markup('<line class="track" x1="0" x2="100%" y1="11" y2="11"/>')
    shapes += Markup('<line class="mark" x1="{0:.2f}%" x2="{0:.2f}%" y1="1" y2="21"/>').format(100 * mark)
    for x1, x2, y1, y2 in ((low, high, 11, 11), (low, low, 6, 16), (high, high, 6, 16)):
        line = Markup('<line class="whisker" x1="{:.3f}%" x2="{:.3f}%" y1="{}" y2="{}"/>')
        shapes += line.format(100 * x1, 100 * x2, y1, y2)
    shapes += Markup('<circle class="kept" cx="{:.3f}%" cy="11" r="4"/>').format(100 * value)
    return Markup('<svg class="interval" role="img" aria-label="{}">{}</svg>').format(label, shapes)


def reliability(bins: Sequence[ReliabilityBin], label: str) -> Markup:
    """Share that is right over the probability said, both 0..1, with intervals; on the dashed line they agree."""
    shapes = _axes(0.0, 1.0, 0.0, 1.0)
    diagonal = Markup('<line class="cut" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    shapes += diagonal.format(_x(0, 0, 1), _y(0, 0, 1), _x(1, 0, 1), _y(1, 0, 1))
    for b in bins:
        x = _x(b.predicted, 0, 1)
        title = f"{b.n:,} pairs said {number(b.predicted)}: {number(b.observed)} right"
        whisker = Markup('<line class="whisker" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>')
        shapes += Markup("<g><title>{}</title>{}{}</g>").format(
            title,
            whisker.format(x, _y(b.lower, 0, 1), _y(b.upper, 0, 1)),
            Markup('<circle class="kept" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(x, _y(b.observed, 0, 1)),
        )
    return _figure(shapes, label)


def shares(expected: Sequence[float], found: Sequence[float], label: str) -> Markup:
    """Two shares of each bin side by side, the bins numbered from 1: what was expected, what was found."""
    top = max(*expected, *found, 1e-9)
    shapes, width = _axes(0.5, len(found) + 0.5, 0.0, top), (_W - _LEFT - _RIGHT) / len(found)
    for i, pair in enumerate(zip(expected, found, strict=True)):
        left = _LEFT + i * width
        for j, (css, value) in enumerate(zip(("dropped", "kept"), pair, strict=True)):
            y = _y(value, 0, top)
            bar_ = Markup('<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>')
            shapes += bar_.format(css, left + width * (0.1 + 0.4 * j), y, 0.38 * width, max(_H - _BOTTOM - y, 0.0))
    return _figure(shapes, label)


def _widened(low: float, high: float) -> tuple[float, float]:
    """A range that can be divided by: one value alone is put in the middle of a small one."""
    pad = max(abs(low), 1.0) * 0.05
    return (low, high) if high > low else (low - pad, high + pad)


def _rounded(low: float, high: float) -> tuple[float, float]:
    low, high = _widened(low, high)
    marks = ticks(low, high, 4)
    step = marks[1] - marks[0] if len(marks) > 1 else high - low
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def _x(v: float, low: float, high: float) -> float:
    return _LEFT + (_W - _LEFT - _RIGHT) * (v - low) / (high - low)


def _y(v: float, low: float, high: float) -> float:
    return _H - _BOTTOM - (_H - _TOP - _BOTTOM) * (v - low) / (high - low)


def _axes(left: float, right: float, low: float, high: float) -> Markup:
    shapes, right_end = Markup(""), _W - _RIGHT
    rows, columns = ticks(low, high, 4), ticks(left, right, 6)
    for v, text in zip(rows, _labels(rows), strict=True):
        y = _y(v, low, high)
        shapes += Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>').format(_LEFT, right_end, y=y)
        shapes += Markup('<text class="tick y" x="{}" y="{:.1f}">{}</text>').format(_LEFT - 7, y + 4, text)
    for v, text in zip(columns, _labels(columns), strict=True):
        shapes += Markup('<text class="tick" x="{:.1f}" y="{}">{}</text>').format(_x(v, left, right), _H - 9, text)
    return shapes


def _labels(values: Sequence[float]) -> list[str]:
    """As many decimals as the distance between ticks needs; large numbers as 20k or 3M, to fit the margin."""
    largest = max(map(abs, values), default=0.0)
    if largest >= 1e4:
        unit, suffix = (1.0, "") if largest >= 1e9 else (1e6, "M") if largest >= 1e6 else (1e3, "k")
        return [f"{v / unit:.3g}{suffix if v else ''}" for v in values]
    step = min((b - a for a, b in pairwise(values)), default=1.0)
    decimals = min(9, max(0, -math.floor(math.log10(step) + 1e-9)))
    return [f"{v + 0.0:,.{decimals}f}" for v in values]


def _stack(x: float, width: float, parts: Sequence[tuple[str, int]], top: int, title: str) -> Markup:
    shapes, base = Markup(""), 0
    for css, n in parts:
        y0, y1 = _y(base, 0, top), _y(base + n, 0, top)
        base += n
        if n:
            shapes += Markup('<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>').format(
                css, x, y1, width, max(y0 - y1, 0.6)
            )
    return Markup("<g><title>{}</title>{}</g>").format(title, shapes)


def _cut_line(x: float, cut: float) -> Markup:
    side = "end" if x > _W / 2 else "start"
    return Markup(
        '<line class="cut" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>'
        '<text class="cut-label {}" x="{:.1f}" y="13">cut {}</text>'
    ).format(4, _H - _BOTTOM, side, x + (-6 if side == "end" else 6), number(cut), x=x)


def _figure(shapes: Markup, label: str) -> Markup:
    svg = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return svg.format(_W, _H, label, shapes)
