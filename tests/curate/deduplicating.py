"""Duplicates of records and of reports at hand: signed, and looked for in one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.dedup.exact import normalise, pixel_hash, text_hash
from curate.dedup.image import thumb, thumb_hash
from curate.dedup.resolve import after_pictures, alone, behind, near_pictures, ranked
from curate.dedup.rules import DedupRules
from curate.dedup.text import MINHASH_SIZE, near_text_pairs, text_signature


def signatures(pixels: np.ndarray | None, text: str) -> dict[str, object]:
    """The signature columns of one record: pixel_hash, phash, thumb (None without pixels), text_hash, minhash."""
    image: dict[str, object] = {"pixel_hash": None, "phash": None, "thumb": None}
    if pixels is not None:
        small = thumb(pixels)
        image = {"pixel_hash": pixel_hash(pixels), "phash": thumb_hash(small), "thumb": small}
    hashed, signed = text_signature(text)
    return {**image, "text_hash": hashed, "minhash": signed}


def resolve(table: pa.Table, rules: DedupRules) -> pa.Table:
    """`curate.record.DEDUP` of the live records ``table``, rows in its order; independent of that order.

    table: columns key (unique, or ValueError), patient, study, width, height, text, pixel_hash, phash, thumb,
    text_hash, minhash, and where the source declares splits official_split. Image columns are null for a record of text
    alone. ``cluster`` and ``duplicate_of`` name a kept row.
    """
    if pc.count_distinct(table["key"]).as_py() != table.num_rows:
        raise ValueError("keys repeat: every record has one row")
    table = ranked(table)
    return after_pictures(table, behind(alone(table["key"]), near_pictures(table, rules)), rules)


def sign(texts: Sequence[str]) -> np.ndarray:
    """uint32[n, MINHASH_SIZE]."""
    return np.frombuffer(b"".join(text_signature(t)[1] for t in texts), "<u4").reshape(-1, MINHASH_SIZE)


def near_pairs(texts: Sequence[str], jaccard: float = 0.8, group: np.ndarray | None = None) -> np.ndarray:
    """`near_text_pairs` of texts that nobody has signed."""
    hashes = np.array([text_hash(t) for t in texts], dtype="U32")
    ids = np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    ids[hashes == text_hash("")] = -1
    return near_text_pairs(sign(texts), texts, ids, jaccard, group)


def jaccards(texts: Sequence[str], pairs: np.ndarray) -> np.ndarray:
    """float64[m]: the Jaccard similarity of the texts' sets of words; an empty text matches none."""
    words = {i: set(normalise(texts[i]).split()) for i in np.unique(pairs).tolist()}
    return np.array([len(words[i] & words[j]) / max(1, len(words[i] | words[j])) for i, j in pairs.tolist()])
