"""What a command says of a finished run, kept beside the report so that neither is made again where nothing changed.

`RUN/report/summary.json` holds a digest of all that the report was made of and the sha256 of its files: one that is
missing, damaged or of other steps is drawn anew.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import __version__
from curate.export.webdataset import CROISSANT, README
from curate.report.funnel import FUNNEL, StepCount
from curate.report.words import PAGES
from curate.step import Manifest
from curate.storage import beside, commit_marker, digest, digest_file, read_json, read_marker
from pipelines.build import Pipeline, stamp

SUMMARY = "summary.json"
FILES = ("attestation.json", "index.html", "report.json", *PAGES)
CARD = tuple(f"../shards/{name}" for name in (CROISSANT, README))  # written where they are not the same already


@dataclass(frozen=True)
class Summary:
    """``measures``: (name, value, low, high); ``shards``: one mapping a shard with split, name, records, bytes;
    ``faults``: a line for each place in the code where a record met an exception that nobody foresaw."""

    attestation: Mapping[str, Any]
    measures: Sequence[tuple[str, float, float | None, float | None]]
    shards: Sequence[Mapping[str, Any]]
    faults: Sequence[str]


def summary_of(pipeline: Pipeline, manifests: Sequence[Manifest]) -> Summary:
    """What there is to say of these finished steps; the report is drawn where the one that lies there is of others."""
    known = _remembered(pipeline, manifests)
    if known is None:
        from pipelines.report.summary import write_report  # pictures, plots and templates: only where it is drawn

        write_report(pipeline, manifests)
        known = _remembered(pipeline, manifests) or {}
    attestation = read_json(pipeline.run / "report" / "attestation.json")
    return Summary(attestation, [tuple(m) for m in known["measures"]], known["shards"], known["faults"])


def remember_summary(
    pipeline: Pipeline,
    manifests: Sequence[Manifest],
    measures: Sequence[tuple[str, float, float | None, float | None]],
    shards: Sequence[Mapping[str, Any]],
    faults: Sequence[str],
) -> None:
    """The report of these steps was just written, and this is what a command says of it."""
    folder = pipeline.run / "report"
    value: dict[str, Any] = {"measures": measures, "shards": shards, "faults": faults}
    value |= {
        "made_of": _made_of(pipeline, manifests),
        "files": {n: digest_file(beside(folder, n)) for n in (*FILES, *CARD)},
    }
    commit_marker(folder / SUMMARY, value)


def read_summary(run: Path) -> dict[str, Any] | None:
    """What was remembered of the report that lies in ``run``; None where there is none, or it is damaged."""
    return read_marker(run / "report" / SUMMARY)


def _remembered(pipeline: Pipeline, manifests: Sequence[Manifest]) -> dict[str, Any] | None:
    folder, known = pipeline.run / "report", read_summary(pipeline.run)
    if known is None or known["made_of"] != _made_of(pipeline, manifests):
        return None
    if known["files"].keys() != {*FILES, *CARD}:  # drawn by a release with other pages
        return None
    try:
        whole = all(digest_file(beside(folder, name)) == sha256 for name, sha256 in known["files"].items())
    except FileNotFoundError:
        return None
    return known if whole else None


def _made_of(pipeline: Pipeline, manifests: Sequence[Manifest]) -> str:
    """A digest of what a report is made of: the program, the recipe, every step's parts, and what lies beside them."""
    steps = [digest(m.step, m.hash, *(str(part["sha256"]) for part in m.parts)) for m in manifests]
    truth, curves = pipeline.recipe.truth, sorted((pipeline.run / "train").glob("*/curve.csv"))
    beside = [stamp(path) for path in [*([truth.path] if truth else []), *curves]]
    recipe = (pipeline.run / "recipe.yaml").read_bytes()
    return digest(*(f"{name} {version}" for name, version in versions().items()), recipe, *steps, *beside)


def funnel(manifests: Sequence[Manifest]) -> list[StepCount]:
    """The counts of the steps that records pass through, in order."""
    return [
        StepCount(m.step, m.rows_in, m.kept, dict(m.dropped), m.seconds, m.reused)
        for m in manifests
        if m.step in FUNNEL
    ]


def versions() -> dict[str, str]:
    """What the run's bytes may depend on."""
    packages = ("numpy", "opencv-python-headless", "open_clip_torch", "pillow", "pyarrow", "pydicom", "ray", "torch")
    found = {"radsift": __version__, "python": platform.python_version()}
    return found | {p: importlib.metadata.version(p) for p in packages}
