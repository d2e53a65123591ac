"""The benchmark's table and plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_GOALS = {
    "changed or withheld": "<= 2 %",
    "painted share of anatomy, median": "0",
    "painted share of anatomy, 99th percentile": "<= 1 %",
    "left readable, by the reader": "<= 0.5 %",
    "left readable, by string": "<= 0.5 %",
    "painted area / text area, median": "<= 2",
    "painted area / text area, 99th percentile": "<= 6",
    "painted more than 10 px from text, mean share": "<= 0.5 %",
}


def tabled(told: dict[str, Any]) -> str:
    """A Markdown table: a row a figure, a column a gate, intervals in brackets."""
    gates = [name for name, figures in told.items() if isinstance(figures, dict) and "planted text" in figures]
    lines = ["| figure | goal | " + " | ".join(gates) + " |", "|---|---|" + "---|" * len(gates)]
    for part in ("pictures without text", "planted text"):
        for key, value in told[gates[0]][part].items():
            flat = value["all"] if isinstance(value, dict) and "all" in value else value
            if isinstance(flat, dict) and "interval" in flat:
                cells = [told[gate][part][key] for gate in gates]
                shown = [_cell(key, c.get("all", c)) for c in cells]
                lines.append(f"| {part}: {key} | {_GOALS.get(key, '')} | " + " | ".join(shown) + " |")
    covered = [
        f"{sum(p['covered'] for p in told[g]['burned_in_images'].values())} of "
        f"{sum(p['boxes'] for p in told[g]['burned_in_images'].values())}"
        for g in gates
    ]
    lines.append("| burned_in_images: boxes covered | all | " + " | ".join(covered) + " |")
    return "\n".join(lines) + "\n"


def _cell(key: str, figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "none"
    plain = "area /" in key or "CPU" in key
    a, b, c = ((f"{v:.2f}" if plain else f"{100 * v:.2f} %") for v in (figure["value"], *figure["interval"]))
    return f"{a} ({b} to {c}), n = {figure['of']}"


def plotted(told: dict[str, Any], path: Path) -> None:
    """Share of lines found by their height and by their contrast, with intervals, as SVG."""
    width, height, left, gap = 720, 300, 50, 340
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {box}>', '<rect width="100%" height="100%" fill="#fff"/>']
    for panel, name in enumerate(("height", "contrast")):
        x0 = left + panel * gap
        parts.append(f'<text x="{x0}" y="20">found, by {"height in px" if name == "height" else "contrast"}</text>')
        for value in (0, 0.5, 1):
            y = 260 - 220 * value
            parts.append(
                f'<line x1="{x0}" x2="{x0 + 280}" y1="{y}" y2="{y}" stroke="#ddd"/>'
                f'<text x="{x0 - 30}" y="{y + 4}">{value:g}</text>'
            )
        for gate, colour in (("before", "#b55"), ("this", "#247")):
            if gate in told:
                cells = told[gate]["planted text"]["by"][name]
                for k, (key, cell) in enumerate(sorted(cells.items())):
                    x, found = x0 + 20 + k * 44 + (6 if gate == "this" else 0), cell["found"]
                    low, high = (260 - 220 * v for v in found["interval"])
                    parts.append(f'<line x1="{x}" x2="{x}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}"/>'
                                 f'<circle cx="{x}" cy="{260 - 220 * found["value"]:.1f}" r="4" fill="{colour}"/>'
                                 f'<text x="{x0 + 12 + k * 44}" y="278">{float(key):g}</text>')  # fmt: skip
    parts.append(
        '<text x="50" y="296" fill="#247">this gate</text><text x="130" y="296" fill="#b55">before</text></svg>'
    )
    path.write_text("\n".join(parts) + "\n")


_COLOURS = ("#247", "#b55", "#482")


def curves(told: dict[str, Any], path: Path) -> None:
    """The share of lines found, a panel for each thing that was changed and a line for each font, as SVG."""
    width, gap, names = 760, 210, list(told)
    rows = -(-len(names) // 2)
    box = f'viewBox="0 0 {width} {rows * gap + 30}" font-family="sans-serif" font-size="11"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {box}>', '<rect width="100%" height="100%" fill="#fff"/>']
    for k, name in enumerate(names):
        x0, y0 = 40 + (k % 2) * 370, 180 + (k // 2) * gap
        parts.append(f'<text x="{x0}" y="{y0 - 155}">found, by {name}</text>')
        for value in (0, 0.5, 1):
            y = y0 - 140 * value
            parts.append(f'<line x1="{x0}" x2="{x0 + 310}" y1="{y}" y2="{y}" stroke="#ddd"/>'
                         f'<text x="{x0 - 24}" y="{y + 4}">{value:g}</text>')  # fmt: skip
        for colour, cells in zip(_COLOURS, told[name].values(), strict=False):
            step = 300 / max(len(cells) - 1, 1)
            shown = [(x0 + j * step, cell["value"]) for j, cell in enumerate(cells.values())]
            points = " ".join(f"{x:.1f},{y0 - 140 * value:.1f}" for x, value in shown if value is not None)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        ticks = list(next(iter(told[name].values())))
        step, every = 300 / max(len(ticks) - 1, 1), -(-len(ticks) // 12)
        parts += [f'<text x="{x0 + j * step - 6:.1f}" y="{y0 + 15}">{t}</text>'
                  for j, t in enumerate(ticks) if j % every == 0]  # fmt: skip
    fonts = list(next(iter(told.values())))
    parts += [f'<text x="{40 + 160 * k}" y="{rows * gap + 20}" fill="{c}">{font}</text>'
              for k, (c, font) in enumerate(zip(_COLOURS, fonts, strict=False))]  # fmt: skip
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
