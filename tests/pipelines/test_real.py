"""The main job on real files nobody here wrote; skipped where they are absent."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset as wds

from curate.engine import Engine
from curate.export.webdataset import read_index, shard_table
from curate.record import live
from curate.step import Manifest, read_parts
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.report.summary import write_report
from pipelines.run.execute import run_pipeline
from tests.realdata import real

RECIPES = Path(__file__).parents[2] / "pipelines" / "recipes"


def run(name: str, engine: Engine, out: Path, secret: Path, *overrides: str) -> tuple[Pipeline, list[Manifest]]:
    from pipelines.run.check import check, save_recipe

    usual = [f"out={out}", f"secret={secret}", "export.records_per_shard=200"]
    recipe = load_recipe(RECIPES / f"{name}.yaml", [*usual, *overrides])
    check(recipe)
    save_recipe(recipe)
    pipeline, manifests = run_pipeline(recipe, engine, lambda step, done, total: None)
    write_report(pipeline, manifests)
    return pipeline, manifests


def read_back(pipeline: Pipeline) -> int:
    """Every shard through webdataset; how many samples came out, each with its text and a decodable image."""
    index = {r["key"]: r for r in read_index(pipeline.shards).to_pylist()}
    seen = 0
    for shard in shard_table(pipeline.shards):
        path = pipeline.shards / shard["split"] / f"{shard['name']}.tar"
        for sample in wds.WebDataset(str(path), shardshuffle=False).decode("rgb8"):
            row = index[sample["__key__"]]
            assert sample["txt"] == row["text"]
            if row["width"]:
                assert sample["png"].shape[:2] == (row["height"], row["width"])
            seen += 1
    return seen


def check_funnel(manifests: list[Manifest]) -> None:
    counts = {m.step: m for m in manifests}
    for before, after in (("index", "ingest"), ("ingest", "dedup"), ("dedup", "select"), ("select", "export")):
        assert counts[before].kept == counts[after].rows_in


SMALL = 40_000  # bytes: the larger files cost minutes of text detection
EVERY = [5, pytest.param(1, marks=pytest.mark.slow)]  # one pair or report of as many


@pytest.mark.parametrize("most", [SMALL, pytest.param(1 << 40, marks=pytest.mark.slow)])
def test_every_public_dicom_file_has_a_fate(
    most: int, inline_engine: Engine, secret_file: Path, tmp_path: Path
) -> None:
    all_of_it, source = real("dicom"), tmp_path / "dicom"
    for path in all_of_it.rglob("*"):
        if path.is_file() and (path.stat().st_size <= most or path.name == "manifest.csv"):
            to = source / path.relative_to(all_of_it)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
    pipeline, manifests = run("dicom", inline_engine, tmp_path / "run", secret_file, f"images.0.path={source}")
    check_funnel(manifests)
    files = [p for p in source.rglob("*") if p.is_file()]
    assert manifests[0].rows_in == len(files)
    assert read_back(pipeline) == manifests[-1].kept > 10
    names = {r["patient_name"] for r in csv.DictReader((source / "manifest.csv").open(encoding="utf-8"))}
    parts = {w for n in names for w in n.replace("^", " ").replace("=", " ").split() if len(set(w)) > 4}
    parts -= {"Patient", "Anonymized"}  # words of the page's own
    outputs = [p for p in pipeline.run.rglob("*") if p.is_file() and p.suffix in (".tar", ".json", ".html")]
    assert parts and not {w for w in parts for p in outputs if w.encode() in p.read_bytes()}


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize(("name", "pairs"), [("radiology_pairs", 1487), ("cxr_pairs", 518)])
def test_a_csv_of_pairs(
    name: str, pairs: int, every: int, inline_engine: Engine, secret_file: Path, tmp_path: Path
) -> None:
    source = real(name)
    with (source / "pairs.csv").open(encoding="utf-8", newline="") as all_of_it:
        rows = list(csv.DictReader(all_of_it))
    told = rows[::every]
    with (tmp_path / "pairs.csv").open("w", encoding="utf-8", newline="") as some:
        writer = csv.DictWriter(some, list(rows[0]))
        writer.writeheader()
        writer.writerows(told)
    pairs //= every
    overrides = [f"images.0.path={source}/images", f"reports.0.path={tmp_path}/pairs.csv", "filters={}", "select={}"]
    pipeline, manifests = run(name, inline_engine, tmp_path / "run", secret_file, *overrides)
    check_funnel(manifests)
    assert manifests[0].rows_in >= pairs
    assert read_back(pipeline) == manifests[-1].kept > pairs // 2
    cases = {r["group_id"] for r in told}
    patients = set(read_index(pipeline.shards)["patient"].to_pylist())
    assert not patients & cases and len(patients) <= len(cases)


@pytest.mark.parametrize("every", EVERY)
def test_reports_alone(every: int, inline_engine: Engine, secret_file: Path, tmp_path: Path) -> None:
    source = tmp_path / "reports"
    source.mkdir()
    for path in real("reports").glob("*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        (source / path.name).write_text("".join(lines[::every]), encoding="utf-8")
    pipeline, manifests = run("reports_only", inline_engine, tmp_path / "run", secret_file, f"reports.0.path={source}")
    check_funnel(manifests)
    kept = read_parts(pipeline.dedup.folder(pipeline.run))
    kept = kept.filter(pa.array(live(kept)))
    assert read_back(pipeline) == kept.num_rows == manifests[-1].kept
    flat = [t for p in pipeline.shards.rglob("*.parquet") for t in pq.read_table(p)["text_hash"].to_pylist()]
    assert len(set(flat)) == len(flat) > 2000 // every
