"""The results as one SVG: AUROC by fault, precision by filter, the poisoning curve."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from benchmarks.filters.table import WANTED, interval, methods

_WIDTH, _ROW, _LABEL = 760, 22, 190
_OURS, _OTHER, _WISH = "#1b7f5c", "#9aa3ad", "#c0392b"


def svg(results: dict[str, Any]) -> str:
    """Dots with 95 % intervals over seeds; red lines are what was promised."""
    parts: list[str] = []
    y = 10.0
    found = methods(results)
    shown: list[str] = [n for n in ("ours", "plain DFN", "pool CLIP", "binary classifier", "random") if n in found]
    for fault, wish in WANTED.items():
        rows = {n: [s["auroc"][fault] for s in found[n] if "auroc" in s] for n in shown}
        y = _panel(parts, y, f"AUROC: right against {fault}", rows, 0.4, 1.0, wish)
    precision = {n: [s["precision"] for s in seeds] for n, seeds in found.items()}
    y = _panel(parts, y, "Right pairs among the kept fifth", _best_first(precision), 0.0, 1.0, 0.75)
    y = _curve(parts, y, list(results.get("poison", {}).values()))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:.0f}" font-family="sans-serif" '
        f'font-size="13" fill="#24292f">\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _panel(
    parts: list[str],
    y: float,
    title: str,
    rows: dict[str, list[float]],
    low: float,
    high: float | None,
    wish: float | None,
) -> float:
    top = high if high is not None else 1.1 * max(v for values in rows.values() for v in values)

    def at(value: float) -> float:
        return _LABEL + (_WIDTH - _LABEL - 130) * (min(max(value, low), top) - low) / (top - low)

    parts.append(f'<text x="10" y="{y + 16:.0f}" font-weight="600">{escape(title)}</text>')
    y += 26
    if wish is not None:
        parts.append(
            f'<line x1="{at(wish):.1f}" x2="{at(wish):.1f}" y1="{y:.0f}" y2="{y + _ROW * len(rows):.0f}" '
            f'stroke="{_WISH}" stroke-dasharray="3 3"/>'
        )
    for name, values in rows.items():
        mean, half = interval(values)
        if math.isnan(mean):
            continue
        colour = _OURS if name.startswith("ours") else _OTHER
        middle = y + _ROW / 2
        parts.append(f'<text x="{_LABEL - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        if not math.isnan(half):
            parts.append(
                f'<line x1="{at(mean - half):.1f}" x2="{at(mean + half):.1f}" y1="{middle:.1f}" y2="{middle:.1f}" '
                f'stroke="{colour}" stroke-width="3"/>'
            )
        parts.append(f'<circle cx="{at(mean):.1f}" cy="{middle:.1f}" r="4.5" fill="{colour}"/>')
        shown = f"{mean:.3f}" + ("" if math.isnan(half) else f" ± {half:.3f}")
        parts.append(f'<text x="{_WIDTH - 120}" y="{middle + 4:.1f}">{shown}</text>')
        y += _ROW
    return y + 14


def _best_first(rows: dict[str, list[float]]) -> dict[str, list[float]]:
    return dict(sorted(rows.items(), key=lambda row: -interval(row[1])[0]))


def _curve(parts: list[str], y: float, seeds: list[dict[str, float]]) -> float:
    """Precision of plain DFN over the share of shuffled texts in what it was trained on."""
    if not seeds:
        return y
    told = [(float(share), *interval([s[share] for s in seeds])) for share in sorted(seeds[0], key=float)]
    height, width = 150.0, _WIDTH - _LABEL - 130
    top = 1.05 * max(mean + (0.0 if math.isnan(half) else half) for _, mean, half in told)

    def at(share: float, value: float) -> tuple[float, float]:
        return _LABEL + width * share, y + 26 + height * (1 - min(max(value, 0.0), top) / top)

    title = "Plain DFN: precision among the kept against the share of shuffled texts in its training set"
    parts.append(f'<text x="10" y="{y + 16:.0f}" font-weight="600">{title}</text>')
    left, floor = at(0, 0)
    parts.append(f'<path d="M{left:.1f} {y + 26:.1f}V{floor:.1f}H{left + width:.1f}" fill="none" stroke="{_OTHER}"/>')
    line = " ".join("{:.1f},{:.1f}".format(*at(share, mean)) for share, mean, _ in told)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_OURS}" stroke-width="2"/>')
    for share, mean, half in told:
        x, middle = at(share, mean)
        if not math.isnan(half):
            ends = at(share, mean - half)[1], at(share, mean + half)[1]
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}" stroke="{_OURS}"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{middle:.1f}" r="4" fill="{_OURS}"/>')
        parts.append(f'<text x="{x + 7:.1f}" y="{middle - 6:.1f}">{mean:.2f}</text>')
        parts.append(f'<text x="{x:.1f}" y="{floor + 16:.1f}" text-anchor="middle">{share:.0%}</text>')
    return y + height + 60
