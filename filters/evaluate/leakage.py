"""Evaluation records that are also in the training shards, exactly or nearly."""

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
_COUNTER_KEY = re.compile(r"\D?\d+(?:#\d+)?")  # "000000012", "s0000001": running numbers, which any set has
_BLANK_PHASH = 0  # the perceptual hash of a uniform picture, which identifies nothing


@dataclass(frozen=True, eq=False)
class Leakage:
    """``masks`` bool[n] by kind; ``train`` records were searched."""

    masks: dict[str, NDArray[np.bool_]]
    train: int

    @property
    def leaked(self) -> NDArray[np.bool_]:
        """bool[n]: leaked by key, pixels, near-duplicate picture or patient. An equal text alone is no leak: two normal
        studies are reported in the same words."""
        return np.asarray(np.logical_or.reduce([self.masks[k] for k in KINDS if k != "text"]))

    def counts(self) -> dict[str, int]:
        """Leaked records by kind and in all, and the numbers of evaluation and training records."""
        each = {k: int(mask.sum()) for k, mask in self.masks.items()}
        return {**each, "leaked": int(self.leaked.sum()), "records": len(self.leaked), "train_records": self.train}


@dataclass(frozen=True, eq=False)
class TrainingIndex:
    """Identifiers and signatures of the training records."""

    keys: set[str]
    pixels: set[str]
    near: set[int]
    patients: set[str]
    texts: set[str]
    size: int


def leakage(encoded: Encoded, train: Path) -> Leakage:
    """``encoded`` (with ``signed``) against the shards of ``train``, a run's folder or a folder of shards.

    Pictures match by the hash of their pixels or by a perceptual hash within a few bits
    (`filters.clean.seen_in_evaluation`), from the shards' index if there is one, else from the pictures themselves.
    Keys that are running numbers are ignored. Patients are compared as written: pseudonyms of two archives never match.
    """
    training = _index_training(train)
    own = encoded.data.hashes
    own_hashes = zip(own.get("pixel_hash", encoded.pixel_hashes), encoded.pixel_hashes, strict=True)
    patients = encoded.data.groups if encoded.data.known_patients else [""] * len(encoded.data)
    masks = {
        "key": [k in training.keys and not _COUNTER_KEY.fullmatch(k) for k in encoded.data.keys],
        "pixels": [not training.pixels.isdisjoint(pair) for pair in own_hashes],
        "near_duplicate": _near(encoded.phashes, training.near),
        "patient": [p in training.patients for p in patients],
        "text": [any(text_hash(t) in training.texts for t in part) for part in encoded.data.texts],
    }
    return Leakage({k: np.array(v, bool) for k, v in masks.items()}, training.size)


def _near(phashes: Sequence[int], train_phashes: set[int]) -> list[bool]:
    rows = [_row(f"e{i}", h) for i, h in enumerate(phashes) if h != _BLANK_PHASH]
    train_rows = [_row(f"t{i}", h) for i, h in enumerate(sorted(train_phashes - {_BLANK_PHASH}))]
    keys = seen_in_evaluation(rows, train_rows)
    return [f"e{i}" in keys for i in range(len(phashes))]


def _row(key: str, phash: int) -> dict[str, Any]:
    return {"key": key, "pixel_hash": None, "phash": phash}


def _index_training(train: Path) -> TrainingIndex:
    inside = train / "shards" if (train / "shards").is_dir() else train
    shards = open_shards(inside)
    index = read_hashes(shards)
    pixels, near, patients, texts = set(), set(), set(), set()
    for i, key in enumerate(shards.keys.tolist()):
        row = index.get(key, {})
        pixels_hash, phash = row.get("pixel_hash"), row.get("phash")
        sample = None if pixels_hash and phash is not None and row.get("patient") else shards.read(i)
        if sample is not None and (pixels_hash is None or phash is None):
            raw = preprocess.read(sample.image)
            pixels_hash, phash = signature(raw) if raw is not None else (None, None)
        if pixels_hash is not None:
            pixels.add(str(pixels_hash))
        if phash is not None:
            near.add(int(phash))
        patient = row.get("patient") or (sample.facts.get("patient") if sample is not None else None)
        if patient:
            patients.add(str(patient))
        texts.add(row.get("text_hash") or text_hash(sample.text if sample is not None else shards.text(i)))
    return TrainingIndex(set(shards.keys.tolist()), pixels, near, patients, texts, len(shards))
