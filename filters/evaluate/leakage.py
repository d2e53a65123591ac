"""Which evaluation records the training shards hold already, wholly or nearly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.dedup.exact import text_hash
from filters.clean import seen_in_evaluation
from filters.evaluate.data import read_hashes
from filters.evaluate.encode import Encoded, signature
from filters.towers import preprocess
from filters.training.shards import open_shards

KINDS = ("key", "pixels", "near_duplicate", "patient", "text")
_COUNTED = re.compile(r"\D?\d+(?:#\d+)?")  # "000000012", "s0000001": any set has a record of this number
_BLANK = 0  # the perceptual hash of a picture of one grey level, which says nothing


@dataclass(frozen=True, eq=False)
class Leakage:
    """``masks`` bool[n] by kind; ``train`` records were searched."""

    masks: dict[str, NDArray[np.bool_]]
    train: int

    @property
    def leaked(self) -> NDArray[np.bool_]:
        """bool[n]: known by key, pixels, near-duplicate picture or patient. An equal text alone is no leak: two
        normal studies are reported in the same words."""
        return np.asarray(np.logical_or.reduce([self.masks[k] for k in KINDS if k != "text"]))

    def counts(self) -> dict[str, int]:
        """How many records of each kind, how many in all, and of how many in training."""
        each = {k: int(mask.sum()) for k, mask in self.masks.items()}
        return {**each, "leaked": int(self.leaked.sum()), "records": len(self.leaked), "train_records": self.train}


@dataclass(frozen=True, eq=False)
class TrainingIndex:
    """What is known of the training records."""

    keys: set[str]
    pixels: set[str]
    near: set[int]
    patients: set[str]
    texts: set[str]
    size: int


def leakage(found: Encoded, train: Path) -> Leakage:
    """``found`` (encoded with ``signed``) against the shards of ``train``, a run's folder or one of shards.

    Pictures are known by the hash of their pixels and by a perceptual hash within a few bits
    (`filters.clean.seen_in_evaluation`), from the shards' index where there is one, else from the pictures themselves.
    A key that is only a number tells nothing. Patients are compared as written: two archives' pseudonyms never meet.
    """
    seen = _seen(train)
    own = found.data.hashes
    told = zip(own.get("pixel_hash", found.pixel_hashes), found.pixel_hashes, strict=True)
    patients = found.data.groups if found.data.known_patients else [""] * len(found.data)
    masks = {
        "key": [k in seen.keys and not _COUNTED.fullmatch(k) for k in found.data.keys],
        "pixels": [not seen.pixels.isdisjoint(pair) for pair in told],
        "near_duplicate": _near(found.phashes, seen.near),
        "patient": [p in seen.patients for p in patients],
        "text": [any(text_hash(t) in seen.texts for t in part) for part in found.data.texts],
    }
    return Leakage({k: np.array(v, bool) for k, v in masks.items()}, seen.size)


def _near(phashes: Sequence[int], seen: set[int]) -> list[bool]:
    rows = [_row(f"e{i}", h) for i, h in enumerate(phashes) if h != _BLANK]
    held = [_row(f"t{i}", h) for i, h in enumerate(sorted(seen - {_BLANK}))]
    keys = seen_in_evaluation(rows, held)
    return [f"e{i}" in keys for i in range(len(phashes))]


def _row(key: str, phash: int) -> dict[str, Any]:
    return {"key": key, "pixel_hash": None, "phash": phash}


def _seen(train: Path) -> TrainingIndex:
    inside = train / "shards" if (train / "shards").is_dir() else train
    shards = open_shards(inside)
    index = read_hashes(shards)
    pixels, near, patients, texts = set(), set(), set(), set()
    for i, key in enumerate(shards.keys.tolist()):
        row = index.get(key, {})
        mark, phash = row.get("pixel_hash"), row.get("phash")
        sample = None if mark and phash is not None and row.get("patient") else shards.read(i)
        if sample is not None and (mark is None or phash is None):
            raw = preprocess.read(sample.image)
            mark, phash = signature(raw) if raw is not None else (None, None)
        if mark is not None:
            pixels.add(str(mark))
        if phash is not None:
            near.add(int(phash))
        patient = row.get("patient") or (sample.facts.get("patient") if sample is not None else None)
        if patient:
            patients.add(str(patient))
        texts.add(row.get("text_hash") or text_hash(sample.text if sample is not None else shards.text(i)))
    return TrainingIndex(set(shards.keys.tolist()), pixels, near, patients, texts, len(shards))
