"""The plot of the results, drawn as SVG by hand: leaking cases by tool, and files per CPU-second."""

from __future__ import annotations

from html import escape
from typing import Any

_WIDTH, _BAR, _GAP, _LABEL = 760, 20, 8, 260
_OURS, _OTHER = "#1b7f5c", "#9aa3ad"


def svg(results: dict[str, Any]) -> str:
    """One panel a measure, one bar a tool; green is ours."""
    panels: list[tuple[str, dict[str, float], str]] = []
    if "headers" in results:
        tools, n = results["headers"]["tools"], results["headers"]["cases"]
        panels.append((f"Adversarial header cases that leak, of {n}", {k: v["leaking"] for k, v in tools.items()}, ""))
    if "burnin" in results:
        tools, n = results["burnin"]["tools"], results["burnin"]["cases"]
        panels.append((f"Burned-in cases that leak, of {n}", {k: v["leaks"] for k, v in tools.items()}, ""))
    if "text" in results:
        recalls = {k: 100 * v["span recall"] for k, v in results["text"].items() if "span recall" in v}
        panels.append(("Spans found in radiology notes", recalls, " %"))
    if "speed" in results:
        panels.append(("Header de-identification, files per CPU-second", results["speed"]["files/cpu-s"], ""))
    parts, y = [], 10
    for title, bars, unit in panels:
        parts.append(f'<text x="10" y="{y + 16}" font-weight="600">{escape(title)}</text>')
        y += 28
        top = max([*bars.values(), 1])
        for name, value in bars.items():
            length = max(2.0, (_WIDTH - _LABEL - 80) * value / top)
            colour = _OURS if name.startswith("curate") else _OTHER
            shown = f"{value:.1f}".rstrip("0").rstrip(".") + unit
            parts.append(f'<text x="{_LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(_short(name))}</text>')
            parts.append(f'<rect x="{_LABEL}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>')
            parts.append(f'<text x="{_LABEL + length + 6:.1f}" y="{y + 15}">{shown}</text>')
            y += _BAR + _GAP
        y += 14
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" font-size="13" '
        f'fill="#24292f">\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _short(name: str) -> str:
    return name if len(name) < 38 else name[:35] + "..."
