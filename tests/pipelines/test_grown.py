"""An archive that grew: what was made before is not made again, and the bytes are those of a run from nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from curate.engine import Engine
from curate.ingest import chain
from curate.step import read_parts
from curate.storage import table_bytes
from curate.task import Deferred
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.run.execute import run_pipeline
from tests.pipelines.archive import fingerprint, make_archive, recipe_for

PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.7}}


def silent(name: str, done: int, total: int) -> None:
    pass


def contents(run: Path) -> dict[str, str]:
    """But for the folders' names, which differ: an older step is there too."""
    found = fingerprint(run)
    return {name: found[name] for name in found if name.startswith("shards/") and "export" not in name}


@pytest.mark.slow  # 40 CPU-seconds
def test_a_grown_archive_is_ingested_where_it_grew(
    secret_file: Path, local_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_archive(tmp_path / "a", 24, side=64)
    recipe = load_recipe(recipe_for(whole, tmp_path / "fresh", secret_file, truth=None, **PLAIN))
    fresh, _ = run_pipeline(recipe, local_engine, silent)
    files = sorted((whole / "dicom").rglob("*.dcm"))
    for path in files[::9]:
        path.rename(path.with_suffix(".later"))
        shutil.move(path.with_suffix(".later"), tmp_path / f"{files.index(path)}.later")
    recipe = load_recipe(recipe_for(whole, tmp_path / "grown", secret_file, truth=None, **PLAIN))
    before, _ = run_pipeline(recipe, local_engine, silent)
    for path in files[::9]:
        shutil.move(tmp_path / f"{files.index(path)}.later", path)
    listing = run_pipeline(recipe, local_engine, silent, until="index")[0].listing
    grown = Pipeline(recipe, listing)
    assert grown.ingest.hash != before.ingest.hash

    read: list[Path] = []
    real = chain.load_dicom
    monkeypatch.setattr(chain, "load_dicom", lambda path, *rest: (read.append(path), real(path, *rest))[1])
    task = grown.ingest.task
    assert isinstance(task, Deferred)
    tables = [task.run(i) for i in range(grown.partitions)]
    added = set(files[::9])
    changed = {path for path in read if path not in added}
    assert len(read) < len(files) / 3 and len(changed) <= 2  # the sample of the second look may be another

    monkeypatch.undo()
    grown, _ = run_pipeline(recipe, local_engine, silent)
    for i, table in enumerate(tables):
        part = (grown.ingest.folder(grown.run) / f"part-{i:05d}.parquet").read_bytes()
        assert table_bytes(table, row_group=256) == part
        assert part == (fresh.ingest.folder(fresh.run) / f"part-{i:05d}.parquet").read_bytes()
    assert contents(grown.run) == contents(fresh.run)
    assert read_parts(grown.ingest.folder(grown.run), ["made_of"])["made_of"].null_count < len(files)
