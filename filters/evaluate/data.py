"""Evaluation data of any layout: a run, shards, clip_benchmark's layout, a table, a folder a class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate.errors import RecipeError
from curate.sources.reports.formats import format_of
from filters.evaluate.clip_benchmark import images_of, is_clip_benchmark, read_clip_benchmark
from filters.evaluate.sets import FACTS, EvalSet, gather, matches, unique
from filters.evaluate.tables import class_folders, read_classes, read_pairs
from filters.training.shards import Shards, open_shards

_HASHES = ("pixel_hash", "phash")


def read_set(path: Path, split: str = "test") -> EvalSet:
    """The records of ``split`` under ``path``, sorted by key.

    ``path`` is a run's folder, a folder of shards, one in clip_benchmark's layout, a table (CSV, JSONL, Parquet) with
    columns for image and text or label or a folder with just one such table, or a folder with a subfolder a class. A
    set without splits is taken whole. RecipeError if it is none of these or holds no record; bad records are left out
    and counted in ``skipped``.
    """
    data = _read(path, split)
    if not len(data):
        why = ", ".join(f"{n} {reason}" for reason, n in sorted(data.skipped.items())) or "it is empty"
        raise RecipeError("data", f"{path} holds no record to evaluate on ({why})", "look at the files named there")
    return data.sorted()


def _read(path: Path, split: str) -> EvalSet:
    if not path.exists():
        raise RecipeError("data", f"{path} does not exist", "a run's folder, shards, a table or a folder of images")
    if path.is_file():
        if format_of(path.name) in (None, "txt"):
            raise RecipeError("data", f"{path} is no table", "a .csv, .tsv, .jsonl or .parquet file, or a folder")
        return read_pairs(path, split)
    if (path / "shards").is_dir():
        return _shards(path / "shards", split, path.name)
    if is_clip_benchmark(path, split):
        return read_clip_benchmark(path, split)
    if any(path.glob("*.tar")) or any(p.is_dir() and any(p.glob("*.tar")) for p in path.iterdir()):
        return _shards(path, split, path.name)
    tables = sorted(p for p in path.iterdir() if format_of(p.name) in ("csv", "jsonl", "parquet"))
    if len(tables) == 1:
        return read_pairs(tables[0], split)
    if tables:
        raise RecipeError("data", f"{path} holds {len(tables)} tables", f"name one, such as {tables[0]}")
    inside = next((p for p in sorted(path.iterdir()) if p.is_dir() and matches(p.name, split)), path)
    if class_folders(inside):
        return read_classes(inside, path.name)
    fix = "shards (.tar), a table with image and text columns, or a subfolder of images a class"
    raise RecipeError("data", f"{path} holds nothing that is known", fix)


def _shards(folder: Path, split: str, name: str) -> EvalSet:
    """This product's or img2dataset's shards: facts from each record's .json, hashes from the index beside the tar."""
    parts = [p for p in sorted(folder.iterdir()) if p.is_dir() and any(p.glob("*.tar"))]
    chosen = next((p for p in parts if matches(p.name, split)), None)
    if chosen is None and not any(folder.glob("*.tar")):
        splits = ", ".join(p.name for p in parts) or "none"
        raise RecipeError("data", f"{folder} holds no split {split!r} (found: {splits})", "--split with one of these")
    return shard_set(chosen or folder, name)


def shard_set(folder: Path, name: str) -> EvalSet:
    """Every readable pair of the tars directly in ``folder``."""
    shards = open_shards(folder)
    index = read_hashes(shards)
    rows, patients = [], []
    texts: list[tuple[str, ...]] = []
    for i, key in enumerate(shards.keys.tolist()):
        sample = shards.read(i)
        meta = sample.facts.get("meta")
        rows.append({**(meta if isinstance(meta, dict) else {}), **_known(sample.facts)})
        texts.append((sample.text.strip(),))
        patients.append(str(sample.facts.get("patient") or index.get(key, {}).get("patient") or ""))
    keys = unique([str(k) for k in shards.keys])
    return EvalSet(
        name=name,
        keys=keys,
        images=images_of(shards),
        texts=texts,
        groups=[p or k for p, k in zip(patients, keys, strict=True)],
        facts=gather(rows),
        known_patients=any(patients),
        hashes={n: [index.get(str(k), {}).get(n) for k in shards.keys] for n in _HASHES} if index else {},
        skipped=shards.skipped.copy(),
    )


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {n: facts[n] for n in (*FACTS, "age") if facts.get(n) is not None}


def read_hashes(shards: Shards) -> dict[str, dict[str, Any]]:
    """patient, pixel_hash, phash and text_hash of each record in the shards' indexes; {} if no shard has an index."""
    return shards.index(("patient", *_HASHES, "text_hash"))
