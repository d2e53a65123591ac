"""What of a pool is in an evaluation set: no filter and no model may learn from what it is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.dedup.image import near_image_pairs
from curate.dedup.resolve import pictures_of
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
_PICTURE = pa.schema([HELD.field("phash"), HELD.field("thumb")])


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
        if not self.table.num_rows:
            return found
        both = pa.concat_tables([table.select(_PICTURE.names).cast(_PICTURE) for table in (pool, self.table)])
        blank = pc.equal(both["phash"], pa.scalar(0, pa.uint64()))
        telling = pc.if_else(blank, None, both["phash"])
        pictured, phash, thumbs = pictures_of(both.set_column(0, "phash", telling))
        pairs = np.flatnonzero(pictured)[near_image_pairs(phash, thumbs, DISTANCE, CORRELATION)]
        found[pairs[(pairs[:, 0] < pool.num_rows) & (pairs[:, 1] >= pool.num_rows), 0]] = True
        return found
