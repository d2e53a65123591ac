"""What of a pool is in an evaluation set: no filter and no model may learn from what it is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.dedup.image import PIXELS, near_image_pairs
from curate.dedup.rules import CORRELATION
from curate.record import Reason

DISTANCE = 3  # bits of 64: fewer than among duplicates of one patient, for these are compared across patients

# Signatures of evaluation records, a row each or more; what is not known is null.
HELD = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("patient", pa.string()),
        pa.field("pixel_hash", pa.string()),
        pa.field("phash", pa.uint64()),
        pa.field("thumb", pa.binary()),
    ]
)


@dataclass(frozen=True)
class HeldOut:
    """Signatures to look for: a `HELD` table."""

    table: pa.Table

    def reasons(self, pool: pa.Table) -> list[Reason | None]:
        """For each row of ``pool`` (key, patient, pixel_hash, phash, thumb): why it may not stay, or None.

        By key, by equal pixels, by a near-duplicate picture (perceptual hash within `DISTANCE`, thumbnails that
        correlate), and any other record of a patient who is in the set.
        """
        near = self._near(pool)
        same = self._in(pool, "key") | self._in(pool, "pixel_hash") | near
        patient = self._in(pool, "patient")
        return [
            Reason.IN_EVALUATION if s else Reason.EVALUATION_PATIENT if p else None
            for s, p in zip(same, patient, strict=True)
        ]

    def _in(self, pool: pa.Table, name: str) -> npt.NDArray[np.bool_]:
        known = pc.drop_null(self.table[name].combine_chunks())
        known = known.filter(pc.not_equal(known, ""))
        return np.asarray(pc.is_in(pool[name], value_set=known).to_numpy(zero_copy_only=False), bool)

    def _near(self, pool: pa.Table) -> npt.NDArray[np.bool_]:
        found = np.zeros(pool.num_rows, bool)
        sides = [_pictures(t) for t in (pool, self.table)]
        if not all(len(rows) for rows, _, _ in sides):
            return found
        phash, thumbs = (np.concatenate([side[i] for side in sides]) for i in (1, 2))
        n = len(sides[0][0])
        pairs = near_image_pairs(phash, thumbs, DISTANCE, CORRELATION)
        across = pairs[(pairs[:, 0] < n) & (pairs[:, 1] >= n), 0]
        found[sides[0][0][across]] = True
        return found


def _pictures(table: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """(int64[m] rows with a picture that says anything, their hashes, uint8[m, 1024] thumbnails)."""
    rows = [
        (i, int(h), t)
        for i, (h, t) in enumerate(zip(table["phash"].to_pylist(), table["thumb"].to_pylist(), strict=True))
        if h and t is not None and len(t) == PIXELS  # a hash of zeros is a blank picture
    ]
    thumbs = np.frombuffer(b"".join(t for _, _, t in rows), np.uint8).reshape(-1, PIXELS)
    return np.array([i for i, _, _ in rows], np.int64), np.array([h for _, h, _ in rows], np.uint64), thumbs
