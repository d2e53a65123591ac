"""The clean set: right pairs to train a filter on, and proof that no evaluation record is among them.

Three ways to it: a column of the reports says who is clean; a folder of shards, from an earlier run, is clean as a
whole; or it is built from the pool itself by rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curate.dedup.hamming import hamming_pairs
from curate.errors import RecipeError
from filters.method import Records
from filters.registry import CleanRules
from filters.training.shards import TRUNCATED, shards_in

_NEAR = 3  # bits of 64 by which the perceptual hashes of one picture may differ


def clean_keys(rows: Sequence[dict[str, Any]], rules: CleanRules) -> list[str]:
    """Keys of the pool's clean set among ``rows`` (key, patient, clean, text, text_hash) of the train split."""
    declared = [r for r in rows if r["clean"]]
    if not any(r["clean"] is not None for r in rows):
        sharing = Counter(text for _, text in {(r["patient"], r["text_hash"]) for r in rows})
        long_enough = (r for r in rows if len(r["text"].split()) >= rules.min_words)
        declared = [r for r in long_enough if sharing[r["text_hash"]] == 1]
    return sorted(r["key"] for r in declared)[: rules.max_pairs]


def seen_in_evaluation(rows: Sequence[dict[str, Any]], held_out: Sequence[dict[str, Any]]) -> set[str]:
    """Keys of ``rows`` that are, by key, by pixel hash or as a near-duplicate picture, in ``held_out``; both hold key,
    pixel_hash and phash."""
    keys, pixels = {r["key"] for r in held_out}, {r["pixel_hash"] for r in held_out if r["pixel_hash"]}
    found = {r["key"] for r in rows if r["key"] in keys or r["pixel_hash"] in pixels}
    hashed = [[r for r in part if r["phash"] is not None] for part in (rows, held_out)]
    if all(hashed):
        hashes = np.array([r["phash"] for part in hashed for r in part], dtype=np.uint64)
        n = len(hashed[0])
        for pairs in hamming_pairs(hashes, _NEAR):  # rows sorted: the left is the lower
            found |= {hashed[0][int(i)]["key"] for i, j in pairs if i < n <= j}
    return found


def shard_records(folder: Path) -> Records:
    """All pairs of the shards in and below ``folder``, patients from the Parquet index beside each. RecipeError where
    there is none, or one cannot be read."""
    folders = sorted({path.parent for path in folder.rglob("*.tar")})
    if not folders:
        raise RecipeError("clean.folder", f"{folder} holds no shards", "the 'shards' folder of a run")
    try:
        opened = [shards_in(inside) for inside in folders]
    except RecipeError as error:
        raise RecipeError("clean.folder", error.problem, error.fix) from None
    columns: tuple[list[Any], ...] = ([], [], [], [])
    for shards in opened:
        if shards.skipped[TRUNCATED]:
            raise RecipeError("clean.folder", f"a shard in {shards.folder} is cut short", "write it again")
        rows = shards.index(("patient",))
        for sample in map(shards.read, range(len(shards))):
            patient = str(rows.get(sample.key, {}).get("patient") or sample.key)
            for column, value in zip(columns, (sample.key, sample.image, sample.text, patient), strict=True):
                column.append(value)
    return Records(*columns)
