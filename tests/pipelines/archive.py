"""A small synthetic archive, a recipe for it, and what two runs must have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from curate.export.webdataset import CROISSANT, README
from curate.synth.archive import SynthConfig, write_archive


def make_archive(folder: Path, studies: int, seed: int = 3, **config: Any) -> Path:
    usual = {"side": 96, "reviewed": 1.0, "mismatch": 0.15, "wrong_side": 0.04, "negated": 0.04, "boilerplate": 0.04}
    write_archive(folder, SynthConfig(studies=studies, seed=seed, **usual | config))
    return folder


def recipe_for(archive: Path, out: Path, secret: Path, **changes: Any) -> Path:
    columns = {"text": "report", "accession": "accession", "study": "study_uid", "patient": "patient_id"}
    columns |= {"patient_name": "patient_name", "date": "study_date", "clean": "reviewed"}
    recipe: dict[str, Any] = {
        "name": "small",
        "out": str(out),
        "secret": str(secret),
        "images": [{"name": "archive", "path": str(archive / "dicom")}],
        "reports": [{"path": str(archive / "reports" / "reports.csv"), "columns": columns}],
        "image": {"side": 96},
        "deid": {"second_look": {"share": 0.02, "least": 2}},
        "filters": {"dfn": {"epochs": 2, "batch": 8, "vocab": 512}, "text_quality": {}},
        "select": {"by": "dfn", "keep": 0.5, "force": True},  # two epochs teach it nothing
        "split": {"val": 0.1, "test": 0.1},
        "export": {"records_per_shard": 10},
        "records_per_partition": 12,
        "truth": {"path": str(archive / "truth" / "truth.parquet")},
        "engine": {"workers": 1},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.parent / f"{out.name}.yaml"
    path.write_text(yaml.safe_dump(recipe | changes))
    return path


def hits(files: Mapping[str, bytes], wanted: Iterable[str]) -> set[tuple[str, str]]:
    """(file, string) for each of ``wanted`` that is in it. All are looked for in one pass: bytes are shown to polars
    as text in which each is a letter."""
    letters = {string.encode().decode("latin-1"): string for string in wanted}
    found = set()
    for name, data in files.items():
        text = data.decode("latin-1")
        if pl.Series([text]).str.contains_any(list(letters)).item():
            found |= {(name, string) for form, string in letters.items() if form in text}
    return found


def fingerprint(run: Path) -> dict[str, str]:
    """Every byte that must not depend on engine, workers or restarts: shards, and the tables of every step. The card
    beside the shards is drawn with the report, which `run_pipeline` alone does not."""
    shards = (p for p in (run / "shards").rglob("*") if p.is_file() and p.name not in (README, CROISSANT))
    steps = (p for p in (run / "steps").rglob("*.*") if p.suffix == ".parquet" or p.parent.name == "model")
    files = sorted([*shards, *steps])
    return {p.relative_to(run).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
