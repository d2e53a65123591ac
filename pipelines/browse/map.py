"""The records on a plane, alike ones near each other: t-SNE of the embeddings that a filter kept of their pictures.

It is made once of a fair draw of the records and lies in RUN/report/map.parquet: pseudonymous keys and two coordinates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.export.columns import columns_in
from curate.intact import part_paths
from curate.report.words import MAP
from curate.storage import commit_bytes, read_table, table_bytes
from pipelines.api import Run
from pipelines.browse.table import Table

_MAX_POINTS = 4000  # half a minute of one core
_MIN_POINTS = 8
_COMPONENTS = 50  # principal components before t-SNE, as its authors do (van der Maaten and Hinton 2008)
_PERPLEXITY = 30.0
_COLOURS = ("key", "drop_reason", "drop_step", "finding", "modality", "body_part", "source", "split", "scores")
_OF = b"radsift.map"  # in the file: the step and the column it was made of
_PICTURE = "_image_embedding"


def make_map(run: Run) -> int:
    """Place the first records in key order, which is a fair draw, on the map, where that is not done; how many.
    RecipeError where the run keeps no embeddings, or too few."""
    folder, path = run.folder("score"), run.path / "report" / MAP
    names = [name for name in columns_in(folder) if name.endswith(_PICTURE)] if folder else []
    if folder is None or not names:
        fix = "--set filters.NAME.embeddings=true, and run again: a filter with towers keeps those of every record"
        raise RecipeError("--map", "no filter of this run kept its embeddings", fix)
    of = f"{folder.name}/{names[0]}".encode()
    if path.exists() and ((known := read_table(path)).schema.metadata or {}).get(_OF) == of:
        return int(known.num_rows)
    every = run.rows("score", ["key"])
    keys = [] if every is None else run.collected(every.sort("key").head(_MAX_POINTS))["key"].to_list()
    wanted = [("key", "in", keys)]
    parts = [read_table(part, ["key", names[0]], wanted) for part in part_paths(folder)]
    frame: Any = pl.from_arrow(pa.concat_tables(parts))
    frame = frame.drop_nulls().sort("key")
    if frame.height < _MIN_POINTS:
        raise RecipeError("--map", f"{frame.height} records have an embedding", f"{_MIN_POINTS} are the least to place")
    vectors = np.stack(frame[names[0]].to_list()).astype(np.float32)
    x, y = _plane(np.nan_to_num(vectors)).T
    placed = pa.table({"key": frame["key"].to_arrow().cast(pa.string()), "x": x, "y": y})
    commit_bytes(path, table_bytes(placed.replace_schema_metadata({_OF: of})))
    return int(frame.height)


def _plane(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[n, 2] in -1..1; the same for the same vectors."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    n, width = vectors.shape
    reduced = PCA(min(_COMPONENTS, n, width), random_state=0).fit_transform(vectors)
    plane = TSNE(perplexity=min(_PERPLEXITY, (n - 1) / 3), init="pca", random_state=0).fit_transform(reduced)
    plane -= plane.mean(axis=0)
    return np.asarray(plane / max(np.abs(plane).max(), 1e-6), np.float32)


def read_map(path: Path, table: Table) -> dict[str, Any] | None:
    """The points as the page draws them: keys, coordinates and what they can be coloured by; None where no map is made.
    Records that the run does not know any longer are left out."""
    if not path.exists():
        return None
    placed: Any = pl.from_arrow(read_table(path))
    rows = [(table.row(key), x, y) for key, x, y in placed.iter_rows()]
    facts = table.facts([row for row, _, _ in rows if row is not None])
    return {
        "x": [round(x, 4) for row, x, _ in rows if row is not None],
        "y": [round(y, 4) for row, _, y in rows if row is not None],
        "records": [{name: fact[name] for name in _COLOURS if name in fact} for fact in facts],
        "colours": [name for name in _COLOURS if name != "key" and any(name in fact for fact in facts)],
    }
