"""The step that computes signatures of a recipe's evaluation sets, so that the pool can be kept disjoint from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from curate.dedup.exact import pixel_hash
from curate.dedup.held import HELD
from curate.dedup.image import thumb, thumb_hash
from filters.evaluate.data import read_set
from filters.evaluate.sets import EvalSet
from filters.towers import preprocess


@dataclass(frozen=True)
class MarksTask:
    """Partition i is the i-th set, (folder or file, split)."""

    sets: tuple[tuple[str, str], ...]

    def rows(self, partition: int) -> int:
        """One unit of work a set."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """`HELD` rows: of each record the signatures from the set's own index, and those of its picture."""
        path, split = self.sets[partition]
        return pa.Table.from_pylist(list(_marks(read_set(Path(path), split))), schema=HELD)


def _marks(data: EvalSet) -> Iterator[dict[str, Any]]:
    hashes = data.hashes.get("pixel_hash", [None] * len(data))
    patients = data.groups if data.known_patients else [None] * len(data)
    for key, image, patient, declared in zip(data.keys, data.images, patients, hashes, strict=True):
        row: dict[str, Any] = {"key": key, "patient": patient, "pixel_hash": declared}
        raw = preprocess.read(image())
        if raw is None:
            yield row
            continue
        rgb = raw if raw.ndim == 2 else np.ascontiguousarray(cv2.cvtColor(raw, cv2.COLOR_BGR2RGB))
        small, own = thumb(rgb), pixel_hash(rgb)
        yield {**row, "pixel_hash": declared or own, "phash": thumb_hash(small), "thumb": small}
        if declared is not None and declared != own:  # the index has the hash of the picture before it was scaled down
            yield {"key": key, "pixel_hash": own}
