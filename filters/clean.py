"""The clean set: right pairs to train a filter on, and proof that no evaluation record is among them.

Three ways to it: a column of the reports says who is clean; a folder of shards, from an earlier run, is clean as a
whole; or it is built from the pool itself by rules and by the agreement of networks that have not seen the pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from curate.dedup.hamming import hamming_pairs
from curate.errors import RecipeError
from filters.method import Records
from filters.registry import CleanRules
from filters.rules import FilterTrainingRules
from filters.score import Needs, Scorer, prepare
from filters.training.plan import hold_out
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


def agreeing(records: Records, rules: CleanRules, train: FilterTrainingRules, folder: Path) -> Records:
    """The part ``rules.agree`` of ``records`` that filters trained on the other folds score highest.

    Whole patients are folded; each fold is scored by the one network that has not seen it, and cut by itself, for the
    scores of two networks are on two scales.
    """
    from filters.training.filter import train_filter  # torch: only where networks are asked

    fold = np.zeros(len(records), np.int64)
    for k in range(1, rules.folds):
        left = np.flatnonzero(fold == 0)
        mask = hold_out([records.groups[i] for i in left], 1 / (rules.folds - k + 1), train.seed + k)
        fold[left[mask]] = k
    kept: list[int] = []
    for k in range(rules.folds):
        inside, mine = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        training, out = records.take(inside), folder / f"fold-{k}"
        train_filter(training.images, training.texts, training.groups, out, replace(train, holdout=0.0))
        scorer = Scorer({"fold": str(out)}, train.device, train.threads)
        others = records.take(mine)
        scores = np.concatenate([scorer(b)["fold"] for b in prepare(others.images, others.texts, Needs.of([out]), 64)])
        order = np.argsort(np.where(np.isnan(scores), -np.inf, scores), kind="stable")[::-1]
        kept += [int(mine[i]) for i in order[: round(rules.agree * len(mine))]]
    return records.take(sorted(kept))


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
