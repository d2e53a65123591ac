"""Records that reviewers found good, as shards: what ``clean: {folder: ...}`` of a recipe trains a filter on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import RecipeError
from curate.export.plan import plan_shards
from curate.export.webdataset import ExportTask
from curate.intact import part_path
from curate.step import read_parts
from curate.storage import commit_bytes, table_bytes
from pipelines.api import Run
from pipelines.browse.marks import consensus

_PER_SHARD = 1000


def write_good(run: Run, marks: pl.DataFrame, folder: Path) -> int:
    """The train records that more reviewers find good than bad, kept by the run or not, as shards in a new ``folder``;
    how many. RecipeError where the folder is not empty, or there is none to write."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RecipeError("--good", f"{folder} is not empty", "name a new folder; nothing is overwritten")
    judged = consensus(marks)
    good = pa.array(judged.filter(pl.col("good"))["key"].to_list(), pa.string())
    select, ingest, texts = (run.folder(name) for name in ("select", "ingest", "capfilt"))
    if select is None:
        raise RecipeError("--good", "the run has no selection", "run it again")
    chosen = read_parts(select).filter((pc.field("split") == "train") & pc.field("key").isin(good))
    if not chosen.num_rows:
        raise RecipeError("--good", "no record of the train split is marked good", "mark some first")
    for name in ("drop_step", "drop_reason"):
        chosen = chosen.set_column(chosen.column_names.index(name), name, pa.nulls(chosen.num_rows, pa.string()))
    with tempfile.TemporaryDirectory() as plan:
        commit_bytes(part_path(Path(plan), 0), table_bytes(plan_shards(chosen, _PER_SHARD)))
        task = ExportTask(str(ingest), plan, str(folder), str(texts) if texts else None)
        for shard in range(-(-chosen.num_rows // _PER_SHARD)):
            task.run(shard)
    return int(chosen.num_rows)
