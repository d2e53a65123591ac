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


def leakage(encoded: Encoded, train: Path) -> Leakage:
    """``encoded`` (with ``signed``) against the shards of ``train``, a run's folder or a folder of shards.

    Pictures match by the hash of their pixels or by a perceptual hash within a few bits
    (`filters.clean.seen_in_evaluation`), from the shards' index if there is one, else from the pictures themselves.
    Keys that are running numbers are ignored. Patients are compared as written: pseudonyms of two archives never match.
    """
    rows = _training_rows(train)

    def known(name: str) -> set[Any]:
        return {row[name] for row in rows if row.get(name) is not None}

    keys, pixels, patients, text_hashes = (known(n) for n in ("key", "pixel_hash", "patient", "text_hash"))
    own = encoded.data.hashes.get("pixel_hash", encoded.pixel_hashes)
    own_patients = encoded.data.groups if encoded.data.known_patients else [None] * len(encoded.data)
    masks = {
        "key": [k in keys and not _COUNTER_KEY.fullmatch(k) for k in encoded.data.keys],
        "pixels": [not pixels.isdisjoint(pair) for pair in zip(own, encoded.pixel_hashes, strict=True)],
        "near_duplicate": _near(encoded.phashes, known("phash")),
        "patient": [p in patients for p in own_patients],
        "text": [any(text_hash(t) in text_hashes for t in part) for part in encoded.data.texts],
    }
    return Leakage({k: np.array(v, bool) for k, v in masks.items()}, len(rows))


def _near(phashes: Sequence[int], train_phashes: set[int]) -> list[bool]:
    rows = [_row(f"e{i}", h) for i, h in enumerate(phashes) if h != _BLANK_PHASH]
    train_rows = [_row(f"t{i}", h) for i, h in enumerate(sorted(train_phashes - {_BLANK_PHASH}))]
    keys = seen_in_evaluation(rows, train_rows)
    return [f"e{i}" in keys for i in range(len(phashes))]


def _row(key: str, phash: int) -> dict[str, Any]:
    return {"key": key, "pixel_hash": None, "phash": phash}


def _training_rows(train: Path) -> list[dict[str, Any]]:
    """key, pixel_hash, phash, patient and text_hash of each training record: by the shards' index, else by the record
    itself."""
    shards = open_shards(train / "shards" if (train / "shards").is_dir() else train)
    index, rows = read_hashes(shards), []
    for i, key in enumerate(shards.keys.tolist()):
        row = {**dict.fromkeys(("pixel_hash", "phash", "patient", "text_hash")), **index.get(key, {}), "key": key}
        if row["pixel_hash"] is None or row["phash"] is None or not row["patient"]:
            sample = shards.read(i)
            if row["pixel_hash"] is None or row["phash"] is None:
                raw = preprocess.read(sample.image)
                row["pixel_hash"], row["phash"] = (None, None) if raw is None else signature(raw)
            row["patient"] = row["patient"] or sample.facts.get("patient")
        row["patient"] = str(row["patient"]) if row["patient"] else None  # a number, in others' shards
        row["text_hash"] = row["text_hash"] or text_hash(shards.text(i))
        rows.append(row)
    return rows
