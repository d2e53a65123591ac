"""The results as one SVG: what each selection made, against samples seen, and the loader beside webdataset."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from benchmarks.training.answers import cells_of, rows
from benchmarks.training.induced import KINDS, POOLED, PRIMARY
from benchmarks.training.selections import OURS
from benchmarks.training.table import SYNTHETIC
from filters.compare.outcome import ALL, Estimate, estimate, value

_WIDTH, _ROW, _LABEL, _RIGHT = 760, 22, 190, 170
_OURS, _OTHER, _WISH = "#1b7f5c", "#9aa3ad", "#c0392b"
Panel = list[tuple[str, Estimate]]


def svg(results: dict[str, Any]) -> str:
    """Dots with 95 % intervals over seeds; the red line is what was promised."""
    parts: list[str] = []
    y = 10.0
    for title, panel, wish in _panels(results):
        y = _draw(parts, y, title, panel, wish)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:.0f}" font-family="sans-serif" '
        f'font-size="13" fill="#24292f">\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _panels(results: dict[str, Any]) -> list[tuple[str, Panel, float | None]]:
    found: list[tuple[str, Panel, float | None]] = []
    cells = cells_of(results, "synthetic")
    for title in ("R@10", "R@1", "side"):
        panel = [(r.selection, r.estimate) for r in rows(cells, SYNTHETIC[title])]
        found.append((f"Synthetic pool, equal samples seen: {title}", panel, None))
    if cells:
        name = SYNTHETIC["R@10"]
        budgets = sorted({c["budget"] for c in cells})
        panel = [
            (
                f"{selection}, {budget:.0%}",
                estimate([value(c, name) for c in cells if (c["selection"], c["budget"]) == (selection, budget)]),
            )
            for selection in (ALL, OURS)
            for budget in budgets
        ]
        whole = dict(panel)[f"{ALL}, 100%"].value
        found.append(
            ("Synthetic pool, R@10 by share of the samples seen; the line: all with all of them", panel, whole)
        )
    for one in results.get("real", {}).values():
        for kind in KINDS:
            gains = one[kind][POOLED][PRIMARY]
            panel = [(n, Estimate(g["gain"], g["low"], g["high"], one["seeds"])) for n, g in gains.items() if n != ALL]
            found.append((f"Real pairs, {kind}: gain over all in {PRIMARY}", panel, 0.0))
    for told in results.get("loader", {}).values():
        panel = [(case, Estimate(rates["ratio"], None, None, 1)) for case, rates in told.items()]
        found.append(("Loader: records/s over webdataset's", panel, 0.95))
    known = [(title, [(name, e) for name, e in panel if math.isfinite(e.value)], wish) for title, panel, wish in found]
    return [(title, panel, wish) for title, panel, wish in known if panel]


def _draw(parts: list[str], y: float, title: str, panel: Panel, wish: float | None) -> float:
    ends = [v for _, e in panel for v in (e.value, e.low, e.high) if v is not None and math.isfinite(v)]
    ends += [wish] if wish is not None else []
    low, high = min(ends), max(ends)
    margin = 0.06 * (high - low) or 0.05
    low, high = low - margin, high + margin

    def at(v: float) -> float:
        return _LABEL + (_WIDTH - _LABEL - _RIGHT) * (v - low) / (high - low)

    parts.append(f'<text x="10" y="{y + 16:.0f}" font-weight="600">{escape(title)}</text>')
    y += 26
    if wish is not None:
        bottom = y + _ROW * len(panel)
        parts.append(
            f'<line x1="{at(wish):.1f}" x2="{at(wish):.1f}" y1="{y:.0f}" y2="{bottom:.0f}" stroke="{_WISH}" '
            'stroke-dasharray="3 3"/>'
        )
    for name, found in panel:
        parts += _row(name, found, y + _ROW / 2, at)
        y += _ROW
    return y + 14


def _row(name: str, found: Estimate, middle: float, at: Any) -> list[str]:
    colour = _OURS if name.startswith(OURS) else _OTHER
    out = [f'<text x="{_LABEL - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(name)}</text>']
    shown = f"{found.value:.3f}"
    if found.low is not None and found.high is not None:
        out.append(
            f'<line x1="{at(found.low):.1f}" x2="{at(found.high):.1f}" y1="{middle:.1f}" y2="{middle:.1f}" '
            f'stroke="{colour}" stroke-width="3"/>'
        )
        shown += f" [{found.low:.3f}, {found.high:.3f}]"
    out.append(f'<circle cx="{at(found.value):.1f}" cy="{middle:.1f}" r="4.5" fill="{colour}"/>')
    out.append(f'<text x="{_WIDTH - _RIGHT + 15}" y="{middle + 4:.1f}">{shown}</text>')
    return out
