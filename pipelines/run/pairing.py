"""What is said of how images and reports found each other, after the index of a run."""

from __future__ import annotations

from curate.errors import RunError
from curate.sources.pairing.outcome import Pairing
from curate.step import Manifest
from pipelines.recipe.recipe import Recipe


def require_pairs(recipe: Recipe, pairing: Pairing, index: Manifest) -> None:
    """RunError where there are images and reports, and none has found the other, and neither was to stay alone."""
    alone = "keep" in (recipe.pair.unpaired_images, recipe.pair.unpaired_reports)
    if pairing.is_few and not pairing.paired and not alone:
        dropped = "  ".join(f"{reason}={n}" for reason, n in sorted(index.dropped.items(), key=lambda d: (-d[1], d[0])))
        lines = [*pairing.lines, f"index: {index.rows_in:,} in, {index.kept:,} kept  {dropped}"]
        raise RunError("\n  ".join([f"nothing pairs: {pairing.headline}", *lines]))


def pairing_warnings(pairing: Pairing) -> list[str]:
    """What is to be loud about: ids that lead to nobody, or that few images found a report. The first line says how
    many did, others why not more."""
    return [pairing.headline, *pairing.lines] if pairing.lines or pairing.is_few else []
