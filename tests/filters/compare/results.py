"""Results of cells, as `filters.compare.runs.run_experiment` leaves them."""

from __future__ import annotations

from typing import Any

NAME = ("held out", "retrieval/image_to_text", "r10")


def cell(selection: str, seed: int, r10: float | None, budget: float = 1.0, **more: Any) -> dict[str, Any]:
    """One cell's results with one number; ``more`` replaces or adds to them."""
    found = {
        "selection": selection,
        "family": more.pop("family", selection),
        "seed": seed,
        "fraction": 1.0 if selection == "all" else 0.2,
        "budget": budget,
        "right": 0.2 if selection == "all" else 0.8,
        "pairs": 1000 if selection == "all" else 200,
        "samples": round(4000 * budget),
        "cpu_seconds": 12.5,
        "tasks": {NAME[0]: {NAME[1]: {NAME[2]: r10, "median_rank": 7.0, "n": 40.0}}},
    }
    return {**found, **more}
