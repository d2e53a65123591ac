"""Near-duplicate images: a perceptual hash proposes, the rank correlation of two thumbnails confirms.

Both read the *ranks* of the 32 x 32 grey levels rather than the levels: a window, a gamma or a histogram equalisation
maps grey levels by a monotone function, which leaves ranks alone (by levels, the hash missed every fifth equalised
radiograph within its distance; by ranks, none). Crops, flips and rotations are other pictures here.

The defaults are read off ``benchmarks/dedup.py``: they link no two films of different patients out of 300,000 pairs,
and no equalised, windowed or compressed copy is lost that a wider distance would find. What they cannot tell apart are
neighbouring slices of one series, which differ less than a copy and its original may.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from curate.dedup.exact import Pairs
from curate.dedup.hamming import BITS, Rows, cut, hamming_pairs
from curate.dedup.leaders import HOT, Confirm, link_to_leaders, mix
from curate.dedup.rules import CORRELATION, DISTANCE

SIDE = 32
PIXELS = SIDE * SIDE
_SMALL_RUN = 16  # so many equal hashes are compared one with another
_LEADERS = 32  # of a hot bucket
_CROWD = 64  # rows that so many others come close to without a match are not compared with one another any more
_NEXT = 4  # what matches none of so many leaders close to it meets so many neighbours, in the order of hashes
_BLOCK = 4096  # pairs confirmed at a time: some 50 MiB

# Rows 1..8 of the 32-point DCT-II in 12-bit fixed point: integers make the hash the same on every machine.
_K, _X = np.arange(1, 9)[:, None], np.arange(SIDE)[None, :]
_DCT = np.rint(np.cos(np.pi * (2 * _X + 1) * _K / (2 * SIDE)) * 4096).astype(np.int64)

Thumbs = npt.NDArray[np.uint8]


def _small(pixels: np.ndarray) -> Thumbs:
    """uint8[32, 32]: area-averaged grey, its lowest level at 0 and its highest at 255; zeros where all are one."""
    shape, native = pixels.shape, pixels.dtype.newbyteorder("=")
    if native not in (np.uint8, np.uint16) or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))):
        raise ValueError(f"want uint8 or uint16, (h, w), (h, w, 1) or (h, w, 3); got {pixels.dtype} {shape}")
    grey = np.ascontiguousarray(pixels, dtype=native)
    if len(shape) == 3:
        grey = cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY) if shape[2] == 3 else grey[:, :, 0]
    small = cv2.resize(grey.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    low, high = float(small.min()), float(small.max())
    if high - low < 1e-3:
        return np.zeros((SIDE, SIDE), dtype=np.uint8)
    return np.rint((small - low) * (255 / (high - low))).astype(np.uint8)


def ranks(thumbs: Thumbs) -> npt.NDArray[np.int64]:
    """int64[n, 1024]: twice the mid-rank of each pixel among its thumbnail's, minus the mean; ties share theirs."""
    n = len(thumbs)
    places = np.arange(n)[:, None] * 256 + thumbs
    counts = np.bincount(places.ravel(), minlength=n * 256).reshape(n, 256)
    levels = 2 * np.cumsum(counts, axis=1) - counts - PIXELS
    return np.asarray(levels.ravel()[places], dtype=np.int64)


def thumb(pixels: np.ndarray) -> bytes:
    """1024 bytes: the 32 x 32 uint8 grey copy, row-major. pixels as in `perceptual_hash`."""
    return _small(pixels).tobytes()


def perceptual_hash(pixels: np.ndarray) -> int:
    """The 64-bit DCT hash: signs of the coefficients 1..8 x 1..8 of the rank-transformed 32 x 32 grey copy.

    pixels: uint8 or uint16, (h, w), (h, w, 1) or RGB (h, w, 3); ValueError for anything else. After Zauner 2010
    (pHash), with ranks for levels and without the first row and column, which all films of one view share.
    """
    return thumb_hash(thumb(pixels))


