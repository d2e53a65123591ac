"""The records on a plane, alike ones near each other: t-SNE of how a filter's image tower sees their pictures.

It is made once of a fair draw of the records and lies in RUN/report/map.parquet: pseudonymous keys and two coordinates.
Embeddings that a filter kept in the score table are taken as they are; else the pictures of the draw are encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.export.columns import columns_in
from curate.report.words import MAP
from curate.storage import commit_bytes, local_folder, read_table, table_bytes
from pipelines.api import Run
from pipelines.browse.table import Table

_MAX_POINTS = 4000  # half a minute of one core
_MIN_POINTS = 8
_COMPONENTS = 50  # principal components before t-SNE, as its authors do (van der Maaten and Hinton 2008)
_PERPLEXITY = 30.0
_BATCH = 64
_COLOURS = ("key", "drop_reason", "drop_step", "finding", "modality", "body_part", "source", "split", "scores")
_OF = b"radsift.map"  # in the file: the step and the column it was made of
_PICTURE = "_image_embedding"

Progress = Callable[[int, int, dict[str, float]], None]
Vectors = tuple[list[str], NDArray[np.float32]]  # keys, and a row for each


def make_map(run: Run, progress: Progress = lambda *_: None) -> int:
    """Place the first scored records in key order, which is a fair draw, on the map, where that is not done; how many.
    RecipeError where no filter of the run has an image tower, or too few records have a picture."""
    scored, path = run.folder("score"), run.path / "report" / MAP
    column = next((name for name in columns_in(scored) if name.endswith(_PICTURE)), None) if scored else None
    towers = None if column else _towers_of(run)
    if scored is None or (column or towers) is None:
        fix = "the map needs a filter that compares pictures with texts: ours, or dfn"
        raise RecipeError("--map", "no filter of this run has an image tower", fix)
    of = f"{scored.name}/{column or 'encoded'}".encode()
    if path.exists() and ((known := read_table(path)).schema.metadata or {}).get(_OF) == of:
        return int(known.num_rows)
    every = run.rows("score", ["key"])
    drawn = [] if every is None else run.collected(every.sort("key").head(_MAX_POINTS))["key"].to_list()
    keys, vectors = _encoded(run, towers, drawn, progress) if towers else _kept(run, str(column), drawn)
    if len(keys) < _MIN_POINTS:
        raise RecipeError(
            "--map", f"{len(keys)} scored records have a picture", f"{_MIN_POINTS} are the least to place"
        )
    x, y = _plane(vectors).T
    placed = pa.table({"key": pa.array(keys, pa.string()), "x": x, "y": y}).sort_by("key")
    commit_bytes(path, table_bytes(placed.replace_schema_metadata({_OF: of})))
    return len(keys)


def _kept(run: Run, column: str, keys: Sequence[str]) -> Vectors:
    """What the score table holds of ``keys``."""
    rows = run.rows("score", ["key", column])
    if rows is None or not keys:
        return [], np.zeros((0, 0), np.float32)
    found = run.collected(rows.filter(pl.col("key").is_in(keys)).drop_nulls().sort("key"))
    return found["key"].to_list(), np.nan_to_num(np.array(found[column].to_list(), np.float32))


def _towers_of(run: Run) -> Path | None:
    """The folder of the run's first filter with two towers, be it a part of another."""
    from filters.method import method_of, read_card
    from filters.registry import TowersRules, registered

    for folder in run.filters.values():
        for card in sorted(local_folder(folder).rglob("card.json")):
            if registered(method_of(read_card(card.parent))).rules is TowersRules:
                return card.parent
    return None


def _encoded(run: Run, folder: Path, keys: Sequence[str], progress: Progress) -> Vectors:
    """The pictures of ``keys``, as they were written, encoded by the towers in ``folder``."""
    from filters.method import load_method
    from filters.score import Needs, prepare

    towers: Any = load_method(folder)
    rows = run.rows("dedup", ["key", "partition"])
    few = None if rows is None else rows.filter(pl.col("key").is_in(keys)).sort("partition", "key")
    placed = [] if few is None else run.collected(few).rows()
    names: list[str] = []
    vectors = [np.zeros((0, 0), np.float32)]
    for start in range(0, len(placed), _BATCH):
        found = run.payloads(placed[start : start + _BATCH], ["image"])
        images = [row["image"] for row in found.values()]
        for batch in prepare(images, [""] * len(images), Needs.of([folder]), _BATCH):
            names += [key for key, valid in zip(found, batch.valid, strict=True) if valid]
            vectors.append(towers.embed(batch)[0][batch.valid])
        progress(start + len(found), len(placed), {})
    return names, np.concatenate(vectors[1:] or vectors)


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