def thumb_hash(small: bytes) -> int:
    """`perceptual_hash` of the picture whose `thumb` this is."""
    grey = ranks(np.frombuffer(small, dtype=np.uint8).reshape(1, PIXELS)).reshape(SIDE, SIDE)
    bits = (_DCT @ grey @ _DCT.T).ravel() > 0
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def correlations(thumbs: Thumbs, pairs: Pairs) -> npt.NDArray[np.float64]:
    """float64[m] in [-1, 1]: Spearman's rank correlation of the thumbnails (uint8[n, 1024]) of each pair of rows.

    Two equal thumbnails correlate 1 even where they are constant; a constant one with any other, 0.
    """
    out = np.ones(len(pairs))
    for at in range(0, len(pairs), _BLOCK):
        block = pairs[at : at + _BLOCK]
        other = np.flatnonzero((thumbs[block[:, 0]] != thumbs[block[:, 1]]).any(axis=1))
        rows, place = np.unique(block[other], return_inverse=True)
        unit = ranks(thumbs[rows]).astype(np.float32)
        unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1)
        left, right = place.reshape(-1, 2).T
        out[at + other] = np.einsum("ij,ij->i", unit[left], unit[right])
    return out


def near_image_pairs(
    phash: npt.NDArray[np.uint64],
    thumbs: Thumbs,
    distance: int = DISTANCE,
    correlation: float = CORRELATION,
    group: npt.NDArray[np.int64] | None = None,
) -> Pairs:
    """int64[m, 2], i < j, sorted: pairs within ``distance`` bits whose thumbnails correlate at least ``correlation``.

    phash: uint64[n]; thumbs: uint8[n, 1024]; group: int64[n] >= 0, where given only pairs of one group count.
    Every such pair is found but in a crowd. In a hot bucket (`curate.dedup.leaders`: many rows of one hash, or of one
    part of it) those that match an earlier row are linked to that one only, so n rows yield about n links, not n²/2;
    and two rows that are each within the distance of 64 others that they do not match are not compared any more.
    """
    thumbs = np.asarray(thumbs, dtype=np.uint8).reshape(len(phash), PIXELS)
    where = np.zeros(len(phash), dtype=np.int64) if group is None else group
    free, crowded = np.ones(len(phash), dtype=bool), np.zeros(len(phash), dtype=bool)
    close = np.zeros(len(phash), dtype=np.int64)  # how many leaders of a bucket were within the distance, and no match

    def confirm(left: Rows, right: Rows) -> npt.NDArray[np.bool_]:
        near = np.bitwise_count(phash[left] ^ phash[right]) <= distance
        near &= where[left] == where[right]
        match = near.copy()
        match[near] = correlations(thumbs, np.stack([left[near], right[near]], axis=1)) >= correlation
        np.add.at(close, right[near & ~match], 1)
        return np.asarray(match, dtype=np.bool_)

    links = []
    for key, hot in _keys(phash, where, distance):
        close[:] = 0
        links.append(link_to_leaders(np.flatnonzero(free), key, confirm, _LEADERS, hot))
        free[links[-1][:, 1]] = False
        crowded = free & (close >= _LEADERS)
        links += _chain(np.flatnonzero(crowded), phash, where, confirm)
        free &= ~crowded
    rows = np.flatnonzero(free)
    rows = rows[np.lexsort((phash[rows], where[rows]))]  # equal hashes meet first
    close[:] = 0
    for block in hamming_pairs(phash[rows], distance, None if group is None else group[rows]):
        pairs = np.sort(rows[block], axis=1)
        pairs = pairs[(close[pairs] < _CROWD).any(axis=1)]
        match = correlations(thumbs, pairs) >= correlation
        np.add.at(close, pairs[~match].ravel(), 1)
        links.append(pairs[match])
    found = np.concatenate([np.empty((0, 2), dtype=np.int64), *links])
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _keys(phash: npt.NDArray[np.uint64], where: Rows, distance: int) -> Iterator[tuple[npt.NDArray[np.uint64], int]]:
    """(What rows of a bucket share, how many are a hot one): a whole hash, then parts of it so wide that unrelated
    hashes of the largest group seldom share one."""
    base = where.astype(np.uint64)
    yield mix(base, phash), _SMALL_RUN
    largest = int(np.bincount(where).max()) if len(where) else 1
    for chunk in cut(max(1, min(distance + 1, BITS // (largest.bit_length() + 2))), distance):
        yield mix(base, chunk.of(phash).astype(np.uint64)), HOT


def _chain(rows: Rows, phash: npt.NDArray[np.uint64], where: Rows, confirm: Confirm) -> list[Pairs]:
    """Links of rows to their next ones in the order of hashes."""
    order = rows[np.lexsort((rows, phash[rows], where[rows]))]
    out = []
    for step in range(1, _NEXT + 1):
        pairs = np.sort(np.stack([order[:-step], order[step:]], axis=1), axis=1)
        out.append(pairs[confirm(pairs[:, 0], pairs[:, 1])])
    return out
